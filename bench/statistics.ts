/** Medians and their spread: on a shared machine one run says little. */

/** @param sorted ascending, not empty. */
export function quantile(sorted: readonly number[], q: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  if (value === undefined) throw new RangeError("No values");
  return value;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError without values */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = quantile(sorted, 0.5);
  const lower = sorted.length % 2 === 0 ? (sorted[sorted.length / 2 - 1] ?? upper) : upper;
  return { median: (upper + lower) / 2, min: quantile(sorted, 0), max: quantile(sorted, 1) };
}
