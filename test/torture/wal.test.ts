import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Chance } from "../simulation/chance.ts";
import { crashStates, KINDS } from "./crash-states.ts";
import { committed, endOf, pageOf, readWal, WalIndex } from "./wal.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "l402-wal-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A database of 3 commits with 20 rows each in its log; the file as it was before, and where each commit ended. */
function recorded() {
  const path = join(dir, "orders.sqlite");
  const db = new Database(path);
  db.run("PRAGMA journal_mode = WAL");
  db.run("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)");
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const database = readFileSync(path);
  const index = new WalIndex(path);
  const ends: number[] = [];
  for (let commit = 0; commit < 3; commit++) {
    db.transaction(() => {
      for (let n = 0; n < 20; n++) db.run("INSERT INTO t (text) VALUES (?)", ["x".repeat(500)]);
    })();
    ends.push(index.read()?.frames ?? 0);
  }
  return { path, db, database, index, ends, wal: readWal(readFileSync(`${path}-wal`)) };
}

const rowsIn = (database: Uint8Array, wal: Uint8Array): number => {
  const path = join(dir, `copy-${Math.random()}.sqlite`);
  writeFileSync(path, database);
  writeFileSync(`${path}-wal`, wal);
  using db = new Database(path);
  expect(db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  return db.query<{ n: number }, []>("SELECT count(*) AS n FROM t").get()?.n ?? -1;
};

test("the position of the log moves with each commit, to the end of its last frame", () => {
  const { wal, ends, index } = recorded();
  expect(ends.at(-1)).toBe(wal.frames.length);
  expect(wal.frames.flatMap(({ commit }, frame) => (commit ? [frame + 1] : []))).toEqual(ends);
  expect(index.read()).toMatchObject({
    copied: 0,
    generation: Buffer.from(wal.bytes.subarray(16, 24)).toString("hex"),
  });
  expect(new WalIndex(join(dir, "missing")).read()).toBeNull();
});

test("a log is read up to the first frame that is torn", () => {
  const { wal, ends } = recorded();
  const torn = wal.bytes.slice();
  const at = endOf(wal, ends[0] ?? 0) + 100;
  torn[at] = (torn[at] ?? 0) ^ 1;
  expect(readWal(torn).frames).toHaveLength(ends[0] ?? 0);
  expect(committed(wal, (ends[1] ?? 0) + 1)).toBe(ends[1] ?? 0);
  expect(() => readWal(new Uint8Array(64))).toThrow("Not a write-ahead log");
});

test("every state that is made holds the commits that were synced, and no part of another", () => {
  const { wal, ends, database } = recorded();
  const seen = new Set<string>();
  for (const state of crashStates(database, wal, new Chance(1), { each: 12 })) {
    seen.add(state.kind);
    const rows = rowsIn(state.database, state.wal);
    expect(rows % 20).toBe(0);
    expect(rows / 20).toBeGreaterThanOrEqual(ends.filter((end) => end <= state.synced).length);
  }
  expect([...seen].toSorted()).toEqual([...KINDS].toSorted());
});

test("the pages of the log, laid over the file, are what SQLite makes of it", () => {
  const { path, db, database, wal } = recorded();
  const file = new Uint8Array(Math.max(database.length, ...wal.frames.map(({ page }) => page * wal.pageSize)));
  file.set(database);
  wal.frames.forEach(({ page }, frame) => {
    file.set(pageOf(wal, frame), (page - 1) * wal.pageSize);
  });
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  expect(Bun.hash(readFileSync(path))).toBe(Bun.hash(file));
});
