/**
 * Deadlines are part of the orders' state; a partial index in SQLite is the queue, and one timer waits for its head. What came due
 * while the process was down fires at once. Work is done in slices, so that a burst never stalls the event loop.
 */
import type { OrderId } from "../order/terms.ts";
import type { Store } from "./store.ts";
import { type Cancel, type Millis, nextTick, type World } from "./world.ts";

export interface DeadlinesOptions {
  readonly world: World;
  readonly store: Store;
  /** Resolves once the order took note; a rejection is retried after a second. */
  readonly fire: (id: OrderId) => Promise<unknown>;
}

/** Never sleep longer than this: a wall clock that steps forward does not wake a timer. */
const MAX_SLEEP_MS = 60_000;
const SLICE = 100;
const RETRY_MS = 1_000;

export class Deadlines {
  readonly #options: DeadlinesOptions;
  #timer: Cancel | null = null;
  /** When the armed timer fires. */
  #armedFor = Number.POSITIVE_INFINITY;
  #working = false;
  #stopped = true;

  constructor(options: DeadlinesOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopped = false;
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.();
    this.#timer = null;
  }

  /** An order's deadline changed: wake earlier if it is the next one. */
  moved(due: Millis | null): void {
    if (due !== null && due < this.#armedFor && !this.#working) this.#arm(due);
  }

  #arm(at: Millis | null = this.#options.store.nextDue()): void {
    if (this.#stopped) return;
    this.#timer?.();
    const { world } = this.#options;
    this.#armedFor = Math.min(at ?? Number.POSITIVE_INFINITY, nextTick(world.now(), MAX_SLEEP_MS));
    this.#timer = world.at(this.#armedFor, () => void this.#work());
  }

  async #work(): Promise<void> {
    if (this.#working || this.#stopped) return;
    this.#working = true;
    const { world, store, fire } = this.#options;
    const release = world.hold("deadlines");
    let retry = false;
    let first: OrderId | undefined;
    try {
      while (!retry && !this.#stopped) {
        const ids = store.due(world.now(), SLICE);
        if (ids.length === 0) break;
        const results = await Promise.allSettled(ids.map((id) => fire(id)));
        // The earliest one is due still although it took note: without a pause this would go round for ever.
        retry = results.some((result) => result.status === "rejected") || ids[0] === first;
        first = ids[0];
      }
      this.#done(retry ? world.now() + RETRY_MS : store.nextDue());
    } catch {
      // The journal could not even be read.
      this.#done(world.now() + RETRY_MS);
    } finally {
      release();
    }
  }

  #done(next: Millis | null): void {
    this.#working = false;
    this.#arm(next);
  }
}
