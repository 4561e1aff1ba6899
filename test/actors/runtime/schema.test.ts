import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Journal } from "../../../actors/runtime/journal.ts";
import { configure, INDEXED_ALIKE, migrate, SCHEMA_VERSION } from "../../../actors/runtime/schema.ts";
import { WATCHED } from "../../../actors/runtime/store.ts";
import { ManualWorld } from "../../support/manual-world.ts";
import { rewindToSchema11 } from "../../support/older-schema.ts";
import { hashOf, idOf, startEngine } from "./engine.ts";

const version = (db: Database) => (db.query("PRAGMA user_version").get() as { user_version: number }).user_version;

function fresh(): Database {
  const db = new Database(":memory:", { strict: true });
  migrate(db);
  return db;
}

describe("migrate", () => {
  test("brings an empty database to the present version, and does nothing the second time", () => {
    const db = fresh();
    expect(version(db)).toBe(SCHEMA_VERSION);
    db.run("INSERT INTO meta VALUES ('kept', 'yes')");
    migrate(db);
    expect(version(db)).toBe(SCHEMA_VERSION);
    expect(db.query("SELECT value FROM meta").get()).toEqual({ value: "yes" });
  });

  test("refuses a database of a newer program and leaves it as it is", () => {
    const db = fresh();
    db.run(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    expect(() => migrate(db)).toThrow(
      `Database has schema ${SCHEMA_VERSION + 1}, this program knows ${SCHEMA_VERSION}`,
    );
    expect(version(db)).toBe(SCHEMA_VERSION + 1);
  });

  test("a file of a newer program is refused before a byte of it changes", () => {
    const dir = mkdtempSync(join(tmpdir(), "l402-schema-"));
    const path = join(dir, "x.sqlite");
    try {
      // As a backup lies there, without a log of its own.
      const db = new Database(path, { create: true, strict: true });
      db.run(`CREATE TABLE newer (id TEXT); PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
      db.close();
      const before = readFileSync(path);
      expect(() => Journal.open(path, new ManualWorld())).toThrow("this program knows");
      expect(readFileSync(path).equals(before)).toBe(true);
      expect(readdirSync(dir)).toEqual(["x.sqlite"]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test("makes only STRICT tables", () => {
    const tables = fresh()
      .query<{ name: string; strict: number }, []>(
        "SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
      )
      .all();
    expect(tables.length).toBeGreaterThan(10);
    expect(tables.filter(({ strict }) => strict !== 1)).toEqual([]);
  });

  test("a value of the wrong type is refused instead of stored", () => {
    const db = fresh();
    expect(() => db.run("INSERT INTO hints VALUES ('1', 'yesterday')")).toThrow("cannot store TEXT value in INTEGER");
    expect(() => db.run("INSERT INTO postings VALUES ('o', 1, 1, 'kept', 'msat', 1.5)")).toThrow("cannot store REAL");
  });

  test("a payment hash belongs to one order", () => {
    const db = fresh();
    const insert = (id: string, hash: string) =>
      db.run(
        "INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at) VALUES (?, 1, 'unpaid', '{}', ?, 0, 0)",
        [id, hash],
      );
    insert("a", "ab".repeat(32));
    expect(() => insert("b", "ab".repeat(32))).toThrow("UNIQUE");
    expect(() => insert("b", `${"ab".repeat(31)}cd`)).toThrow("UNIQUE");
    insert("b", `cd${"ab".repeat(31)}`);
    // No node of ours tells such a hash; it is found and unique all the same.
    insert("c", "no hex");
    expect(() => insert("d", "no hex")).toThrow("UNIQUE");
    const alike = db.query<{ id: string }, [string]>(`SELECT id FROM orders WHERE ${INDEXED_ALIKE}`);
    const hashes = ["ab".repeat(32), `${"ab".repeat(31)}cd`, `cd${"ab".repeat(31)}`, "no hex", "none"];
    expect(hashes.map((hash) => alike.get(hash)?.id)).toEqual(["a", "a", "b", "c", undefined]);
  });
});

describe("a database of version 11", () => {
  /** Without the mark of those that the index lacks: in older ones it lacks none. */
  const rows = (db: Database) =>
    db
      .query<object, []>("SELECT * FROM orders ORDER BY id")
      .all()
      .map((row) => ({ ...row, unindexed: undefined }));

  test("keeps every order with all its columns, found by its hash, and all its indexes", async () => {
    const engine = startEngine();
    for (const n of [1, 2, 3]) await engine.withNumber(n);
    for (const n of [4, 5]) await engine.open(n);
    const before = rows(engine.db);
    const older = Database.deserialize(engine.db.serialize(), { strict: true });
    rewindToSchema11(older);
    const told: number[] = [];
    migrate(older, (from) => told.push(from));
    expect(told).toEqual([11]);
    expect(rows(older)).toEqual(before);
    expect(before.length).toBe(5);
    expect(older.query("SELECT count(unindexed) AS n FROM orders").get()).toEqual({ n: 0 });
    const { hashes } = new Journal(older, engine.world);
    expect([1, 2, 3, 4, 5, 6].map((n) => hashes.idOf(hashOf(n)))).toEqual([...[1, 2, 3, 4, 5].map(idOf), null]);
    const indexes = (db: Database) =>
      db.query("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name").all();
    expect(indexes(older)).toEqual(indexes(engine.db));
    expect(older.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  });
});

test("the rows of paid orders of version 14 forget their invoice, those of unpaid ones keep it", async () => {
  const engine = startEngine();
  await engine.withNumber(1);
  await engine.open(2);
  const { db } = engine;
  db.run("UPDATE orders SET state = json_set(state, '$.terms.invoice', 'lnbc1') WHERE kind <> 'unpaid'");
  db.run(
    "INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at) VALUES ('a', 1, 'done', 'torn', 'h', 0, 0)",
  );
  const torn = () => db.query("SELECT state FROM orders WHERE id = 'a'").get();
  const before = torn();
  db.run("PRAGMA user_version = 14");
  migrate(db);
  expect(engine.isReplayable(1)).toBe(true);
  expect(engine.order(2).terms.invoice).not.toBe("");
  expect(engine.isReplayable(2)).toBe(true);
  expect(torn()).toEqual(before);
});

test("an order whose state makes no sense stops no index that looks into states", () => {
  const db = fresh();
  const insert = () =>
    db.run(
      `INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at, opened_by)
       VALUES ('a', 1, 'done', 'torn', 'h', 0, 0, 'client')`,
    );
  expect(insert).not.toThrow();
});

test("the queries that run all the time use an index", () => {
  const db = fresh();
  const plan = (sql: string) =>
    db
      .query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map(({ detail }) => detail)
      .join("; ");
  expect(plan("SELECT id FROM orders WHERE due <= 5 ORDER BY due LIMIT 5")).toContain("orders_due");
  expect(plan("SELECT due FROM orders WHERE due IS NOT NULL ORDER BY due LIMIT 1")).toContain("orders_due");
  expect(plan(`SELECT id FROM orders WHERE ${INDEXED_ALIKE}`)).toContain("orders_payment");
  expect(plan("SELECT id FROM orders WHERE kind = 'unpaid' AND unindexed IS NOT NULL")).toContain("orders_unpaid");
  expect(plan("SELECT id FROM orders WHERE activation_id = '5' ORDER BY rowid DESC LIMIT 1")).toBe(
    "SEARCH orders USING INDEX orders_activation (activation_id=?)",
  );
  expect(plan(`SELECT id FROM orders WHERE ${WATCHED} AND activation_id = '5'`)).toContain("orders_watched");
  expect(plan(`SELECT id FROM orders WHERE ${WATCHED} AND activation_id > '5' ORDER BY activation_id LIMIT 5`)).toBe(
    "SEARCH orders USING INDEX orders_watched (activation_id>?)",
  );
  expect(
    plan("SELECT state FROM orders WHERE kind = 'done' AND opened_by IS NOT NULL AND ended_at < 5 LIMIT 5"),
  ).toContain("orders_to_scrub");
  expect(plan("SELECT state FROM orders WHERE kind = 'lapsed' AND ended_at < 5 LIMIT 5")).toContain("orders_lapsed");
});

test.each([
  "UPDATE orders SET kind = 'done', state = '' WHERE id = 'a'",
  `INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at) VALUES ('a', 1, 'unpaid', '', '', 0, 0)`,
])("a write of an order fills no table to know which indexes want it: %s", (sql) => {
  const steps = fresh().query<{ opcode: string }, []>(`EXPLAIN ${sql}`).all();
  const opcodes = new Set(steps.map(({ opcode }) => opcode));
  expect(opcodes).toContain("IdxInsert");
  expect(opcodes).not.toContain("OpenEphemeral");
});

test("configure sets what bun:sqlite does not default to", () => {
  const dir = mkdtempSync(join(tmpdir(), "l402-schema-"));
  const db = new Database(join(dir, "x.sqlite"), { create: true, strict: true });
  try {
    configure(db);
    const pragma = (name: string) => Object.values(db.query(`PRAGMA ${name}`).get() as object)[0];
    expect(pragma("journal_mode")).toBe("wal");
    expect(pragma("synchronous")).toBe(2);
    expect(pragma("busy_timeout")).toBe(5_000);
    expect(pragma("foreign_keys")).toBe(1);
    expect(pragma("secure_delete")).toBe(1);
    expect(pragma("temp_store")).toBe(2);
  } finally {
    db.close();
    rmSync(dir, { recursive: true });
  }
});
