/**
 * Wakes orders, keeps a bounded number of them in memory, and looks after those that break. An order has an actor while something is queued or
 * uncommitted. What is kept of it at rest is a cache of its committed state, which may leave memory at any time: it is in the journal.
 */
import { SQLiteError } from "bun:sqlite";
import type { Command } from "../order/commands.ts";
import type { OrderEvent } from "../order/events.ts";
import { deadline, type Order } from "../order/state.ts";
import type { OrderId } from "../order/terms.ts";
import { Actor, type Envelope, Quarantined, type Surroundings, type Told } from "./actor.ts";
import { Deadlines } from "./deadlines.ts";
import { type EffectHandlers, EffectRunner, type EffectRunnerOptions } from "./effects.ts";
import { type CommitResult, type Journal, JournalUnavailable, type Transition } from "./journal.ts";
import { Residents } from "./residents.ts";
import { sleep, type World } from "./world.ts";

/** No order of that id. */
export class UnknownOrder extends Error {
  constructor() {
    super("No such order");
    this.name = "UnknownOrder";
  }
}

/**
 * Told of what happens in the engine; logs and metrics are made from it. Values carry no secrets but the order itself does.
 * An observer that throws is reported as `effectFailed` and changes nothing.
 */
export interface Observer {
  /** `before` is null when the order opened. */
  committed?(order: Order, events: readonly OrderEvent[], before: Order | null): void;
  crashed?(id: OrderId, error: Error, quarantined: boolean): void;
  /** An effect's handler broke, or its result was not taken. */
  effectFailed?(kind: string, error: unknown): void;
}

export interface SupervisorOptions {
  readonly world: World;
  readonly journal: Journal;
  readonly handlers: EffectHandlers;
  /** See `EffectRunnerOptions`. */
  readonly holds?: EffectRunnerOptions["holds"];
  readonly observer?: Observer;
  /** Orders kept in memory at most; those with an actor do not count against it. */
  readonly maxResidents: number;
}

const DRAIN_STEP_MS = 20;
/** An order that crashes this often without a success in between is quarantined. */
const MAX_CRASHES = 4;

export class Supervisor {
  readonly #options: SupervisorOptions;
  /** Hosts of the orders that something is done with. */
  readonly #actors = new Map<OrderId, Actor>();
  readonly #residents: Residents;
  readonly #crashes = new Map<OrderId, number>();
  readonly #around: Surroundings;
  readonly #runner: EffectRunner;
  readonly #deadlines: Deadlines;
  #drained = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#residents = new Residents(options.maxResidents);
    const { world, journal, handlers, holds } = options;
    this.#runner = new EffectRunner({
      world,
      handlers,
      ...(holds && { holds }),
      deliver: (id, command, key) => this.tell(id, command, { finished: key }),
      hopeless: (error) => error instanceof Quarantined || error instanceof UnknownOrder,
      failed: (kind, error) => this.#observe((observer) => observer.effectFailed?.(kind, error)),
    });
    this.#deadlines = new Deadlines({
      world,
      store: journal.store,
      fire: (id, early) => this.tell(id, { type: "Due", ...(early && { early }) }),
    });
    this.#around = {
      world,
      journal,
      perform: (order, effects) => this.#runner.perform(order, effects),
      committed: (order, events, before) => this.#committed(order, events, before),
      rested: (id, order) => this.#rested(id, order),
      crashed: (id, error) => this.#crashed(id, error),
    };
  }

  get residents(): number {
    return this.#residents.size + this.#actors.size;
  }

  get runningEffects(): number {
    return this.#runner.running;
  }

  /** Effects that were held back since the start. */
  get heldEffects(): number {
    return this.#runner.held;
  }

  /** Asks again about every effect that the last process left unfinished, then starts the deadlines. */
  async start(): Promise<void> {
    const unfinished = this.#options.journal.store.unfinishedEffects();
    await Promise.all(unfinished.map(({ orderId, effect }) => this.#runner.interrupted(orderId, effect)));
    this.#deadlines.start();
  }

  /**
   * Fires no more deadlines and waits up to `limitMs` until no step is under way and every effect came back, so that a planned stop leaves
   * no unknown behind. What is not back by then is found interrupted at the next start. Afterwards no order is told anything: nobody
   * would perform its effects. The journal is closed by its owner.
   */
  async drain(limitMs: number): Promise<void> {
    const { world } = this.#options;
    this.#deadlines.stop();
    const until = world.now() + limitMs;
    while (!this.#still() && world.now() < until) await sleep(world, DRAIN_STEP_MS);
    this.#drained = true;
    this.#runner.stop();
  }

  /** A step that is not durable yet may start effects. */
  #still(): boolean {
    return this.#runner.running === 0 && this.#actors.size === 0;
  }

  /**
   * Tells an order something and resolves when that is durable.
   * @throws UnknownOrder, Quarantined, MailboxFull, JournalUnavailable (as rejections); then nothing happened.
   */
  tell(id: OrderId, command: Command, envelope?: Envelope): Promise<Told> {
    if (this.#drained) return Promise.reject(new JournalUnavailable());
    const actor = this.#host(id);
    if (actor instanceof Error) return Promise.reject(actor);
    return actor.tell(command, envelope);
  }

  /** The committed state of an order, or null when there is none. */
  read(id: OrderId): Order | null {
    return this.#actors.get(id)?.order ?? this.#residents.get(id) ?? this.#options.journal.store.order(id);
  }

  /** Writes the first step of an order's life. @throws JournalUnavailable */
  async open(transition: Transition): Promise<CommitResult> {
    const result = await this.#options.journal.commit(transition);
    if (result.kind === "committed") this.#committed(transition.order, transition.events, null);
    return result;
  }

  /**
   * Forgets an order whose row maintenance is about to change. Only sure within the transaction that changes it.
   * @returns false when the order has something queued or uncommitted: then its row must be left alone.
   */
  evict(id: OrderId): boolean {
    if (this.#actors.has(id)) return false;
    this.#residents.forget(id);
    return true;
  }

  #host(id: OrderId): Actor | Error {
    const busy = this.#actors.get(id);
    if (busy) return busy;
    const order = this.#residents.take(id) ?? this.#load(id);
    if (order instanceof Error) return order;
    const actor = new Actor(order, this.#around);
    this.#actors.set(id, actor);
    return actor;
  }

  #load(id: OrderId): Order | Error {
    const { store } = this.#options.journal;
    try {
      if (store.isQuarantined(id)) return new Quarantined();
      return store.order(id) ?? new UnknownOrder();
    } catch (error) {
      // The database failing is nobody's fault; a row that makes no sense counts like a crash of its order.
      return isSqlite(error) ? new JournalUnavailable({ cause: error }) : this.#crashed(id, asError(error));
    }
  }

  #committed(order: Order, events: readonly OrderEvent[], before: Order | null): void {
    this.#crashes.delete(order.id);
    this.#deadlines.moved(deadline(order));
    this.#observe((observer) => observer.committed?.(order, events, before));
  }

  #rested(id: OrderId, order: Order | null): void {
    this.#actors.delete(id);
    // One that is over will hardly be told anything again, and must not wait for newer ones to push it out.
    if (order && order.endedAt === null) this.#residents.keep(order);
  }

  #crashed(id: OrderId, error: Error): Order | Error {
    const crashes = (this.#crashes.get(id) ?? 0) + 1;
    this.#crashes.set(id, crashes);
    let after: Order | Error;
    try {
      if (crashes >= MAX_CRASHES) this.#quarantine(id, error);
      after =
        crashes >= MAX_CRASHES ? new Quarantined() : (this.#options.journal.store.order(id) ?? new UnknownOrder());
    } catch (trouble) {
      // Neither readable nor to be set aside now: whoever comes next begins with a fresh look.
      after = asError(trouble);
    }
    this.#observe((observer) => observer.crashed?.(id, error, after instanceof Quarantined));
    return after;
  }

  /** What an observer does wrong is no fault of the order that it was told of. */
  #observe(tell: (observer: Observer) => void): void {
    const { observer } = this.#options;
    if (!observer) return;
    try {
      tell(observer);
    } catch (error) {
      observer.effectFailed?.("observer", error);
    }
  }

  /** Only the name of the error is kept: its message may quote what an order holds. */
  #quarantine(id: OrderId, error: Error): void {
    const { journal, world } = this.#options;
    journal.db.run("INSERT INTO quarantine VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [id, world.now(), error.name]);
    journal.db.run("UPDATE orders SET due = NULL, attention_since = coalesce(attention_since, ?) WHERE id = ?", [
      world.now(),
      id,
    ]);
  }
}

const isSqlite = (error: unknown): boolean => error instanceof SQLiteError;

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
