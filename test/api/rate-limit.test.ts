import { describe, expect, test } from "bun:test";
import { Allowance, TokenBuckets } from "../../src/api/rate-limit.ts";

const NOW = 1_800_000_000_000;

describe("token buckets", () => {
  test("give the burst, then one token per interval, and say how long to wait, rounded up", () => {
    const buckets = new TokenBuckets({ perMinute: 40, burst: 2 });
    expect([buckets.take("a", NOW), buckets.take("a", NOW)]).toEqual([0, 0]);
    expect(buckets.take("a", NOW)).toBe(2); // 1.5 s
    expect(buckets.take("a", NOW + 1_499)).toBe(1);
    expect(buckets.take("a", NOW + 1_500)).toBe(0);
    expect(buckets.take("a", NOW + 1_500)).toBe(2);
  });

  test("take back what was not needed, and never more than the burst", () => {
    const buckets = new TokenBuckets({ perMinute: 1, burst: 2 });
    expect([1, 2].map(() => buckets.take("a", NOW))).toEqual([0, 0]);
    buckets.giveBack("a");
    buckets.giveBack("nobody");
    expect([1, 2].map(() => buckets.take("a", NOW))).toEqual([0, 60]);
    for (let n = 0; n < 5; n++) buckets.giveBack("a");
    expect([1, 2, 3].map(() => buckets.take("a", NOW))).toEqual([0, 0, 60]);
  });

  test("never hold more than the burst", () => {
    const buckets = new TokenBuckets({ perMinute: 60, burst: 2 });
    buckets.take("a", NOW);
    const later = NOW + 3_600_000;
    expect([1, 2, 3].map(() => buckets.take("a", later))).toEqual([0, 0, 1]);
  });

  test("take nothing away when the clock steps back, and go on from there", () => {
    const buckets = new TokenBuckets({ perMinute: 60, burst: 1 });
    expect(buckets.take("a", NOW)).toBe(0);
    expect(buckets.take("a", NOW - 60_000)).toBe(1);
    expect(buckets.take("a", NOW - 59_000)).toBe(0);
  });

  test("stay within their number: the client not seen for longest is forgotten", () => {
    const buckets = new TokenBuckets({ perMinute: 1, burst: 1 }, 100);
    for (let client = 0; client < 100; client++) buckets.take(`c${client}`, NOW);
    buckets.take("c0", NOW);
    for (let client = 100; client < 150; client++) buckets.take(`c${client}`, NOW);
    expect(buckets.size).toBe(100);
    expect(buckets.take("c0", NOW)).toBeGreaterThan(0);
    expect(buckets.take("c1", NOW)).toBe(0);
  });

  test("need a rate", () => {
    for (const rate of [
      { perMinute: 0, burst: 1 },
      { perMinute: 1, burst: 0 },
      { perMinute: Number.NaN, burst: 1 },
    ]) {
      expect(() => new TokenBuckets(rate)).toThrow(RangeError);
    }
  });
});

test("an allowance is a client's, and a network's of eight clients; what a client is refused costs its neighbours nothing", () => {
  const allowance = new Allowance({ perMinute: 1, burst: 2 });
  const take = (n: number) => allowance.take({ bucket: `c${n}`, network: "net" }, NOW);
  for (let tries = 0; tries < 100; tries++) take(0);
  const taken = Array.from({ length: 30 }, (_, n) => take(1 + (n >> 1)));
  expect(taken.filter((wait) => wait === 0)).toHaveLength(8 * 2 - 2);
  expect(taken.at(-1)).toBe(8);
  expect(allowance.take({ bucket: "c0", network: "other" }, NOW)).toBe(60);
  expect(allowance.take({ bucket: "d0", network: "other" }, NOW)).toBe(0);
});
