/**
 * The world as the service sees it: clock, chance, timers and network come in through here and nowhere else, so
 * that a simulation can hand in its own and replay a whole life from one seed (docs/architecture.md, rule 5).
 */

import { type Connect, connectSocket } from "./sockets.ts";

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Millis = number;

export type Cancel = () => void;

/** `fetch` plus the options Bun adds: `timeout: false` keeps a silent stream open, `tls.ca` trusts a node's own CA. */
export interface FetchOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly signal?: AbortSignal;
  readonly redirect?: "manual" | "error" | "follow";
  readonly timeout?: false;
  /** `false` uses a connection of its own, on which Bun never repeats a request by itself. */
  readonly keepalive?: boolean;
  /** `serverName` is the name that TLS asks for and checks, where the URL has an address instead. */
  readonly tls?: { readonly ca?: string; readonly serverName?: string };
}
export type Fetch = (url: string, options?: FetchOptions) => Promise<Response>;

export interface World {
  /** Wall-clock time. It may step; nothing may assume that it only grows. */
  now(): Millis;
  /** `length` unpredictable bytes. */
  random(length: number): Uint8Array;
  /** Runs `run` once at `time` or as soon after as possible; a time in the past runs in the next turn. */
  at(time: Millis, run: () => void): Cancel;
  /** Runs `run` after everything that is ready in this turn of the event loop. */
  soon(run: () => void): void;
  readonly fetch: Fetch;
  /** Opens a WebSocket. */
  readonly connect: Connect;
  /**
   * Says that work is under way, until the returned function is called. A steered clock does not jump while
   * anything is held. `patienceMs` (real time) bounds that for work that may hang on a peer: afterwards it no longer
   * keeps the clock waiting.
   */
  hold(what: string, patienceMs?: number): () => void;
}

/** ISO-8601 UTC text of a time, the only form in which a time leaves the service. */
export function iso(time: Millis): string {
  return new Date(time).toISOString();
}

/** The form of a `Date` header (RFC 9110, 5.6.7), to the second. */
export function httpDate(time: Millis): string {
  return new Date(time).toUTCString();
}

/**
 * The next whole multiple of `period` (ms) after `now`. Background work of one period falls together: one wake-up instead of many, and
 * a steered clock jumps once.
 */
export function nextTick(now: Millis, period: number): Millis {
  return (Math.floor(now / period) + 1) * period;
}

/** Resolves after `ms` of the world's time; rejects with the signal's reason when `signal` aborts first. */
export function sleep(world: World, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = world.at(world.now() + ms, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
  });
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Less than this is the clocks' own unevenness, not a step. */
const STEP_MS = 500;

interface Hold {
  readonly what: string;
  readonly since: number;
  readonly patienceMs: number;
}

/** On this machine, or without TLS: then on a network that nobody else hears. */
const NEAR = /^http:|^https:\/\/(?:localhost|127\.[\d.]+|\[::1\])(?:[:/?#]|$)/i;

/**
 * Bun takes wishes of the environment that would give credentials away; what a call says itself comes first. A proxy elsewhere does not
 * reach this machine, and would read a call without TLS. `NODE_TLS_REJECT_UNAUTHORIZED=0` would believe every certificate.
 * `BUN_CONFIG_VERBOSE_FETCH` would print every header into the log, also after it was deleted.
 */
const fetchDirectly: Fetch = (url, options) =>
  fetch(url, {
    ...options,
    verbose: false,
    tls: { ...options?.tls, rejectUnauthorized: true },
    ...(NEAR.test(url) && { proxy: false }),
  } as RequestInit);

/**
 * The real world: wall clock plus an offset that only a sandbox ever moves. All timers live in one queue, so that they
 * can be listed, fired early by `advance`, and never overflow the 2^31-1 ms limit of `setTimeout`.
 */
export class RealWorld implements World {
  /** Ordered by time, then by insertion. Kept small: deadlines of orders wait in SQLite, not here. */
  readonly #timers: { time: Millis; seq: number; run: () => void }[] = [];
  readonly #holds = new Set<Hold>();
  #holdsTaken = 0;
  #seq = 0;
  #armed: ReturnType<typeof setTimeout> | null = null;
  #offset: number;
  /** How far the wall clock was ahead of the monotonic one when last compared. */
  #ahead = Date.now() - performance.now();

  readonly fetch: Fetch;
  readonly connect: Connect;
  /** Hears by how much the wall clock was set, back when negative; also when the machine slept. */
  clockSet: (byMs: number) => void = () => {};

  constructor(offsetMs = 0, fetchImpl: Fetch = fetchDirectly, connect: Connect = connectSocket) {
    this.#offset = offsetMs;
    this.fetch = fetchImpl;
    this.connect = connect;
  }

  now(): Millis {
    return Date.now() + this.#offset;
  }

  /** How far the clock was moved by hand, in ms. Zero outside the sandbox. */
  get offset(): number {
    return this.#offset;
  }

  random(length: number): Uint8Array {
    return crypto.getRandomValues(new Uint8Array(length));
  }

  at(when: Millis, run: () => void): Cancel {
    const stepped = this.#stepped();
    // Clocks count whole milliseconds; a fraction would never be reached by a jump to it.
    const time = Math.ceil(when);
    const timer = { time, seq: this.#seq++, run };
    let index = this.#timers.length;
    while (index > 0 && (this.#timers[index - 1] as typeof timer).time > time) index--;
    this.#timers.splice(index, 0, timer);
    if (index === 0 || stepped) this.#arm();
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at >= 0) this.#timers.splice(at, 1);
      if (at === 0) this.#arm();
    };
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  hold(what: string, patienceMs = Number.POSITIVE_INFINITY): () => void {
    const hold: Hold = { what, since: performance.now(), patienceMs };
    this.#holds.add(hold);
    this.#holdsTaken++;
    return () => this.#holds.delete(hold);
  }

  /** Time of the earliest timer, or null when none is armed. */
  nextDue(): Millis | null {
    return this.#timers[0]?.time ?? null;
  }

  /** Moves the clock forward to `time` without waiting, and fires what came due. Never moves it back. */
  jump(time: Millis): void {
    this.move(time);
    this.#fire();
  }

  /** Only moves the clock, for when others must know the new time before anything happens in it; `jump` follows. */
  move(time: Millis): void {
    // One reading: between two of them the wall clock may tick, and the new time would fall short of `time`.
    const ahead = time - this.now();
    if (ahead > 0) this.#offset += ahead;
  }

  /** How often anything was held so far: unchanged means that no work began in between. */
  get holdsTaken(): number {
    return this.#holdsTaken;
  }

  /** What keeps the world busy right now, one name each. */
  busy(): string[] {
    const now = performance.now();
    return [...this.#holds].filter((hold) => now - hold.since < hold.patienceMs).map((hold) => hold.what);
  }

  /**
   * Resolves with an empty list once nothing is runnable: no hold over several turns of the event loop. Resolves with
   * the names of what is still busy after `limitMs` of real time. `alsoBusy` names what is busy beyond this world.
   */
  async drained(limitMs: number, alsoBusy: () => readonly string[] = () => []): Promise<string[]> {
    const start = performance.now();
    let quietTurns = 0;
    let quietSince = start;
    for (;;) {
      const busy = [...this.busy(), ...alsoBusy()];
      const now = performance.now();
      if (busy.length > 0) {
        if (now - start > limitMs) return [...new Set(busy)];
        quietTurns = 0;
        quietSince = now;
      } else if (++quietTurns > 4 && now - quietSince >= 1.5) {
        return [];
      }
      // Plain turns while quiet, so that a busy loopback answer is noticed within microseconds.
      await new Promise<void>((resolve) => (busy.length > 0 ? setTimeout(resolve, 1) : setImmediate(resolve)));
    }
  }

  #arm(): void {
    if (this.#armed !== null) clearTimeout(this.#armed);
    const next = this.nextDue();
    if (next === null) {
      this.#armed = null;
      return;
    }
    const wait = Math.min(Math.max(next - this.now(), 0), MAX_TIMEOUT_MS);
    this.#armed = setTimeout(() => this.#fire(), wait);
  }

  /**
   * Whether the wall clock was set since the last look. Set forward, it may make timers due before the armed one; set back, it must
   * not keep them waiting: then they count by the time that really passes.
   */
  #stepped(): boolean {
    const ahead = Date.now() - performance.now();
    const step = Math.round(ahead - this.#ahead);
    this.#ahead = ahead;
    if (step <= -STEP_MS) for (const timer of this.#timers) timer.time += step;
    if (Math.abs(step) < STEP_MS) return false;
    this.clockSet(step);
    return true;
  }

  #fire(): void {
    this.#stepped();
    const now = this.now();
    try {
      // Only what is due on entry: a timer that arms another one in the past gets its turn of the event loop first.
      for (const timer of this.#timers.filter((timer) => timer.time <= now)) {
        const index = this.#timers.indexOf(timer);
        if (index < 0) continue; // Cancelled by one that ran before it.
        this.#timers.splice(index, 1);
        timer.run();
      }
    } finally {
      // Also when a timer threw: the others must still fire.
      this.#arm();
    }
  }
}
