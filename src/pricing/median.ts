/**
 * Which price to believe: a pure function of what the sources say and what was believed before.
 *
 * A rate needs two opinions. Quotes older than ten minutes do not count, nor do those more than 5 % away from the
 * median. Where fewer than two agree, CoinGecko (the first source) is still believed when the last usable rate is
 * its second opinion, that is, when the two are within 5 %; no other source is. Where the operator configured a single
 * source there is nobody else to ask, and its word is enough.
 */
import type { Millis } from "../../actors/runtime/world.ts";
import type { NoQuote, Quote, SourceName } from "./sources.ts";
import type { UsdCentsPerBtc } from "./units.ts";

/** A believed price. */
export interface Rate {
  readonly cents: UsdCentsPerBtc;
  /** When it held: the time of the oldest quote it rests on, never in the future. */
  readonly at: Millis;
  /** The sources that agreed on it. */
  readonly sources: readonly SourceName[];
}

export interface Verdict {
  /** Null when there is nothing to believe: the last rate stays. */
  readonly rate: Rate | null;
  /** Quotes that did not count. */
  readonly rejected: readonly NoQuote[];
}

export const MAX_QUOTE_AGE_MS = 10 * 60_000;
/** Largest deviation from the median, as one part in so many: 1/20 is 5 %. */
const DEVIATION = 20;

/**
 * @param last the rate in use, or null when there is none that may still be used.
 * @param asked how many sources were asked.
 */
export function decideRate(quotes: readonly Quote[], last: Rate | null, asked: number, now: Millis): Verdict {
  // A time far in the future is as wrong as one far in the past: either way the quote cannot be dated.
  const fresh = quotes.filter((quote) => Math.abs(now - quote.at) <= MAX_QUOTE_AGE_MS);
  const middle = lowerMedian(fresh);
  const agreeing = middle === null ? [] : fresh.filter((quote) => isClose(quote.cents, middle));
  const enough = agreeing.length >= 2 || (asked === 1 && agreeing.length === 1);
  const believed = enough ? agreeing : fresh.filter((quote) => isSecondedBy(quote, last));
  const cents = lowerMedian(believed);
  const rejected = quotes
    .filter((quote) => !believed.includes(quote))
    .map(({ source }): NoQuote => ({ source, reason: fresh.some((q) => q.source === source) ? "outlier" : "stale" }));
  if (cents === null) return { rate: null, rejected };
  const at = Math.min(now, ...believed.map((quote) => quote.at));
  return { rate: { cents, at, sources: believed.map((quote) => quote.source) }, rejected };
}

function isSecondedBy(quote: Quote, last: Rate | null): boolean {
  return quote.source === "coingecko" && last !== null && isClose(quote.cents, last.cents);
}

/** Whether `cents` is within 5 % of `reference`. Whole numbers only. */
function isClose(cents: number, reference: number): boolean {
  return Math.abs(cents - reference) * DEVIATION <= reference;
}

/**
 * The middle quote; of two middle ones the lower. That is a price somebody really named (so that two sources 9 % apart
 * do not both agree with a mean that neither has seen), and the side on which a sale does not lose money.
 */
function lowerMedian(quotes: readonly Quote[]): UsdCentsPerBtc | null {
  const sorted = quotes.map((quote) => quote.cents).sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? null;
}
