/**
 * What was used lately: bounded by number, and by how long ago it was last used, so that what a process remembers follows the work of the
 * last minutes and not how long it has run. Least recently used first, to a hundredth of that time: what is used all the time is not moved
 * each time, which would cost more than finding it.
 */
import type { Millis } from "../actors/runtime/world.ts";

export interface RecentBounds {
  readonly most: number;
  /** Forgotten after so long without use. */
  readonly forMs: number;
}

interface Used<V> {
  readonly value: V;
  /** When it became the one that was used last. */
  at: Millis;
}

const MOVED_EVERY = 1 / 100;

export class Recent<K, V> {
  readonly #bounds: RecentBounds;
  readonly #known = new Map<K, Used<V>>();
  readonly #movedEveryMs: number;

  constructor(bounds: RecentBounds) {
    this.#bounds = bounds;
    this.#movedEveryMs = bounds.forMs * MOVED_EVERY;
  }

  /** What is too old counts until the next `set`: forgetting is for memory, and bounds nothing else. */
  get size(): number {
    return this.#known.size;
  }

  /** Counts as a use. */
  get(key: K, now: Millis): V | undefined {
    const used = this.#known.get(key);
    if (!used) return undefined;
    if (Math.abs(now - used.at) < this.#movedEveryMs) return used.value;
    this.#known.delete(key);
    this.#known.set(key, used);
    used.at = now;
    return used.value;
  }

  set(key: K, value: V, now: Millis): void {
    this.#known.delete(key);
    this.#known.set(key, { value, at: now });
    for (const [oldest, { at }] of this.#known) {
      if (this.#known.size <= this.#bounds.most && now - at <= this.#bounds.forMs) return;
      this.#known.delete(oldest);
    }
  }

  delete(key: K): void {
    this.#known.delete(key);
  }
}
