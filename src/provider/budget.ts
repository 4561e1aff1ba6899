/**
 * How fast we may ask the provider. HeroSMS allows 50 requests a second per account, answers a faster account with error
 * 1020 or 400 and blocks it for 10 s, again on repeat (HeroSMS rules page). Quick bursts were seen to get 429 well below
 * that, so requests are spread: 5 at once, then 40 a second, which is never more than 45 in any one second. Questions that anybody may
 * cause without paying get a small share of that, so that no crowd of askers delays a number or a code that was paid for.
 */
import type { Cancel, Millis, World } from "../../actors/runtime/world.ts";

/**
 * Best first: `urgent` is all that a paying customer waits for, from buying to the code; `poll` is what we ask for ourselves; `quote` is
 * what an order costs before it is opened; `catalog` is for readers.
 */
export type Priority = "urgent" | "poll" | "quote" | "catalog";

const PRIORITIES = ["urgent", "poll", "quote", "catalog"] as const satisfies readonly Priority[];

const INTERVAL_MS = 25;
const BURST = 5;
/** What `quote` and `catalog` may use together: 10 at once (the whole catalog is 8 requests), then 10 a second. */
const UNPAID: ReadonlySet<Priority> = new Set(["quote", "catalog"]);
const UNPAID_INTERVAL_MS = 100;
const UNPAID_BURST = 10;
/** Longest line of each priority. The short ones are empty again within 2 s: better refused at once than answered late. */
const MAX_WAITING: Readonly<Record<Priority, number>> = { urgent: 500, poll: 500, quote: 20, catalog: 20 };
/** Longer than a block of 10 s, much shorter than the time an order has for buying. */
const MAX_WAIT_MS = 12_000;
const MAX_PAUSE_MS = 60_000;

/** The request was not sent: too many are waiting, or the wait would be too long. */
export class BudgetRefused extends Error {
  constructor() {
    super("Request not sent: the provider's request budget is used up");
    this.name = "BudgetRefused";
  }
}

interface Waiter {
  readonly until: Millis;
  readonly go: () => void;
  readonly giveUp: () => void;
}

export class RequestBudget {
  readonly #world: World;
  /** Oldest first. */
  readonly #waiting: Readonly<Record<Priority, Waiter[]>> = { urgent: [], poll: [], quote: [], catalog: [] };
  /** When the next request would be due if requests were evenly spaced (generic cell rate algorithm). */
  #due: Millis = 0;
  /** The same for the next one of `quote` or `catalog`. */
  #unpaidDue: Millis = 0;
  #pausedUntil: Millis = 0;
  #disarm: Cancel | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * Resolves when one request may be sent.
   * @throws BudgetRefused when it may not be sent within 12 s, or at once when too many of its priority are waiting.
   */
  enter(priority: Priority): Promise<void> {
    return new Promise((resolve, reject) => {
      const line = this.#waiting[priority];
      const refuse = () => reject(new BudgetRefused());
      if (line.length >= MAX_WAITING[priority]) return refuse();
      line.push({ until: this.#world.now() + MAX_WAIT_MS, go: resolve, giveUp: refuse });
      this.#serve();
    });
  }

  /** Sends nothing for `ms`, at most a minute: the provider said that we are too fast. */
  pause(ms: number): void {
    const until = this.#world.now() + Math.min(Math.max(ms, 0), MAX_PAUSE_MS);
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
    this.#serve();
  }

  #serve(): void {
    this.#disarm?.();
    this.#disarm = null;
    const now = this.#world.now();
    // A clock that stepped back must not leave us waiting for a time that was only ever near.
    this.#due = Math.min(this.#due, now + BURST * INTERVAL_MS);
    this.#unpaidDue = Math.min(this.#unpaidDue, now + UNPAID_BURST * UNPAID_INTERVAL_MS);
    this.#pausedUntil = Math.min(this.#pausedUntil, now + MAX_PAUSE_MS);
    for (;;) {
      const opens = Math.max(now, this.#pausedUntil, this.#due - (BURST - 1) * INTERVAL_MS);
      const unpaidOpens = Math.max(opens, this.#unpaidDue - (UNPAID_BURST - 1) * UNPAID_INTERVAL_MS);
      const opening = (priority: Priority) => (UNPAID.has(priority) ? unpaidOpens : opens);
      for (const priority of PRIORITIES) this.#dismiss(priority, opening(priority));
      const waiting = PRIORITIES.filter((priority) => this.#waiting[priority].length > 0);
      const next = waiting.find((priority) => opening(priority) <= now);
      if (!next) {
        if (waiting.length > 0) this.#disarm = this.#world.at(Math.min(...waiting.map(opening)), () => this.#serve());
        return;
      }
      this.#due = Math.max(this.#due, now) + INTERVAL_MS;
      if (UNPAID.has(next)) this.#unpaidDue = Math.max(this.#unpaidDue, now) + UNPAID_INTERVAL_MS;
      this.#waiting[next].shift()?.go();
    }
  }

  /** Sends away everybody whose patience ends before `earliest`; each line is ordered by that time. */
  #dismiss(priority: Priority, earliest: Millis): void {
    const line = this.#waiting[priority];
    while (line[0] && line[0].until < earliest) line.shift()?.giveUp();
  }
}
