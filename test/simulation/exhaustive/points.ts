/**
 * The instants at which a failure makes a difference, numbered as they are passed. The process can die before each COMMIT, after it with
 * the answer lost, before each call to a peer, and after it with the answer lost; a COMMIT can find the disk full; a step can be refused
 * in the middle of its rows. A plan names the points at which that happens.
 */
import type { Millis } from "../../../actors/runtime/world.ts";

export const FAILURES = ["dies", "disk full", "refused"] as const;
export type Failure = (typeof FAILURES)[number];

export interface Planned {
  readonly failure: Failure;
  /** Which point that can fail so, from 1; counted from the planned failure before it. */
  readonly nth: number;
}

export interface Point {
  /** E.g. "before commit", "after send", "within step". */
  readonly what: string;
  /** What outlives the process at this point, on both sides, as a digest; "" when nobody asked. */
  readonly durable: string;
  readonly at: Millis;
}

/** Whether a point of this name can fail so. */
export const canFail = (what: string, failure: Failure): boolean => {
  if (failure === "disk full") return what === "before commit";
  return (failure === "refused") === (what === "within step");
};

export class Points {
  readonly #plan: readonly Planned[];
  readonly #digest: () => string;
  readonly #now: () => Millis;
  /** Points that could have had the failure that comes next. */
  #count = 0;
  /** Points passed before the first planned failure, between it and the next one, and so on. */
  readonly passed: Point[][] = [[]];

  /** @param digest of what outlives the process. */
  constructor(plan: readonly Planned[], now: () => Millis, digest: () => string) {
    this.#plan = plan;
    this.#now = now;
    this.#digest = digest;
  }

  /** Planned failures that have come. */
  get failures(): number {
    return this.passed.length - 1;
  }

  get isPlayed(): boolean {
    return this.failures >= this.#plan.length;
  }

  /** A point is passed. @returns what fails here. */
  pass(what: string): Failure | null {
    this.passed.at(-1)?.push({ what, durable: this.#digest(), at: this.#now() });
    const planned = this.#plan[this.failures];
    if (!planned || !canFail(what, planned.failure) || ++this.#count !== planned.nth) return null;
    this.#count = 0;
    this.passed.push([]);
    return planned.failure;
  }
}

/**
 * How many of the points are tried. What a new process finds is what outlived the old one, on both sides, and the clock: two points at
 * which that is the same differ in the clock alone.
 */
export type Choice =
  /** One point of each durable state. */
  | "states"
  /** One point of each name in each durable state. */
  | "distinct"
  | "every";

/** The points that can fail so, as far as chosen. */
export function planned(points: readonly Point[], failure: Failure, choice: Choice): Planned[] {
  const seen = new Set<string>();
  return points
    .filter(({ what }) => canFail(what, failure))
    .flatMap(({ what, durable }, index) => {
      const key = choice === "states" ? durable : choice === "distinct" ? `${what} ${durable}` : String(index);
      if (seen.has(key)) return [];
      seen.add(key);
      return [{ failure, nth: index + 1 }];
    });
}
