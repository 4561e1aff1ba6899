/**
 * Orders at rest that are kept in memory: a cache of committed states, the least recently used first to go. The newest stand ready; the others are
 * packed into 0.3 kB (`packed.ts`), because parsed they take three times as much, and reading the row again takes three times as long.
 */
import type { Order } from "../order/state.ts";
import type { OrderId } from "../order/terms.ts";
import { type Packed, pack, unpack } from "./packed.ts";

/** At most, and no more than a fifth of all. */
const READY = 4_000;

export class Residents {
  readonly #most: number;
  readonly #mostReady: number;
  /** Least recently used first; so is the next. */
  readonly #ready = new Map<OrderId, Order>();
  readonly #packed = new Map<OrderId, Packed>();

  /** @param most orders kept at once, at least 1 */
  constructor(most: number) {
    this.#most = most;
    this.#mostReady = Math.min(READY, Math.ceil(most / 5));
  }

  get size(): number {
    return this.#ready.size + this.#packed.size;
  }

  /** The order, which counts as used; null when it is not here. */
  get(id: OrderId): Order | null {
    const order = this.take(id);
    if (order) this.keep(order);
    return order;
  }

  /** The same, and it is no longer here. */
  take(id: OrderId): Order | null {
    const ready = this.#ready.get(id);
    if (ready) {
      this.#ready.delete(id);
      return ready;
    }
    const packed = this.#packed.get(id);
    if (packed === undefined) return null;
    this.#packed.delete(id);
    return unpack(packed, id);
  }

  keep(order: Order): void {
    // Under its own text of the id, not another copy of it.
    this.#ready.set(order.id, order);
    if (this.#ready.size > this.#mostReady) this.#packOldest();
    if (this.size > this.#most) forgetOldest(this.#packed);
  }

  forget(id: OrderId): void {
    this.#ready.delete(id);
    this.#packed.delete(id);
  }

  #packOldest(): void {
    const oldest = forgetOldest(this.#ready);
    if (oldest) this.#packed.set(oldest.id, pack(oldest));
  }
}

function forgetOldest<T>(from: Map<OrderId, T>): T | null {
  for (const [id, value] of from) {
    from.delete(id);
    return value;
  }
  return null;
}
