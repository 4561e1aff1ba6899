/**
 * Simulated time, chance and scheduling, all from one seed. Nothing real passes: the loop runs what is ready, lets promises settle, and
 * jumps to the next timer. A host's timers and callbacks die with it, as everything in memory does in a crash.
 */
import type { Cancel, Fetch, Millis, World } from "../../actors/runtime/world.ts";

/** xoshiro128**: fast, and the same on every machine. */
export class Chance {
  #s: Uint32Array;

  constructor(seed: number) {
    this.#s = new Uint32Array(4);
    let state = seed >>> 0;
    for (let index = 0; index < 4; index++) {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      this.#s[index] = (z ^ (z >>> 16)) >>> 0;
    }
  }

  u32(): number {
    const s = this.#s;
    const [a, b, c, d] = s as unknown as [number, number, number, number];
    const x = Math.imul(b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = b << 9;
    s[2] = c ^ a;
    s[3] = d ^ b;
    s[1] = b ^ (s[2] as number);
    s[0] = a ^ (s[3] as number);
    s[2] = (s[2] as number) ^ t;
    const r = s[3] as number;
    s[3] = (r << 11) | (r >>> 21);
    return result;
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    return this.u32() / 2 ** 32;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }

  hits(probability: number): boolean {
    return this.next() < probability;
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let index = 0; index < length; index++) out[index] = this.u32() & 0xff;
    return out;
  }
}

interface Timer {
  readonly time: Millis;
  readonly seq: number;
  readonly run: () => void;
  done: boolean;
}

/** A binary heap of timers: earliest first, then in the order in which they were armed. */
class Timers {
  readonly #heap: Timer[] = [];

  get next(): Timer | undefined {
    return this.#heap[0];
  }

  add(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(timer, heap[up] as Timer)) break;
      heap[at] = heap[up] as Timer;
      at = up;
    }
    heap[at] = timer;
  }

  take(): Timer | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || first === last) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1] as Timer, heap[down] as Timer)) down++;
      if (!before(heap[down] as Timer, last)) break;
      heap[at] = heap[down] as Timer;
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

const before = (a: Timer, b: Timer): boolean => a.time < b.time || (a.time === b.time && a.seq < b.seq);

export class Time {
  now: Millis;
  readonly chance: Chance;
  readonly #timers = new Timers();
  #soon: (() => void)[] = [];
  #seq = 0;
  steps = 0;

  constructor(start: Millis, seed: number) {
    this.now = start;
    this.chance = new Chance(seed);
  }

  at(time: Millis, run: () => void): Cancel {
    const timer: Timer = { time: Math.max(Math.ceil(time), this.now), seq: this.#seq++, run, done: false };
    this.#timers.add(timer);
    return () => {
      timer.done = true;
    };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Runs everything until `time`, in order. `each` is called after every step. */
  async until(time: Millis, each: () => void): Promise<void> {
    for (;;) {
      await settle();
      if (this.#soon.length > 0) {
        const ready = this.#soon;
        this.#soon = [];
        for (const run of ready) run();
        this.steps++;
        each();
        continue;
      }
      const next = this.#timers.next;
      if (!next || next.time > time) break;
      this.#timers.take();
      if (next.done) continue;
      this.now = Math.max(this.now, next.time);
      next.run();
      this.steps++;
      each();
    }
    this.now = Math.max(this.now, time);
  }
}

/** Lets every promise that can settle do so: one turn of the real event loop runs all microtasks. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The world of one incarnation of the service, or of the peers. Once dead, nothing of it runs any more. */
export class SimWorld implements World {
  readonly #time: Time;
  readonly fetch: Fetch;
  alive = true;

  constructor(time: Time, fetch: (world: SimWorld) => Fetch) {
    this.#time = time;
    this.fetch = fetch(this);
  }

  now(): Millis {
    return this.#time.now;
  }

  random(length: number): Uint8Array {
    return this.#time.chance.bytes(length);
  }

  at(time: Millis, run: () => void): Cancel {
    return this.#time.at(time, () => {
      if (this.alive) run();
    });
  }

  soon(run: () => void): void {
    this.#time.soon(() => {
      if (this.alive) run();
    });
  }

  hold(): () => void {
    return () => {};
  }
}
