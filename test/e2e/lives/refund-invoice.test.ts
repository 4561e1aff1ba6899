/** Where a refund goes: which invoices are taken, when, and what becomes of an order without one. */
import { expect, test } from "bun:test";
import { fields, fromHex, fromInteger, hop, PAYEE, rawInvoice } from "../../lightning/raw-invoice.ts";
import {
  expectRefunded,
  outage,
  refundable,
  refundsTo,
  secondsBetween,
  sharedServer,
  withNumber,
} from "../../support/life.ts";

const server = sharedServer();
/** BOLT 11, examples: "Please make a donation of any amount", a mainnet invoice. */
const MAINNET_INVOICE =
  "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql";

const invoice = async (body: Record<string, unknown> = {}) =>
  server().control<{ invoice: string; paymentHash: string }>("POST", "/wallet/invoice", body);

/** An invoice without an amount, of the node that sells. */
async function ownInvoice(): Promise<string> {
  const response = await fetch(`${new URL(server().sandbox).origin}/v1/invoices`, {
    method: "POST",
    headers: { "grpc-metadata-macaroon": "5a4d" },
    body: JSON.stringify({ memo: "x", expiry: "7200" }),
  });
  return ((await response.json()) as { payment_request: string }).payment_request;
}

test("an order without an invoice for its refund waits visibly for one, and pays it then", async () => {
  const { bought } = await withNumber(server(), { service: "tg", country: "US" });
  expect((await server().read(bought)).next.action).toBe("give_refund_invoice");
  await server().advance(181);
  expect((await server().cancel(bought)).status).toBe(200);
  const stuck = await server().until(bought, ({ status }) => status === "refund_failed");
  expect(stuck).toMatchObject({
    refund: { status: "needs_destination", amountSats: bought.priceSats, preimage: null },
    next: { action: "give_refund_invoice" },
  });
  expect(secondsBetween(stuck.paidAt, stuck.refund.claimUntil)).toBeGreaterThan(89 * 86_400);
  expect(await server().cancel(bought)).toMatchObject({ status: 200, order: { status: "refund_failed" } });

  const { invoice: destination, paymentHash } = await invoice();
  expect(await server().redirect(bought, destination)).toMatchObject({ status: 200 });
  await expectRefunded(server(), bought, paymentHash);
});

test("a refund that waits for its invoice is still there an hour later", async () => {
  const { bought } = await withNumber(server(), { service: "tg", country: "US" });
  await server().advance(181);
  await server().cancel(bought);
  await server().until(bought, ({ status }) => status === "refund_failed");
  await server().advance(3_600);
  const { invoice: destination, paymentHash } = await invoice();
  expect((await server().redirect(bought, destination)).status).toBe(200);
  await expectRefunded(server(), bought, paymentHash);
});

test("an invoice given later replaces the first one, which is never paid", async () => {
  const { request, hash } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  const { invoice: second, paymentHash } = await invoice();
  expect((await server().redirect(bought, `lightning:${second.toUpperCase()}`)).status).toBe(200);
  expect((await server().redirect(bought, second)).status).toBe(200);
  await server().advance(181);
  await server().cancel(bought);
  await expectRefunded(server(), bought, paymentHash);
  expect(await refundsTo(server(), hash)).toEqual([]);
});

test("an invoice given between paying and the number counts", async () => {
  const end = await outage(server(), "provider", "getNumberV2", "no_numbers");
  const bought = await server().buy({ service: "fb", country: "DE" });
  const buying = await server().until(bought, ({ status }) => status === "allocating_number");
  expect(buying.next.action).toBe("give_refund_invoice");
  const { invoice: destination, paymentHash } = await invoice();
  expect((await server().redirect(bought, destination)).status).toBe(200);
  await end();
  await server().advance(190);
  expect((await server().cancel(bought)).status).toBe(200);
  await expectRefunded(server(), bought, paymentHash);
});

test("no invoice is taken once the code is there, nor while a refund is in flight, nor after it", async () => {
  const delivered = await withNumber(server(), (await refundable(server())).request);
  await server().sms(delivered.order.phoneNumber, "Code 77777");
  await server().until(delivered.bought, ({ code }) => code !== null);
  const refusal = { status: 409, error: { code: "REFUND_NOT_PENDING" } };
  expect(await server().redirect(delivered.bought, (await invoice()).invoice)).toMatchObject(refusal);
  await server().advance(60);
  expect(await server().redirect(delivered.bought, (await invoice()).invoice)).toMatchObject(refusal);

  const { request, hash } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  await server().advance(181);
  await server().fault("node", "send", "in_flight", 1, { resolveAfterSeconds: 300 });
  await server().cancel(bought);
  await server().until(bought, ({ status }) => status === "refund_pending");
  expect(await server().redirect(bought, (await invoice()).invoice)).toMatchObject(refusal);
  await server().advance(400);
  await expectRefunded(server(), bought, hash);
  expect(await server().redirect(bought, (await invoice()).invoice)).toMatchObject(refusal);
});

test("two paid orders with one invoice: one is refunded to it, the other asks for its own", async () => {
  const { request, hash } = await refundable(server());
  const challenges = [await server().challenge(request), await server().challenge(request)] as const;
  const first = await server().pay(challenges[0]);
  await server().until(first, ({ phoneNumber }) => phoneNumber !== null);
  const second = await server().pay(challenges[1]);
  const order = await server().until(second, ({ phoneNumber }) => phoneNumber !== null);
  expect(order.next.action).toBe("give_refund_invoice");
  expect((await server().read(first)).next.action).toBe("wait");

  await server().advance(181);
  await server().cancel(first);
  await server().cancel(second);
  await expectRefunded(server(), first, hash);
  await server().until(second, ({ status }) => status === "refund_failed");
  const { invoice: own, paymentHash } = await invoice();
  const taken = await server().redirect(second, String(request.refundInvoice));
  expect(taken).toMatchObject({ status: 400, error: { code: "INVALID_REFUND_INVOICE", field: "refundInvoice" } });
  expect((await server().redirect(second, own)).status).toBe(200);
  await expectRefunded(server(), second, paymentHash);
  expect(await refundsTo(server(), hash)).toHaveLength(1);
});

test("an invoice that belongs to a paid order is refused at creation", async () => {
  const { request } = await refundable(server());
  await withNumber(server(), request);
  expect(await server().ask({ ...request, country: "GB" })).toMatchObject({
    status: 400,
    error: { code: "INVALID_REFUND_INVOICE", field: "refundInvoice" },
  });
});

test("two orders that ask for the same invoice at the same moment do not both get it", async () => {
  const { invoice: shared, paymentHash } = await invoice();
  const orders = [
    await withNumber(server(), { service: "tg", country: "US" }),
    await withNumber(server(), { service: "tg", country: "US" }),
  ];
  const answers = await Promise.all(orders.map(({ bought }) => server().redirect(bought, shared)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
  await server().advance(181);
  await Promise.all(orders.map(({ bought }) => server().cancel(bought)));
  await server().advance(5);
  const statuses = await Promise.all(orders.map(async ({ bought }) => (await server().read(bought)).status));
  expect(statuses.sort()).toEqual(["refund_failed", "refunded"]);
  expect(await refundsTo(server(), paymentHash)).toHaveLength(1);
});

test("an invoice that cannot be refunded to is refused, at creation and later alike", async () => {
  const { bought } = await withNumber(server(), { service: "tg", country: "US" });
  const other = await server().challenge({ service: "tg", country: "US" });
  const bad: [string, string][] = [
    [(await invoice({ amountSats: 300 })).invoice, "INVALID_REFUND_INVOICE"],
    [MAINNET_INVOICE, "INVALID_REFUND_INVOICE"],
    [await ownInvoice(), "INVALID_REFUND_INVOICE"],
    [other.invoice, "INVALID_REFUND_INVOICE"],
    ["lnbcrt1nonsense", "INVALID_REFUND_INVOICE"],
    [(await invoice()).invoice.replace(/.$/, (last) => (last === "q" ? "p" : "q")), "INVALID_REFUND_INVOICE"],
    [(await invoice({ expirySeconds: 1_795 })).invoice, "REFUND_INVOICE_EXPIRES_TOO_SOON"],
  ];
  for (const [refundInvoice, code] of bad) {
    const refusal = { status: 400, error: { code, field: "refundInvoice" } };
    expect(await server().ask({ service: "tg", country: "US", refundInvoice })).toMatchObject(refusal);
    expect(await server().redirect(bought, refundInvoice)).toMatchObject(refusal);
  }
  const { invoice: shortest, paymentHash } = await invoice({ expirySeconds: 1_810 });
  expect((await server().redirect(bought, shortest)).status).toBe(200);
  await server().advance(181);
  await server().cancel(bought);
  await expectRefunded(server(), bought, paymentHash);
});

test("an invoice that is about to expire is asked to be replaced, and a dead one is not paid", async () => {
  const { invoice: brief, paymentHash: briefHash } = await invoice({ expirySeconds: 1_810 });
  const { bought } = await withNumber(server(), { service: "tg", country: "US", refundInvoice: brief });
  expect((await server().read(bought)).next.action).toBe("wait");
  // The provider is silent until the invoice is no good any more.
  await server().advance(1_150);
  const end = await outage(server(), "provider", "*", "http503");
  await server().advance(500);
  expect(await server().read(bought)).toMatchObject({
    status: "waiting_for_sms",
    next: { action: "give_refund_invoice" },
  });
  await server().advance(200);
  await end();
  await server().advance(120);
  expect(await server().until(bought, ({ status }) => status === "refund_failed")).toMatchObject({
    refund: { status: "needs_destination" },
    next: { action: "give_refund_invoice" },
  });
  const { invoice: fresh, paymentHash } = await invoice();
  expect((await server().redirect(bought, fresh)).status).toBe(200);
  await expectRefunded(server(), bought, paymentHash);
  expect(await refundsTo(server(), briefHash)).toEqual([]);
});

test("a stranger's credential, or none, redirects nothing", async () => {
  const mine = await withNumber(server(), { service: "tg", country: "US" });
  const theirs = await withNumber(server(), { service: "tg", country: "US" });
  const { invoice: destination } = await invoice();
  const foreign = await server().redirect({ ...theirs.bought, orderId: mine.bought.orderId }, destination);
  expect(foreign).toMatchObject({ status: 404, error: { code: "NOT_FOUND" } });
  const none = await server().redirect({ ...mine.bought, authorization: "" }, destination);
  expect(none).toMatchObject({ status: 403, error: { code: "INVALID_MACAROON" } });
  expect((await server().read(mine.bought)).next.action).toBe("give_refund_invoice");
});

test("an invoice whose private way in takes more than a refund may cost, or holds it for weeks, is refused before anything is paid", async () => {
  const { now } = await server().advance(0.001);
  const hinted = (fee: { baseMsats: number; ppm: number }, blocks = 80) =>
    rawInvoice({
      timestamp: Math.floor(Date.parse(now) / 1_000),
      fields: fields("xc", ["x", fromInteger(7_200)], ["c", fromInteger(blocks)], ["r", fromHex(hop(40, PAYEE, fee))]),
    });
  const greedy = hinted({ baseMsats: 0, ppm: 50_000 });
  const order = { service: "tg", country: "US" };
  const refused = { status: 400, error: { code: "INVALID_REFUND_INVOICE", field: "refundInvoice" } };
  expect(await server().ask({ ...order, refundInvoice: greedy })).toMatchObject(refused);
  expect(await server().ask({ ...order, refundInvoice: hinted({ baseMsats: 0, ppm: 0 }, 433) })).toMatchObject(refused);
  const { bought } = await withNumber(server(), order);
  expect(await server().redirect(bought, greedy)).toMatchObject(refused);
  expect((await server().redirect(bought, hinted({ baseMsats: 500, ppm: 100 }))).status).toBe(200);
});
