/**
 * One order's life as a test tells it: holds the state, the clock and the effects under way, and checks the invariants after
 * every single step. A broken invariant throws where it broke.
 */
import type { Command } from "../../../actors/order/commands.ts";
import { decide, open } from "../../../actors/order/decide.ts";
import type { Decision, Refusal } from "../../../actors/order/decision.ts";
import type { Effect, EffectKind, EffectOf } from "../../../actors/order/effects.ts";
import type { EventType, OrderEvent } from "../../../actors/order/events.ts";
import type { Policy } from "../../../actors/order/policy.ts";
import { deadline, type Kind, type Order, type StateOf } from "../../../actors/order/state.ts";
import { type Status, status } from "../../../actors/order/status.ts";
import type { OrderType } from "../../../actors/order/terms.ts";
import { Watcher } from "./invariants.ts";
import {
  destination,
  heldNumber,
  ID,
  MINUTE,
  OPENED_AT,
  PAID_AT,
  PREIMAGE,
  RECEIVED,
  seen,
  termsOf,
} from "./orders.ts";

export interface LifeOptions {
  readonly type?: OrderType;
  readonly destination?: ReturnType<typeof destination> | null;
  readonly policy?: Policy;
  readonly notifyNpub?: string;
  /** Of a rental. */
  readonly hours?: number;
}

export class Life {
  order: Order;
  now: number;
  readonly type: OrderType;
  readonly events: OrderEvent[];
  /** Effects that were started and did not come back, by key. */
  readonly pending: Map<string, Effect>;
  readonly watcher: Watcher;

  private constructor(from: Pick<Life, "order" | "now" | "type" | "events" | "pending" | "watcher">) {
    this.order = from.order;
    this.now = from.now;
    this.type = from.type;
    this.events = [...from.events];
    this.pending = new Map(from.pending);
    this.watcher = from.watcher;
  }

  static open(options: LifeOptions = {}): Life {
    const type = options.type ?? "receive-sms";
    const to = options.destination === undefined ? destination() : options.destination;
    const usual = termsOf(type, options.policy);
    const good = usual.good.type === "rent-number" ? { ...usual.good, hours: options.hours ?? 4 } : usual.good;
    const terms = { ...usual, good, notifyNpub: options.notifyNpub ?? null };
    const now = OPENED_AT;
    const { order, events } = open({ id: ID, terms, destination: to, now });
    return new Life({ order, now, type, events: [...events], pending: new Map(), watcher: Watcher.of(order, events) });
  }

  /** The same life up to here, to be tried in another way. */
  fork(): Life {
    return new Life({ ...this, watcher: this.watcher.fork() });
  }

  /** Tells a command now; `answers` is the effect that it came from. */
  tell(command: Command, answers?: Effect): Decision {
    if (answers) this.pending.delete(answers.key);
    const before = this.order;
    const decision = decide(before, command, this.now);
    for (const effect of decision.effects) this.pending.set(effect.key, effect);
    this.order = decision.order;
    this.events.push(...decision.events);
    this.watcher.check({ before, command, decision, now: this.now, pending: this.pending });
    return decision;
  }

  wait(ms: number): this {
    this.now += ms;
    return this;
  }

  until(time: number): this {
    this.now = Math.max(this.now, time);
    return this;
  }

  /** Goes on to the order's deadline and fires it. */
  due(): Decision {
    const due = deadline(this.order);
    if (due === null) throw new Error(`No deadline in ${this.order.state.kind}`);
    return this.until(due).tell({ type: "Due" });
  }

  /** The oldest effect of a kind that is under way. */
  effect<K extends EffectKind>(kind: K): EffectOf<K> {
    for (const effect of this.pending.values()) if (effect.kind === kind) return effect as EffectOf<K>;
    throw new Error(`No ${kind} is under way in ${this.order.state.kind}`);
  }

  has(kind: EffectKind): boolean {
    return [...this.pending.values()].some((effect) => effect.kind === kind);
  }

  /** Gives an effect under way the answer it came back with. */
  answer(kind: EffectKind, command: Command): Decision {
    return this.tell(command, this.effect(kind));
  }

  /** The process dies and comes back: every effect under way is found interrupted. */
  crash(): void {
    for (const effect of [...this.pending.values()]) this.tell({ type: "EffectInterrupted", effect }, effect);
  }

  get status(): Status {
    return status(this.order);
  }

  get kind(): Kind {
    return this.order.state.kind;
  }

  in<K extends Kind>(kind: K): StateOf<K> {
    const { state } = this.order;
    if (state.kind !== kind) throw new Error(`Expected ${kind}, found ${state.kind}`);
    return state as StateOf<K>;
  }

  count(type: EventType): number {
    return this.events.filter((event) => event.type === type).length;
  }

  // Shorthands for what happens in most lives.

  settle(receivedMsats = RECEIVED, settledAt = Math.max(this.now, PAID_AT)): Decision {
    return this.until(settledAt).tell({ type: "Settled", settledAt, receivedMsats });
  }

  bought(changes: Partial<ReturnType<typeof heldNumber>> = {}): Decision {
    const { attempt } = this.effect("buy");
    const number = heldNumber(this.now, this.type, changes);
    return this.answer("buy", { type: "BuyAnswered", attempt, answer: { kind: "bought", number } });
  }

  buyRefused(retry: "soon" | "later" | "never", reason = "no_numbers"): Decision {
    const { attempt } = this.effect("buy");
    return this.answer("buy", { type: "BuyAnswered", attempt, answer: { kind: "refused", reason, retry } });
  }

  buyLost(): Decision {
    const { attempt } = this.effect("buy");
    return this.answer("buy", { type: "BuyAnswered", attempt, answer: { kind: "unknown", reason: "timeout" } });
  }

  searched(answer: "absent" | "unsure" | ReturnType<typeof heldNumber>): Decision {
    const { attempt } = this.effect("findBuy");
    if (answer === "absent")
      return this.answer("findBuy", { type: "BuySearched", attempt, answer: { kind: "absent" } });
    if (answer === "unsure") {
      return this.answer("findBuy", {
        type: "BuySearched",
        attempt,
        answer: { kind: "unsure", reason: "not_seen_yet" },
      });
    }
    return this.answer("findBuy", { type: "BuySearched", attempt, answer: { kind: "found", number: answer } });
  }

  looked(...[standing, ...messages]: Parameters<typeof seen>): Decision {
    return this.answer("look", seen(standing, ...messages));
  }

  cancelAsked(): Refusal | null {
    const { reply } = this.tell({ type: "CancelAsked" });
    return reply.ok ? null : reply.refusal;
  }

  give(to: ReturnType<typeof destination>): Refusal | null {
    const { reply } = this.tell({ type: "DestinationGiven", destination: to });
    return reply.ok ? null : reply.refusal;
  }

  refunded(feeMsats = 1_000): Decision {
    const { attempt } = this.effect("refund");
    const answer = { kind: "succeeded", preimage: PREIMAGE, feeMsats: feeMsats as never } as const;
    return this.answer("refund", { type: "RefundAnswered", attempt, answer });
  }

  refundFailed(reason = "no_route"): Decision {
    const { attempt } = this.effect("refund");
    return this.answer("refund", { type: "RefundAnswered", attempt, answer: { kind: "failed", reason } });
  }

  refundLost(): Decision {
    const { attempt } = this.effect("refund");
    return this.answer("refund", { type: "RefundAnswered", attempt, answer: { kind: "unknown", reason: "timeout" } });
  }

  refundSearched(kind: "failed" | "in_flight" | "never_sent" | "unknown" | "succeeded"): Decision {
    const { attempt } = this.effect("findRefund");
    const answer =
      kind === "succeeded"
        ? { kind, preimage: PREIMAGE, feeMsats: 0 as never }
        : kind === "failed" || kind === "unknown"
          ? { kind, reason: "no_route" }
          : { kind };
    return this.answer("findRefund", { type: "RefundSearched", attempt, answer });
  }

  /** The node says so at every look, until it is believed. */
  refundNeverSent(): this {
    while (this.kind === "refundUnknown") {
      this.refundSearched("never_sent");
      if (this.kind === "refundUnknown") this.due();
    }
    return this;
  }

  /** Paid and bought a few seconds later. */
  toWaiting(): this {
    this.settle();
    this.wait(5_000).bought();
    return this;
  }

  /** The 20 minutes passed without an SMS. */
  toClosing(): this {
    this.toWaiting();
    this.due();
    return this;
  }

  toDelivered(): this {
    this.toWaiting().wait(MINUTE).tell({ type: "Hinted" });
    this.looked("open", { id: "m1", code: "424242", text: "Your login is 424242", from: null, receivedAt: null });
    return this;
  }

  /** The number could not be had: the refund is being paid. */
  toRefunding(): this {
    this.settle();
    this.buyRefused("never");
    return this;
  }
}
