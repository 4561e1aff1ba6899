/** The refund leaves exactly once, whatever the node says, does not say, or takes back. */
import { expect, test } from "bun:test";
import {
  expectRefunded,
  faultsUsed,
  outage,
  refundable,
  refundsTo,
  sharedServer,
  withNumber,
} from "../../support/life.ts";
import type { Bought } from "../../support/server.ts";

const server = sharedServer();

/** An order that may be cancelled right now. */
async function cancellable(): Promise<{ bought: Bought; hash: string }> {
  const { request, hash } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  await server().advance(181);
  return { bought, hash };
}

/** An order for each fault; its refund met that fault at the node. */
async function cancelledUnder(faults: readonly string[]): Promise<{ bought: Bought; hash: string }[]> {
  const orders = await Promise.all(
    faults.map(async () => {
      const { request, hash } = await refundable(server());
      return { bought: (await withNumber(server(), request)).bought, hash };
    }),
  );
  await server().advance(181);
  for (const [index, fault] of faults.entries()) {
    const order = orders[index];
    await server().fault("node", "send", fault);
    if (order) await server().cancel(order.bought);
    await faultsUsed(server());
  }
  return orders;
}

const pending = (bought: Bought) => server().until(bought, ({ status }) => status === "refund_pending");

test("what was paid comes back to the sat, and the fee is ours", async () => {
  const before = (await server().wallet()).balanceSats;
  const { bought, hash } = await cancellable();
  expect((await server().wallet()).balanceSats).toBe(before - bought.priceSats);
  await server().cancel(bought);
  await expectRefunded(server(), bought, hash);
  expect((await server().wallet()).balanceSats).toBe(before);
});

test("an attempt that surely failed is followed by another", async () => {
  const orders = await cancelledUnder(["no_route", "timeout", "insufficient_balance", "incorrect_details"]);
  for (const { bought, hash } of orders) {
    expect((await pending(bought)).refund).toMatchObject({ status: "pending", amountSats: bought.priceSats });
    expect(await refundsTo(server(), hash)).toEqual([]);
  }
  await server().advance(30);
  for (const { bought, hash } of orders) await expectRefunded(server(), bought, hash);
});

test("a payment whose answer is lost is found, not repeated", async () => {
  const orders = await cancelledUnder(["reset_after", "garbled", "empty", "hang_after"]);
  await server().advance(200);
  for (const { bought, hash } of orders) await expectRefunded(server(), bought, hash);
});

test("a payment that never reached the node is sent again once that is sure", async () => {
  const orders = await cancelledUnder(["reset", "http500", "http503", "unauthorized", "not_found_html", "hang"]);
  for (const { bought } of orders) await pending(bought);
  await server().advance(60);
  for (const { bought, hash } of orders) {
    // "Never sent" is not believed at once: the payment could still be on its way to the node.
    expect((await server().read(bought)).status).toBe("refund_pending");
    expect(await refundsTo(server(), hash)).toEqual([]);
  }
  await server().advance(300);
  for (const { bought, hash } of orders) await expectRefunded(server(), bought, hash);
});

test("a payment that the receiver holds for long is waited for", async () => {
  const { bought, hash } = await cancellable();
  await server().fault("node", "send", "in_flight", 1, { resolveAfterSeconds: 1_200 });
  await server().cancel(bought);
  await server().advance(1_150);
  expect(await pending(bought)).toMatchObject({ next: { action: "wait" } });
  expect(await refundsTo(server(), hash)).toEqual([]);
  await server().advance(400);
  await expectRefunded(server(), bought, hash);
});

test("a payment that comes back after it was held is sent again", async () => {
  const { bought, hash } = await cancellable();
  await server().fault("node", "send", "in_flight", 1, { resolveAfterSeconds: 300, resolve: "failed" });
  await server().cancel(bought);
  await server().advance(200);
  expect((await server().read(bought)).status).toBe("refund_pending");
  await server().advance(500);
  await expectRefunded(server(), bought, hash);
});

test("a preimage that proves nothing is not shown, and the true one is found", async () => {
  const { bought, hash } = await cancellable();
  await server().fault("node", "send", "wrong_preimage");
  await server().cancel(bought);
  await server().advance(60);
  await expectRefunded(server(), bought, hash);
});

test("while the node is down the refund waits, and then arrives once", async () => {
  const { bought, hash } = await cancellable();
  const end = await outage(server(), "node", "*", "reset");
  await server().cancel(bought);
  await server().advance(6 * 60);
  expect(await server().read(bought)).toMatchObject({ status: "refund_pending", refund: { status: "pending" } });
  const sale = await server().ask({ service: "tg", country: "US" });
  expect(sale).toMatchObject({ status: 503, error: { code: "TEMPORARILY_UNAVAILABLE", retryable: true } });
  expect(Number(sale.headers.get("retry-after"))).toBeGreaterThan(0);
  await end();
  await server().advance(600);
  await expectRefunded(server(), bought, hash);
  expect((await server().ask({ service: "tg", country: "US" })).status).toBe(402);
});

test("a node that only forgets to answer questions about a payment does not get it twice", async () => {
  const { bought, hash } = await cancellable();
  await server().fault("node", "send", "reset_after");
  const end = await outage(server(), "node", "track", "http503");
  await server().cancel(bought);
  await server().advance(600);
  expect((await server().read(bought)).status).toBe("refund_pending");
  expect(await refundsTo(server(), hash)).toEqual([bought.priceSats]);
  await end();
  await server().advance(600);
  await expectRefunded(server(), bought, hash);
});

test("when every attempt fails until the invoice dies, a fresh one is asked for and paid", async () => {
  const { invoice, paymentHash: dead } = await server().control<{ invoice: string; paymentHash: string }>(
    "POST",
    "/wallet/invoice",
    { expirySeconds: 1_900 },
  );
  const { bought } = await withNumber(server(), { service: "tg", country: "US", refundInvoice: invoice });
  await server().advance(1_150);
  const end = await outage(server(), "node", "send", "no_route");
  await server().advance(480);
  const asking = await server().read(bought);
  expect(asking).toMatchObject({ status: "refund_pending" });
  await server().advance(300);
  await end();
  const stuck = await server().read(bought);
  expect(stuck).toMatchObject({ status: "refund_failed", next: { action: "give_refund_invoice" } });
  const { request, hash } = await refundable(server());
  expect((await server().redirect(bought, request.refundInvoice)).status).toBe(200);
  await expectRefunded(server(), bought, hash);
  expect(await refundsTo(server(), dead)).toEqual([]);
});

test("between attempts that surely died, a new invoice takes over", async () => {
  const { bought, hash: first } = await cancellable();
  const end = await outage(server(), "node", "send", "no_route");
  await server().cancel(bought);
  await server().advance(120);
  expect((await server().read(bought)).status).toBe("refund_pending");
  await end();
  const { request, hash } = await refundable(server());
  expect((await server().redirect(bought, request.refundInvoice)).status).toBe(200);
  await expectRefunded(server(), bought, hash);
  await server().advance(300);
  expect(await refundsTo(server(), first)).toEqual([]);
});
