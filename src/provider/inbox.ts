/**
 * Many ways, one SMS: webhook, poll and reader only hint that there is news; the order then reads the provider's own message
 * list. One poll of the active list serves all orders, at a pace that follows how many wait.
 */
import { type Kind, numberOf, type Order } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import { type Store, WATCHED_KINDS } from "../../actors/runtime/store.ts";
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

/**
 * Of numbers that are watched, so many are looked for in each list. A million are gone through in 17 minutes, which is less than an order
 * waits; a poll of a few thousand takes milliseconds.
 */
const LOOKED_FOR = 5_000;

export interface InboxOptions {
  readonly world: World;
  readonly provider: Pick<NumberProvider, "active">;
  /** Whose the numbers are, and how many there are of them. */
  readonly store: Pick<Store, "stakes" | "watchedAfter" | "watcherOf" | "kindOf" | "messages">;
  readonly hint: (id: OrderId, activationId: string) => void;
  /** A poll failed; nothing is concluded from it. */
  readonly pollFailed: (error: unknown) => void;
}

const WATCHED: ReadonlySet<Kind> = new Set(WATCHED_KINDS);

/** What is watched stays in the database, however much it is; in memory is what was seen of it lately. */
export class Inbox {
  readonly #options: InboxOptions;
  /** Orders that want messages, but for those that were set aside. */
  #waiting = 0;
  #renting = 0;
  readonly #setAside = new Set<OrderId>();
  readonly #startedAt: Millis;
  /** The newest message of each listed activation that has one, as a digest. */
  #newest = new Map<string, string>();
  /** Numbers that may not be listed yet, since when; oldest first. */
  readonly #fresh = new Map<string, Millis>();
  /** Numbers that were missing, and when their orders were last told. */
  readonly #missing = new Map<string, Millis>();
  /** The last one that was looked for. */
  #lookedForUpTo = "";
  #timer: Cancel | null = null;
  #dueAt = Number.POSITIVE_INFINITY;
  #pace = RENTAL_POLL_MS;
  #polling = false;
  #stopped = true;
  /** When the last list that came in full was begun; null before the first. */
  #listedAt: Millis | null = null;
  /** Looks that failed: the next list has them made again. */
  readonly #owed = new Set<string>();
  /** The next poll is not begun earlier, whoever waits. */
  #notBefore: Millis = 0;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#startedAt = options.world.now();
    for (const { kind, orders } of options.store.stakes()) this.#count(kind, orders);
  }

  get watching(): number {
    return this.#waiting + this.#renting;
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

  /** Follows an order's life: its number is watched while it wants messages. `before` is null for an order that opens. */
  follow(order: Order, before: Order | null): void {
    const was = before && watchedNumber(before);
    const is = watchedNumber(order);
    if (was && !is) this.#forget(was, before.state.kind);
    else if (is && !was) this.#watch(is, order.state.kind);
  }

  /** An order was set aside: it takes no hints any more. */
  setAside(orderId: OrderId): void {
    if (this.#setAside.has(orderId)) return;
    this.#setAside.add(orderId);
    const kind = this.#options.store.kindOf(orderId);
    if (kind) this.#count(kind, -1);
  }

  /** A reader waits: poll soon, but no faster than polling ever goes. */
  nudge(): void {
    this.#pace = RENTAL_POLL_MS;
    const now = this.#options.world.now();
    // It was never further off: the clock may have been set back since.
    this.#arm(Math.max(Math.min(this.#notBefore, now + POLL_MS), now));
  }

  /** The message list could not be read after a hint: the next poll shows the same news again, and hints again. */
  lookFailed(activationId: string): void {
    if (this.#options.store.watcherOf(activationId) === null) return;
    this.#newest.delete(activationId);
    this.#owed.add(activationId);
    this.#pace = RENTAL_POLL_MS;
    this.#arm();
  }

  #watch(activationId: string, kind: Kind): void {
    this.#count(kind, 1);
    // What was seen of it before it was ours, nobody was told.
    this.#newest.delete(activationId);
    this.#fresh.set(activationId, this.#options.world.now());
    this.#pace = RENTAL_POLL_MS;
    this.#arm();
  }

  #forget(activationId: string, kind: Kind): void {
    this.#count(kind, -1);
    this.#fresh.delete(activationId);
    this.#missing.delete(activationId);
    this.#owed.delete(activationId);
  }

  #count(kind: Kind, orders: number): void {
    if (!WATCHED.has(kind)) return;
    if (kind === "renting") this.#renting += orders;
    else this.#waiting += orders;
  }

  #arm(at?: Millis): void {
    if (this.#stopped || this.#polling || this.watching === 0) return;
    const { world } = this.#options;
    const wanted = at ?? world.now() + this.#interval();
    if (this.#timer && this.#dueAt <= wanted) return;
    this.#timer?.();
    this.#dueAt = wanted;
    this.#timer = world.at(wanted, () => void this.#poll());
  }

  #interval(): Millis {
    return this.#waiting > 0 ? POLL_MS : this.#pace;
  }

  async #poll(): Promise<void> {
    this.#timer = null;
    this.#polling = true;
    const { world, provider, pollFailed } = this.#options;
    const begunAt = world.now();
    try {
      if (this.watching > 0) {
        this.#compare(await provider.active());
        this.#listedAt = begunAt;
      }
    } catch (error) {
      pollFailed(error);
    } finally {
      this.#polling = false;
      this.#pace = Math.min(Math.round(this.#pace * 1.5), MAX_RENTAL_POLL_MS);
      this.#rest(Math.max(0, world.now() - begunAt));
    }
  }

  /**
   * From the begin of one poll to the begin of the next: a list of ten thousand takes seconds at the pace that the provider allows. A longer
   * one leaves a pause, in which others may ask.
   */
  #rest(took: Millis): void {
    const now = this.#options.world.now();
    const pause = Math.min(took, POLL_MS);
    this.#notBefore = now + Math.max(POLL_MS - took, pause);
    this.#arm(now + Math.max(this.#interval() - took, pause));
  }

  #compare(active: readonly ActiveActivation[]): void {
    this.#seeNews(active);
    this.#lookFor(new Set(active.map((row) => row.activationId)));
  }

  #seeNews(active: readonly ActiveActivation[]): void {
    const before = this.#newest;
    this.#newest = new Map();
    for (const { activationId, newest, message } of active) {
      if (newest === null) continue;
      this.#newest.set(activationId, newest);
      if (newest !== before.get(activationId) && this.#tell(activationId, message)) this.#pace = RENTAL_POLL_MS;
    }
  }

  /** A slice of the numbers that are watched, the next one with the next list. A clock that was set back makes nothing last longer. */
  #lookFor(listed: ReadonlySet<string>): void {
    const now = this.#options.world.now();
    for (const [activationId, since] of this.#fresh) {
      if (Math.abs(now - since) <= NOT_LISTED_YET_MS) break;
      this.#fresh.delete(activationId);
    }
    const watched = this.#options.store.watchedAfter(this.#lookedForUpTo, LOOKED_FOR);
    this.#lookedForUpTo = watched.length < LOOKED_FOR ? "" : (watched.at(-1) ?? "");
    if (Math.abs(now - this.#startedAt) <= NOT_LISTED_YET_MS) return;
    for (const activationId of watched) {
      if (listed.has(activationId) || this.#fresh.has(activationId)) continue;
      if (Math.abs(now - (this.#missing.get(activationId) ?? 0)) <= MISSING_HINT_MS) continue;
      this.#missing.set(activationId, now);
      this.#tell(activationId);
    }
  }

  /**
   * @param message what is new, as the list shows it
   * @returns whether anybody wants to know.
   */
  #tell(activationId: string, message: ActiveActivation["message"] = null): boolean {
    const { store, hint } = this.#options;
    const isOwed = this.#owed.delete(activationId);
    const orderId = store.watcherOf(activationId);
    if (orderId === null || this.#setAside.has(orderId)) return false;
    if (message && !isOwed && this.#isKnown(orderId, message)) return false;
    hint(orderId, activationId);
    return true;
  }

  /**
   * Whether the order has what is new already, as it mostly does when there is a webhook: to look again would cost a call, and those of a
   * busy time would all be made at once, before the codes that came meanwhile. It counts only when it was stored since the last list was
   * begun: that look saw everything up to it, while before an older message of the same words others may have come.
   */
  #isKnown(orderId: OrderId, { code, text }: NonNullable<ActiveActivation["message"]>): boolean {
    const last = this.#options.store.messages(orderId).at(-1);
    const isNew = last !== undefined && this.#listedAt !== null && last.storedAt >= this.#listedAt;
    return isNew && last.code === code && last.text === text;
  }
}

const watchedNumber = (order: Order): string | null =>
  WATCHED.has(order.state.kind) ? (numberOf(order)?.activationId ?? null) : null;
