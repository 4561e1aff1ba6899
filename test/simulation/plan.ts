/** What happens to the whole world in one run, drawn before it begins: peers that are away, a full disk, clocks that step, planned restarts. */
import type { Millis } from "../../actors/runtime/world.ts";
import { Chance } from "./chance.ts";
import type { WorldFault } from "./faults.ts";

export interface Misfortune {
  readonly kind: Exclude<WorldFault, `crash_${string}`>;
  /** Tells it from the others of this run. */
  readonly name: string;
  /** After the start of the run. */
  readonly at: Millis;
  /** How long it lasts, or how far a clock is set. */
  readonly ms: Millis;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Most of it is short; what is long begins when most customers have come, so that it meets their orders instead of keeping them away. */
const LENGTHS: Readonly<
  Record<Misfortune["kind"], { readonly short: readonly Millis[]; readonly long: readonly Millis[] }>
> = {
  node_down: { short: [20 * SECOND, 2 * MINUTE], long: [20 * MINUTE, 2 * HOUR] },
  provider_down: { short: [20 * SECOND, 2 * MINUTE], long: [10 * MINUTE, HOUR] },
  disk_full: { short: [3 * SECOND, 40 * SECOND], long: [6 * MINUTE] },
  clock_forward: { short: [2 * SECOND, 45 * SECOND], long: [6 * MINUTE, HOUR] },
  clock_back: { short: [2 * SECOND, 45 * SECOND], long: [6 * MINUTE, HOUR] },
  restart: { short: [SECOND, 20 * SECOND], long: [5 * MINUTE, 40 * MINUTE] },
};
const LONG_FROM = 0.8;

/** @param busyMs how long customers keep coming. */
export function planOf(seed: number, busyMs: Millis, faults: number): Misfortune[] {
  if (faults === 0) return [];
  const chance = new Chance(seed ^ 0x706c616e);
  return (Object.keys(LENGTHS) as Misfortune["kind"][]).flatMap((kind) => {
    const times = chance.hits(Math.min(1, 0.6 * faults)) ? 1 + chance.below(2) : 0;
    return Array.from({ length: times }, (_, index) => {
      const part = chance.next();
      const ms = chance.one(part > LONG_FROM ? LENGTHS[kind].long : LENGTHS[kind].short);
      return { kind, name: `${kind} ${index}`, at: Math.floor(part * busyMs), ms };
    });
  });
}
