/** Moves that several kinds share: how a buy starts, how messages are recorded, where a paid order without a good goes. */
import type { IncomingMessage } from "./commands.ts";
import type { Step } from "./decision.ts";
import { floorToSats } from "./money.ts";
import { feeCapOf } from "./policy.ts";
import { deadline, type HeldNumber, MAX_MESSAGES, numberOf, type Payment, type StuckReason } from "./state.ts";
import { isRefundable, rentalMs } from "./terms.ts";

const SECOND = 1_000;

/** Watchdogs: an answer that takes longer than this is looked into, never assumed. */
export const WATCHDOG = {
  buy: 90 * SECOND,
  ask: 60 * SECOND,
  refund: 180 * SECOND,
} as const;

export function paymentOf(step: Step): Payment {
  const { payment } = step.order;
  if (!payment) throw new Error(`Order in ${step.order.state.kind} without a payment`);
  return payment;
}

/** Watchdog of a step whose answer is awaited: look again later, tell a person, change nothing else. */
export function overdue(step: Step, reason: string): void {
  step.attention(reason);
  step.emit({ type: "Overdue", due: step.now + 5 * 60 * SECOND });
}

/** Starts the next buy, or gives up when none is allowed any more. */
export function buyNext(step: Step, attempt: number): void {
  const { buyBy } = paymentOf(step);
  if (step.now >= buyBy || step.order.cancelAskedAt !== null) return withoutNumber(step);
  step.emit({ type: "BuyStarted", attempt, due: Math.max(buyBy, step.now) + WATCHDOG.buy });
  const { id, terms } = step.order;
  step.effects.push({ kind: "buy", key: `${id}:buy:${attempt}`, attempt, good: terms.good, notAfter: buyBy });
}

/** A number is ours: wait for its SMS, run the rental, or close at once when the customer had asked for that. */
export function numberBought(step: Step, number: HeldNumber): void {
  const { good, policy } = step.order.terms;
  const overQuote = Math.max(0, number.cost - good.maxCost) as typeof number.cost;
  const due = good.type === "rent-number" ? number.endsAt - policy.endMarginMs : paymentOf(step).smsBy;
  step.emit({ type: "NumberBought", number, overQuote, due });
  step.calm();
  if (step.order.cancelAskedAt !== null && good.type !== "rent-number") startClosing(step, "customer");
}

/** Asks the provider for the messages; at most one question is out, and one more is remembered. */
export function lookNow(step: Step): void {
  const { state } = step.order;
  if (!("looking" in state)) return;
  if (state.looking === "idle") {
    step.emit({ type: "LookStarted" });
    askForMessages(step);
  } else if (state.looking === "running") {
    step.emit({ type: "LookWanted" });
  }
}

export function askForMessages(step: Step): void {
  const number = numberOf(step.order);
  if (!number) throw new Error("No number to look at");
  const { activationId, boughtAt } = number;
  step.effects.push({ kind: "look", key: step.key("look"), activationId, boughtAt });
}

/** Ends a look of a kind that keeps looking; repeats it when a hint came meanwhile. */
export function lookDone(step: Step): void {
  const { state } = step.order;
  if (!("looking" in state)) return;
  const again = state.looking === "again";
  step.emit({ type: "LookEnded" });
  if (again) lookNow(step);
}

/**
 * Records the messages that were not recorded before. The first one turns a waiting or closing order into a delivered
 * one, the first one with a code starts the notice. @returns whether anything was new.
 */
export function recordMessages(step: Step, incoming: readonly IncomingMessage[]): boolean {
  const known = new Set(step.order.messageIds);
  const fresh = incoming.filter((message) => !known.has(message.id) && known.add(message.id));
  const room = MAX_MESSAGES - step.order.messageIds.length;
  if (fresh.length > room) step.attention("message_limit");
  const kept = fresh.slice(0, Math.max(0, room));
  if (kept.length === 0) return false;
  const first = step.order.messageIds.length === 0;
  const number = numberOf(step.order);
  const due = number ? number.endsAt - step.policy.endMarginMs : (deadline(step.order) ?? step.now);
  const firstCode = step.order.codeReceivedAt === null && kept.some((message) => message.code !== null);
  step.emit({ type: "MessagesReceived", ids: kept.map((message) => message.id), first, firstCode, due });
  step.messages.push(...kept);
  const { notifyNpub } = step.order.terms;
  if (firstCode && notifyNpub !== null) {
    step.effects.push({ kind: "notify", key: step.key("notify"), npub: notifyNpub });
  }
  return true;
}

export function startClosing(step: Step, why: "timeout" | "customer" | "provider_ended"): void {
  step.emit({ type: "ClosingStarted", why, due: step.now + WATCHDOG.ask });
  askForMessages(step);
}

export function startFinishing(step: Step): void {
  step.emit({ type: "FinishingStarted", due: step.now + WATCHDOG.ask });
  askForMessages(step);
}

/** The number is given back or written off, and no SMS came: the customer gets the money, or what the terms say. */
export function closedWithoutSms(step: Step, number: HeldNumber, providerRefunded: boolean): void {
  step.emit({ type: "NumberEnded", cost: number.cost, refunded: providerRefunded });
  if (isRefundable(step.order.terms.good)) startRefund(step);
  else end(step, "expired");
}

/** Paid, and surely no number was had: refund where a destination is known or a refund is promised, else owe it. */
export function withoutNumber(step: Step): void {
  const { terms, destination, refundAddress } = step.order;
  // Less than a sat cannot be sent: it stays owed, and the order does not wait for it.
  const sendable = step.order.owedMsats >= 1000;
  if (sendable && (isRefundable(terms.good) || destination || refundAddress != null)) startRefund(step);
  else end(step, "failed");
}

export function end(step: Step, as: "completed" | "refunded" | "failed" | "expired"): void {
  if (as !== "failed") step.calm();
  step.emit({ type: "Ended", as });
}

/** The last moment at which an attempt may start, so that the node can finish it while the invoice lives. */
const REFUND_TAIL_MS = 30 * SECOND;

/** Whether another attempt at this destination can still succeed. */
export const timeForRefund = (expiresAt: number, now: number, payTimeoutMs: number): boolean =>
  now < expiresAt - payTimeoutMs - REFUND_TAIL_MS;

/** Times an address is asked for one refund, invoices of it that could not be paid included. */
const MAX_ADDRESS_ATTEMPTS = 24;

/**
 * Pays the refund by the one way that is open: the invoice while it can be paid, else the address, which is asked for another invoice; or waits
 * visibly for a usable one.
 */
export function startRefund(step: Step): void {
  const { destination, owedMsats, id, refundAddress } = step.order;
  const { refundPayTimeoutMs, refundFeeCap } = step.policy;
  const usable =
    destination?.claimed === true && timeForRefund(destination.expiresAt, step.now, refundPayTimeoutMs)
      ? destination
      : null;
  if (!usable && refundAddress != null) return askAddress(step, refundAddress);
  if (!usable) return stuck(step, destination?.claimed ? "destination_expired" : "no_destination");
  const attempt = step.order.refundAttempts + 1;
  const amountSats = floorToSats(owedMsats);
  const { paymentHash, invoice } = usable;
  step.emit({ type: "RefundStarted", attempt, paymentHash, amountSats, due: step.now + WATCHDOG.refund });
  step.effects.push({
    kind: "refund",
    key: `${id}:refund:${attempt}`,
    attempt,
    invoice,
    paymentHash,
    amountSats,
    maxFeeSats: feeCapOf(refundFeeCap, amountSats),
    timeoutSeconds: Math.ceil(refundPayTimeoutMs / SECOND),
  });
}

/** Asks the address for an invoice of exactly what is owed. */
function askAddress(step: Step, address: string): void {
  const attempt = (step.order.addressAttempts ?? 0) + 1;
  if (attempt - (step.order.addressBase ?? 0) > MAX_ADDRESS_ATTEMPTS) return stuck(step, "address_failed");
  const amountSats = floorToSats(step.order.owedMsats);
  step.emit({ type: "AddressAsked", attempt, due: step.now + WATCHDOG.ask });
  step.effects.push({
    kind: "resolve",
    key: `${step.order.id}:resolve:${attempt}`,
    attempt,
    address,
    amountSats,
    maxFeeSats: feeCapOf(step.policy.refundFeeCap, amountSats),
  });
}

/**
 * Waits for a destination until the claim window is over. It counts from the payment, of a rental from the end that was sold (it may
 * fail months after its payment), however often and however late the order gets stuck: so it ends before the credential
 * that is needed to name a destination.
 */
export function stuck(step: Step, why: StuckReason): void {
  const { state } = step.order;
  if (state.kind === "refundStuck" && state.why === why) return;
  const until = paymentOf(step).settledAt + rentalMs(step.order.terms.good) + step.policy.claimWindowMs;
  // A window that is over already closes with the next alarm.
  step.emit({ type: "RefundStuck", why, due: Math.max(until, step.now + SECOND) });
}
