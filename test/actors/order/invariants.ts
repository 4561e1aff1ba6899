/**
 * What must hold after every step of every order, whatever it was told (docs/architecture.md, "Invariants"). The watcher follows a life from the
 * outside: from commands, decisions and effects, so that it does not believe what the order believes of itself.
 */
import type { Command } from "../../../actors/order/commands.ts";
import { decide } from "../../../actors/order/decide.ts";
import type { Decision } from "../../../actors/order/decision.ts";
import type { Effect, EffectOf } from "../../../actors/order/effects.ts";
import type { OrderEvent } from "../../../actors/order/events.ts";
import { evolve } from "../../../actors/order/evolve.ts";
import type { Account } from "../../../actors/order/ledger.ts";
import { deadline, type Order } from "../../../actors/order/state.ts";
import { STATUSES, status } from "../../../actors/order/status.ts";
import { isRefundable, rentalMs } from "../../../actors/order/terms.ts";
import { pack, unpack } from "../../../actors/runtime/packed.ts";
import { orderText, parseOrder } from "../../../actors/runtime/texts.ts";
import { SECRET_CODE, SECRET_TEXT } from "./orders.ts";

export interface Told {
  readonly before: Order;
  readonly command: Command;
  readonly decision: Decision;
  readonly now: number;
  readonly pending: ReadonlyMap<string, Effect>;
}

export function must(condition: boolean, rule: string, told?: Told): asserts condition {
  if (condition) return;
  const where = told
    ? ` (${told.before.state.kind}, ${JSON.stringify(told.command)}, ${JSON.stringify(told.decision.order.state)})`
    : "";
  throw new Error(`Invariant broken: ${rule}${where}`);
}

/** Anything that may be waited for, and the effect that ends the wait. */
const AWAITED: Readonly<Record<string, Effect["kind"]>> = {
  "buying:asking": "buy",
  "buyUnknown:asking": "findBuy",
  "closing:looking": "look",
  "closing:cancelling": "cancel",
  "finishing:looking": "look",
  "finishing:finishing": "finish",
  "resolving:asking": "resolve",
  "refunding:paying": "refund",
  "refundUnknown:asking": "findRefund",
};

const ENDS_LINK: ReadonlySet<OrderEvent["type"]> = new Set([
  "DestinationSet",
  "AddressSet",
  "AddressAsked",
  "RefundStarted",
  "ClaimWindowClosed",
]);

/** What the node says of a payment this soon after its answer was lost may race the send. */
const SEND_GRACE_MS = 120_000;
const SEND_GRACE_LOOKS = 6;

/** Kinds in which a message that is seen is the customer's. */
const SHOWING: ReadonlySet<string> = new Set(["waiting", "closing", "delivered", "finishing", "renting"]);

type Sums = Record<Account, number>;
const noSums = (): Sums => ({
  received: 0,
  kept: 0,
  refunded: 0,
  fees: 0,
  owed: 0,
  unclaimed: 0,
  provider: 0,
  numbers: 0,
  loss: 0,
});

export class Watcher {
  readonly sums = { msat: noSums(), µUSD: noSums() };
  /** The state as a reader of the stored events would build it. */
  #replayed: Order | null = null;
  readonly #keys = new Set<string>();
  readonly #messageIds = new Set<string>();
  #settledTold = false;
  #attempts = 0;
  #buys = 0;
  #paid = 0;
  /** Refund attempts that the node proved to be dead. */
  readonly #dead = new Set<number>();
  #unsureSince = 0;
  #unsureLooks = 0;
  /** Refund attempts that the node said it had under way: what it says of them later can only be an end. */
  readonly #acknowledged = new Set<number>();
  /** The provider refused a cancel by time. */
  #tooLate = false;
  /** Answers in a row that called the number ended. */
  #saidEnded = 0;
  #notices = 0;
  #codes = 0;
  /** What the refunds cost us in routing, as the node told it. */
  #feeMsats = 0;
  /** Buys of which it is known whether they happened. */
  readonly #knownBuys = new Set<number>();
  /** Digest of the withdraw link that is out. */
  #link: string | null = null;
  /** Refund hashes that the journal owns for this order. */
  readonly #claimed = new Set<string>();

  static of(order: Order, events: readonly OrderEvent[]): Watcher {
    const watcher = new Watcher();
    watcher.#replay(events);
    must(Bun.deepEquals(watcher.#replayed, order, true), "19: replay gives the opened order");
    return watcher;
  }

  /** Another watcher that knows the same, for a life that is tried in two ways. */
  fork(): Watcher {
    const twin = new Watcher();
    for (const unit of ["msat", "µUSD"] as const) Object.assign(twin.sums[unit], this.sums[unit]);
    twin.#replayed = this.#replayed;
    for (const key of this.#keys) twin.#keys.add(key);
    for (const id of this.#messageIds) twin.#messageIds.add(id);
    for (const attempt of this.#dead) twin.#dead.add(attempt);
    twin.#settledTold = this.#settledTold;
    twin.#attempts = this.#attempts;
    twin.#buys = this.#buys;
    twin.#paid = this.#paid;
    twin.#unsureSince = this.#unsureSince;
    twin.#unsureLooks = this.#unsureLooks;
    for (const attempt of this.#acknowledged) twin.#acknowledged.add(attempt);
    twin.#tooLate = this.#tooLate;
    twin.#saidEnded = this.#saidEnded;
    twin.#notices = this.#notices;
    twin.#codes = this.#codes;
    twin.#feeMsats = this.#feeMsats;
    for (const attempt of this.#knownBuys) twin.#knownBuys.add(attempt);
    for (const hash of this.#claimed) twin.#claimed.add(hash);
    twin.#link = this.#link;
    return twin;
  }

  check(told: Told): void {
    const { decision, before } = told;
    this.#learn(told);
    this.#settlement(told);
    this.#isPure(told);
    this.#isKept(told.decision.order);
    this.#replay(decision.events);
    must(Bun.deepEquals(this.#replayed, decision.order, true), "19: replaying the events gives the state", told);
    must(decision.order.seq === before.seq + decision.events.length, "19: every event counts", told);
    this.#books(told);
    this.#messages(told);
    this.#buying(told);
    this.#refunds(told);
    this.#numberEnds(told);
    this.#links(told);
    this.#keysAreNew(told);
    shape(told);
  }

  /** What the world said, kept apart from what the order made of it. */
  #learn({ before, command, decision, now }: Told): void {
    const told = command.type === "ClaimRefused" ? command.command : command;
    if (told.type === "Settled") this.#settledTold = true;
    if (told.type === "BuyAnswered" && told.answer.kind !== "unknown") this.#knownBuys.add(told.attempt);
    if (told.type === "BuySearched" && told.answer.kind !== "unsure") this.#knownBuys.add(told.attempt);
    if (told.type === "CancelAnswered" && told.answer.kind === "too_late") this.#tooLate = true;
    if (told.type === "Looked" && told.answer.kind === "seen") {
      this.#saidEnded = told.answer.standing === "open" ? 0 : this.#saidEnded + 1;
    }
    if (told.type === "Reconciled" && told.finding.kind === "refund_paid" && this.#paid === 0) {
      this.#feeMsats = told.finding.feeMsats;
    }
    // The doctor asked the node: no attempt is out.
    const found = told.type === "Reconciled" && decision.events.some(({ type }) => type === "NumberBought");
    if (found) this.#dead.add(this.#attempts);
    if (told.type !== "RefundAnswered" && told.type !== "RefundSearched") return;
    const { attempt, answer } = told;
    if (answer.kind === "succeeded" && this.#paid === 0) this.#feeMsats = answer.feeMsats;
    if (answer.kind === "in_flight") this.#acknowledged.add(attempt);
    const known = this.#acknowledged.has(attempt);
    const raceOver = now - this.#unsureSince >= SEND_GRACE_MS && this.#unsureLooks >= SEND_GRACE_LOOKS;
    const searching = before.state.kind === "refundUnknown" && told.type === "RefundSearched";
    // Found by a search, "failed" may still be about the attempt before: the node knows hashes.
    const isOfThis = told.type === "RefundAnswered" || attempt === 1 || known || raceOver;
    if (answer.kind === "failed" && isOfThis) this.#dead.add(attempt);
    if (searching && answer.kind === "never_sent" && raceOver && !known) this.#dead.add(attempt);
  }

  /** A link is for its holder, once, and over when another way is taken. */
  #links(told: Told): void {
    const { command, decision } = told;
    if (command.type === "LinkUsed" && command.secretHash !== this.#link) {
      must(decision.events.length === 0 && !decision.reply.ok, "14: a link opens to its secret, and once", told);
    }
    for (const event of decision.events) {
      if (event.type === "LinkIssued") this.#link = event.secretHash;
      else if (ENDS_LINK.has(event.type)) this.#link = null;
    }
  }

  /** The money and the times that the node's word sets, counted again. */
  #settlement({ before, command: said, decision, now }: Told): void {
    for (const { value } of decision.claims) this.#claimed.add(value);
    const command = said.type === "ClaimRefused" ? said.command : said;
    if (command.type !== "Settled") return;
    if (before.payment) return must(decision.events.length === 0, "10: a repeated settlement changes nothing");
    const { payment, terms } = decision.order;
    must(payment !== null, "9: money that came in is known");
    const { policy, good } = terms;
    // The node's clock may be off: a payment comes after its invoice and before the news of it.
    const settledAt = Math.min(Math.max(command.settledAt, terms.createdAt), now);
    const age = now - settledAt;
    const stale = before.state.kind === "lapsed" || age > policy.lateAfterMs;
    const buys = decision.effects.some(({ kind }) => kind === "buy");
    must(!(buys && stale && isRefundable(good)), "9: late money of a refundable order does not buy");
    must(!(buys && command.receivedMsats < terms.priceSats * 1000), "1: less than the price does not buy");
    const late = stale || (!isRefundable(good) && age >= policy.buyWindowMs);
    const from = late ? now : settledAt;
    must(payment.smsBy === from + policy.smsTimeoutMs, "20: the time for the SMS counts from the payment");
    must(payment.buyBy === from + policy.buyWindowMs, "20: the time to buy counts from the payment");
  }

  #isPure({ before, command, decision, now }: Told): void {
    must(Bun.deepEquals(decide(before, command, now), decision, true), "18: deciding twice decides the same");
  }

  #isKept(order: Order): void {
    must(Bun.deepEquals(parseOrder(orderText(order)), order, true), "19: what is written is read again");
    must(Bun.deepEquals(unpack(pack(order), order.id), order, true), "19: what is packed is unpacked again");
  }

  #replay(events: readonly OrderEvent[]): void {
    for (const event of events) {
      const stored = JSON.stringify(event);
      must(!stored.includes(SECRET_CODE) && !stored.includes(SECRET_TEXT), "15: events hold no code and no text");
      this.#replayed = evolve(this.#replayed, JSON.parse(stored) as OrderEvent);
    }
  }

  #books(told: Told): void {
    const { order, postings } = told.decision;
    for (const { account, unit, amount } of postings) {
      must(Number.isSafeInteger(amount) && amount !== 0, "6: a posting is a whole amount", told);
      this.sums[unit][account] += amount;
    }
    for (const unit of ["msat", "µUSD"] as const) {
      const sum = Object.values(this.sums[unit]).reduce((total, amount) => total + amount, 0);
      must(sum === 0, `6: postings in ${unit} sum to zero`, told);
    }
    const { received, kept, refunded, fees, owed, unclaimed } = this.sums.msat;
    must(-received === (order.payment?.receivedMsats ?? 0), "10: what came in is booked once", told);
    must(-received === kept + refunded + fees + owed + unclaimed, "6: sats in = kept + refunded + fees + owed", told);
    must(owed === order.owedMsats && owed >= 0 && unclaimed >= 0, "6: owed is what the ledger says", told);
    must(refunded === (order.refund?.amountSats ?? 0) * 1000, "6: refunded is what was refunded", told);
    must(!(refunded > 0) || refunded <= -received, "6: never more refunded than received", told);
    must(fees === (refunded > 0 ? this.#feeMsats : 0), "6: routing fees are booked as the node told them", told);
    const { provider, numbers, loss } = this.sums.µUSD;
    must(provider <= 0 && numbers >= 0 && loss >= 0, "6: the provider's money goes one way", told);
    const { state } = order;
    if (state.kind === "done" && state.as === "completed")
      must(kept === -received, "6: a completed order is earned", told);
    if (state.kind === "done" && state.as !== "failed") must(owed === 0, "6: an ended order owes nothing", told);
  }

  #messages(told: Told): void {
    const { messages, order } = told.decision;
    for (const { id } of messages) {
      must(!this.#messageIds.has(id), "13: a message is stored once", told);
      this.#messageIds.add(id);
    }
    must(Bun.deepEquals(order.messageIds, [...this.#messageIds]), "13: every stored message is known, in order", told);
    must(order.messageIds.length <= 1_000, "21: messages are bounded", told);
    this.#isShown(told);
    this.#codes += messages.filter(({ code }) => code !== null).length;
    must((order.codeReceivedAt !== null) === this.#codes > 0, "13: a code is known to be there", told);
    this.#notices += told.decision.effects.filter(({ kind }) => kind === "notify").length;
    const noticed = order.terms.notifyNpub !== null && this.#codes > 0;
    must(this.#notices === (noticed ? 1 : 0), "13: one notice, for the first code", told);
  }

  /** What the provider's list shows while the customer can still be given it is stored at once. */
  #isShown(told: Told): void {
    const { before, command, decision } = told;
    if (command.type !== "Looked" || command.answer.kind !== "seen") return;
    const { state } = before;
    const shows = SHOWING.has(state.kind) || (state.kind === "done" && state.as === "completed");
    if (!shows || decision.order.messageIds.length >= 1_000) return;
    const missing = command.answer.messages.some(({ id }) => !this.#messageIds.has(id));
    must(!missing, "13: a message that was seen is stored", told);
  }

  #buying(told: Told): void {
    const { decision, pending, now, before } = told;
    for (const buy of decision.effects.filter((effect) => effect.kind === "buy")) {
      must(this.#settledTold, "1: no buy before the node's word", told);
      must(now < buy.notAfter && now < (decision.order.payment?.buyBy ?? 0), "8: no buy after its window", told);
      must(buy.attempt > this.#buys, "11: buy attempts count up", told);
      must(before.cancelAskedAt === null, "11: no buy after a cancel", told);
      must(decision.order.loose === null, "11: no buy while one is loose", told);
      must(
        this.#buys === 0 || this.#knownBuys.has(this.#buys),
        "11: no buy while an earlier one may have happened",
        told,
      );
      this.#buys = buy.attempt;
    }
    must(kinds(pending, "buy") <= 1, "11: at most one buy is under way", told);
    must(
      kinds(pending, "buy") + kinds(pending, "cancel") + kinds(pending, "refund") <= 1,
      "2: one thing that costs money at a time",
      told,
    );
  }

  #refunds(told: Told): void {
    const { decision, pending, command, now } = told;
    const { order } = decision;
    for (const { type } of decision.events) {
      if (type === "RefundUncertain") {
        this.#unsureSince = now;
        this.#unsureLooks = 0;
      } else if (type === "RefundSearchPaused") this.#unsureLooks++;
    }
    for (const refund of decision.effects.filter((effect) => effect.kind === "refund")) this.#newRefund(refund, told);
    must(kinds(pending, "refund") <= 1, "2: at most one refund is under way", told);
    for (const event of decision.events) {
      if (event.type !== "RefundPaid") continue;
      this.#paid++;
      must(this.#paid === 1, "2: at most one successful refund", told);
      // The node's proof, brought by the doctor: of a payment that our books may not know.
      if (command.type === "Reconciled") continue;
      must(
        event.attempt === this.#attempts && !this.#dead.has(event.attempt),
        "2: the paid attempt is the last one",
        told,
      );
      must(command.type === "RefundAnswered" || command.type === "RefundSearched", "2: only the node says paid", told);
    }
    if (this.#paid > 0)
      must(order.state.kind === "done" && order.state.as === "refunded", "2: refunded stays refunded", told);
  }

  #newRefund(refund: EffectOf<"refund">, told: Told): void {
    const { order } = told.decision;
    must(refund.attempt === this.#attempts + 1, "2: refund attempts count up by one", told);
    for (let earlier = 1; earlier < refund.attempt; earlier++) {
      must(this.#dead.has(earlier), "2: no new attempt while one is not surely dead", told);
    }
    this.#attempts = refund.attempt;
    must(this.#messageIds.size === 0, "3: no refund after a message", told);
    must(refund.amountSats >= 1, "6: a refund pays something", told);
    must(
      refund.amountSats === Math.floor((order.payment?.receivedMsats ?? 0) / 1000),
      "6: a refund pays what was received",
      told,
    );
    must(refund.maxFeeSats === Math.max(2, Math.ceil(refund.amountSats * 0.005)), "6: routing fees are capped", told);
    must(
      order.destination?.paymentHash === refund.paymentHash && order.destination.claimed,
      "7: only to a claimed hash",
      told,
    );
    must(this.#claimed.has(refund.paymentHash), "7: the journal owns the hash for this order", told);
    const bought = this.sums.µUSD.numbers !== 0;
    must(!bought, "4: a number's end is booked before its refund", told);
  }

  /** A number is given up only on the provider's word, and money goes back to the customer only after that. */
  #numberEnds(told: Told): void {
    const { command, decision, before } = told;
    for (const event of decision.events) {
      if (event.type !== "NumberEnded" || command.type === "Reconciled") continue;
      const looked = command.type === "Looked" && command.answer.kind === "seen" ? command.answer.standing : null;
      const cancelled = command.type === "CancelAnswered" && command.answer.kind === "cancelled";
      if (event.refunded) {
        must(cancelled || looked === "refunded", "4: our money is back only on the provider's word", told);
        continue;
      }
      const ended = looked === "ended" || looked === "finished" || looked === "missing";
      must(
        ended || (looked === "open" && this.#tooLate),
        "4: a number is written off only on the provider's word",
        told,
      );
      const { kind } = before.state;
      must(kind === "closing" || kind === "renting", "4: only a closing number or a rental is written off", told);
      must(kind !== "renting" || this.#saidEnded >= 3, "4: a rental is written off only when said three times", told);
    }
  }

  #keysAreNew(told: Told): void {
    for (const { key } of told.decision.effects) {
      must(!this.#keys.has(key), `12: effect keys never repeat: ${key}`, told);
      this.#keys.add(key);
    }
  }
}

/** What the state must look like, whichever way it came about. */
function shape(told: Told): void {
  const { before, command, decision, now, pending } = told;
  const { order, reply } = decision;
  const { state, terms } = order;
  must((STATUSES as readonly string[]).includes(status(order)), "18: the status is one of the 12", told);
  if (!reply.ok) must(decision.events.length + decision.effects.length === 0, "18: a refusal changes nothing", told);
  must(decision.claims.length === 0 || order.payment !== null, "7: hashes are claimed when money arrives", told);

  const over = state.kind === "done" || state.kind === "lapsed";
  must((order.endedAt !== null) === over, "5: what is over has an end, and nothing else", told);
  const due = deadline(order);
  const waitsForCustomer = state.kind === "refundStuck";
  if (order.payment && !over && !waitsForCustomer)
    must(due !== null, "20: a paid, unfinished order has a deadline", told);
  must(due === null || Number.isSafeInteger(due), "20: a deadline is a time", told);
  const pauses = "step" in before.state && before.state.step === "pausing";
  const fired =
    command.type === "Due" &&
    deadline(before) !== null &&
    (now >= (deadline(before) ?? 0) || (command.early === true && pauses));
  // The engine fires whatever is due until nothing is: one that stays due would keep it busy for ever.
  if (fired) must(due === null || due > now, "20: a deadline that fired does not fire again at once", told);
  if (command.type === "Due" && !fired) must(decision.events.length === 0, "20: a stale alarm moves nothing", told);

  for (const kind of ["buy", "cancel", "finish", "release", "refund"] as const) {
    must(kinds(pending, kind) <= 1, `11: at most one ${kind} is under way`, told);
  }
  const step = "step" in state ? AWAITED[`${state.kind}:${state.step}`] : undefined;
  if (step) must(kinds(pending, step) >= 1, `5: what is waited for is under way: ${step}`, told);
  if ("looking" in state && state.looking !== "idle")
    must(kinds(pending, "look") >= 1, "5: a look that runs is under way", told);
  if (state.kind === "unpaid" && state.asking)
    must(kinds(pending, "askNode") >= 1, "5: a question that runs is under way", told);

  if (state.kind === "lapsed" && order.provenAt !== null)
    must(order.attention !== null, "9: a contradiction is visible", told);
  if (state.kind === "refundStuck" && state.due !== null) {
    const credentialEnds = terms.createdAt + rentalMs(terms.good) + terms.policy.claimWindowMs + 30 * 86_400_000;
    must(
      state.due < credentialEnds || state.due <= now + 1_000,
      "5: the claim window ends before the credential",
      told,
    );
  }
  if (order.loose) must(order.attention !== null, "11: a loose activation is on the attention list", told);
  if (state.kind === "delivered" || state.kind === "finishing")
    must(order.messageIds.length > 0, "13: delivered means a message", told);
  if (state.kind === "waiting" || state.kind === "closing")
    must(order.messageIds.length === 0, "13: waiting means no message", told);
  if (state.kind === "refunding" || state.kind === "refundUnknown") {
    must(order.owedMsats >= 1000 && order.refund === null, "6: only what is owed is refunded", told);
  }
  if (order.messageIds.length > 0) must(order.owedMsats === 0, "3: a message earns the money", told);
  const gotNumber = state.kind === "done" && state.number !== null;
  if (!isRefundable(order.terms.good) && gotNumber && state.as !== "failed")
    must(order.refund === null, "3: rentals are kept", told);
}

function kinds(pending: ReadonlyMap<string, Effect>, kind: Effect["kind"]): number {
  let count = 0;
  for (const effect of pending.values()) if (effect.kind === kind) count++;
  return count;
}
