/** The restore itself: what it refuses, what it keeps, and how the database is marked. With a real server it is tried in test/e2e. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { META_BACKUP, SCHEMA_VERSION } from "../../actors/runtime/schema.ts";
import { iso } from "../../actors/runtime/world.ts";
import { lockDataDir } from "../../src/lock.ts";
import { manifestPath } from "../../src/ops/backup/manifest.ts";
import { runBackup } from "../../src/ops/backup.ts";
import { backupTime, openReadOnly } from "../../src/ops/doctor/database.ts";
import { OurBooks } from "../../src/ops/peers/books.ts";
import { runRestore } from "../../src/ops/restore.ts";
import { holdOf } from "../../src/orders/hold.ts";
import { rewindToSchema11 } from "../support/older-schema.ts";
import { outcomeOf } from "../support/spawn.ts";
import { idOf, Lives } from "./doctor-life.ts";

let lives: Lives;
let room: string;
let dataDir: string;
let file: string;
beforeEach(async () => {
  lives = await new Lives().all();
  room = mkdtempSync(join(tmpdir(), "l402-restore-"));
  dataDir = join(room, "data");
  file = join(room, "backup.sqlite");
  expect(runBackup([file], { dataDir: lives.dataDir, now: lives.world.now(), out: () => {} })).toBe(0);
});
afterEach(() => {
  lives.remove();
  rmSync(room, { recursive: true, force: true });
});

function restore(...args: string[]) {
  const lines: string[] = [];
  const code = runRestore(args, { dataDir, now: lives.world.now() + 1_000, out: (line) => lines.push(line) });
  return { code, text: lines.join("\n") };
}

const target = () => join(dataDir, "orders.sqlite");

function opened<T>(path: string, read: (db: Database) => T): T {
  const db = new Database(path, { readonly: true });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

const orders = (db: Database) => db.query("SELECT id, seq, state FROM orders ORDER BY id").all();
const loss = (path: string) => opened(path, (db) => new OurBooks(db).loss());

describe("a restored database", () => {
  // Only root can give a file away.
  test.skipIf(process.getuid?.() !== 0)("is the server's, when root restored it", () => {
    mkdirSync(dataDir);
    chownSync(dataDir, 65_532, 65_532);
    expect(restore(file).code).toBe(0);
    for (const path of [target(), join(dataDir, "lock.sqlite")]) {
      const { uid, gid } = statSync(path);
      expect([uid, gid]).toEqual([65_532, 65_532]);
    }
  });

  test("holds every order of the backup, is private, and is marked as a copy of its time", () => {
    const { code, text } = restore(file);
    expect([code, text]).toEqual([0, expect.stringContaining("Money is paused")]);
    expect(opened(target(), orders)).toEqual(orders(lives.journal.db));
    expect((statSync(target()).mode & 0o777).toString(8)).toBe("600");
    expect(loss(target())).toEqual({ takenAt: lives.world.now(), matchedAt: null });
    expect(readdirSync(dataDir).filter((name) => name.startsWith("orders"))).toEqual(["orders.sqlite"]);
  });

  test("takes the place of one that is there only when told to, and keeps that one whole with its log", () => {
    expect(restore(file).code).toBe(0);
    const live = new Database(target());
    live.run("PRAGMA journal_mode = WAL");
    live.run("DELETE FROM orders WHERE id = ?", [idOf("stuck")]);
    const { code, text } = restore(file);
    expect([code, text]).toEqual([2, expect.stringContaining("--replace")]);
    live.close();
    expect(restore(file, "--replace").code).toBe(0);
    const names = readdirSync(dataDir).filter((name) => name.startsWith("orders"));
    const aside = names.find((name) => name.includes("replaced")) ?? "";
    expect(names.toSorted()).toEqual(["orders.sqlite", aside].toSorted());
    expect(opened(target(), orders)).toEqual(orders(lives.journal.db));
    expect(opened(join(dataDir, aside), orders)).toHaveLength(orders(lives.journal.db).length - 1);
  });

  test("does not take the place of one that is being read: it could be left without its log", () => {
    expect(restore(file).code).toBe(0);
    const live = new Database(target());
    live.run("PRAGMA journal_mode = WAL");
    live.run("DELETE FROM orders WHERE id = ?", [idOf("stuck")]);
    const reader = new Database(target(), { readonly: true });
    reader.run("BEGIN");
    const before = orders(reader);
    live.close();
    expect(restore(file, "--replace")).toEqual({ code: 2, text: expect.stringContaining("another process reads") });
    reader.run("COMMIT");
    reader.close();
    expect(opened(target(), orders)).toEqual(before);
    expect(restore(file, "--replace").code).toBe(0);
  });

  test("takes the place of a file that is no database any more", () => {
    expect(restore(file).code).toBe(0);
    writeFileSync(target(), "broken");
    writeFileSync(`${target()}-wal`, "a log");
    expect(restore(file, "--replace").code).toBe(0);
    expect(opened(target(), orders)).toEqual(orders(lives.journal.db));
    expect(existsSync(`${target()}-wal`)).toBe(false);
  });

  test("that is backed up before it was compared keeps the time since when nobody knows", () => {
    expect(restore(file).code).toBe(0);
    const again = join(room, "again.sqlite");
    expect(runBackup([again], { dataDir, now: lives.world.now() + 9_000_000, out: () => {} })).toBe(0);
    expect(loss(again)?.takenAt).toBe(lives.world.now());
  });
});

test("a copy that was not made by backup can be marked", () => {
  expect(restore(file).code).toBe(0);
  const db = new Database(target());
  db.run("DELETE FROM meta WHERE key = ?", [META_BACKUP]);
  db.close();
  expect(loss(target())).toBeNull();
  expect(restore("--mark", "yesterday").code).toBe(2);
  expect(restore("--mark", "2026-01-31T03:00:00Z").code).toBe(0);
  expect(loss(target())?.takenAt).toBe(Date.UTC(2026, 0, 31, 3));
});

test("a mark of a time that no calendar has never takes the place of one", () => {
  writeFileSync(
    manifestPath(file),
    readFileSync(manifestPath(file), "utf8").replace(/"takenAt": "\d{4}-\d\d/, '"takenAt": "2026-13'),
  );
  expect(restore(file).code).toBe(0);
  expect(loss(target())).toEqual({ takenAt: lives.world.now(), matchedAt: null });
});

test.each([
  ["that no calendar has", () => "2026-13-45T99:00:00Z"],
  ["on a day that a month does not have", () => "2026-02-30T03:00:00Z"],
  // Everything that was lost would lie before it, and nothing be in doubt.
  ["that is to come", () => iso(lives.world.now() + 3_600_000)],
])("a copy is not marked with a time %s", (_, time) => {
  expect(restore(file).code).toBe(0);
  const before = loss(target());
  expect(restore("--mark", time())).toEqual({ code: 2, text: expect.stringContaining("Nothing was restored") });
  expect(loss(target())).toEqual(before as never);
});

test("of two marks the earlier one stands, and is said", () => {
  expect(restore(file).code).toBe(0);
  const taken = lives.world.now();
  const earlier = iso(taken - 3_600_000);
  expect(restore("--mark", earlier)).toEqual({ code: 0, text: expect.stringContaining(earlier) });
  expect(loss(target())?.takenAt).toBe(taken - 3_600_000);
  expect(restore("--mark", iso(taken))).toEqual({ code: 0, text: expect.stringContaining(earlier) });
  expect(loss(target())?.takenAt).toBe(taken - 3_600_000);
});

describe("a copy of an older schema", () => {
  /** Before it begins: it may take minutes. */
  const TOLD = new RegExp(`^The database is brought up to date, from schema 11 to ${SCHEMA_VERSION}: .+\n`);

  /** With more than SQLite keeps in memory, so that pages go to the file before the commit, and what stood there to a journal. */
  const fill = (db: Database) =>
    db.run(
      `WITH RECURSIVE more (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM more LIMIT 3000)
       INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at)
       SELECT 'more ' || n, 1, 'done', hex(zeroblob(500)), hex(randomblob(32)), 0, 0 FROM more`,
    );
  const upToDate = () => {
    const database = openReadOnly(dataDir);
    if (!database.ok) throw new Error(database.problem);
    database.db.close();
  };

  test("is brought up to date when it is restored, so that the doctor can compare it before a server starts", () => {
    const before = orders(lives.journal.db);
    rewindToSchema11(lives.journal.db);
    rmSync(file);
    rmSync(manifestPath(file));
    expect(runBackup([file], { dataDir: lives.dataDir, now: lives.world.now(), out: () => {} })).toBe(0);
    expect(restore(file)).toEqual({ code: 0, text: expect.stringMatching(TOLD) });
    upToDate();
    expect(opened(target(), orders)).toEqual(before);
    expect(loss(target())?.matchedAt).toBeNull();
  });

  test("is not mixed with the journal of one whose restore was killed", () => {
    mkdirSync(dataDir);
    const half = `${target()}.restoring`;
    const killed = new Database(half, { create: true });
    killed.run("CREATE TABLE other (text TEXT)");
    for (let n = 0; n < 300; n++) killed.run("INSERT INTO other VALUES (zeroblob(3000))");
    // So little room that pages go to the file, and what stood there to the journal, before the commit.
    killed.run("PRAGMA cache_size = 10; BEGIN; UPDATE other SET text = zeroblob(3001)");
    copyFileSync(`${half}-journal`, join(room, "journal"));
    killed.run("ROLLBACK");
    killed.close();
    renameSync(join(room, "journal"), `${half}-journal`);
    expect(restore(file).code).toBe(0);
    expect(opened(target(), orders)).toEqual(orders(lives.journal.db));
    expect(opened(target(), (db) => db.query("PRAGMA integrity_check").get())).toEqual({ integrity_check: "ok" });
    expect(readdirSync(dataDir).filter((name) => name.includes("restoring"))).toEqual([]);
  });

  test("is marked, whatever wrote it: started on without a mark it would move money", () => {
    mkdirSync(dataDir);
    copyFileSync(file, target());
    const copy = new Database(target());
    copy.run("DELETE FROM meta WHERE key = 'backup'");
    rewindToSchema11(copy);
    copy.close();
    expect(restore("--mark", "2026-01-31T03:00:00Z")).toEqual({ code: 0, text: expect.stringMatching(TOLD) });
    upToDate();
    expect(loss(target())?.takenAt).toBe(Date.parse("2026-01-31T03:00:00Z"));
  });

  test("that the disk has no room to bring up to date is said to be marked only, and takes the same command again", async () => {
    mkdirSync(dataDir);
    copyFileSync(file, target());
    const copy = new Database(target());
    copy.run("DELETE FROM meta WHERE key = 'backup'");
    rewindToSchema11(copy);
    fill(copy);
    copy.run("VACUUM");
    copy.close();
    const time = "2026-01-31T03:00:00Z";
    // In blocks of 512 bytes: the file may be written, and not grow. Without the signal, which would end the process, such a write fails.
    const limit = `trap "" XFSZ; ulimit -f ${Math.ceil(statSync(target()).size / 512)}`;
    const main = join(import.meta.dir, "../../src/main.ts");
    const { out, code } = await outcomeOf(
      Bun.spawn(["sh", "-c", `${limit}; exec "${process.execPath}" "${main}" restore --mark ${time}`], {
        env: { PATH: process.env.PATH ?? "", DATA_DIR: dataDir },
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
    expect([code, out]).toEqual([
      2,
      expect.stringContaining(`is marked as a copy of ${time}, but not brought up to date`),
    ]);
    expect(out).toContain("run restore --mark again");
    expect(opened(target(), backupTime)).toBe(time);
    expect(openReadOnly(dataDir).ok).toBe(false);

    expect(restore("--mark", time).code).toBe(0);
    upToDate();
    expect(loss(target())?.takenAt).toBe(Date.parse(time));
  });

  test("takes the command again that was killed while it brought it up to date", () => {
    mkdirSync(dataDir);
    const killed = join(room, "killed.sqlite");
    copyFileSync(file, killed);
    const copy = new Database(killed);
    rewindToSchema11(copy);
    fill(copy);
    // So little room that pages go to the file, and what stood there to the journal, before the commit.
    copy.run("PRAGMA cache_size = 10; BEGIN; UPDATE orders SET kind = 'half done'");
    for (const part of ["", "-journal"]) copyFileSync(killed + part, target() + part);
    copy.run("ROLLBACK");
    const before = orders(copy);
    copy.close();
    expect(openReadOnly(dataDir, { older: true }).ok).toBe(false);
    expect(restore("--mark", "2026-01-31T03:00:00Z").code).toBe(0);
    upToDate();
    expect(opened(target(), orders)).toEqual(before);
    expect(opened(target(), (db) => db.query("SELECT 1 FROM orders WHERE kind = 'half done'").all())).toEqual([]);
  });

  test("that no version wrote is not marked, and said to be none", () => {
    mkdirSync(dataDir);
    writeFileSync(target(), "");
    expect(restore("--mark", "2026-01-31T03:00:00Z").text).toContain("Database has schema 0");
  });

  test("of a newer program is neither", () => {
    mkdirSync(dataDir);
    copyFileSync(file, target());
    const copy = new Database(target());
    copy.run(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    copy.close();
    expect(restore("--mark", "2026-01-31T03:00:00Z").text).toContain("use the program that wrote it");
  });
});

describe("nothing is restored", () => {
  const changed = (change: (text: string) => string) =>
    writeFileSync(manifestPath(file), change(readFileSync(manifestPath(file), "utf8")));

  test.each([
    ["from a file that is not there", () => rmSync(file), "no file"],
    ["without a manifest", () => rmSync(manifestPath(file)), "was not finished"],
    ["with a manifest that makes no sense", () => changed(() => "{}"), "makes no sense"],
    [
      "with a time that is none",
      () => changed((text) => text.replace(/"takenAt": "[^"]*/, '"takenAt": "then')),
      "no sense",
    ],
    ["when the file is not the one of the manifest", () => appendFileSync(file, "x"), "not the file"],
    ["of a newer program", () => changed((text) => text.replace(/"schema": \d+/, '"schema": 99')), "newer program"],
  ])("%s", (_, spoil, words) => {
    spoil();
    expect(restore(file)).toEqual({ code: 2, text: expect.stringContaining(words) });
    expect(existsSync(dataDir)).toBe(false);
  });

  test("nor marked where there is no database, and nothing is left behind", () => {
    expect(restore("--mark", "2026-01-31T03:00:00Z")).toEqual({
      code: 2,
      text: expect.stringContaining("no database"),
    });
    expect(existsSync(dataDir)).toBe(false);
  });

  test("while a server has the directory", () => {
    expect(restore(file).code).toBe(0);
    const unlock = lockDataDir(dataDir);
    expect(restore(file, "--replace")).toEqual({ code: 2, text: expect.stringContaining("stop it first") });
    unlock();
  });

  test.each([[""], ["a b"], ["--mark"], ["--mark 2026-01-31T03:00:00Z x"], ["--what"]])(
    "with words like '%s'",
    (words) => {
      expect(restore(...words.split(" "))).toEqual({ code: 2, text: expect.stringContaining("Usage: restore") });
    },
  );
});

describe("what stands still", () => {
  const effect = (kind: "refund" | "buy" | "cancel" | "look" | "findRefund") => ({ kind }) as never;
  const sure = {};
  const doubtful = { doubtSince: 1 };

  test("is all money while the books were not compared, and that of doubtful orders afterwards; asking goes on", () => {
    const paused = holdOf({ meta: () => "{}" });
    const open = holdOf({ meta: () => null });
    for (const kind of ["refund", "buy", "cancel"] as const) {
      expect([paused.holds(effect(kind), sure), open.holds(effect(kind), sure)]).toEqual([true, false]);
      expect(open.holds(effect(kind), doubtful)).toBe(true);
    }
    for (const kind of ["look", "findRefund"] as const) {
      expect([paused.holds(effect(kind), doubtful), open.holds(effect(kind), doubtful)]).toEqual([false, false]);
    }
  });
});
