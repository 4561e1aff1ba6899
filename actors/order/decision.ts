/**
 * One decision under construction. Rules read the order and say what happens; each event is folded in at once, so that a
 * rule always sees the state its own earlier events made. From outside, deciding is a pure function.
 */
import type { Command, CommandOf, CommandType, IncomingMessage } from "./commands.ts";
import type { Effect } from "./effects.ts";
import type { EventBody, OrderEvent } from "./events.ts";
import { evolve } from "./evolve.ts";
import { ledgerOf, type Posting } from "./ledger.ts";
import type { Kind, Order, StateOf } from "./state.ts";

/** Why an order will not do what a customer asked. `retryAt` says from when it would. */
export interface Refusal {
  readonly code:
    | "CANCEL_TOO_SOON"
    | "CANCEL_SMS_RECEIVED"
    | "CANCEL_NOT_ALLOWED"
    | "REFUND_NOT_PENDING"
    | "REFUND_DESTINATION_TAKEN";
  readonly retryAt: number | null;
}

export type Reply = { readonly ok: true } | { readonly ok: false; readonly refusal: Refusal };

/** A fact that at most one order may own; the journal decides who comes first. */
export interface Claim {
  readonly kind: "refund_hash" | "idempotency_key";
  readonly value: string;
}

export interface Decision {
  readonly order: Order;
  readonly events: readonly OrderEvent[];
  readonly postings: readonly Posting[];
  readonly effects: readonly Effect[];
  /** New messages to store, with their text. */
  readonly messages: readonly IncomingMessage[];
  readonly claims: readonly Claim[];
  readonly reply: Reply;
}

/** Reasons that outlive the step they came from, and a good end: a person has to look in any case. */
const LASTING: ReadonlySet<string> = new Set([
  "loose_activation",
  "unexpected_number",
  "sms_after_end",
  "node_forgot_refund",
  "in_doubt",
  "refund_after_sale",
  "refund_differs",
]);

export class Step {
  readonly now: number;
  readonly events: OrderEvent[] = [];
  readonly postings: Posting[] = [];
  readonly effects: Effect[] = [];
  readonly messages: IncomingMessage[] = [];
  readonly claims: Claim[] = [];
  reply: Reply = { ok: true };
  #order: Order;

  constructor(order: Order, now: number) {
    this.#order = order;
    this.now = now;
  }

  get order(): Order {
    return this.#order;
  }

  get policy() {
    return this.#order.terms.policy;
  }

  emit(body: EventBody): void {
    const event: OrderEvent = { ...body, at: this.now };
    this.postings.push(...ledgerOf(this.#order, event));
    this.#order = evolve(this.#order, event);
    this.events.push(event);
  }

  /** The key of a question that may be asked many times: unique because each follows its own event. */
  key(kind: Effect["kind"]): string {
    return `${this.#order.id}:${kind}:${this.#order.seq}`;
  }

  state<K extends Kind>(kind: K): StateOf<K> {
    const { state } = this.#order;
    if (state.kind !== kind) throw new Error(`Expected ${kind}, found ${state.kind}`);
    return state as StateOf<K>;
  }

  refuse(code: Refusal["code"], retryAt: number | null = null): void {
    this.reply = { ok: false, refusal: { code, retryAt } };
  }

  /** Asks for a person. There is room for one reason; a lasting one does not give way to a passing one. */
  attention(reason: string): void {
    const known = this.#order.attention?.reason;
    if (known === reason || (known !== undefined && LASTING.has(known) && !LASTING.has(reason))) return;
    this.emit({ type: "AttentionRaised", reason });
  }

  /** What was waited for came: whatever reason was passing is over, or the lasting one that is named. */
  calm(over?: string): void {
    const reason = this.#order.attention?.reason;
    if (reason !== undefined && (reason === over || !LASTING.has(reason))) this.emit({ type: "AttentionCleared" });
  }

  decision(): Decision {
    const { events, postings, effects, messages, claims, reply } = this;
    return { order: this.#order, events, postings, effects, messages, claims, reply };
  }
}

/** One cell of the lifecycle table: what it does, in words for `docs/lifecycle.md`, and the doing. */
export interface Rule<C extends Command = Command> {
  readonly does: string;
  readonly run: (step: Step, command: C) => void;
}

export type Row = { readonly [T in CommandType]: Rule<CommandOf<T>> };
export type Lifecycle = { readonly [K in Kind]: Row };

/** A cell in which nothing happens, with the reason. */
export const stays = (why: string): Rule<never> & Rule => ({ does: why, run: () => {} });
