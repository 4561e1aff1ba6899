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
  "refunding:paying": "refund",
  "refundUnknown:asking": "findRefund",
};

/** What the node says of a payment this soon after its answer was lost may race the send. */
const SEND_GRACE_MS = 120_000;

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
  /** Refund attempts that the node said it had under way: what it says of them later can only be an end. */
  readonly #acknowledged = new Set<number>();
  /** The provider refused a cancel by time. */
  #tooLate = false;
  /** Answers in a row that called the number ended. */
  #saidEnded = 0;
  #notices = 0;
  #codes = 0;

  static of(order: Order, events: readonly OrderEvent[]): Watcher {
    const watcher = new Watcher();
    watcher.#replay(events);
    must(Bun.deepEquals(watcher.#replayed, order, true), "replay gives the opened order");
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
    for (const attempt of this.#acknowledged) twin.#acknowledged.add(attempt);
    twin.#tooLate = this.#tooLate;
    twin.#saidEnded = this.#saidEnded;
    twin.#notices = this.#notices;
    twin.#codes = this.#codes;
    return twin;
  }

  check(told: Told): void {
    const { decision, before } = told;
    this.#learn(told);
    this.#isPure(told);
    this.#replay(decision.events);
    must(Bun.deepEquals(this.#replayed, decision.order, true), "19: replaying the events gives the state", told);
    must(decision.order.seq === before.seq + decision.events.length, "every event counts", told);
    this.#books(told);
    this.#messages(told);
    this.#buying(told);
    this.#refunds(told);
    this.#numberEnds(told);
    this.#keysAreNew(told);
    shape(told);
  }

  /** What the world said, kept apart from what the order made of it. */
  #learn({ before, command, now }: Told): void {
    const told = command.type === "ClaimRefused" ? command.command : command;
    if (told.type === "Settled") this.#settledTold = true;
    if (told.type === "CancelAnswered" && told.answer.kind === "too_late") this.#tooLate = true;
    if (told.type === "Looked" && told.answer.kind === "seen") {
      this.#saidEnded = told.answer.standing === "open" ? 0 : this.#saidEnded + 1;
    }
    if (told.type !== "RefundAnswered" && told.type !== "RefundSearched") return;
    const { attempt, answer } = told;
    if (answer.kind === "in_flight") this.#acknowledged.add(attempt);
    const known = this.#acknowledged.has(attempt);
    const raceOver = now - this.#unsureSince >= SEND_GRACE_MS;
    const searching = before.state.kind === "refundUnknown" && told.type === "RefundSearched";
    // Found by a search, "failed" may still be about the attempt before: the node knows hashes.
    const isOfThis = told.type === "RefundAnswered" || attempt === 1 || known || raceOver;
    if (answer.kind === "failed" && isOfThis) this.#dead.add(attempt);
    if (searching && answer.kind === "never_sent" && raceOver && !known) this.#dead.add(attempt);
  }

  #isPure({ before, command, decision, now }: Told): void {
    must(Bun.deepEquals(decide(before, command, now), decision, true), "deciding twice decides the same");
  }

  #replay(events: readonly OrderEvent[]): void {
    for (const event of events) {
      const stored = JSON.stringify(event);
      must(!stored.includes(SECRET_CODE) && !stored.includes(SECRET_TEXT), "events hold no code and no text");
      this.#replayed = evolve(this.#replayed, JSON.parse(stored) as OrderEvent);
    }
  }

  #books(told: Told): void {
    const { order, postings } = told.decision;
    for (const { account, unit, amount } of postings) {
      must(Number.isSafeInteger(amount) && amount !== 0, "a posting is a whole amount", told);
      this.sums[unit][account] += amount;
    }
    for (const unit of ["msat", "µUSD"] as const) {
      const sum = Object.values(this.sums[unit]).reduce((total, amount) => total + amount, 0);
      must(sum === 0, `postings in ${unit} sum to zero`, told);
    }
    const { received, kept, refunded, fees, owed, unclaimed } = this.sums.msat;
    must(-received === (order.payment?.receivedMsats ?? 0), "what came in is booked once", told);
    must(-received === kept + refunded + fees + owed + unclaimed, "6: sats in = kept + refunded + fees + owed", told);
    must(owed === order.owedMsats && owed >= 0 && unclaimed >= 0, "owed is what the ledger says", told);
    must(refunded === (order.refund?.amountSats ?? 0) * 1000, "refunded is what was refunded", told);
    must(!(refunded > 0) || refunded <= -received, "never more refunded than received", told);
    const { provider, numbers, loss } = this.sums.µUSD;
    must(provider <= 0 && numbers >= 0 && loss >= 0, "the provider's money goes one way", told);
    const { state } = order;
    if (state.kind === "done" && state.as === "completed")
      must(kept === -received, "a completed order is earned", told);
    if (state.kind === "done" && state.as !== "failed") must(owed === 0, "an ended order owes nothing", told);
  }

  #messages(told: Told): void {
    const { messages, order } = told.decision;
    for (const { id } of messages) {
      must(!this.#messageIds.has(id), "13: a message is stored once", told);
      this.#messageIds.add(id);
    }
    must(Bun.deepEquals(order.messageIds, [...this.#messageIds]), "every stored message is known, in order", told);
    must(order.messageIds.length <= 1_000, "messages are bounded", told);
    this.#codes += messages.filter(({ code }) => code !== null).length;
    must((order.codeReceivedAt !== null) === this.#codes > 0, "a code is known to be there", told);
    this.#notices += told.decision.effects.filter(({ kind }) => kind === "notify").length;
    const noticed = order.terms.notifyNpub !== null && this.#codes > 0;
    must(this.#notices === (noticed ? 1 : 0), "one notice, for the first code", told);
  }

  #buying(told: Told): void {
    const { decision, pending, now, before } = told;
    for (const buy of decision.effects.filter((effect) => effect.kind === "buy")) {
      must(this.#settledTold, "1: no buy before the node's word", told);
      must(now < buy.notAfter && now < (decision.order.payment?.buyBy ?? 0), "no buy after its window", told);
      must(buy.attempt > this.#buys, "buy attempts count up", told);
      must(before.cancelAskedAt === null, "no buy after a cancel", told);
      must(decision.order.loose === null, "no buy while one is loose", told);
      this.#buys = buy.attempt;
    }
    must(kinds(pending, "buy") <= 1, "at most one buy is under way", told);
    must(
      kinds(pending, "buy") + kinds(pending, "cancel") + kinds(pending, "refund") <= 1,
      "one thing that costs money at a time",
      told,
    );
  }

  #refunds(told: Told): void {
    const { decision, pending, command, now } = told;
    const { order } = decision;
    if (decision.events.some((event) => event.type === "RefundUncertain")) this.#unsureSince = now;
    for (const refund of decision.effects.filter((effect) => effect.kind === "refund")) this.#newRefund(refund, told);
    must(kinds(pending, "refund") <= 1, "at most one refund is under way", told);
    for (const event of decision.events) {
      if (event.type !== "RefundPaid") continue;
      this.#paid++;
      must(this.#paid === 1, "2: at most one successful refund", told);
      must(
        event.attempt === this.#attempts && !this.#dead.has(event.attempt),
        "the paid attempt is the last one",
        told,
      );
      must(command.type === "RefundAnswered" || command.type === "RefundSearched", "only the node says paid", told);
    }
    if (this.#paid > 0)
      must(order.state.kind === "done" && order.state.as === "refunded", "refunded stays refunded", told);
  }

  #newRefund(refund: EffectOf<"refund">, told: Told): void {
    const { order } = told.decision;
    must(refund.attempt === this.#attempts + 1, "refund attempts count up by one", told);
    for (let earlier = 1; earlier < refund.attempt; earlier++) {
      must(this.#dead.has(earlier), "no new attempt while one is not surely dead", told);
    }
    this.#attempts = refund.attempt;
    must(this.#messageIds.size === 0, "3: no refund after a message", told);
    must(refund.amountSats >= 1, "a refund pays something", told);
    must(
      refund.amountSats === Math.floor((order.payment?.receivedMsats ?? 0) / 1000),
      "a refund pays what was received",
      told,
    );
    must(refund.maxFeeSats === Math.max(2, Math.ceil(refund.amountSats * 0.005)), "routing fees are capped", told);
    must(
      order.destination?.paymentHash === refund.paymentHash && order.destination.claimed,
      "7: only to a claimed hash",
      told,
    );
    const bought = this.sums.µUSD.numbers !== 0;
    must(!bought, "4: a number's end is booked before its refund", told);
  }

  /** A number is given up only on the provider's word, and money goes back to the customer only after that. */
  #numberEnds(told: Told): void {
    const { command, decision, before } = told;
    for (const event of decision.events) {
      if (event.type !== "NumberEnded") continue;
      const looked = command.type === "Looked" && command.answer.kind === "seen" ? command.answer.standing : null;
      const cancelled = command.type === "CancelAnswered" && command.answer.kind === "cancelled";
      if (event.refunded) {
        must(cancelled || looked === "refunded", "our money is back only on the provider's word", told);
        continue;
      }
      const ended = looked === "ended" || looked === "finished" || looked === "missing";
      must(ended || (looked === "open" && this.#tooLate), "a number is written off only on the provider's word", told);
      const { kind } = before.state;
      must(kind === "closing" || kind === "renting", "only a closing number or a rental is written off", told);
      must(kind !== "renting" || this.#saidEnded >= 3, "a rental is written off only when said three times", told);
    }
  }

  #keysAreNew(told: Told): void {
    for (const { key } of told.decision.effects) {
      must(!this.#keys.has(key), `effect keys never repeat: ${key}`, told);
      this.#keys.add(key);
    }
  }
}

/** What the state must look like, whichever way it came about. */
function shape(told: Told): void {
  const { before, command, decision, now, pending } = told;
  const { order, reply } = decision;
  const { state, terms } = order;
  must((STATUSES as readonly string[]).includes(status(order)), "the status is one of the 12", told);
  if (!reply.ok) must(decision.events.length + decision.effects.length === 0, "a refusal changes nothing", told);
  must(decision.claims.length === 0 || order.payment !== null, "hashes are claimed when money arrives", told);

  const over = state.kind === "done" || state.kind === "lapsed";
  must((order.endedAt !== null) === over, "what is over has an end, and nothing else", told);
  const due = deadline(order);
  const waitsForCustomer = state.kind === "refundStuck";
  if (order.payment && !over && !waitsForCustomer)
    must(due !== null, "20: a paid, unfinished order has a deadline", told);
  must(due === null || Number.isSafeInteger(due), "a deadline is a time", told);
  const fired = command.type === "Due" && deadline(before) !== null && now >= (deadline(before) ?? 0);
  // The engine fires whatever is due until nothing is: one that stays due would keep it busy for ever.
  if (fired) must(due === null || due > now, "a deadline that fired does not fire again at once", told);
  if (command.type === "Due" && !fired) must(decision.events.length === 0, "a stale alarm moves nothing", told);

  for (const kind of ["buy", "cancel", "finish", "release", "refund"] as const) {
    must(kinds(pending, kind) <= 1, `at most one ${kind} is under way`, told);
  }
  const step = "step" in state ? AWAITED[`${state.kind}:${state.step}`] : undefined;
  if (step) must(kinds(pending, step) >= 1, `what is waited for is under way: ${step}`, told);
  if ("looking" in state && state.looking !== "idle")
    must(kinds(pending, "look") >= 1, "a look that runs is under way", told);
  if (state.kind === "unpaid" && state.asking)
    must(kinds(pending, "askNode") >= 1, "a question that runs is under way", told);

  if (state.kind === "lapsed" && order.provenAt !== null)
    must(order.attention !== null, "a contradiction is visible", told);
  if (state.kind === "refundStuck" && state.due !== null) {
    const credentialEnds = terms.createdAt + rentalMs(terms.good) + terms.policy.claimWindowMs + 30 * 86_400_000;
    must(state.due < credentialEnds || state.due <= now + 1_000, "the claim window ends before the credential", told);
  }
  if (order.loose) must(order.attention !== null, "a loose activation is on the attention list", told);
  if (state.kind === "delivered" || state.kind === "finishing")
    must(order.messageIds.length > 0, "delivered means a message", told);
  if (state.kind === "waiting" || state.kind === "closing")
    must(order.messageIds.length === 0, "waiting means no message", told);
  if (state.kind === "refunding" || state.kind === "refundUnknown") {
    must(order.owedMsats >= 1000 && order.refund === null, "only what is owed is refunded", told);
  }
  if (order.messageIds.length > 0) must(order.owedMsats === 0, "a message earns the money", told);
  const gotNumber = state.kind === "done" && state.number !== null;
  if (!isRefundable(order.terms.good) && gotNumber && state.as !== "failed")
    must(order.refund === null, "3: rentals are kept", told);
}

const kinds = (pending: ReadonlyMap<string, Effect>, kind: Effect["kind"]): number =>
  [...pending.values()].filter((effect) => effect.kind === kind).length;
