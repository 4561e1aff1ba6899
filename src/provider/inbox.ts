/**
 * Many ways, one SMS: webhook, poll and reader only hint that there is news; the order then reads the provider's own message
 * list. One poll of the active list serves all orders, at a pace that follows how many wait.
 */
import type { Order } from "../../actors/order/state.ts";
import { numberOf } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import type { Cancel, Millis, World } from "../../actors/runtime/world.ts";
import type { ActiveActivation, NumberProvider } from "./port.ts";

const SECOND = 1_000;
/** While any order waits for its SMS. */
const POLL_MS = 5 * SECOND;
/** While only rentals run; grows with every quiet poll, and falls back on any news or reader. */
const RENTAL_POLL_MS = 15 * SECOND;
const MAX_RENTAL_POLL_MS = 600 * SECOND;
/** An activation that is missing from the list is looked into, but not on every poll. */
const MISSING_HINT_MS = 60 * SECOND;
/** A fresh buy may not be listed yet. */
const NOT_LISTED_YET_MS = 30 * SECOND;

export interface InboxOptions {
  readonly world: World;
  readonly provider: Pick<NumberProvider, "active">;
  readonly hint: (id: OrderId, activationId: string) => void;
  /** A poll failed; nothing is concluded from it. */
  readonly pollFailed: (error: unknown) => void;
}

interface Watched {
  readonly orderId: OrderId;
  readonly rental: boolean;
  readonly since: Millis;
  /** The newest message the list showed, as a digest. */
  newest: string | null;
  hintedMissingAt: Millis;
}

export class Inbox {
  readonly #options: InboxOptions;
  /** Activations whose orders want messages. */
  readonly #watched = new Map<string, Watched>();
  /** How many of them are not rentals. */
  #waiting = 0;
  #timer: Cancel | null = null;
  #dueAt = Number.POSITIVE_INFINITY;
  #pace = RENTAL_POLL_MS;
  #polling = false;
  #stopped = true;
  #lastPollAt: Millis = 0;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  get watching(): number {
    return this.#watched.size;
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

  /** Follows an order's life: watches while it wants messages, forgets it afterwards. */
  follow(order: Order): void {
    const { kind } = order.state;
    const number = numberOf(order);
    if (!number) return;
    const wanted = kind === "waiting" || kind === "delivered" || kind === "renting";
    const known = this.#watched.get(number.activationId);
    if (wanted && !known) this.#watch(number.activationId, order);
    else if (!wanted && known) this.#forget(number.activationId, known);
  }

  /** An order was set aside: it takes no hints any more. */
  setAside(orderId: OrderId): void {
    for (const [activationId, watched] of [...this.#watched]) {
      if (watched.orderId === orderId) this.#forget(activationId, watched);
    }
  }

  /** A reader waits: poll soon, but no faster than polling ever goes. */
  nudge(): void {
    this.#pace = RENTAL_POLL_MS;
    this.#arm(Math.max(this.#lastPollAt + POLL_MS, this.#options.world.now()));
  }

  /** The message list could not be read after a hint: the next poll shows the same news again, and hints again. */
  lookFailed(activationId: string): void {
    const watched = this.#watched.get(activationId);
    if (!watched) return;
    watched.newest = null;
    this.#pace = RENTAL_POLL_MS;
    this.#arm();
  }

  #watch(activationId: string, order: Order): void {
    const rental = order.terms.good.type === "rent-number";
    const since = this.#options.world.now();
    this.#watched.set(activationId, { orderId: order.id, rental, since, newest: null, hintedMissingAt: 0 });
    if (!rental) this.#waiting++;
    this.#pace = RENTAL_POLL_MS;
    this.#arm();
  }

  #forget(activationId: string, watched: Watched): void {
    this.#watched.delete(activationId);
    if (!watched.rental) this.#waiting--;
  }

  #arm(at?: Millis): void {
    if (this.#stopped || this.#polling || this.#watched.size === 0) return;
    const { world } = this.#options;
    const wanted = at ?? world.now() + (this.#waiting > 0 ? POLL_MS : this.#pace);
    if (this.#timer && this.#dueAt <= wanted) return;
    this.#timer?.();
    this.#dueAt = wanted;
    this.#timer = world.at(wanted, () => void this.#poll());
  }

  async #poll(): Promise<void> {
    this.#timer = null;
    this.#polling = true;
    const { world, provider, pollFailed } = this.#options;
    this.#lastPollAt = world.now();
    try {
      if (this.#watched.size > 0) this.#compare(await provider.active());
    } catch (error) {
      pollFailed(error);
    } finally {
      this.#polling = false;
      this.#pace = Math.min(Math.round(this.#pace * 1.5), MAX_RENTAL_POLL_MS);
      this.#arm();
    }
  }

  #compare(active: readonly ActiveActivation[]): void {
    const listed = new Map(active.map((row) => [row.activationId, row]));
    const now = this.#options.world.now();
    for (const [activationId, watched] of this.#watched) {
      const row = listed.get(activationId);
      if (row) {
        if (row.newest === null || row.newest === watched.newest) continue;
        watched.newest = row.newest;
        this.#pace = RENTAL_POLL_MS;
        this.#options.hint(watched.orderId, activationId);
      } else if (now - watched.since > NOT_LISTED_YET_MS && now - watched.hintedMissingAt > MISSING_HINT_MS) {
        watched.hintedMissingAt = now;
        this.#options.hint(watched.orderId, activationId);
      }
    }
  }
}
