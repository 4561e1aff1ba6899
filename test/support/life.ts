/** What the tests of whole order lives share: one server for a file, customers, and the books of wallet and provider. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout } from "bun:test";
import type { OrderView } from "../../src/orders/view.ts";
import { type Bought, type RunningServer, startServer } from "./server.ts";

const LIMIT_MS = 30_000;

/** A server that the tests of a file share. After each test every planned fault must have happened. */
export function sharedServer(env: Readonly<Record<string, string>> = {}) {
  setDefaultTimeout(LIMIT_MS);
  let server: RunningServer | null = null;
  beforeAll(async () => {
    server = await startServer({ env });
  });
  afterEach(async () => {
    expect(await server?.unusedFaults()).toEqual([]);
  });
  afterAll(async () => {
    expect(await server?.stop()).toBe(0);
  });
  return (): RunningServer => {
    if (!server) throw new Error("The server is not running");
    return server;
  };
}

/** Plans more faults than can happen; the returned function ends them. */
export async function outage(server: RunningServer, peer: string, action: string, fault: string, detail = {}) {
  await server.fault(peer, action, fault, 100_000, detail);
  return () => server.control("DELETE", "/faults");
}

/** Waits until every planned fault has happened. */
export async function faultsUsed({ control }: Pick<RunningServer, "control">): Promise<void> {
  while ((await control<{ faults: unknown[] }>("GET", "/faults")).faults.length > 0) await Bun.sleep(5);
}

/** Paid, and the number is there. */
export async function withNumber(
  server: RunningServer,
  request: Record<string, unknown>,
): Promise<{ bought: Bought; order: OrderView }> {
  const bought = await server.buy(request);
  const order = await server.until(bought, ({ phoneNumber }) => phoneNumber !== null);
  return { bought, order };
}

/** `receive-sms` with an invoice for the refund; `hash` is the invoice's. */
export async function refundable(server: RunningServer, request: Record<string, unknown> = {}) {
  const { invoice, paymentHash } = await server.control<{ invoice: string; paymentHash: string }>(
    "POST",
    "/wallet/invoice",
    {},
  );
  return { request: { service: "tg", country: "US", refundInvoice: invoice, ...request }, hash: paymentHash };
}

/** What the wallet's own books say was paid to an invoice of it. */
export async function refundsTo(server: RunningServer, paymentHash: string): Promise<number[]> {
  const { payments } = await server.wallet();
  return payments
    .filter((row) => row.direction === "in" && row.paymentHash === paymentHash)
    .map((row) => row.amountSats);
}

/** The provider's rows of a phone number, newest first. */
export async function activationsOf(server: RunningServer, phoneNumber: string | null) {
  return (await server.books()).activations.filter((row) => row.phoneNumber === phoneNumber);
}

/** The provider's rows of a service in a country, newest first. */
export async function soldIn(server: RunningServer, service: string, country: number) {
  return (await server.books()).activations.filter((row) => row.service === service && row.country === country);
}

/** The refund arrived: once, exact, at this invoice, with the proof shown to the customer. */
export async function expectRefunded(server: RunningServer, bought: Bought, hash: string): Promise<OrderView> {
  const order = await server.until(bought, ({ status }) => status === "refunded");
  expect(order.refund).toMatchObject({ status: "paid", amountSats: bought.priceSats, paymentHash: hash });
  const proof = new Bun.CryptoHasher("sha256").update(Buffer.from(order.refund.preimage ?? "", "hex")).digest("hex");
  expect(proof).toBe(hash);
  expect(await refundsTo(server, hash)).toEqual([bought.priceSats]);
  expect(order).toMatchObject({ code: null, messages: [] });
  return order;
}

/** Seconds between two ISO times. */
export const secondsBetween = (from: string | null, to: string | null): number =>
  (Date.parse(to ?? "") - Date.parse(from ?? "")) / 1_000;
