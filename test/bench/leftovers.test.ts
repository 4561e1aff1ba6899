/** A run of the benchmark writes gigabytes: they go with it, however it ends. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const TAKES_AT_MOST_MS = 20_000;
const folder = mkdtempSync(join(tmpdir(), "l402-test-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a run that is interrupted leaves no files behind", async () => {
  const run = Bun.spawn([process.execPath, "bench/bench.ts", "--gate", "--only=journal"], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? "", TMPDIR: folder },
    stdout: "ignore",
    stderr: "ignore",
  });
  const giveUp = performance.now() + TAKES_AT_MOST_MS;
  while (readdirSync(folder).length === 0 && performance.now() < giveUp) await Bun.sleep(5);
  expect(readdirSync(folder)).not.toEqual([]);
  run.kill("SIGTERM");
  expect(await run.exited).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
});

test("a process that only reads what a run wrote makes no folder of its own", async () => {
  const reader = Bun.spawn([process.execPath, "-e", "await import('./bench/invoices.ts')"], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? "", TMPDIR: folder },
  });
  expect(await reader.exited).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
});
