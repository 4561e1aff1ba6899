/** The lifecycle page is printed from the code. */
import { expect, test } from "bun:test";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "..", "..");

test("docs/lifecycle.md says what the code does", () => {
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "scripts/lifecycle-doc.ts", "--check"], { cwd: ROOT });
  expect(stderr.toString()).toBe("");
  expect(exitCode).toBe(0);
});
