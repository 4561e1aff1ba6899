/** The payments that a phoenixd node lists (Api.kt: payments/outgoing; PaymentsOutgoing.sq: list), for whoever compares books. */
import { msats } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { count, hash32, isObject, type Json, malformed } from "../answers.ts";
import { type NodeHistory, NodeUnavailable, type Outgoing } from "../port.ts";
import { receivedFrom } from "./invoices.ts";
import { outcomeOf } from "./payments.ts";
import { demand, type Phoenixd } from "./rest.ts";

const WHAT = "payments/outgoing";
const PAGE = 100;
/** 50,000 payments. */
const MAX_PAGES = 500;
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

export const createHistory = (api: Phoenixd): NodeHistory => ({
  paid: (since) => paidSince(api, since),
  received: (since) => receivedFrom(api, since),
});

/** In the order in which they were begun, so that new ones move no page. @throws NodeUnavailable, also when there are too many. */
async function paidSince(api: Phoenixd, since: Millis): Promise<Outgoing[]> {
  const from = String(Math.max(0, Math.floor(since)));
  const found: Outgoing[] = [];
  for (let page = 0; page < MAX_PAGES; page++) {
    // `all`: failed ones as well, and by when they were begun instead of when they arrived.
    const query = new URLSearchParams({ all: "true", from, limit: String(PAGE), offset: String(page * PAGE) });
    const payments = await demand(api, WHAT, { path: `/payments/outgoing?${query}`, maxBytes: MAX_PAGE_BYTES });
    if (!Array.isArray(payments)) throw malformed(WHAT);
    for (const payment of payments as unknown[]) {
      if (!isObject(payment)) throw malformed(WHAT);
      // Liquidity, splices and closed channels have no hash.
      if (payment.paymentHash !== undefined && payment.paymentHash !== null) found.push(toOutgoing(payment));
    }
    if (payments.length === 0) return found;
  }
  throw new NodeUnavailable(`${WHAT}: more than ${MAX_PAGES * PAGE} payments`);
}

/** `sent` is what left, in whole sats, with the fees, which are in msats: what arrives is the rest (lightning-kmp: PaymentsDb.kt). */
function toOutgoing(payment: Json): Outgoing {
  const paymentHash = hash32(payment.paymentHash);
  const sent = count(payment.sent);
  const fees = count(payment.fees);
  const startedAt = count(payment.createdAt);
  if (!paymentHash || sent === null || fees === null || startedAt === null) throw malformed(WHAT);
  const { invoice } = payment;
  return {
    paymentHash,
    bolt11: typeof invoice === "string" ? invoice : null,
    startedAt,
    amountMsats: msats(Math.max(0, sent - Math.floor(fees / 1000)) * 1000),
    state: outcomeOf(payment, paymentHash, WHAT),
  };
}
