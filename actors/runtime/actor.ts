/**
 * One order's host: a mailbox and the committed state. It decides one command at a time, waits for the commit, then answers
 * and lets the effects go; readers see committed state only.
 */
import type { Command } from "../order/commands.ts";
import { decide } from "../order/decide.ts";
import type { Decision, Reply } from "../order/decision.ts";
import type { Effect } from "../order/effects.ts";
import type { OrderEvent } from "../order/events.ts";
import type { Order } from "../order/state.ts";
import type { OrderId } from "../order/terms.ts";
import { type Journal, JournalUnavailable, type Transition } from "./journal.ts";
import type { World } from "./world.ts";

/** What rides with a command: the effect it answers. */
export interface Envelope {
  readonly finished?: string;
}

export interface Told {
  readonly reply: Reply;
  readonly order: Order;
}

/** The order broke repeatedly and waits for a person; it can be read, not moved. */
export class Quarantined extends Error {
  constructor() {
    super("This order is quarantined");
    this.name = "Quarantined";
  }
}

export class MailboxFull extends Error {
  constructor() {
    super("Too many commands wait for this order");
    this.name = "MailboxFull";
  }
}

interface Letter {
  readonly command: Command;
  readonly envelope: Envelope;
  readonly resolve: (told: Told) => void;
  readonly reject: (error: Error) => void;
}

/** What an actor needs from its surroundings. */
export interface Surroundings {
  readonly world: World;
  readonly journal: Journal;
  /** Starts effects whose commit is durable. */
  perform(order: Order, effects: readonly Effect[]): void;
  /** Told of every committed step, for logs, metrics and timers. Never throws: the step has happened. */
  committed(order: Order, events: readonly OrderEvent[], before: Order): void;
  /** Nothing is left in the mailbox: the actor is done with, and this the committed state; null when it has none to go on from. Never throws. */
  rested(id: OrderId, order: Order | null): void;
  /**
   * `decide` threw, or the journal refused the step. Answers with the state to go on from, or with what to tell those who
   * wait when there is none: the order is quarantined, or gone. Never throws.
   */
  crashed(id: OrderId, error: Error): Order | Error;
}

const MAX_LETTERS = 256;

export class Actor {
  /** The committed state. */
  order: Order;
  readonly #around: Surroundings;
  readonly #letters: Letter[] = [];
  /** True while a step is being decided or committed; at most one is. */
  #busy = false;
  /** It broke, and there is no state to go on from. */
  #lost = false;

  constructor(order: Order, around: Surroundings) {
    this.order = order;
    this.#around = around;
  }

  /** @throws MailboxFull, JournalUnavailable or the crash of `decide`, as rejections; then nothing happened. */
  tell(command: Command, envelope: Envelope = {}): Promise<Told> {
    if (this.#letters.length >= MAX_LETTERS) return Promise.reject(new MailboxFull());
    return new Promise((resolve, reject) => {
      this.#letters.push({ command, envelope, resolve, reject });
      if (!this.#busy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#busy = true;
    for (let letter = this.#letters.shift(); letter; letter = this.#letters.shift()) {
      try {
        letter.resolve(await this.#handle(letter.command, letter.envelope));
      } catch (error) {
        const failure = error instanceof Error ? error : new Error(String(error));
        letter.reject(failure);
        if (!(failure instanceof JournalUnavailable)) this.#recover(failure);
      }
    }
    this.#busy = false;
    this.#around.rested(this.order.id, this.#lost ? null : this.order);
  }

  /** Whatever the actor believed is suspect: it goes on from the committed state, or hands its letters back. */
  #recover(failure: Error): void {
    const committed = this.#around.crashed(this.order.id, failure);
    if (!(committed instanceof Error)) {
      this.order = committed;
      return;
    }
    this.#lost = true;
    for (const letter of this.#letters.splice(0)) letter.reject(committed);
  }

  async #handle(command: Command, envelope: Envelope): Promise<Told> {
    const { world, journal } = this.#around;
    const decision = decide(this.order, command, world.now());
    if (nothingToWrite(decision, envelope)) return { reply: decision.reply, order: this.order };
    const result = await journal.commit(transition(this.order, decision, envelope));
    if (result.kind === "claim_lost") return this.#handle({ type: "ClaimRefused", command }, envelope);
    if (result.kind === "refused") throw result.error;
    const before = this.order;
    this.order = decision.order;
    this.#around.perform(decision.order, decision.effects);
    this.#around.committed(decision.order, decision.events, before);
    return { reply: decision.reply, order: decision.order };
  }
}

const nothingToWrite = (decision: Decision, envelope: Envelope): boolean =>
  decision.events.length === 0 && decision.effects.length === 0 && envelope.finished === undefined;

const transition = (before: Order, decision: Decision, envelope: Envelope): Transition => ({
  before,
  order: decision.order,
  events: decision.events,
  postings: decision.postings,
  effects: decision.effects,
  messages: decision.messages,
  claims: decision.claims,
  ...envelope,
});
