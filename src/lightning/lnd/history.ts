/** The payments that an lnd node lists (lnd: lnrpc/lightning.proto, ListPayments), newest first, for whoever compares books. */
import { msats } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { hash32, isObject, type Json, malformed } from "../answers.ts";
import { type NodeHistory, NodeUnavailable, type Outgoing } from "../port.ts";
import { receivedSince } from "./invoices.ts";
import { toOutcome } from "./payments.ts";
import { demand, int64, type LndRest } from "./rest.ts";

const WHAT = "ListPayments";
/** A payment comes with every attempt and its route, some kB for each. */
const PAGE_SIZE = 50;
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** 100,000 payments. */
const MAX_PAGES = 2_000;

export const createHistory = (rest: LndRest): NodeHistory => ({
  paid: (since) => paidSince(rest, since),
  received: (since) => receivedSince(rest, since),
});

/** @throws NodeUnavailable, also when there are too many. */
async function paidSince(rest: LndRest, since: Millis): Promise<Outgoing[]> {
  // Whole seconds; 0 would mean no limit at all.
  const start = Math.max(1, Math.floor(since / 1000));
  const found: Outgoing[] = [];
  let offset = 0;
  for (let page = 0; page < MAX_PAGES; page++) {
    const body = await demand(rest, WHAT, {
      path: `/v1/payments?include_incomplete=true&reversed=true&max_payments=${PAGE_SIZE}&creation_date_start=${start}&index_offset=${offset}`,
      maxBytes: MAX_PAGE_BYTES,
    });
    if (!Array.isArray(body.payments)) throw malformed(WHAT);
    const rows = (body.payments as unknown[]).map(toOutgoing);
    found.push(...rows.filter(({ startedAt }) => startedAt >= start * 1000));
    // An older lnd does not know the date, and lists on into the past.
    if (rows.length < PAGE_SIZE || rows.some(({ startedAt }) => startedAt < start * 1000)) return found;
    const next = int64(body.first_index_offset);
    // Going back means smaller indexes; anything else would run in circles.
    if (next === null || next === 0 || (offset !== 0 && next >= offset)) throw malformed(WHAT);
    if (next === 1) return found;
    offset = next;
  }
  throw new NodeUnavailable(`${WHAT}: more than ${MAX_PAGES * PAGE_SIZE} payments`);
}

function toOutgoing(value: unknown): Outgoing {
  const payment: Json = isObject(value) ? value : {};
  const paymentHash = hash32(payment.payment_hash);
  const amount = int64(payment.value_msat);
  const nanoseconds = payment.creation_time_ns;
  if (!paymentHash || amount === null || typeof nanoseconds !== "string" || !/^\d{1,19}$/.test(nanoseconds)) {
    throw malformed(WHAT);
  }
  const bolt11 = payment.payment_request;
  return {
    paymentHash,
    bolt11: typeof bolt11 === "string" && bolt11 !== "" ? bolt11 : null,
    // Nanoseconds since 1970 are beyond 2^53.
    startedAt: Number(BigInt(nanoseconds) / 1_000_000n),
    amountMsats: msats(amount),
    state: toOutcome(payment, paymentHash),
  };
}
