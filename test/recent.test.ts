import { expect, test } from "bun:test";
import { Recent } from "../src/recent.ts";

test("what was not used for long is forgotten, what was used is not", () => {
  const recent = new Recent<string, number>({ most: 10, forMs: 100 });
  recent.set("idle", 1, 0);
  recent.set("used", 2, 0);
  expect(recent.get("used", 90)).toBe(2);
  recent.set("new", 3, 101);
  expect(recent.get("idle", 101)).toBeUndefined();
  expect(recent.get("used", 101)).toBe(2);
  expect(recent.size).toBe(2);
});

test("there are never more than there is room for; the one used longest ago goes", () => {
  const recent = new Recent<number, string>({ most: 3, forMs: 1_000 });
  for (const key of [1, 2, 3]) recent.set(key, `${key}`, 0);
  recent.get(1, 10);
  recent.set(4, "4", 10);
  expect([1, 2, 3, 4].map((key) => recent.get(key, 10))).toEqual(["1", undefined, "3", "4"]);
  recent.set(4, "four", 10);
  expect(recent.size).toBe(3);
  expect(recent.get(4, 10)).toBe("four");
});

test("a load that goes on for ever keeps as many as it uses in that time", () => {
  const recent = new Recent<number, null>({ most: 10_000, forMs: 60_000 });
  for (let second = 0; second < 3_600; second++)
    for (const n of [0, 1]) recent.set(second * 2 + n, null, second * 1_000);
  expect(recent.size).toBe(2 * 61);
});

test("a clock that was set back forgets nothing early, and keeps no more than there is room for", () => {
  const recent = new Recent<number, null>({ most: 2, forMs: 100 });
  recent.set(1, null, 10_000);
  recent.set(2, null, 0);
  recent.set(3, null, 0);
  expect(recent.size).toBe(2);
  expect(recent.get(1, 0)).toBeUndefined();
});
