/**
 * Writes `.env.example` from the table of settings: `bun scripts/env-example.ts [--check]`. With `--check` nothing is
 * written, and the exit code says whether the file is up to date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { envExample } from "../src/config.ts";
import { commandLine } from "../test/support/command-line.ts";

const path = join(import.meta.dir, "..", ".env.example");

const { check } = commandLine(import.meta.path, { check: { type: "boolean", default: false } }).values;
if (check) {
  const current = await readFile(path, "utf8").catch(() => "");
  if (current !== envExample()) {
    console.error(".env.example is out of date: run bun scripts/env-example.ts");
    process.exitCode = 1;
  }
} else {
  await writeFile(path, envExample());
}
