import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openJournal, UnusableFile } from "../src/database.ts";
import { ManualWorld } from "./support/manual-world.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "l402-database-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const refusal = (dataDir: string): unknown => {
  try {
    openJournal(dataDir, new ManualWorld());
  } catch (error) {
    return error;
  }
  return null;
};

test("a new database is made, and opened again", () => {
  openJournal(dir, new ManualWorld()).close();
  const journal = openJournal(dir, new ManualWorld());
  expect(journal.writable()).toBe(true);
  journal.close();
});

test("what cannot be used is named, with the reason", () => {
  const path = join(dir, "orders.sqlite");
  writeFileSync(path, Buffer.alloc(8_192, 7));
  expect(refusal(dir)).toEqual(expect.any(UnusableFile));
  expect(String(refusal(dir))).toContain(`Cannot use "${path}": file is not a database`);
  rmSync(path);
  mkdirSync(path);
  expect(String(refusal(dir))).toContain(`Cannot use "${path}": unable to open database file`);
  expect(String(refusal(join(dir, "missing")))).toContain("unable to open database file");
});
