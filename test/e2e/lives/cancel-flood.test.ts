/** Customers who only buy and cancel, from as many addresses as they like, against a provider that bans for it: the account survives. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningServer, startServer } from "../../support/server.ts";

setDefaultTimeout(60_000);

const REQUEST = { service: "tg", country: "US" };
const dataDir = mkdtempSync(join(tmpdir(), "l402-flood-"));
const env = { SANDBOX_BANS: "on", TRUSTED_PROXIES: "127.0.0.1", MAX_CANCELLED_PER_CLIENT: "10" };
let server: RunningServer;
let addresses = 0;

afterAll(async () => {
  await server.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const from = (n: number) => ({ "x-forwarded-for": `10.1.${n >> 8}.${n & 255}` });

/** Buys, waits for the number, and leaves it unused. @returns why nothing was sold, or null. */
async function waste(request: unknown, headers: Record<string, string>): Promise<string | null> {
  const refundInvoice = await server.refundInvoice();
  const response = await server.post("/v2/l402/order", { refundInvoice, ...(request as object) }, headers);
  const body = (await response.json()) as Awaited<ReturnType<RunningServer["challenge"]>>;
  if (response.status !== 402) return `${response.status} ${body.error.code}`;
  const bought = await server.pay(body);
  await server.until(bought, ({ phoneNumber, status }) => phoneNumber !== null || status === "refunded");
  return null;
}

const health = async () => {
  const report = (await (await fetch(`${server.origin}/health`)).json()) as { provider: Record<string, unknown> };
  return report.provider;
};

test("one address that only gives numbers back is told to wait", async () => {
  server = await startServer({ env, dataDir });
  const told: (string | null)[] = [];
  for (let n = 0; n < 10; n++) told.push(await waste({ service: "wa", country: "US" }, from(0)));
  expect(told).toEqual(Array(10).fill(null));
  await server.advance(1_300);
  expect(await waste({ service: "wa", country: "US" }, from(0))).toBe("429 RATE_LIMITED");
  expect(await waste({ service: "wa", country: "US" }, from(1))).toBeNull();
});

test("a refund address that never gives an invoice does not hide it", async () => {
  await server.fault("address", "request", "error", 1_000);
  const refundAddress = `nobody@${new URL(server.sandbox).host}`;
  for (let n = 0; n < 10; n++) {
    expect(await waste({ service: "go", country: "US", refundAddress, refundInvoice: null }, from(2))).toBeNull();
  }
  await server.advance(1_300);
  expect(await waste({ service: "go", country: "US" }, from(2))).toBe("429 RATE_LIMITED");
  await server.control("DELETE", "/faults");
});

test("many addresses close the pair for a while, long before the provider would, and nothing else", async () => {
  const told: (string | null)[] = [];
  for (let n = 0; n < 64; n++) told.push(await waste(REQUEST, from(++addresses + 100)));
  expect(told.filter((why) => why === null)).toHaveLength(60);
  expect(new Set(told.slice(60))).toEqual(new Set(["409 UNAVAILABLE"]));
  expect(await health()).toMatchObject({ ok: true, pairsPaused: 1, allPaused: false, pairsBarred: 0 });
  expect((await server.books()).bans).toEqual([]);
  expect(await waste({ service: "tg", country: "GB" }, from(1))).toBeNull();
});

test("a restart forgets nothing of it", async () => {
  await server.kill();
  server = await startServer({ env, dataDir });
  expect(await waste(REQUEST, from(4))).toBe("409 UNAVAILABLE");
});

test("an SMS on the trickle brings honest customers back at once", async () => {
  await server.advance(31 * 60);
  const buy = async () => {
    const bought = await server.buy(REQUEST, from(3));
    const { phoneNumber } = await server.until(bought, (order) => order.phoneNumber !== null);
    await server.sms(phoneNumber, "Your code is 123456");
    await server.until(bought, ({ code }) => code !== null);
  };
  for (let n = 0; n < 9; n++) await buy();
  expect(await health()).toMatchObject({ pairsPaused: 0 });
  expect((await server.books()).bans).toEqual([]);
});
