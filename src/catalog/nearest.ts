/**
 * "Did you mean": the names nearest to one that is unknown, by common beginning, containment and edit distance. Bounded
 * in cost: both texts have at most 64 letters and distances above 3 are given up early.
 */

/** One folded name of something; several may name the same. */
export interface Named<T> {
  readonly key: string;
  readonly row: T;
}

const MAX_RESULTS = 5;
const MAX_DISTANCE = 3;
/** Shorter names are like everything. */
const MIN_SIMILAR = 3;

/** @returns at most five different rows, nearest first; among equally near ones the order of `names` stands. */
export function nearest<T>(wanted: string, names: readonly Named<T>[]): T[] {
  if (wanted === "") return [];
  const found = new Map<T, number>();
  for (const { key, row } of names) {
    const score = difference(wanted, key);
    if (score < (found.get(row) ?? Number.POSITIVE_INFINITY)) found.set(row, score);
  }
  // Sorting is stable, so popularity decides among equals.
  const ranked = [...found].sort(([, a], [, b]) => a - b);
  return ranked.slice(0, MAX_RESULTS).map(([row]) => row);
}

/** 1 for a common beginning, the number of edits for a misspelling, 2.5 for a part; infinite when not similar. */
function difference(wanted: string, key: string): number {
  if (key.startsWith(wanted)) return 1;
  if (wanted.length < MIN_SIMILAR || key.length < MIN_SIMILAR) return Number.POSITIVE_INFINITY;
  const limit = Math.min(MAX_DISTANCE, Math.max(1, Math.floor(wanted.length / 3)));
  const part =
    key.includes(wanted) || (key.length > MIN_SIMILAR && wanted.includes(key)) ? 2.5 : Number.POSITIVE_INFINITY;
  return Math.min(part, edits(wanted, key, limit));
}

/** Levenshtein distance, or infinity when it exceeds `limit`. */
function edits(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY;
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    let best = i;
    for (let j = 1; j <= b.length; j++) {
      const swap = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const cost = Math.min(swap, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1);
      current.push(cost);
      if (cost < best) best = cost;
    }
    if (best > limit) return Number.POSITIVE_INFINITY;
    previous = current;
  }
  const distance = previous[b.length] ?? limit + 1;
  return distance > limit ? Number.POSITIVE_INFINITY : distance;
}
