/**
 * A failing run made small: customers stay away and faults do not happen, as many as can be missing while the same invariant still breaks.
 * Chance does not shift when something is left out (`chance.ts`), so what remains happens as before.
 */

import { Violation } from "./invariants/invariant.ts";
import { type LifeOptions, live } from "./life.ts";

/** A run that can be lived again, as it is kept in `regressions/`. */
export type Replay = Pick<LifeOptions, "seed" | "customers" | "faults" | "node" | "without" | "spared" | "wanted">;

export interface Failure {
  readonly error: Error;
  /** What happened, a line each. */
  readonly story: readonly string[];
}

/** Lives it and says how it failed; null when it did not. */
export async function failureOf(replay: Replay): Promise<Failure | null> {
  const story: string[] = [];
  try {
    await live({ ...replay, tell: (line) => story.push(line) });
    return null;
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)), story };
  }
}

/** The same invariant, or the same error where it is none. */
const isLike = (one: Error, other: Error): boolean =>
  one instanceof Violation && other instanceof Violation
    ? one.invariant === other.invariant
    : one.constructor === other.constructor && !(one instanceof Violation);

/** Names of what went wrong, as `spared` takes them: "1767571200049 fault getinfo late @1767571200049;" and its like. */
function misfortunesIn(story: readonly string[]): string[] {
  const names = story.flatMap((line) => {
    const text = line.replace(/^\d+ /, "").replace(/;$/, "");
    const fault = /^fault (.+)$/.exec(text)?.[1];
    const crash = /^crash_\w+ @\d+/.exec(text)?.[0];
    const planned = /^(?:node_down|provider_down|disk_full|clock_forward|clock_back|restart) (?:\d+|@\d+)$/.exec(
      text,
    )?.[0];
    return fault ?? crash ?? planned ?? [];
  });
  return [...new Set(names)];
}

/**
 * What can be left out of `all` while `fails` without it: halves first, then quarters, down to single ones (delta debugging). `isLate` ends
 * the search with what was found so far.
 */
export async function leaveOut<T>(
  all: readonly T[],
  fails: (left: readonly T[]) => Promise<boolean>,
  isLate: () => boolean,
): Promise<readonly T[]> {
  let kept = all;
  let out: readonly T[] = [];
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length && !isLate(); ) {
      const chunk = kept.slice(at, at + size);
      if (await fails([...out, ...chunk])) {
        out = [...out, ...chunk];
        kept = [...kept.slice(0, at), ...kept.slice(at + size)];
      } else at += size;
    }
  }
  return out;
}

/** The smallest like it that is found within `limitMs` of real time. */
export async function shrink(replay: Replay, failure: Failure, limitMs: number): Promise<[Replay, Failure]> {
  const until = performance.now() + limitMs;
  const isLate = () => performance.now() > until;
  let smallest = replay;
  let last = failure;
  const failsAs = async (next: Replay): Promise<boolean> => {
    const again = await failureOf(next);
    if (!again || !isLike(again.error, failure.error)) return false;
    smallest = next;
    last = again;
    return true;
  };
  const everybody = Array.from({ length: replay.customers }, (_, index) => index);
  const present = everybody.filter((index) => !replay.without?.includes(index));
  const gone = replay.without ?? [];
  await leaveOut(present, (left) => failsAs({ ...smallest, without: [...gone, ...left] }), isLate);
  const spared = smallest.spared ?? [];
  await leaveOut(misfortunesIn(last.story), (left) => failsAs({ ...smallest, spared: [...spared, ...left] }), isLate);
  return [smallest, last];
}
