import { describe, expect, test } from "bun:test";
import { floors, slope, thinned } from "../../bench/statistics.ts";

/** A level that rises by `perStep` under a sawtooth, as a collected heap does. */
const sawtooth = (count: number, perStep: number): [number, number][] =>
  Array.from({ length: count }, (_, n) => [n, 100 + n * perStep + (n % 7)]);

describe("the slope", () => {
  test("of a level under a sawtooth is that of the level, and lies within its margin", () => {
    for (const perStep of [0, 0.02, -0.01]) {
      const { value, low, high } = slope(sawtooth(1_200, perStep));
      expect(Math.abs(value - perStep)).toBeLessThan(0.0005);
      expect(low).toBeLessThanOrEqual(perStep);
      expect(high).toBeGreaterThanOrEqual(perStep);
    }
  });

  test("needs enough points", () => {
    expect(() => slope(sawtooth(11, 1))).toThrow(RangeError);
    expect(slope(sawtooth(12, 7)).value).toBeGreaterThan(6);
  });
});

test("floors of a sawtooth are its lowest points, and rise as it does", () => {
  const left = floors(sawtooth(700, 0.5), 7);
  expect(left).toHaveLength(100);
  expect(left.slice(0, 3)).toEqual([
    [0, 100],
    [7, 103.5],
    [14, 107],
  ]);
  expect(slope(left).value).toBeCloseTo(0.5, 6);
});

test("thinned points are means, in order, no more than asked for", () => {
  expect(thinned(sawtooth(3, 1), 120)).toEqual(sawtooth(3, 1));
  const few = thinned(sawtooth(1_000, 1), 120);
  expect(few.length).toBeLessThanOrEqual(120);
  expect(few[0]?.[0]).toBe(3.5);
  expect(few.map(([x]) => x)).toEqual(few.map(([x]) => x).toSorted((a, b) => a - b));
});
