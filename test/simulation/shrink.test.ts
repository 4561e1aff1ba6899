import { expect, test } from "bun:test";
import { leaveOut } from "./shrink.ts";

test("all is left out that the failure does not need", async () => {
  const needs = [3, 17, 18];
  let tries = 0;
  const all = Array.from({ length: 40 }, (_, n) => n);
  const fails = async (left: readonly number[]) => {
    tries++;
    return needs.every((n) => !left.includes(n));
  };
  const out = await leaveOut(all, fails, () => false);
  expect(all.filter((n) => !out.includes(n))).toEqual(needs);
  expect(tries).toBeLessThan(60);
});

test("an end of time ends it with what was found so far", async () => {
  let tries = 0;
  const out = await leaveOut(
    [1, 2, 3, 4],
    async () => true,
    () => tries++ > 0,
  );
  expect(out).toEqual([1, 2]);
});
