/**
 * An order as support may see it: what happened and where the money is. No code, no text, no invoice, no preimage, no Nostr
 * key; of the phone number only enough to recognise it when the customer names it. Fields are chosen, never filtered, so that
 * a new field of the order stays inside until somebody lets it out.
 */
import type { OrderEvent } from "../../../actors/order/events.ts";
import { deadline, type HeldNumber, numberOf, type Order } from "../../../actors/order/state.ts";
import { status } from "../../../actors/order/status.ts";
import { iso, type Millis } from "../../../actors/runtime/world.ts";
import { scrubText } from "../redact.ts";

const orIso = (time: Millis | null | undefined): string | null =>
  time === null || time === undefined ? null : iso(time);

/** "+447700900123" -> "+44********23": enough to recognise, too little to use. */
export function maskPhone(phone: string): string {
  const digits = phone.replace(/\D/g, "");
  if (digits.length < 8) return "*".repeat(digits.length);
  return `+${digits.slice(0, 2)}${"*".repeat(digits.length - 4)}${digits.slice(-2)}`;
}

function maskedNumber(number: HeldNumber) {
  return {
    activationId: number.activationId,
    phone: maskPhone(number.phoneNumber),
    costMicroUsd: number.cost,
    boughtAt: iso(number.boughtAt),
    endsAt: iso(number.endsAt),
  };
}

export function maskedOrder(order: Order) {
  const { terms, payment, destination, refund, state, loose, attention } = order;
  const { good } = terms;
  const number = numberOf(order);
  return {
    orderId: order.id,
    type: good.type,
    service: good.service,
    country: good.country,
    status: status(order),
    kind: state.kind,
    step: "step" in state ? state.step : null,
    parentOrderId: good.type === "receive-sms-reactivate" ? good.parentOrderId : null,
    rentalHours: good.type === "rent-number" ? good.hours : null,
    priceSats: terms.priceSats,
    maxCostMicroUsd: good.maxCost,
    paymentHash: terms.paymentHash,
    createdAt: iso(terms.createdAt),
    invoiceExpiresAt: iso(terms.invoiceExpiresAt),
    provenAt: orIso(order.provenAt),
    paidAt: orIso(payment?.settledAt),
    learnedAt: orIso(payment?.learnedAt),
    late: payment?.late ?? false,
    receivedMsats: payment?.receivedMsats ?? 0,
    owedMsats: order.owedMsats,
    number: number && maskedNumber(number),
    messages: order.messageIds.length,
    codeReadAt: orIso(order.codeReadAt),
    cancelAskedAt: orIso(order.cancelAskedAt),
    destination: destination && {
      paymentHash: destination.paymentHash,
      expiresAt: iso(destination.expiresAt),
      claimed: destination.claimed,
    },
    refundAttempts: order.refundAttempts,
    refund: refund && {
      amountSats: refund.amountSats,
      feeMsats: refund.feeMsats,
      paymentHash: refund.paymentHash,
      at: iso(refund.at),
    },
    loose: loose && {
      since: iso(loose.since),
      attempt: loose.attempt,
      activationId: loose.found?.activationId ?? null,
    },
    attention: attention && { since: iso(attention.since), reason: attention.reason },
    notifiesOverNostr: terms.notifyNpub !== null,
    due: orIso(deadline(order)),
    endedAt: orIso(order.endedAt),
  };
}
export type MaskedOrder = ReturnType<typeof maskedOrder>;

export interface MaskedEvent {
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

/** Facts that are shown as they are: numbers, hashes of payments, and words of our own. */
const PLAIN = [
  "attempt",
  "why",
  "as",
  "step",
  "tooLate",
  "first",
  "refunded",
  "cost",
  "overQuote",
  "amountSats",
  "feeMsats",
  "destinationTaken",
  "paymentHash",
] as const;

export function maskedEvent(seq: number, event: OrderEvent): MaskedEvent {
  const fields: Readonly<Record<string, unknown>> = { ...event };
  const facts: Record<string, string | number | boolean> = {};
  for (const name of PLAIN) {
    const value = fields[name];
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") facts[name] = value;
  }
  // A reason may quote a peer.
  if ("reason" in event) facts.reason = scrubText(event.reason);
  if ("due" in event) facts.due = iso(event.due);
  switch (event.type) {
    case "PaymentSettled":
      facts.receivedMsats = event.payment.receivedMsats;
      facts.settledAt = iso(event.payment.settledAt);
      facts.late = event.payment.late;
      break;
    case "NumberBought":
    case "LooseFound":
      facts.activationId = event.number.activationId;
      facts.phone = maskPhone(event.number.phoneNumber);
      facts.cost = event.number.cost;
      break;
    case "MessagesReceived":
      facts.messages = event.ids.length;
      break;
    case "DestinationSet":
      facts.paymentHash = event.destination.paymentHash;
      facts.expiresAt = iso(event.destination.expiresAt);
      break;
  }
  return { seq, at: iso(event.at), type: event.type, facts };
}
