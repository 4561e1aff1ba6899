/**
 * The sandbox's steerable clock. An advance walks: it jumps to the next due moment, lets everything that moment set
 * off come to rest, and only then goes on, so that twenty minutes pass in well under a second in their true order.
 */
import type { Database } from "bun:sqlite";
import { iso, type Millis, type RealWorld } from "../../actors/runtime/world.ts";
import { storedOffset } from "./books.ts";
import type { Followers } from "./followers.ts";

export { readClockOffset } from "./books.ts";

/** The longest single advance: a year and a bit, longer than any retention. */
export const MAX_ADVANCE_SECONDS = 400 * 24 * 60 * 60;

export type Advance =
  | { readonly kind: "moved"; readonly now: Millis }
  /** Something did not come to rest in time; the clock stays where it got to. */
  | { readonly kind: "busy"; readonly what: readonly string[] }
  /** The caller went away. */
  | { readonly kind: "abandoned" }
  /** Too many advances wait already. */
  | { readonly kind: "queue_full" };

/** Real time for everything to come to rest after one jump. */
const REST_LIMIT_MS = 10_000;
/** How often in a row something may be due at once, before that counts as never resting. */
const MAX_OVERDUE = 200;
const MAX_WAITING = 32;
/** No count of holds is like this one. */
const ALWAYS_ASK_AGAIN = -1;

export class SandboxClock {
  readonly #world: RealWorld;
  readonly #followers: Followers;
  readonly #restLimitMs: number;
  readonly #save: (offset: Millis) => void;
  /** Ends when the last advance asked for has ended: only one walks at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `restLimitMs` is real time. Takes over the stored offset when the world is behind it. */
  constructor(of: { world: RealWorld; books: Database; followers: Followers; restLimitMs?: number }) {
    this.#world = of.world;
    this.#followers = of.followers;
    this.#restLimitMs = of.restLimitMs ?? REST_LIMIT_MS;
    const behind = storedOffset(of.books) - of.world.offset;
    if (behind > 0) of.world.jump(of.world.now() + behind);
    const save = of.books.prepare(
      "INSERT INTO clock (id, offset_ms) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET offset_ms = excluded.offset_ms",
    );
    this.#save = (offset) => void save.run(offset);
  }

  /** The sandbox's time and how far it is ahead of the wall clock. */
  view(): { now: string; offsetMs: Millis } {
    return { now: iso(this.#world.now()), offsetMs: this.#world.offset };
  }

  /**
   * Moves service and peers on by `seconds` (more than 0, at most MAX_ADVANCE_SECONDS). Advances wait for each other;
   * one whose `signal` aborts stops where it is.
   * @throws RangeError on a bad number of seconds.
   */
  async advance(seconds: number, signal?: AbortSignal): Promise<Advance> {
    if (!(seconds > 0 && seconds <= MAX_ADVANCE_SECONDS)) throw new RangeError(`Cannot advance by ${seconds} seconds`);
    if (this.#waiting >= MAX_WAITING) return { kind: "queue_full" };
    this.#waiting++;
    const walk = this.#last.then(() => this.#walk(Math.round(seconds * 1000), signal));
    this.#last = walk.catch(() => {});
    try {
      return await walk;
    } finally {
      this.#waiting--;
    }
  }

  async #walk(distance: Millis, signal: AbortSignal | undefined): Promise<Advance> {
    const target = this.#world.now() + distance;
    let overdue = 0;
    let begun = this.#world.holdsTaken;
    this.#followers.startRound(this.#world.offset);
    for (;;) {
      if (signal?.aborted) return { kind: "abandoned" };
      const busy = await this.#rest(begun);
      if (busy.length > 0) return { kind: "busy", what: busy };
      const due = this.#nextDue();
      const now = this.#world.now();
      if (now >= target && due > now) return { kind: "moved", now };
      overdue = due <= now ? overdue + 1 : 0;
      if (overdue > MAX_OVERDUE) return { kind: "busy", what: ["a timer that is always due"] };
      begun = await this.#jump(Math.min(due, Math.max(target, now)));
    }
  }

  #nextDue(): Millis {
    return Math.min(this.#world.nextDue() ?? Number.POSITIVE_INFINITY, this.#followers.nextDue());
  }

  /**
   * Goes to `time`: first everyone takes over the new time, then what came due here happens, so that no follower
   * hears of it in the past. Returns how much had begun before, for `#rest`.
   */
  async #jump(time: Millis): Promise<number> {
    const ahead = time - this.#world.now();
    // Stored first: after a crash the clock may be ahead, but never behind what peers and service have seen.
    if (ahead > 0) this.#save(this.#world.offset + ahead);
    this.#world.move(time);
    const begun = this.#world.holdsTaken;
    this.#followers.startRound(this.#world.offset);
    const limit = this.#realNow() + this.#restLimitMs;
    while (this.#followers.unaware() && this.#realNow() < limit) {
      await new Promise<void>((resolve) => this.#world.soon(resolve));
    }
    const due = this.#world.nextDue() ?? Number.POSITIVE_INFINITY;
    this.#world.jump(time);
    // What peers do may reach a follower without being held here, as a line in a stream does: then ask again.
    return due <= this.#world.now() ? ALWAYS_ASK_AGAIN : begun;
  }

  /**
   * Waits until nothing is runnable here and in every follower. A follower that said "idle" may have been woken since
   * by us, and we by it: all are asked again until a round went by in which no work began. `begun` is how much had
   * begun before the current round.
   */
  async #rest(begun: number): Promise<string[]> {
    const limit = this.#realNow() + this.#restLimitMs;
    for (let before = begun; ; before = this.#world.holdsTaken) {
      if (before !== begun) this.#followers.startRound(this.#world.offset);
      const busy = await this.#world.drained(Math.max(limit - this.#realNow(), 0), () => this.#followers.busy());
      if (busy.length > 0) return [...new Set(busy)];
      if (this.#followers.count() === 0 || this.#world.holdsTaken === before) return [];
      if (this.#realNow() > limit) return ["service and peers, which keep calling each other"];
    }
  }

  /** The wall clock, without the offset. */
  #realNow(): Millis {
    return this.#world.now() - this.#world.offset;
  }
}
