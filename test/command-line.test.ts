/**
 * What a developer sees who mistypes an option of a script: before, "0 violations" of nothing. And an operator who asks a command what it
 * does, or mistypes it: before, `rebind-provider --help` bound the database anew.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "./support/server.ts";
import { outcomeOf } from "./support/spawn.ts";

const SCRIPTS = [
  "bench/bench.ts",
  "scripts/build.ts",
  "scripts/demo.ts",
  "scripts/env-example.ts",
  "scripts/interop.ts",
  "scripts/lifecycle-doc.ts",
  "scripts/refresh-catalog.ts",
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
  expect(helped.out).toMatch(/(?:^ {2}|`)bun /m);
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

describe("the program", () => {
  let dir = "";
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "command-line-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const PLAIN = ["check-config", "healthcheck", "rebind-provider", "--version"] as const;
  const WITH_ARGUMENTS = ["backup", "check-lightning", "doctor", "macaroon", "restore"] as const;

  test.each([...PLAIN, ...WITH_ARGUMENTS])(
    "%s explains itself, whatever else is wrong, and does nothing",
    async (command) => {
      const wrong = ["--help", "-h"].map((help) => runToEnd({ DATA_DIR: dir, PORT: "none" }, [command, help]));
      const good = runToEnd({ DATA_DIR: dir }, [command, "extra", "--help"]);
      for (const { code, output } of await Promise.all([...wrong, good])) {
        expect(code).toBe(0);
        expect(output).toContain(command);
        expect(output).not.toContain("mistakes");
      }
      expect(readdirSync(dir)).toEqual([]);
    },
  );

  test.each(PLAIN)("%s refuses an argument, and does nothing", async (command) => {
    for (const argument of ["extra", "--dry-run"]) {
      const { code, output } = await runToEnd({ DATA_DIR: dir }, [command, argument]);
      expect(code).toBe(2);
      expect(output).toStartWith(`"${command}" takes no arguments\n\nl402-numbers `);
    }
    expect(readdirSync(dir)).toEqual([]);
  });

  test("a command that is unknown is refused before the configuration is read", async () => {
    const { code, output } = await runToEnd({ DATA_DIR: dir, PORT: "none" }, ["rebind"]);
    expect(code).toBe(2);
    expect(output).toStartWith('Unknown command "rebind"\n');
  });
});
