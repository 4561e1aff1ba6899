/** What a developer sees who mistypes an option of a script: before, "0 violations" of nothing. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { outcomeOf } from "./support/spawn.ts";

const SCRIPTS = [
  "bench/bench.ts",
  "scripts/test.ts",
  "test/simulation/crashes.ts",
  "test/simulation/interleavings.ts",
  "test/simulation/lost-books.ts",
  "test/simulation/mutate.ts",
  "test/simulation/simulate.ts",
  "test/torture/torture.ts",
];

async function run(script: string, ...args: string[]) {
  const cwd = join(import.meta.dir, "..");
  return outcomeOf(
    Bun.spawn([process.execPath, script, ...args], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" }),
  );
}

test.each(SCRIPTS)("%s explains itself, and refuses what is no option of it", async (script) => {
  const [helped, mistyped] = await Promise.all([run(script, "--help"), run(script, "--ordres=3")]);
  expect([helped.code, helped.err]).toEqual([0, ""]);
  expect(helped.out).toContain("  bun ");
  expect([mistyped.code, mistyped.out]).toEqual([2, ""]);
  expect(mistyped.err).toStartWith("Unknown option '--ordres'");
  expect(mistyped.err).toEndWith(helped.out);
});

test("a number that is none is refused", async () => {
  for (const [script, option] of [
    ["test/simulation/lost-books.ts", "lives"],
    ["test/simulation/mutate.ts", "pick"],
    ["test/simulation/interleavings.ts", "depth"],
    ["test/simulation/simulate.ts", "shrink"],
  ] as const) {
    const { code, out, err } = await run(script, `--${option}=many`);
    expect([script, code, out]).toEqual([script, 2, ""]);
    expect(err).toStartWith(`--${option} must be a whole number\n`);
  }
});
