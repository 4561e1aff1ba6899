/** The planted bugs fit the code as it is: a patch that does not apply proves nothing. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { occurrences } from "./mutants/mutant.ts";
import { MUTANTS } from "./mutants/mutants.ts";

const ROOT = join(import.meta.dir, "..", "..");

test("every patch applies: its text occurs once in its file", async () => {
  const stale: string[] = [];
  for (const { name, edits } of MUTANTS) {
    for (const edit of edits) {
      const found = occurrences(await Bun.file(join(ROOT, edit.file)).text(), edit);
      if (found !== 1) stale.push(`${name}: "${edit.find}" occurs ${found} times in "${edit.file}"`);
    }
  }
  expect(stale).toEqual([]);
});

test("there are enough, no two are called the same, and each says what is wrong", () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(24);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  for (const { plants, breaks, edits } of MUTANTS) {
    expect(plants).toMatch(/^[A-Z].*\.$/);
    expect(breaks.length).toBeGreaterThan(0);
    expect(edits.every(({ find, replace }) => find !== replace)).toBe(true);
  }
});
