/** From the payment to the number: what the provider refuses, what it sells, and buys whose answer was lost. */
import { describe, expect, test } from "bun:test";
import {
  activationsOf,
  expectRefunded,
  faultsUsed,
  outage,
  refundable,
  refundsTo,
  sharedServer,
  soldIn,
} from "../../support/life.ts";
import type { Bought } from "../../support/server.ts";

const server = sharedServer();

const allocating = (bought: Bought) => server().until(bought, ({ status }) => status === "allocating_number");

describe("surely nothing was sold", () => {
  test("a provider that has no number for minutes means a refund", async () => {
    const { request, hash } = await refundable(server(), { service: "ig", country: "DE" });
    const end = await outage(server(), "provider", "getNumberV2", "no_numbers");
    const bought = await server().buy(request);
    expect((await allocating(bought)).next.action).toBe("wait");
    await server().advance(60);
    await end();
    await expectRefunded(server(), bought, hash);
    expect(await soldIn(server(), "ig", 43)).toEqual([]);
  });

  test("a provider that has a number at the second try sells it", async () => {
    const { request } = await refundable(server(), { service: "ig", country: "GB" });
    await server().fault("provider", "getNumberV2", "no_numbers");
    const bought = await server().buy(request);
    await faultsUsed(server());
    await server().advance(5);
    expect((await server().read(bought)).status).toBe("waiting_for_sms");
    expect(await soldIn(server(), "ig", 16)).toHaveLength(1);
  });

  test("a price that jumps above the quote is not paid: the sats come back", async () => {
    const { request, hash } = await refundable(server(), { service: "ig", country: "US" });
    const end = await outage(server(), "provider", "getNumberV2", "price_jump");
    const bought = await server().buy(request);
    await server().advance(60);
    await end();
    await expectRefunded(server(), bought, hash);
    expect(await soldIn(server(), "ig", 187)).toEqual([]);
  });

  test("a customer without a refund invoice is asked for one when no number can be had", async () => {
    const end = await outage(server(), "provider", "getNumberV2", "no_numbers");
    const bought = await server().buy({ service: "ig", country: "BR" });
    await server().advance(60);
    await end();
    expect(await server().read(bought)).toMatchObject({
      status: "refund_failed",
      next: { action: "give_refund_invoice" },
    });
    const { request, hash } = await refundable(server());
    await server().redirect(bought, request.refundInvoice);
    await expectRefunded(server(), bought, hash);
  });

  test("an account that is out of money refunds the order and stops new sales for a while", async () => {
    const { request, hash } = await refundable(server(), { service: "go", country: "US" });
    await server().fault("provider", "getNumberV2", "no_balance");
    const bought = await server().buy(request);
    await expectRefunded(server(), bought, hash);
    const sale = await server().ask({ service: "tg", country: "US" });
    expect(sale).toMatchObject({ status: 503, error: { code: "TEMPORARILY_UNAVAILABLE" } });
    expect(Number(sale.headers.get("retry-after"))).toBeGreaterThan(0);
    await server().advance(400);
    expect((await server().ask({ service: "tg", country: "US" })).status).toBe(402);
  });

  test("a pair that is barred for us is refunded and not sold again, others are", async () => {
    const { request, hash } = await refundable(server(), { service: "go", country: "GB" });
    await server().fault("provider", "getNumberV2", "banned_specific");
    const bought = await server().buy(request);
    await expectRefunded(server(), bought, hash);
    expect(await server().ask({ service: "go", country: "GB" })).toMatchObject({
      status: 409,
      error: { code: "UNAVAILABLE" },
    });
    expect((await server().ask({ service: "go", country: "US" })).status).toBe(402);
  });

  test("a provider that is in trouble for a minute sells afterwards", async () => {
    const { request } = await refundable(server(), { service: "go", country: "DE" });
    const challenge = await server().challenge(request);
    const end = await outage(server(), "provider", "*", "http503");
    const bought = await server().pay(challenge);
    await allocating(bought);
    await server().advance(60);
    expect((await server().read(bought)).status).toBe("allocating_number");
    await end();
    await server().advance(60);
    expect((await server().read(bought)).status).toBe("waiting_for_sms");
    expect(await soldIn(server(), "go", 43)).toHaveLength(1);
  });

  test("a cancel while no number is there yet ends the tries and refunds", async () => {
    const { request, hash } = await refundable(server(), { service: "go", country: "BR" });
    const challenge = await server().challenge(request);
    const end = await outage(server(), "provider", "*", "http503");
    const bought = await server().pay(challenge);
    await allocating(bought);
    expect(await server().cancel(bought)).toMatchObject({ status: 409, error: { code: "CANCEL_TOO_SOON" } });
    await server().advance(181);
    expect((await server().cancel(bought)).status).toBe(200);
    await server().advance(30);
    await end();
    await expectRefunded(server(), bought, hash);
    expect(await soldIn(server(), "go", 73)).toEqual([]);
    // Sales wait for the next check of the provider.
    await server().advance(60);
  });
});

test("several orders for one service and country get a number each", async () => {
  const challenges = await Promise.all([1, 2, 3, 4, 5].map(() => server().challenge({ service: "wb", country: "US" })));
  const bought = await Promise.all(challenges.map((challenge) => server().pay(challenge)));
  const orders = await Promise.all(bought.map((one) => server().until(one, ({ phoneNumber }) => phoneNumber !== null)));
  expect(new Set(orders.map(({ phoneNumber }) => phoneNumber)).size).toBe(5);
  expect(await soldIn(server(), "wb", 187)).toHaveLength(5);
});

describe("the answer was lost", () => {
  /** How each buy goes wrong, and whether the provider sold a number all the same. */
  const LOST: readonly [fault: string, detail: Record<string, unknown>, sold: boolean][] = [
    ["hang_bought", {}, true],
    ["reset_bought", {}, true],
    ["http500", { after: true }, true],
    ["html502", { after: true }, true],
    ["garbled", {}, true],
    ["truncated", {}, true],
    ["empty", {}, true],
    ["missing_id", {}, true],
    ["text_number", {}, true],
    ["hang_not_bought", {}, false],
    ["reset_not_bought", {}, false],
    ["http500", {}, false],
    ["http503", {}, false],
    ["garbled", { bought: false }, false],
    ["missing_id", { bought: false }, false],
  ];
  const SERVICES = ["tg", "wa", "fb"] as const;
  const COUNTRIES = [
    ["CA", 36],
    ["IN", 22],
    ["ID", 6],
    ["BR", 73],
    ["DE", 43],
  ] as const;

  test("exactly one number is bought, however the answer was lost", async () => {
    const orders: { fault: string; service: string; country: number; bought: Bought; hash: string }[] = [];
    for (const [index, [fault, detail]] of LOST.entries()) {
      const service = SERVICES[Math.floor(index / COUNTRIES.length)] ?? "";
      const [iso, country] = COUNTRIES[index % COUNTRIES.length] ?? ["", 0];
      const { request, hash } = await refundable(server(), { service, country: iso });
      const challenge = await server().challenge(request);
      await server().fault("provider", "getNumberV2", fault, 1, detail);
      const bought = await server().pay(challenge);
      await faultsUsed(server());
      orders.push({ fault, service, country, bought, hash });
    }
    // While one buy is unknown, its lane sells nothing: two unknown buys could not be told apart.
    expect(await server().ask({ service: "tg", country: "GB" })).toMatchObject({ status: 402 });
    expect(await server().ask({ service: "fb", country: "CA" })).toMatchObject({
      status: 409,
      error: { code: "UNAVAILABLE" },
    });

    await server().advance(30);
    for (const [index, { fault, service, country, bought }] of orders.entries()) {
      const sold = LOST[index]?.[2];
      const order = await server().read(bought);
      expect([fault, order.status]).toEqual([fault, sold ? "waiting_for_sms" : "allocating_number"]);
      expect([fault, (await soldIn(server(), service, country)).length]).toEqual([fault, sold ? 1 : 0]);
    }

    await server().advance(205);
    for (const { fault, service, country, bought } of orders) {
      const order = await server().read(bought);
      expect([fault, order.status]).toEqual([fault, "waiting_for_sms"]);
      expect([fault, (await soldIn(server(), service, country)).length]).toEqual([fault, 1]);
      expect(await activationsOf(server(), order.phoneNumber)).toHaveLength(1);
    }
    expect((await server().ask({ service: "fb", country: "CA" })).status).toBe(402);

    // Adopted numbers work like bought ones: some get their code, the others are refunded.
    for (const [index, { bought }] of orders.entries()) {
      if (index % 2 === 0) await server().sms((await server().read(bought)).phoneNumber, `Code ${10_000 + index}`);
      else expect((await server().cancel(bought)).status).toBe(200);
    }
    await server().advance(1);
    for (const { bought } of orders) await server().read(bought);
    await server().advance(130);
    for (const [index, { bought, service, country, hash }] of orders.entries()) {
      if (index % 2 === 0) {
        expect(await server().read(bought)).toMatchObject({ status: "completed", code: String(10_000 + index) });
        expect(await refundsTo(server(), hash)).toEqual([]);
      } else {
        await expectRefunded(server(), bought, hash);
      }
      const [row] = await soldIn(server(), service, country);
      expect(row?.status).toBe(index % 2 === 0 ? "finished" : "cancelled");
    }
  });

  test("a cancel while a buy is unknown gives the number back once it is found, and buys no other", async () => {
    const found = await refundable(server(), { service: "ds", country: "US" });
    const absent = await refundable(server(), { service: "ds", country: "GB" });
    const [first, second] = [await server().challenge(found.request), await server().challenge(absent.request)];
    await server().fault("provider", "getNumberV2", "hang_bought");
    const bought = await server().pay(first);
    await faultsUsed(server());
    await server().fault("provider", "getNumberV2", "hang_not_bought");
    const nothing = await server().pay(second);
    await faultsUsed(server());
    const end = await outage(server(), "provider", "getActiveActivations", "http503");
    await server().advance(181);
    for (const order of [bought, nothing]) {
      expect(await server().cancel(order)).toMatchObject({ status: 200, order: { status: "allocating_number" } });
    }
    await end();
    await server().advance(40);
    await expectRefunded(server(), bought, found.hash);
    await expectRefunded(server(), nothing, absent.hash);
    expect(await soldIn(server(), "ds", 187)).toMatchObject([{ status: "cancelled" }]);
    expect(await soldIn(server(), "ds", 16)).toEqual([]);
  });

  test("a buy that cannot be cleared up in time is refunded, and its number is given back later", async () => {
    const { request, hash } = await refundable(server(), { service: "ds", country: "CA" });
    await server().fault("provider", "getNumberV2", "hang_bought");
    const bought = await server().buy(request);
    await allocating(bought);
    await faultsUsed(server());
    // From now on nobody can be asked what became of the buy.
    await outage(server(), "provider", "getActiveActivations", "http503");
    const end = await outage(server(), "provider", "getHistory", "http503");
    await server().advance(230);
    expect((await server().read(bought)).status).toBe("allocating_number");
    await server().advance(15);
    await expectRefunded(server(), bought, hash);
    expect(await soldIn(server(), "ds", 36)).toMatchObject([{ status: "waiting" }]);
    await end();
    await server().advance(120);
    expect(await soldIn(server(), "ds", 36)).toMatchObject([{ status: "cancelled" }]);
    expect(await refundsTo(server(), hash)).toHaveLength(1);
  });
});
