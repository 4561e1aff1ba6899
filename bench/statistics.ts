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

export interface Slope {
  /** Change of y per unit of x. */
  readonly value: number;
  /** With 95 % confidence it lies between these. */
  readonly low: number;
  readonly high: number;
}

type Point = readonly [number, number];

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Means of equal stretches of the points, at most `count` of them; what does not fill a stretch at the end is left out. */
export function thinned(points: readonly Point[], count: number): Point[] {
  const size = Math.max(1, Math.floor(points.length / count));
  return Array.from({ length: Math.min(count, Math.floor(points.length / size)) }, (_, n) => {
    const some = points.slice(n * size, (n + 1) * size);
    return [mean(some.map(([x]) => x)), mean(some.map(([, y]) => y))];
  });
}

/** The lowest of each stretch of `size` points: what a collector that comes now and then had left. */
export function floors(points: readonly Point[], size: number): Point[] {
  return Array.from({ length: Math.floor(points.length / size) }, (_, n) =>
    points.slice(n * size, (n + 1) * size).reduce((lowest, point) => (point[1] < lowest[1] ? point : lowest)),
  );
}

/** Samples that follow each other closely are much alike, and as independent ones would promise too much: means of so many stretches do. */
export const STRETCHES = 12;

/** Least squares over the means of equal stretches of the points, which are ordered by x. @throws RangeError for too few points */
export function slope(points: readonly Point[]): Slope {
  if (points.length < STRETCHES) throw new RangeError(`A slope needs ${STRETCHES} points`);
  const stretches = thinned(points, STRETCHES);
  const [x0, y0] = [mean(stretches.map(([x]) => x)), mean(stretches.map(([, y]) => y))];
  const spreadX = stretches.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
  const value = stretches.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0) / spreadX;
  const left = stretches.reduce((sum, [x, y]) => sum + (y - y0 - value * (x - x0)) ** 2, 0);
  // Student's t for ten degrees of freedom.
  const margin = 2.228 * Math.sqrt(left / (STRETCHES - 2) / spreadX);
  return { value, low: value - margin, high: value + margin };
}
