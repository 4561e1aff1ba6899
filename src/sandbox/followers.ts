/**
 * Services in other processes that follow the sandbox's clock, as the sandbox sees them. Each keeps one request open
 * at all times, so that a killed one is noticed and forgotten at once:
 *
 * - an idle poll says "I have come to rest in round n, this is my next due moment" and is answered with the next round;
 * - a busy line says "I have gone to the time of round n and am at work"; it is answered only by being replaced.
 */
import type { Millis } from "../../actors/runtime/world.ts";

/** What a follower is told: go to this offset, come to rest, acknowledge `round`. */
export interface Round {
  readonly round: number;
  readonly offsetMs: Millis;
}

export interface Line {
  /** Random name the follower gave itself for as long as it lives. */
  readonly follower: string;
  /** The last round it went along with; 0 is none. */
  readonly round: number;
  /** Whether it has come to rest in that round. */
  readonly idle: boolean;
  /** Time of its earliest timer. */
  readonly nextDue: Millis | null;
  /** Names of what keeps it busy. */
  readonly busy: readonly string[];
  readonly webhookUrl: string;
}

interface Follower {
  latest: Line;
  /** Null only between an answer and the request that follows it. */
  open: { readonly idle: boolean; readonly answer: (round: Round | "replaced") => void } | null;
  /** Real time of the last answer or request. */
  seen: Millis;
}

const MAX_FOLLOWERS = 16;
/** Real time in which a follower that got an answer must be back. */
const GRACE_MS = 2_000;

export class Followers {
  readonly #realNow: () => Millis;
  readonly #followers = new Map<string, Follower>();
  #round: Round;

  /** `realNow` is the wall clock without the sandbox's offset. */
  constructor(realNow: () => Millis, offsetMs: Millis) {
    this.#realNow = realNow;
    this.#round = { round: 1, offsetMs };
  }

  /**
   * One request of a follower. Resolves with the round to go to; "replaced" when a newer request took its place or the
   * follower is gone; "full" when there are too many followers.
   */
  async line(line: Line, signal: AbortSignal): Promise<Round | "replaced" | "full"> {
    const follower = this.#enter(line);
    if (!follower) return "full";
    follower.open?.answer("replaced");
    follower.open = null;
    follower.latest = line;
    follower.seen = this.#realNow();
    if (line.idle && line.round < this.#round.round) return this.#round;
    return new Promise((resolve) => {
      const open = { idle: line.idle, answer: resolve };
      follower.open = open;
      const lost = () => {
        if (follower.open === open) this.#followers.delete(line.follower);
        resolve("replaced");
      };
      if (signal.aborted) lost();
      else signal.addEventListener("abort", lost, { once: true });
    });
  }

  /** Begins a round at this offset: everyone is told, and counts as busy until it acknowledged. */
  startRound(offsetMs: Millis): void {
    this.#round = { round: this.#round.round + 1, offsetMs };
    for (const follower of this.#followers.values()) {
      if (!follower.open?.idle) continue;
      follower.open.answer(this.#round);
      follower.open = null;
      follower.seen = this.#realNow();
    }
  }

  /** True while a follower has not yet gone to the time of the current round. */
  unaware(): boolean {
    return this.#live().some(({ latest }) => latest.round < this.#round.round);
  }

  /** What keeps followers from acknowledging the current round. */
  busy(): string[] {
    return this.#live()
      .filter(({ latest }) => !latest.idle || latest.round < this.#round.round)
      .flatMap(({ latest }) =>
        (latest.busy.length > 0 ? latest.busy : ["something"]).map((what) => `follower: ${what}`),
      );
  }

  /** The earliest timer of all followers; infinity when there is none. */
  nextDue(): Millis {
    return Math.min(...this.#live().map(({ latest }) => latest.nextDue ?? Number.POSITIVE_INFINITY));
  }

  webhookUrls(): string[] {
    return this.#live().map(({ latest }) => latest.webhookUrl);
  }

  count(): number {
    return this.#live().length;
  }

  #enter(line: Line): Follower | null {
    const known = this.#followers.get(line.follower);
    if (known) return known;
    if (this.#live().length >= MAX_FOLLOWERS) return null;
    const follower: Follower = { latest: line, open: null, seen: this.#realNow() };
    this.#followers.set(line.follower, follower);
    return follower;
  }

  /** Forgets whoever was killed just after an answer, when no connection was open to tell. */
  #live(): Follower[] {
    for (const [name, { open, seen }] of this.#followers) {
      if (open === null && this.#realNow() - seen > GRACE_MS) this.#followers.delete(name);
    }
    return [...this.#followers.values()];
  }
}
