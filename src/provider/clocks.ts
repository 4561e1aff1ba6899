/** Two clocks, ours and the provider's, of which either may be wrong: what is concluded only when they agree (ADR 34). Pure. */
import type { Millis } from "../../actors/runtime/world.ts";

/** Rows are no longer adopted, but not overlooked either, as far off as two clocks of the provider may be. */
export const CLOCK_DOUBT_MS = 5 * 60_000;

/** One moment by two clocks. */
export interface Moment {
  /** By ours. */
  readonly at: Millis;
  /** By the provider's own; null when it told no time. */
  readonly toldAt: Millis | null;
}

/** How far our clock is ahead of the provider's; null when it told no time. */
export const aheadAt = ({ at, toldAt }: Moment): number | null => (toldAt === null ? null : at - toldAt);

/**
 * How long ago the purchase was sent, as far as both clocks say so. Null when the provider told no time, and when they disagree: one of them
 * is wrong, was set meanwhile, or is that of a cache; by it the wrong hours would be looked through, or too early.
 */
export function agreedAge(sent: Moment, seen: Moment): Millis | null {
  if (sent.toldAt === null || seen.toldAt === null) return null;
  const ages = [seen.at - sent.at, seen.toldAt - sent.toldAt];
  const youngest = Math.min(...ages);
  return Math.max(...ages) - youngest > CLOCK_DOUBT_MS ? null : youngest;
}
