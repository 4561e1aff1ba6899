/** An order as its customer reads it (docs/architecture.md, "HTTP"). */
import type { Order } from "../../actors/order/state.ts";
import { numberOf } from "../../actors/order/state.ts";
import { FINAL, type Status, status } from "../../actors/order/status.ts";
import { isRefundable, type OrderType } from "../../actors/order/terms.ts";
import type { StoredMessage } from "../../actors/runtime/store.ts";
import { iso, type Millis } from "../../actors/runtime/world.ts";
import { DEFAULT_RETENTION } from "./retention.ts";

export interface MessageView {
  readonly code: string | null;
  readonly text: string | null;
  readonly from: string | null;
  readonly receivedAt: string;
}

export interface RefundView {
  readonly status: "none" | "pending" | "paid" | "needs_destination" | "unclaimed";
  readonly amountSats: number | null;
  /** Hash of the invoice that is or was paid. */
  readonly paymentHash: string | null;
  /** Proof that the refund arrived. */
  readonly preimage: string | null;
  readonly refundedAt: string | null;
  /** The address that is asked for an invoice, as it was given. */
  readonly address: string | null;
  /** Until when an order without a usable destination waits for one. */
  readonly claimUntil: string | null;
}

export interface NextView {
  readonly action: "pay" | "wait" | "read_code" | "give_refund_invoice" | "none";
  readonly message: string;
  /** When to come back, seconds. */
  readonly afterSeconds: number | null;
}

export interface OrderView {
  readonly orderId: string;
  readonly type: OrderType;
  readonly status: Status;
  readonly country: number;
  readonly service: string;
  readonly phoneNumber: string | null;
  /** The newest code, or null. */
  readonly code: string | null;
  readonly messages: readonly MessageView[];
  readonly priceSats: number;
  readonly createdAt: string;
  readonly paidAt: string | null;
  /** End of what is waited for, or of the record; null when nothing ends by itself, or its time has passed. */
  readonly expiresAt: string | null;
  /** From when a cancel is accepted, the earliest possible time before payment; null for types that cannot be cancelled. */
  readonly cancelAvailableAt: string | null;
  readonly durationMinutes: number | null;
  readonly refund: RefundView;
  readonly next: NextView;
}

export interface ViewLimits {
  /** How long an ended order stays readable, ms. */
  readonly retentionMs: number;
}

/** Below this much life of its refund invoice, and no attempt made, a fresh one is asked for. */
const FRESH_DESTINATION_MS = 3 * 60_000;

export function viewOf(order: Order, messages: readonly StoredMessage[], now: Millis, limits: ViewLimits): OrderView {
  const { good, createdAt, priceSats, policy } = order.terms;
  const code = messages.findLast((message) => message.code !== null)?.code ?? null;
  const orIso = (time: Millis | null) => (time === null ? null : iso(time));
  const cancelFrom = (order.payment?.settledAt ?? createdAt) + policy.cancelAfterMs;
  const until = expiresAt(order, limits);
  return {
    orderId: order.id,
    type: good.type,
    status: status(order),
    country: good.country,
    service: good.service,
    phoneNumber: numberOf(order)?.phoneNumber ?? null,
    code,
    messages: messages.map((message) => ({
      code: message.code,
      text: message.text,
      from: message.sender,
      receivedAt: iso(message.receivedAt ?? message.storedAt),
    })),
    priceSats,
    createdAt: iso(createdAt),
    paidAt: orIso(order.payment?.settledAt ?? order.provenAt),
    expiresAt: orIso(until !== null && until > now ? until : null),
    cancelAvailableAt: orIso(isRefundable(good) ? cancelFrom : null),
    durationMinutes: good.type === "rent-number" ? good.durationMinutes : null,
    refund: refundView(order),
    next: nextStep(order, now, {
      hasCode: code !== null,
      erased: messages.length === 0 && order.messageIds.length > 0,
    }),
  };
}

/** The next moment at which an order looks otherwise without a step of its own: an end that is shown passes, or its refund invoice grows old. */
export function looksTheSameUntil(order: Order, now: Millis, limits: ViewLimits): Millis {
  const ends = expiresAt(order, limits);
  // The first moment at which less than that is left.
  const stale = order.destination && order.destination.expiresAt - FRESH_DESTINATION_MS + 1;
  const changes = [ends, stale].filter((time): time is Millis => time !== null && time > now);
  return Math.min(...changes, Number.POSITIVE_INFINITY);
}

function expiresAt(order: Order, { retentionMs }: ViewLimits): Millis | null {
  const { state, endedAt, payment, owedMsats } = order;
  switch (state.kind) {
    case "unpaid":
      return order.terms.invoiceExpiresAt;
    case "lapsed":
      return endedAt === null ? null : endedAt + DEFAULT_RETENTION.buryLapsedMs;
    case "buying":
    case "buyUnknown":
    case "waiting":
    case "closing":
      return payment?.smsBy ?? null;
    case "renting":
    case "delivered":
    case "finishing":
      return state.number.endsAt;
    case "resolving":
    case "refunding":
    case "refundUnknown":
      return null;
    case "refundStuck":
      return state.due;
    case "done":
      // What is owed keeps its record.
      return endedAt === null || owedMsats >= 1000 ? null : endedAt + retentionMs;
  }
}

function refundView(order: Order): RefundView {
  const { state, refund, destination, owedMsats } = order;
  const owed = Math.floor(owedMsats / 1000);
  const address = order.refundAddress ?? null;
  const blank = { amountSats: null, paymentHash: null, preimage: null, refundedAt: null, address, claimUntil: null };
  if (refund) {
    const { amountSats, paymentHash, preimage, at } = refund;
    return { ...blank, status: "paid", amountSats, paymentHash, preimage, refundedAt: iso(at) };
  }
  switch (state.kind) {
    case "resolving":
      return { ...blank, status: "pending", amountSats: owed };
    case "refunding":
    case "refundUnknown":
      return { ...blank, status: "pending", amountSats: owed, paymentHash: destination?.paymentHash ?? null };
    case "refundStuck":
      return state.due === null
        ? { ...blank, status: "unclaimed", amountSats: owed }
        : { ...blank, status: "needs_destination", amountSats: owed, claimUntil: iso(state.due) };
    case "done":
      return state.as === "failed" && owed > 0
        ? { ...blank, status: "needs_destination", amountSats: owed }
        : { ...blank, status: "none" };
    default:
      return { ...blank, status: "none" };
  }
}

const next = (action: NextView["action"], message: string, afterSeconds: number | null): NextView => ({
  action,
  message,
  afterSeconds,
});

interface Seen {
  readonly hasCode: boolean;
  /** There were messages, and their texts are gone. */
  readonly erased: boolean;
}

function nextStep(order: Order, now: Millis, { hasCode, erased }: Seen): NextView {
  const { state, destination } = order;
  const refundable = isRefundable(order.terms.good);
  // No refund has gone out yet.
  if (["buying", "buyUnknown", "waiting", "closing"].includes(state.kind)) {
    if (
      refundable &&
      order.refundAddress == null &&
      (!destination || destination.expiresAt - now < FRESH_DESTINATION_MS)
    ) {
      const now = state.kind === "waiting" ? "Use the number now and poll for the code. " : "Keep polling. ";
      const why = destination ? "Your refund invoice is about to expire" : "No refund invoice is set";
      return next("give_refund_invoice", `${now}${why}: post one to /refund-invoice, in case no code comes`, 5);
    }
  }
  switch (state.kind) {
    case "unpaid":
      return order.provenAt === null
        ? next("pay", "Pay the invoice, then read the order with Authorization: L402 macaroon:preimage", 5)
        : next("wait", "Payment shown; waiting for the node's confirmation", 2);
    case "lapsed":
      return order.provenAt === null
        ? next("none", "The invoice expired unpaid; create a new order", null)
        : next("wait", "Payment shown, and the node does not know of it: this is being looked into", 60);
    case "buying":
    case "buyUnknown":
      return next("wait", "A number is being bought", 3);
    case "waiting":
      return next("wait", "Use the number now; poll until the code is there", 5);
    case "closing":
      return next("wait", `The number is being given back${refundable ? "; the refund follows" : ""}`, 5);
    case "delivered":
      return hasCode
        ? next("read_code", "The code is here; more messages may follow for a short while", 10)
        : next("wait", "A message without a code is here; keep polling, the number is kept for the code", 5);
    case "finishing":
      return hasCode
        ? next("read_code", "The code is here; the number is being given back", 10)
        : next("wait", "A message without a code is here; the number is being given back", 10);
    case "renting":
      return next("wait", "The rental is active; messages appear here until expiresAt", 30);
    case "resolving":
      return state.step === "asking"
        ? next("wait", "The refund address is asked for an invoice", 5)
        : next(
            "wait",
            "The refund address gave no usable invoice; it is asked again. Another one, or a refundInvoice, can be posted to /refund-invoice",
            30,
          );
    case "refunding":
      return destination && destination.expiresAt - now < FRESH_DESTINATION_MS && state.step === "pausing"
        ? next("give_refund_invoice", "The refund invoice is about to expire: post a fresh one to /refund-invoice", 10)
        : next("wait", "The refund is being paid", 10);
    case "refundUnknown":
      return next("wait", "The refund is in flight; this can take long when the receiver holds it", 30);
    case "refundStuck":
      return state.due === null
        ? next("none", "The claim window is over; contact the operator", null)
        : next(
            "give_refund_invoice",
            "Still open: post a fresh refundInvoice, or a refundAddress, to /refund-invoice to get your sats; POST /refund-link gives a link to withdraw them with",
            null,
          );
    case "done":
      return state.as === "failed" && order.owedMsats >= 1000
        ? next(
            "give_refund_invoice",
            `${state.number ? "The number ended before any message" : "No number could be had"}: post a refundInvoice to /refund-invoice to get your sats`,
            null,
          )
        : next("none", erased ? "The order is complete; its messages were erased" : DONE[state.as], null);
  }
}

const DONE = {
  completed: "The order is complete",
  refunded: "The refund was paid",
  failed: "The order failed",
  expired: "No code came in time; this order type is not refundable",
} as const;

/** Whether the order ended so long ago that a replayed purchase means a new one. */
export const endedLongAgo = (order: Order, now: Millis, graceMs: number): boolean =>
  FINAL.has(status(order)) && order.endedAt !== null && now - order.endedAt > graceMs;
