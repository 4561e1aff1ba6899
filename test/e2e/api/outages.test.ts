/** While a peer is down nothing is sold: 503 with Retry-After, before an invoice exists, and nothing worse than that. */
import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outage, withNumber } from "../../support/life.ts";
import { documentedServer } from "../../support/openapi.ts";
import { type RunningServer, startServer, type Told } from "../../support/server.ts";

const server = documentedServer({ PRICE_MAX_AGE_SECONDS: "600" });
const TELEGRAM = { service: "tg", country: "US" };

/** Checked beside the document: how long to wait is said twice, and the same. */
function expectRefused({ status, headers, error }: Told): void {
  expect({ status, code: error.code }).toEqual({ status: 503, code: "TEMPORARILY_UNAVAILABLE" });
  expect(Number(headers.get("retry-after"))).toBe(error.retryAfterSeconds ?? -1);
}

/** For what waits: blocked by the provider, the service asks nothing for ten seconds. */
async function whileTimePasses<T>(work: Promise<T>): Promise<T> {
  for (;;) {
    const first = await Promise.race([work.then(() => true), Bun.sleep(200).then(() => false)]);
    if (first) return work;
    await server().advance(2);
  }
}

async function health(): Promise<Record<string, { ok?: boolean } | string>> {
  const response = await fetch(`${server().origin}/health`);
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, { ok?: boolean } | string>;
}

/** Sells again, at the latest after the longest wait that an answer named. */
async function expectSelling(): Promise<void> {
  await server().advance(61);
  expect((await server().ask(TELEGRAM)).status).toBe(402);
  expect(await health()).toMatchObject({ status: "ok" });
}

describe("the node", () => {
  for (const fault of ["http500", "http503", "html502", "reset", "unauthorized"]) {
    test(`answers an invoice with ${fault}: 503, and selling goes on once it is back`, async () => {
      await server().fault("node", "addinvoice", fault);
      expectRefused(await server().ask(TELEGRAM));
      // Not asked again at once: the next customer is refused without a call.
      expectRefused(await server().ask(TELEGRAM));
      await server().advance(6);
      expect((await server().ask(TELEGRAM)).status).toBe(402);
    });
  }

  for (const fault of ["garbled", "empty", "reset_after"]) {
    test(`makes an invoice whose answer is lost (${fault}): it is found, and sold`, async () => {
      await server().fault("node", "addinvoice", fault);
      const bought = await server().buy(TELEGRAM);
      await server().until(bought, ({ status }) => status === "waiting_for_sms");
    });
  }

  test("is down as a whole: sales stop, the health page says so, orders under way stay readable", async () => {
    const { bought } = await withNumber(server(), TELEGRAM);
    const end = await outage(server(), "node", "*", "http500");
    await server().advance(61);
    expectRefused(await server().ask(TELEGRAM));
    expectRefused(await server().ask({ type: "rent-number", service: "full", country: "US", durationMinutes: 60 }));
    expect(await health()).toMatchObject({ status: "degraded", lightning: { ok: false }, provider: { ok: true } });
    expect(await server().read(bought)).toMatchObject({ status: "waiting_for_sms" });
    expect((await fetch(`${server().origin}/readyz`)).status).toBe(200);
    await end();
    await expectSelling();
  });
});

describe("the provider", () => {
  test("is down as a whole: sales stop, also for what was just asked about", async () => {
    const end = await outage(server(), "provider", "*", "http503");
    await server().advance(11);
    expectRefused(await server().ask(TELEGRAM));
    await server().advance(190);
    expectRefused(await server().ask(TELEGRAM));
    expect(await health()).toMatchObject({ status: "degraded", provider: { ok: false }, lightning: { ok: true } });
    await end();
    await expectSelling();
  });

  for (const fault of ["bad_key", "account_inactive", "banned_global", "html403", "garbled", "reset"]) {
    test(`answers the price list with ${fault}: 503 and no word of it`, async () => {
      await server().advance(11);
      const ends = [
        await outage(server(), "provider", "getPrices", fault),
        await outage(server(), "provider", "activations/offers/sms", fault),
      ];
      const response = await whileTimePasses(server().post("/v2/l402/order", TELEGRAM));
      const text = await response.text();
      expect({ fault, status: response.status }).toEqual({ fault, status: 503 });
      expect(text).not.toMatch(/herosms|handler_api|api_key|BAD_KEY|BANNED|Cloudflare|<html/i);
      for (const end of ends) await end();
      await server().advance(301);
      await expectSelling();
    });
  }

  test("has too little of our money: orders are refused that it could not pay for", async () => {
    const end = await outage(server(), "provider", "getBalance", "custom", { body: "ACCESS_BALANCE:0.01" });
    await server().advance(61);
    expectRefused(await server().ask(TELEGRAM));
    await end();
    await expectSelling();
  });
});

describe("the price sources", () => {
  test("are down: sold at the last rate until that is too old, then not at all", async () => {
    const before = await server().challenge(TELEGRAM);
    const end = await outage(server(), "prices", "*", "http500");
    await server().advance(240);
    expect((await server().challenge(TELEGRAM)).priceSats).toBe(before.priceSats);
    await server().advance(361);
    expectRefused(await server().ask(TELEGRAM));
    const catalog = await fetch(`${server().origin}/v2/l402/catalog?country=US`);
    expect(catalog.status).toBe(503);
    expect(await health()).toMatchObject({ status: "degraded", price: { ok: false }, provider: { ok: true } });
    await end();
    await expectSelling();
  });

  test("tell stale, absurd or no prices: two honest ones are enough, and their price does not move", async () => {
    const { priceSats } = await server().challenge(TELEGRAM);
    for (const [first, second] of [
      ["stale", "stale"],
      ["zero", "garbled"],
      ["outlier", "http429"],
    ] as const) {
      await server().fault("prices", "coingecko", first, 100);
      await server().fault("prices", "mempool", second, 100);
      await server().advance(301);
      const told = await server().challenge(TELEGRAM);
      expect(Math.abs(told.priceSats - priceSats)).toBeLessThanOrEqual(1);
      expect(await server().unusedFaults()).toMatchObject([{ fault: first }, { fault: second }]);
    }
    await expectSelling();
  });
});

describe("too little to send", () => {
  let poor: RunningServer | null = null;
  const dataDir = mkdtempSync(join(tmpdir(), "l402-poor-"));
  afterEach(async () => {
    await poor?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  test("a node that could not pay a refund sells nothing that might need one", async () => {
    poor = await startServer({ dataDir });
    await poor.stop();
    const books = new Database(join(dataDir, "sandbox.sqlite"));
    books.run("UPDATE ln_balances SET msat = 200000 WHERE name = 'local'");
    books.close();

    poor = await startServer({ dataDir });
    expectRefused(await poor.ask(TELEGRAM));
    const rental = { type: "rent-number", service: "full", country: "US", durationMinutes: 60 };
    expect((await poor.ask(rental)).status).toBe(402);
    // What comes in can go out again: the rental's own payment makes room.
    await poor.buy(rental);
    await poor.advance(61);
    expect((await poor.ask(TELEGRAM)).status).toBe(402);
  });
});
