/**
 * How fast we may ask the provider. HeroSMS allows 50 requests a second per account, answers a faster account with error
 * 1020 or 400 and blocks it for 10 s, again on repeat (HeroSMS rules page). Quick bursts were seen to get 429 well below
 * that, so requests are spread: by default 40 a second, of which an eighth may go at once, which is never more than 45 in any one
 * second. An operator whose account may ask faster says so. Questions that anybody may cause without paying get a small share, so that
 * no crowd of askers delays a number or a code that was paid for.
 */
import type { Cancel, Millis, World } from "../../actors/runtime/world.ts";

/**
 * Best first: `code` is to read the message that a customer waits for; `urgent` is all else that a paying customer waits for; `poll` is what
 * we ask for ourselves; `quote` is what an order costs before it is opened; `catalog` is for readers.
 */
export type Priority = "code" | "urgent" | "poll" | "quote" | "catalog";

const PRIORITIES = ["code", "urgent", "poll", "quote", "catalog"] as const satisfies readonly Priority[];

/** Well under the 50 that the provider's rules allow, which count bursts as well. */
export const DEFAULT_CALLS_PER_SECOND = 40;
const UNPAID: ReadonlySet<Priority> = new Set(["quote", "catalog"]);
/** The whole catalog is 8 requests. */
const LEAST_UNPAID_BURST = 10;
const LEAST_UNPAID_WAITING = 20;
/** Longer than a block of 10 s, much shorter than the time an order has for buying. */
const MAX_WAIT_MS = 12_000;
const MAX_PAUSE_MS = 60_000;

/** What follows from how many calls a second there are. */
function limitsOf(perSecond: number) {
  const unpaid = perSecond / 4;
  // As long as can be served within the longest wait.
  const paidWaiting = Math.ceil((perSecond * MAX_WAIT_MS) / 1_000) + 20;
  // Empty again within 2 s: better refused at once than answered late.
  const unpaidWaiting = Math.max(LEAST_UNPAID_WAITING, Math.floor(unpaid * 2));
  return {
    intervalMs: 1_000 / perSecond,
    /** How many may go at once. The last of them is kept for `code`, which so hardly ever waits. */
    burst: Math.max(2, Math.floor(perSecond / 8)),
    /** What `quote` and `catalog` may use together. */
    unpaidIntervalMs: 1_000 / unpaid,
    unpaidBurst: Math.max(LEAST_UNPAID_BURST, Math.floor(unpaid)),
    /** Longest line of each priority. */
    waiting: {
      code: paidWaiting,
      urgent: paidWaiting,
      poll: paidWaiting,
      quote: unpaidWaiting,
      catalog: unpaidWaiting,
    },
  } as const;
}

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
  readonly #waiting: Readonly<Record<Priority, Waiter[]>> = { code: [], urgent: [], poll: [], quote: [], catalog: [] };
  readonly #limits: ReturnType<typeof limitsOf>;
  /** When the next request would be due if requests were evenly spaced (generic cell rate algorithm). */
  #due: Millis = 0;
  /** The same for the next one of `quote` or `catalog`. */
  #unpaidDue: Millis = 0;
  #pausedUntil: Millis = 0;
  #disarm: Cancel | null = null;

  constructor(world: World, perSecond = DEFAULT_CALLS_PER_SECOND) {
    this.#world = world;
    this.#limits = limitsOf(perSecond);
  }

  /**
   * Resolves when one request may be sent.
   * @throws BudgetRefused when it may not be sent within 12 s, or at once when too many of its priority are waiting.
   */
  enter(priority: Priority): Promise<void> {
    return new Promise((resolve, reject) => {
      const line = this.#waiting[priority];
      const refuse = () => reject(new BudgetRefused());
      if (line.length >= this.#limits.waiting[priority]) return refuse();
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
    const { intervalMs, burst, unpaidIntervalMs, unpaidBurst } = this.#limits;
    // A clock that stepped back must not leave us waiting for a time that was only ever near.
    this.#due = Math.min(this.#due, now + burst * intervalMs);
    this.#unpaidDue = Math.min(this.#unpaidDue, now + unpaidBurst * unpaidIntervalMs);
    this.#pausedUntil = Math.min(this.#pausedUntil, now + MAX_PAUSE_MS);
    for (;;) {
      const codeOpens = Math.max(now, this.#pausedUntil, this.#due - (burst - 1) * intervalMs);
      const opens = Math.max(codeOpens, this.#due - (burst - 2) * intervalMs);
      const unpaidOpens = Math.max(opens, this.#unpaidDue - (unpaidBurst - 1) * unpaidIntervalMs);
      const opening = (priority: Priority) =>
        UNPAID.has(priority) ? unpaidOpens : priority === "code" ? codeOpens : opens;
      for (const priority of PRIORITIES) this.#dismiss(priority, opening(priority));
      const waiting = PRIORITIES.filter((priority) => this.#waiting[priority].length > 0);
      const next = waiting.find((priority) => opening(priority) <= now);
      if (!next) {
        if (waiting.length > 0) this.#disarm = this.#world.at(Math.min(...waiting.map(opening)), () => this.#serve());
        return;
      }
      this.#due = Math.max(this.#due, now) + intervalMs;
      if (UNPAID.has(next)) this.#unpaidDue = Math.max(this.#unpaidDue, now) + unpaidIntervalMs;
      this.#waiting[next].shift()?.go();
    }
  }

  /** Sends away everybody whose patience ends before `earliest`; each line is ordered by that time. */
  #dismiss(priority: Priority, earliest: Millis): void {
    const line = this.#waiting[priority];
    while (line[0] && line[0].until < earliest) line.shift()?.giveUp();
  }
}
