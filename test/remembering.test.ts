import { expect, test } from "bun:test";
import { remembering, rememberingOf } from "../src/remembering.ts";

function counted(most: number) {
  const made: string[] = [];
  const lengthOf = remembering(
    (key) => {
      made.push(key);
      return key === "" ? null : key.length;
    },
    { most, longest: 4 },
  );
  return { lengthOf, made };
}

test("an answer is made once, also one that is null", () => {
  const { lengthOf, made } = counted(10);
  for (let turn = 0; turn < 3; turn++) expect([lengthOf("abc"), lengthOf("")]).toEqual([3, null]);
  expect(made).toEqual(["abc", ""]);
});

test("that of a long key is made each time", () => {
  const { lengthOf, made } = counted(10);
  expect([lengthOf("abcde"), lengthOf("abcde")]).toEqual([5, 5]);
  expect(made).toHaveLength(2);
});

test("when there are too many it begins anew", () => {
  const { lengthOf, made } = counted(2);
  for (const key of ["a", "b", "a", "c", "a"]) expect(lengthOf(key)).toBe(1);
  expect(made).toEqual(["a", "b", "c", "a"]);
});

test("what is made of an object is made once, and of one that looks like it again", () => {
  let made = 0;
  const wrapped = rememberingOf((of: { readonly name: string }) => ({ of, n: ++made }));
  const one = { name: "a" };
  expect(wrapped(one)).toBe(wrapped(one));
  expect(wrapped({ name: "a" }).n).toBe(2);
});
