/**
 * Our books against what node and provider say: every difference in plain words, and what may be repaired without a person. Repairs are
 * commands that an order is told, never changes of rows; only what a peer proves is repaired.
 */
import type { Command } from "../../../actors/order/commands.ts";
import { floorToSats } from "../../../actors/order/money.ts";
import { numberOf, type Order } from "../../../actors/order/state.ts";
import { iso, type Millis } from "../../../actors/runtime/world.ts";
import type { LightningNode, Outgoing, Receipt, Settlement } from "../../lightning/port.ts";
import { isOurDescription } from "../../orders/descriptions.ts";
import type { ActivationId } from "../../provider/port.ts";
import type { BookedNumber, OurBooks } from "./books.ts";
import type { Evidence } from "./evidence.ts";

/** What each kind of difference means, and what to do about it. */
export const DIFFERENCES = {
  settlement_missed:
    "The node has money for an order that our books call unpaid. It is told so at the next start, or now with --repair",
  received_differs: "An order was paid another amount than our books say. Look up the invoice at the node",
  order_unknown:
    "The node has money for an order that our books do not know, as after a restore. Its customer holds a credential and gets 404: give the money back by hand to whoever shows it",
  not_received:
    "Our books have money that the node does not. Its books may be lost, or its lists shortened; until you know, give nothing back for it",
  refund_not_booked: "The node paid a refund that our books still owe. Booked with --repair",
  refund_out:
    "The node is paying a refund that our books do not wait for. Run this again when the payment has ended; --repair holds the order's money until then",
  refund_unexplained:
    "The node paid a refund of an order that our books call settled otherwise, or another amount than is owed. Find out who paid it and why",
  refund_unknown:
    "Our books have a refund that the node did not pay. Its books may be lost; if they are not, the customer is owed it",
  number_unknown: "Our books hold a number that the provider does not know. Ask the provider; nothing is done about it",
  number_open:
    "The provider shows a number as open that our books have as given back. Cancelled with --repair, which the provider refuses when an SMS came",
  charge_differs:
    "Our books and the provider disagree on whether a number was charged. Claim at the provider, or book the loss elsewhere",
} as const;
export type DifferenceKind = keyof typeof DIFFERENCES;

export type Repair =
  /** The node's word about an invoice, as the stream of settlements would have brought it. */
  | { readonly kind: "settle"; readonly settlement: Settlement }
  | { readonly kind: "tell"; readonly orderId: string; readonly command: Command }
  /** An activation of ours that its order gave back: cancelled at the provider. */
  | { readonly kind: "cancel"; readonly activationId: ActivationId };

export interface Difference {
  readonly kind: DifferenceKind;
  readonly orderId: string | null;
  /** No phone number, invoice or preimage. */
  readonly words: string;
  /** Null when a person has to look. */
  readonly repair: Repair | null;
}

/** Something at a peer that belongs to no order of ours: other software's, as far as anybody can tell. */
export interface Stranger {
  readonly what: "payment" | "active number" | "past number";
  /** Payment hash or activation id. */
  readonly id: string;
  readonly words: string;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  readonly strangers: readonly Stranger[];
}

/** While the service runs, what happened so short a time ago may be on its way into our books. */
const GRACE_MS = 2 * 60_000;
/** Clocks and whole seconds: what is this close to the start of the lists may be missing from one of them. */
export const EDGE_MS = 10 * 60_000;

/** @param serving whether the books change meanwhile. @throws NodeUnavailable */
export async function compare(
  evidence: Evidence,
  books: OurBooks,
  node: Pick<LightningNode, "lookupPayment">,
  serving: boolean,
): Promise<Comparison> {
  const differences: Difference[] = [];
  const settledBy = evidence.until - (serving ? GRACE_MS : 0);
  for (const receipt of evidence.received.values()) {
    if (receipt.settledAt <= settledBy) differences.push(...ofReceipt(receipt, books));
  }
  for (const payment of evidence.paid?.values() ?? []) {
    const order = books.byRefundHash(payment.paymentHash);
    if (order && payment.startedAt <= settledBy) differences.push(...ofPayment(payment, order, evidence));
  }
  for (const order of books.paidSince(evidence.since)) {
    if (order.payment && order.payment.settledAt <= settledBy) differences.push(...ofMoney(order, evidence));
    if (order.refund && order.refund.at <= settledBy) differences.push(...(await ofRefund(order, evidence, node)));
    for (const number of books.numbersOf(order.id)) differences.push(...ofNumber(order, number, evidence, settledBy));
  }
  return { differences, strangers: strangers(evidence, books) };
}

const sats = (msats: number): string => `${Math.floor(msats / 1000)} sat`;

function ofReceipt(receipt: Receipt, books: OurBooks): Difference[] {
  const { paymentHash, receivedMsats, settledAt, description, key } = receipt;
  const order = books.byPaymentHash(paymentHash);
  const when = `${sats(receivedMsats)} settled at ${iso(settledAt)}`;
  if (!order) {
    if (key === null && !isOurDescription(description)) return [];
    return [different("order_unknown", key, `${when}, payment hash ${paymentHash}`)];
  }
  if (!order.payment) {
    const repair = { kind: "settle", settlement: { paymentHash, settledAt, receivedMsats } } as const;
    return [different("settlement_missed", order.id, `${when}, and our books call it ${order.state.kind}`, repair)];
  }
  if (order.payment.receivedMsats === receivedMsats) return [];
  return [different("received_differs", order.id, `${when}, our books have ${sats(order.payment.receivedMsats)}`)];
}

function ofPayment(payment: Outgoing, order: Order, { past }: Evidence): Difference[] {
  const { paymentHash, amountMsats, state, startedAt } = payment;
  if (state.kind === "failed" || order.refund?.paymentHash === paymentHash) return [];
  const { kind } = order.state;
  const what = `${sats(amountMsats)} of ${iso(startedAt)}, payment hash ${paymentHash}`;
  const isWaitedFor =
    (kind === "refunding" || kind === "refundUnknown") && order.destination?.paymentHash === paymentHash;
  if (state.kind !== "succeeded") {
    if (isWaitedFor) return [];
    return [different("refund_out", order.id, `${what} is under way, and our books say ${kind}`)];
  }
  const amountSats = floorToSats(amountMsats);
  const owes = order.owedMsats >= 1000 && order.messageIds.length === 0 && order.refund === null;
  if (!owes || floorToSats(order.owedMsats) !== amountSats) {
    return [different("refund_unexplained", order.id, `${what} was paid, and our books say ${kind}`)];
  }
  const { preimage, feeMsats } = state;
  const held = numberOf(order);
  const numberRefunded = held !== null && past.get(held.activationId)?.standing === "refunded";
  const finding = { kind: "refund_paid", paymentHash, amountSats, feeMsats, preimage, numberRefunded } as const;
  return [
    different("refund_not_booked", order.id, `${what} was paid, and our books still owe it`, {
      kind: "tell",
      orderId: order.id,
      command: { type: "Reconciled", finding },
    }),
  ];
}

function ofMoney({ id, payment, terms }: Order, { since, received }: Evidence): Difference[] {
  if (!payment || payment.settledAt < since + EDGE_MS || received.has(terms.paymentHash)) return [];
  const words = `${sats(payment.receivedMsats)} paid at ${iso(payment.settledAt)}, of which the node knows nothing`;
  return [different("not_received", id, words)];
}

async function ofRefund(
  { id, refund }: Order,
  { since, paid }: Evidence,
  node: Pick<LightningNode, "lookupPayment">,
): Promise<Difference[]> {
  if (!refund || refund.at < since || paid?.get(refund.paymentHash)?.state.kind === "succeeded") return [];
  // It may have been begun before the list, and held. What the node cannot tell is no contradiction.
  const { kind } = await node.lookupPayment(refund.paymentHash);
  if (kind === "succeeded" || kind === "unknown") return [];
  const words = `${refund.amountSats} sat refunded at ${iso(refund.at)}; the node says ${kind.replace("_", " ")}`;
  return [different("refund_unknown", id, words)];
}

function ofNumber(
  { id, state, terms, endedAt }: Order,
  { activationId, boughtAt, end }: BookedNumber,
  { since, active, past }: Evidence,
  settledBy: Millis,
): Difference[] {
  if (boughtAt < since + EDGE_MS || boughtAt > settledBy) return [];
  const name = `Activation ${activationId}, bought at ${iso(boughtAt)}`;
  // Until the order is over, what ended there is on its way into our books.
  const isOver = state.kind === "done" && endedAt !== null && endedAt <= settledBy;
  if (active.has(activationId)) {
    if (!isOver || end !== "refunded" || terms.good.type === "rent-number") return [];
    return [different("number_open", id, `${name}, is open`, { kind: "cancel", activationId })];
  }
  const ended = past.get(activationId);
  if (!ended) return [different("number_unknown", id, `${name}, is in none of the provider's lists`)];
  if (!isOver || ended.standing === "ended" || ended.standing === "open") return [];
  const charged = ended.standing === "finished";
  if (charged === (end !== "refunded")) return [];
  const how = charged
    ? "was charged, and our books have the money back"
    : "was given back, and our books have it charged";
  return [different("charge_differs", id, `${name}, ${how}`)];
}

function strangers({ paid, active, past }: Evidence, books: OurBooks): Stranger[] {
  const payments = [...(paid?.values() ?? [])].filter(
    ({ paymentHash, state }) => state.kind !== "failed" && books.byRefundHash(paymentHash) === null,
  );
  const isNobodys = ({ activationId }: { activationId: string }) => books.byActivation(activationId) === null;
  const lane = (row: { service: string | null; country: number | null }) =>
    `service ${row.service ?? "unknown"}, country ${row.country ?? "unknown"}`;
  const at = (time: Millis | null) => (time === null ? "at an unknown time" : `at ${iso(time)}`);
  return [
    ...payments.map(
      ({ paymentHash, amountMsats, startedAt, state }): Stranger => ({
        what: "payment",
        id: paymentHash,
        words: `${sats(amountMsats)} at ${iso(startedAt)}, ${state.kind.replace("_", " ")}`,
      }),
    ),
    ...[...active.values()].filter(isNobodys).map(
      (row): Stranger => ({
        what: "active number",
        id: row.activationId,
        words: `${lane(row)}, bought ${at(row.boughtAt)}`,
      }),
    ),
    // One that was given back cost nothing: whoever bought it, nothing is missing.
    ...[...past.values()]
      .filter((row) => row.standing !== "refunded" && isNobodys(row) && !active.has(row.activationId))
      .map(
        (row): Stranger => ({
          what: "past number",
          id: row.activationId,
          words: `${lane(row)}, bought ${at(row.at)}, ${row.standing}`,
        }),
      ),
  ];
}

const different = (
  kind: DifferenceKind,
  orderId: string | null,
  words: string,
  repair: Repair | null = null,
): Difference => ({ kind, orderId, words, repair });
