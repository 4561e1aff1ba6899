import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chownSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { giveToOwner } from "../src/owner.ts";

const SERVER = 65_532;
const isRoot = process.getuid?.() === 0;

let room: string;
let data: string;
beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), "l402-owner-"));
  data = mkdtempSync(join(room, "data-"));
  if (isRoot) chownSync(data, SERVER, SERVER);
});
afterEach(() => rmSync(room, { recursive: true, force: true }));

describe.skipIf(!isRoot)("what root leaves in the data directory", () => {
  test("is the server's", () => {
    const file = join(data, "file");
    writeFileSync(file, "");
    giveToOwner(file);
    expect([statSync(file).uid, statSync(file).gid]).toEqual([SERVER, SERVER]);
  });

  test("is not what a link there leads to", () => {
    const elsewhere = join(room, "shadow");
    writeFileSync(elsewhere, "");
    const link = join(data, "revoked.txt");
    symlinkSync(elsewhere, link);
    giveToOwner(link);
    expect([statSync(elsewhere).uid, statSync(elsewhere).gid]).toEqual([0, 0]);
  });
});
