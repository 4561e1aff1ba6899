/**
 * A world driven by hand: the clock stands until it is moved, chance comes from a seed, and only the network is real.
 */
import type { Cancel, Fetch, Millis, World } from "../../../actors/runtime/world.ts";

interface Timer {
  readonly time: Millis;
  readonly run: () => void;
}

export const START = 1_790_000_000_000;

export class ManualWorld implements World {
  readonly fetch: Fetch = (url, options) => fetch(url, options as RequestInit);
  connect(): never {
    throw new Error("The peer opens no sockets");
  }
  #now: Millis;
  #seed: number;
  #timers: Timer[] = [];
  #held = 0;

  constructor(now: Millis = START, seed = 1) {
    this.#now = now;
    this.#seed = seed;
  }

  now(): Millis {
    return this.#now;
  }

  random(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => {
      this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
      return this.#seed >>> 24;
    });
  }

  at(time: Millis, run: () => void): Cancel {
    const timer = { time, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  hold(): () => void {
    this.#held++;
    return () => {
      this.#held--;
    };
  }

  /** Times at which something is armed. */
  armed(): Millis[] {
    return this.#timers.map(({ time }) => time).sort((a, b) => a - b);
  }

  /** Moves on by `ms`, stopping at every timer on the way; waits for network calls after each. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    for (;;) {
      await this.idle();
      const next = this.#timers.toSorted((a, b) => a.time - b.time)[0];
      if (!next || next.time > target) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.time);
      next.run();
    }
    this.#now = target;
    await this.idle();
  }

  /** Moves on by `ms` and fires what came due, without waiting for network calls: they may be what hangs. */
  fire(ms: number): void {
    this.#now += ms;
    const due = this.#timers.filter(({ time }) => time <= this.#now);
    this.#timers = this.#timers.filter(({ time }) => time > this.#now);
    for (const { run } of due) run();
  }

  /** Resolves once no network call is under way. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      quiet = this.#held === 0 ? quiet + 1 : 0;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}
