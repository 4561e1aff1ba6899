/** Where events lie: an order that opens adds to pages that others of its moment filled, and what an older program wrote is all there. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "../../../actors/order/decide.ts";
import { Journal, type Transition } from "../../../actors/runtime/journal.ts";
import { migrate } from "../../../actors/runtime/schema.ts";
import { newOrderId } from "../../../src/orders/order-id.ts";
import { ManualWorld } from "../../support/manual-world.ts";
import { idOf, startEngine, termsOf } from "./engine.ts";

/** An invoice as long as those of nodes are. */
const INVOICE = `lnbc15u1${"q".repeat(370)}`;
const PAGE = 4_096;
/** Of the write-ahead log: 24 bytes before each page (SQLite file format, 4.1). */
const FRAME = PAGE + 24;

function opening(world: ManualWorld): Transition {
  const now = world.now();
  const terms = { ...termsOf(0, now), invoice: INVOICE, paymentHash: world.random(32).toHex() };
  const opened = open({ id: newOrderId(world), terms, destination: null, now });
  return { before: null, ...opened, postings: [], effects: [], messages: [], claims: [], openedBy: "client" };
}

describe("orders that open", () => {
  test("have no page of their own for their event, and share those of all else with others of the same commit", async () => {
    const dir = mkdtempSync(join(tmpdir(), "l402-pages-"));
    const path = join(dir, "orders.sqlite");
    const world = new ManualWorld();
    const journal = Journal.open(path, world);
    try {
      journal.db.run("PRAGMA wal_autocheckpoint = 0");
      const group = async (): Promise<number> => {
        const before = statSync(`${path}-wal`).size;
        const commits = Array.from({ length: 64 }, () => journal.commit(opening(world)));
        await world.settle();
        await Promise.all(commits);
        return (statSync(`${path}-wal`).size - before) / FRAME;
      };
      let last = 0;
      for (let n = 0; n < 40; n++) last = await group();
      const own = journal.db.query("SELECT count(*) AS n FROM dbstat WHERE name = 'events' AND pagetype = 'overflow'");
      expect(own.get()).toEqual({ n: 0 });
      expect(last / 64).toBeLessThan(2.5);
    } finally {
      journal.close();
      rmSync(dir, { recursive: true });
    }
  });
});

describe("a database of version 7", () => {
  test("keeps every event", async () => {
    const engine = startEngine();
    for (const n of [1, 2, 3]) await engine.withNumber(n);
    const { db, store } = engine;
    const before = [1, 2, 3].map((n) => store.events(idOf(n)));
    const copy = Database.deserialize(db.serialize(), { strict: true });
    copy.run(
      `CREATE TABLE older (
        order_id TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, v INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (order_id, seq)
      ) STRICT, WITHOUT ROWID;
      INSERT INTO older SELECT * FROM events; DROP TABLE events; ALTER TABLE older RENAME TO events;
      ALTER TABLE intents DROP COLUMN told_at;
      DROP INDEX orders_served; CREATE INDEX orders_opened_by ON orders (opened_by) WHERE kind = 'unpaid'; PRAGMA user_version = 7`,
    );
    migrate(copy);
    const migrated = new Journal(copy, engine.world).store;
    expect([1, 2, 3].map((n) => migrated.events(idOf(n)))).toEqual(before);
    expect(before.every((events) => events.length > 2)).toBe(true);
  });
});
