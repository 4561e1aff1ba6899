/**
 * A world driven by hand: the clock stands until it is moved, the end of a turn of the event loop comes when it is asked for, chance
 * comes from a seed, and there is no network unless one is handed in.
 */
import type { Connect } from "../../actors/runtime/sockets.ts";
import type { Cancel, Fetch, Millis, World } from "../../actors/runtime/world.ts";

interface Timer {
  readonly time: Millis;
  readonly run: () => void;
}

export const START = Date.UTC(2026, 0, 1);

const noNetwork: Fetch = () => Promise.reject(new Error("This world has no network"));

const noSockets: Connect = () => {
  throw new Error("This world has no sockets");
};

export class ManualWorld implements World {
  readonly fetch: Fetch;
  readonly connect: Connect;
  #now: Millis;
  #seed: number;
  #timers: Timer[] = [];
  #turn: (() => void)[] = [];
  readonly #holds = new Set<{ readonly what: string }>();

  constructor({
    now = START,
    seed = 1,
    fetch = noNetwork,
    connect = noSockets,
  }: { now?: Millis; seed?: number; fetch?: Fetch; connect?: Connect } = {}) {
    this.#now = now;
    this.#seed = seed;
    this.fetch = fetch;
    this.connect = connect;
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
    this.#turn.push(run);
  }

  hold(what: string): () => void {
    const hold = { what };
    this.#holds.add(hold);
    return () => {
      this.#holds.delete(hold);
    };
  }

  /** Times at which something is armed, earliest first. */
  armed(): Millis[] {
    return this.#timers.map(({ time }) => time).sort((a, b) => a - b);
  }

  /** What keeps the world busy. */
  held(): string[] {
    return [...this.#holds].map(({ what }) => what);
  }

  /** Steps the wall clock, as an operator or NTP does; nothing fires by it. */
  step(ms: number): void {
    this.#now += ms;
  }

  /** Everything that follows without a further turn of the event loop. */
  async ready(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Ends one turn of the event loop. */
  async turn(): Promise<void> {
    await this.ready();
    for (const run of this.#turn.splice(0)) run();
    await this.ready();
  }

  /** Goes on until nothing waits for a turn. @throws Error after very many turns: something goes round for ever. */
  async settle(): Promise<void> {
    await this.ready();
    for (let turns = 0; this.#turn.length > 0; turns++) {
      if (turns > 10_000) throw new Error("The world does not come to rest");
      await this.turn();
    }
  }

  /** Moves on by `ms`, stopping at every timer on the way. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    for (let fired = 0; ; fired++) {
      await this.settle();
      const next = this.#timers.toSorted((a, b) => a.time - b.time)[0];
      if (!next || next.time > target) break;
      if (fired > 100_000) throw new Error("Timers follow each other for ever");
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.time);
      next.run();
    }
    this.#now = Math.max(this.#now, target);
    await this.settle();
  }
}

/** Resolves with `undefined` when `promise` has not settled by now. */
export async function byNow<T>(world: ManualWorld, promise: Promise<T>): Promise<T | undefined> {
  await world.ready();
  return Promise.race([promise, Promise.resolve(undefined)]);
}

/** What a promise was rejected with, or null. */
export function failureOf(promise: Promise<unknown>): Promise<Error | null> {
  return promise.then(
    () => null,
    (error: Error) => error,
  );
}
