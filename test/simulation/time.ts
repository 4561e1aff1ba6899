/**
 * Simulated time and scheduling. Nothing real passes: the loop runs what is ready, lets promises settle, and jumps to the next timer. It
 * is synchronous: all work of service and peers is promises, so that draining the microtasks is all a turn of the event loop would do
 * (`idle` checks that now and then). A host's timers and callbacks die with it, as everything in memory does in a crash.
 */
import { drainMicrotasks } from "bun:jsc";
import type { Connect } from "../../actors/runtime/sockets.ts";
import type { Cancel, Fetch, Millis, World } from "../../actors/runtime/world.ts";
import type { Chance } from "./chance.ts";

interface Timer {
  time: Millis;
  readonly seq: number;
  /** Null once it ran or was cancelled. */
  run: (() => void) | null;
  /** Whose clock it was set by. */
  readonly owner: SimWorld | null;
}

const before = (a: Timer, b: Timer): boolean => a.time < b.time || (a.time === b.time && a.seq < b.seq);

/** A binary heap of timers: earliest first, then in the order in which they were armed. */
class Timers {
  #heap: Timer[] = [];

  get next(): Timer | undefined {
    return this.#heap[0];
  }

  get size(): number {
    return this.#heap.length;
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

  /** Timers may be changed by `change`, or dropped; afterwards they are in order again. */
  rebuild(change: (timer: Timer) => void): void {
    const all = this.#heap.filter((timer) => timer.run !== null);
    this.#heap = [];
    for (const timer of all) {
      change(timer);
      if (timer.run !== null) this.add(timer);
    }
  }
}

export class Time {
  /** The true time, by which peers and customers live. */
  now: Millis;
  readonly #timers = new Timers();
  #soon: (() => void)[] = [];
  #seq = 0;
  /** Timers that fired and turns that ran. */
  steps = 0;

  constructor(start: Millis) {
    this.now = start;
  }

  at(time: Millis, run: () => void, owner: SimWorld | null = null): Cancel {
    const timer: Timer = { time: Math.max(Math.ceil(time), this.now), seq: this.#seq++, run, owner };
    this.#timers.add(timer);
    return () => {
      timer.run = null;
    };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** When anything happens next; null when nothing ever will. */
  next(): Millis | null {
    while (this.#timers.next?.run === null) this.#timers.take();
    return this.#soon.length > 0 ? this.now : (this.#timers.next?.time ?? null);
  }

  /** The clock of `owner` was set forward: its timers are due that much earlier. */
  hasten(owner: SimWorld, by: Millis): void {
    this.#timers.rebuild((timer) => {
      if (timer.owner === owner) timer.time = Math.max(this.now, timer.time - by);
    });
  }

  /** Nothing that `owner` armed will run. */
  forget(owner: SimWorld): void {
    this.#timers.rebuild((timer) => {
      if (timer.owner === owner) timer.run = null;
    });
  }

  /** Runs everything until `time`, in order. `each` is called after every step; when it returns true, the rest waits. */
  run(until: Millis, each: () => boolean): void {
    for (;;) {
      drainMicrotasks();
      if (this.#soon.length > 0) {
        const ready = this.#soon;
        this.#soon = [];
        for (const run of ready) run();
      } else {
        const next = this.#timers.next;
        if (!next || next.time > until) break;
        this.#timers.take();
        const { run } = next;
        if (run === null) continue;
        next.run = null;
        if (next.time > this.now) this.now = next.time;
        run();
      }
      this.steps++;
      drainMicrotasks();
      if (each()) return;
    }
    this.now = Math.max(this.now, until);
  }

  /**
   * One real turn of the event loop, which must change nothing: work that is neither a promise nor a timer of ours would be missed by `run`.
   * @throws Error when it did.
   */
  async idle(): Promise<void> {
    drainMicrotasks();
    const before = [this.#seq, this.#timers.size, this.#soon.length].join();
    await new Promise<void>((resolve) => setImmediate(resolve));
    drainMicrotasks();
    if ([this.#seq, this.#timers.size, this.#soon.length].join() !== before) {
      throw new Error("Something settles outside of promises: the simulated order of things is not the real one");
    }
  }
}

const noSockets = (): Connect => () => {
  throw new Error("This world has no sockets");
};

/** The world of one incarnation of the service, or of the peers. Once dead, nothing of it runs any more. */
export class SimWorld implements World {
  readonly #time: Time;
  readonly #chance: Chance;
  readonly fetch: Fetch;
  /** How far this world's wall clock is from the true time. */
  #offset: Millis;
  readonly connect: Connect;
  alive = true;
  readonly #whenDead: (() => void)[] = [];

  constructor(options: {
    readonly time: Time;
    readonly chance: Chance;
    readonly fetch: (world: SimWorld) => Fetch;
    readonly connect?: (world: SimWorld) => Connect;
    readonly offset?: Millis;
  }) {
    this.#time = options.time;
    this.#chance = options.chance;
    this.#offset = options.offset ?? 0;
    this.fetch = options.fetch(this);
    this.connect = (options.connect ?? noSockets)(this);
  }

  now(): Millis {
    return this.#time.now + this.#offset;
  }

  random(length: number): Uint8Array {
    return this.#chance.bytes(length);
  }

  /** Like the real world's: a step forward makes timers due, after a step back they count by the time that really passes. */
  at(time: Millis, run: () => void): Cancel {
    return this.#time.at(
      time - this.#offset,
      () => {
        if (this.alive) run();
      },
      this,
    );
  }

  soon(run: () => void): void {
    this.#time.soon(() => {
      if (this.alive) run();
    });
  }

  hold(): () => void {
    return nothing;
  }

  /** Sets the wall clock by `by`, in either direction. */
  step(by: Millis): void {
    this.#offset += by;
    if (by > 0) this.#time.hasten(this, by);
  }

  /** What the other end of a connection does when this one dies. */
  whenDead(run: () => void): void {
    this.#whenDead.push(run);
  }

  /** Everything in memory is gone. */
  die(): void {
    this.alive = false;
    this.#time.forget(this);
    for (const run of this.#whenDead.splice(0)) run();
  }
}

const nothing = () => {};
