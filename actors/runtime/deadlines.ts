/**
 * Deadlines are part of the orders' state; a partial index in SQLite is the queue, and one timer waits for its head. What came due
 * while the process was down fires at once. Work is done in slices, so that a burst never stalls the event loop. A clock that was set back
 * does not make the pauses between two tries as much longer: a refund would wait for hours, until its invoice is of no use.
 */
import type { OrderId } from "../order/terms.ts";
import type { Store } from "./store.ts";
import { type Cancel, type Millis, nextTick, type World } from "./world.ts";

export interface DeadlinesOptions {
  readonly world: World;
  readonly store: Store;
  /** Resolves once the order took note; a rejection is retried after a second. `early`: the clock was set back since the deadline was set. */
  readonly fire: (id: OrderId, early: boolean) => Promise<unknown>;
}

/** Never sleep longer than this: a wall clock that steps forward does not wake a timer. */
const MAX_SLEEP_MS = 60_000;
const SLICE = 100;
const RETRY_MS = 1_000;
/** Less than this is no clock that was set. */
const SET_BACK_MS = 1_000;

export class Deadlines {
  readonly #options: DeadlinesOptions;
  #timer: Cancel | null = null;
  /** When the armed timer fires. */
  #armedFor = Number.POSITIVE_INFINITY;
  #working = false;
  #stopped = true;
  /** The time as it was last seen, by this process or the one before. */
  #seen: Millis;

  constructor(options: DeadlinesOptions) {
    this.#options = options;
    this.#seen = options.store.lastEventAt() ?? 0;
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
      retry = !(await this.#endPauses());
      while (!retry && !this.#stopped) {
        const ids = store.due(world.now(), SLICE);
        if (ids.length === 0) break;
        const results = await Promise.allSettled(ids.map((id) => fire(id, false)));
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

  /** Ends the pauses that began at a time which the clock, since it was set back, has not reached. @returns false when one was not taken note of */
  async #endPauses(): Promise<boolean> {
    const { world, store, fire } = this.#options;
    const now = world.now();
    if (now < this.#seen - SET_BACK_MS) {
      const ids = store.pausedSinceAfter(now);
      while (ids.length > 0) {
        const results = await Promise.allSettled(ids.splice(0, SLICE).map((id) => fire(id, true)));
        if (this.#stopped || results.some((result) => result.status === "rejected")) return false;
      }
    }
    this.#seen = now;
    return true;
  }

  #done(next: Millis | null): void {
    this.#working = false;
    this.#arm(next);
  }
}
