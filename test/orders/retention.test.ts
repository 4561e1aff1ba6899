import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JournalUnavailable } from "../../actors/runtime/journal.ts";
import { configure, migrate } from "../../actors/runtime/schema.ts";
import {
  DEFAULT_RETENTION,
  DEFAULT_RETENTION_LIMITS,
  Retention,
  type RetentionLimits,
} from "../../src/orders/retention.ts";
import { settle } from "../../src/orders/settle.ts";
import {
  DAY,
  destinationOf,
  HOUR,
  hashOf,
  idOf,
  MINUTE,
  numberOf,
  PRICE_SATS,
  SECOND,
  startEngine,
} from "../actors/runtime/engine.ts";
import { ManualWorld } from "../support/manual-world.ts";

const CODE = "code-7H3-CANARY";
const TEXT = `Your login is ${CODE}, valid for 5 minutes`;
const NPUB = "npub-CANARY-of-the-customer";
const CLIENT = "client-CANARY-bucket";
const PAGE = 4_096;

const directories: string[] = [];
afterEach(() => {
  for (const dir of directories.splice(0)) rmSync(dir, { recursive: true });
});

/** A service with its database in files, and nothing in it but the orders of a test. */
function house(limits: RetentionLimits = DEFAULT_RETENTION_LIMITS) {
  const dir = mkdtempSync(join(tmpdir(), "l402-retention-"));
  directories.push(dir);
  const db = new Database(join(dir, "orders.sqlite"), { create: true, strict: true });
  const engine = startEngine({ db });
  const { world, journal, supervisor } = engine;
  const failures: unknown[] = [];
  const retention = new Retention({
    world,
    journal,
    supervisor,
    times: DEFAULT_RETENTION,
    limits,
    failed: (error) => failures.push(error),
  });
  return {
    ...engine,
    retention,
    failures,
    dir,
    /** Whether any byte of any file of the database still says this. */
    onDisk: (text: string): boolean => readdirSync(dir).some((file) => readFileSync(join(dir, file)).includes(text)),
    async round(): Promise<void> {
      const running = retention.run();
      await world.settle();
      await running;
    },
    /** A whole order with an SMS, completed at once. */
    async completed(n: number): Promise<void> {
      const destination = destinationOf(n, world.now() + 2 * HOUR);
      await engine.withNumber(n, { destination, openedBy: CLIENT, terms: { notifyNpub: NPUB } });
      const message = { id: "m1", code: CODE, text: TEXT, from: "Bank", receivedAt: world.now() };
      await engine.tell(n, { type: "Hinted" });
      await engine.answer("look", {
        type: "Looked",
        answer: { kind: "seen", standing: "open", messages: [message] },
      });
      await engine.answer("notify", { type: "NoticeHanded" });
      await engine.tell(n, { type: "Hinted" });
      await engine.answer("look", { type: "Looked", answer: { kind: "seen", standing: "finished", messages: [] } });
      expect(engine.order(n).state).toMatchObject({ kind: "done", as: "completed" });
    },
    async lapsed(n: number): Promise<void> {
      await engine.open(n, { openedBy: CLIENT, destination: destinationOf(n, world.now() + 2 * HOUR) });
      await engine.tell(n, { type: "SurelyUnpaid" });
    },
    /** Rows of orders that were put there without living through anything. */
    fill(count: number, order: (n: number) => Record<string, unknown>): void {
      const insert = db.prepare(
        `INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at, ended_at, opened_by)
         VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?)`,
      );
      db.transaction(() => {
        for (let n = 10_000; n < 10_000 + count; n++) {
          const state = order(n) as { seq: number; endedAt: number; state: { kind: string } };
          insert.run(idOf(n), state.seq, state.state.kind, JSON.stringify(state), hashOf(n), state.endedAt, CLIENT);
        }
      })();
    },
  };
}

describe("SMS text", () => {
  test("is gone from every byte on disk half an hour after the activation's end, and not before", async () => {
    const { completed, world, round, onDisk, store, order, isReplayable } = house();
    await completed(1);
    expect(onDisk(CODE)).toBe(true);
    await world.advance(30 * MINUTE);
    await round();
    // Completed long ago, but the number itself would have lived for 20 minutes.
    expect(store.messages(idOf(1)).map(({ text }) => text)).toEqual([TEXT]);
    await world.advance(20 * MINUTE + 1);
    await round();
    expect(store.messages(idOf(1))).toEqual([]);
    expect(onDisk(CODE)).toBe(false);
    expect(onDisk("valid for 5 minutes")).toBe(false);
    expect(order(1).messageIds).toEqual(["m1"]);
    expect(isReplayable(1)).toBe(true);
  });

  test("is never in the events or the state of an order", async () => {
    const { completed, db } = house();
    await completed(1);
    const bodies = JSON.stringify([
      db.query("SELECT body FROM events").all(),
      db.query("SELECT state FROM orders").all(),
    ]);
    expect(bodies).not.toContain(CODE);
  });

  test("that a reader kept in the log goes with the next round", async () => {
    const { completed, world, round, onDisk, dir } = house();
    await completed(1);
    const reader = new Database(join(dir, "orders.sqlite"), { readonly: true });
    reader.run("BEGIN");
    reader.query("SELECT count(*) FROM orders").get();
    await world.advance(HOUR);
    await round();
    expect(onDisk(CODE)).toBe(true);
    reader.run("COMMIT");
    reader.close();
    await round();
    expect(onDisk(CODE)).toBe(false);
  });

  test("lies in pages of its own, which are wiped whole: the pages of a tree keep copies when they are rearranged", async () => {
    const { completed, journal, dir } = house();
    for (let n = 1; n <= 40; n++) await completed(n);
    expect(journal.truncateLog()).toBe(true);
    const file = readFileSync(join(dir, "orders.sqlite"));
    const pages = Array.from({ length: file.length / PAGE }, (_, index) =>
      file.subarray(index * PAGE, (index + 1) * PAGE),
    );
    const holding = pages.filter((page) => page.includes(CODE));
    expect(holding).toHaveLength(40);
    // Pages of a tree begin with their type (SQLite file format, 1.6); overflow pages with the number of the next one.
    expect(holding.filter((page) => [2, 5, 10, 13].includes(page[0] ?? 0))).toEqual([]);
    for (const page of holding) expect(page.toString("latin1").split(CODE).length - 1).toBeLessThanOrEqual(2);
  });

  test.each([7, 11])("leaves no byte behind in a table that came and went for long (%i)", (seed) => {
    const { db, journal, dir } = house();
    let state = seed * 7_919;
    const chance = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const insert = db.prepare("INSERT INTO messages VALUES (?, ?, 1, ?, ?, NULL, NULL, 0)");
    const live = new Map<string, string>();
    const erased: string[] = [];
    let made = 0;
    for (let turn = 0; turn < 60; turn++) {
      db.transaction(() => {
        for (let count = chance() * 60; count > 0; count--) {
          const mark = `<${seed}.${++made}.${Math.floor(chance() * 1e9)}>`;
          const filler = "x".repeat(Math.floor(chance() * (chance() < 0.1 ? 4_000 : 150)));
          const id = Math.floor(chance() * 1e12)
            .toString(16)
            .padStart(32, "0");
          insert.run(id, String(made), "code", `${mark}${filler}${mark}`);
          live.set(id, mark);
        }
      })();
      db.transaction(() => {
        for (const [id, mark] of live) {
          if (chance() >= 0.4) continue;
          db.run("DELETE FROM messages WHERE order_id = ?", [id]);
          live.delete(id);
          erased.push(mark);
        }
      })();
    }
    expect(journal.truncateLog()).toBe(true);
    const bytes = readdirSync(dir).map((file) => readFileSync(join(dir, file)));
    expect(erased.length).toBeGreaterThan(300);
    expect(erased.filter((mark) => bytes.some((file) => file.includes(mark)))).toEqual([]);
    expect([...live.values()].every((mark) => bytes.some((file) => file.includes(mark)))).toBe(true);
  });

  test("goes from disk although another part of the round fails, and a row that nobody can read stops nothing", async () => {
    const at = house();
    await at.completed(1);
    await at.lapsed(2);
    await at.lapsed(3);
    at.db.run("UPDATE orders SET state = json_set(state, '$.v', 99) WHERE id = ?", [idOf(2)]);
    await at.world.advance(DAY + 1);
    await at.round();
    expect(at.onDisk(CODE)).toBe(false);
    expect(at.count("tombstones")).toBe(1);

    await at.completed(4);
    at.db.run("DROP TABLE claims");
    await at.world.advance(HOUR);
    const failed = at.retention.run().catch((error: unknown) => error);
    await at.world.settle();
    expect(await failed).toBeInstanceOf(JournalUnavailable);
    expect(at.onDisk(CODE)).toBe(false);
  });

  test("goes although the state of an order that is over is no JSON any more, and so does what is due of the others", async () => {
    const at = house();
    for (const n of [1, 2, 3]) await at.completed(n);
    at.db.run("UPDATE orders SET state = substr(state, 1, 500) WHERE id = ?", [idOf(2)]);
    await at.world.advance(HOUR);
    await at.round();
    expect(at.onDisk(CODE)).toBe(false);
    await at.world.advance(31 * DAY);
    await at.round();
    expect([1, 2, 3].map((n) => at.column(n, "opened_by"))).toEqual([null, CLIENT, null]);
  });

  test("of an order that is not over stays", async () => {
    const engine = house();
    const { world, round, store } = engine;
    await engine.withNumber(1);
    await engine.tell(1, { type: "Hinted" });
    const message = { id: "m1", code: CODE, text: TEXT, from: null, receivedAt: null };
    await engine.answer("look", { type: "Looked", answer: { kind: "seen", standing: "open", messages: [message] } });
    await world.advance(2 * HOUR);
    await round();
    expect(store.messages(idOf(1))).toHaveLength(1);
  });

  test("of many orders goes in one round", async () => {
    const at = house();
    await at.completed(1);
    const ended = at.order(1);
    at.fill(1_300, (n) => ({ ...ended, id: idOf(n) }));
    at.db.run("INSERT INTO messages SELECT id, 'm1', 1, NULL, 'x', NULL, NULL, 0 FROM orders WHERE id >= ?", [
      idOf(10_000),
    ]);
    expect(at.count("messages")).toBe(1_301);
    await at.world.advance(HOUR);
    await at.round();
    expect(at.count("messages")).toBe(0);
  });
});

describe("unpaid orders", () => {
  test("become tombstones a day after they lapsed, and their rows and events go", async () => {
    const { lapsed, world, round, store, count, supervisor } = house();
    await lapsed(1);
    await world.advance(DAY);
    await round();
    expect(store.order(idOf(1))?.state.kind).toBe("lapsed");
    await world.advance(1);
    await round();
    expect(supervisor.read(idOf(1))).toBeNull();
    expect([count("orders"), count("events"), count("tombstones")]).toEqual([0, 0, 1]);
  });

  test("however many, in one round", async () => {
    const at = house();
    await at.lapsed(1);
    const dead = at.order(1);
    at.fill(1_300, (n) => ({ ...dead, id: idOf(n), terms: { ...dead.terms, paymentHash: hashOf(n) } }));
    await at.world.advance(DAY + 1);
    await at.round();
    expect([at.count("orders"), at.count("tombstones")]).toEqual([0, 1_301]);
  });

  test("with a question under way wait for the answer, and with a preimage that the node denies for a person", async () => {
    const at = house();
    await at.lapsed(1);
    await at.tell(1, { type: "PreimageShown" });
    expect(at.effects.kinds()).toEqual(["askNode"]);
    await at.world.advance(DAY + 1);
    await at.round();
    expect(at.order(1).state.kind).toBe("lapsed");
    await at.answer("askNode", { type: "NodeAnswered", answer: "not_settled" });
    await at.round();
    expect(at.order(1).attention?.reason).toBe("proven_but_unpaid");
  });

  test("leave nothing on disk once their tombstones have gone", async () => {
    const { lapsed, world, round, onDisk, count } = house();
    await lapsed(1);
    await world.advance(DAY + 1);
    await round();
    expect(onDisk("lnbcrt1refund1")).toBe(true);
    await world.advance(30 * DAY + 1);
    await round();
    expect(count("tombstones")).toBe(0);
    for (const trace of ["lnbcrt1refund1", "lnbcrt1invoice1", CLIENT]) expect(onDisk(trace)).toBe(false);
  });
});

describe("a flood of unpaid orders", () => {
  test("leaves so many rows and tombstones and no more: the oldest go before their time", async () => {
    const at = house({ lapsed: 700, tombstones: 1_500 });
    await at.lapsed(1);
    const dead = at.order(1);
    at.fill(2_999, (n) => ({
      ...dead,
      id: idOf(n),
      endedAt: (dead.endedAt ?? 0) + n - 9_999,
      terms: { ...dead.terms, paymentHash: hashOf(n) },
    }));
    await at.round();
    expect([at.count("orders"), at.count("tombstones")]).toEqual([700, 1_500]);
    const kept = at.db.query<{ id: string }, []>("SELECT id FROM orders ORDER BY ended_at LIMIT 1").get();
    expect(kept?.id).toBe(idOf(10_000 + 2_999 - 700));
    expect(at.store.order(idOf(1))).toBeNull();
  });

  test("is tidied every minute", async () => {
    const at = house({ lapsed: 2, tombstones: 3 });
    at.retention.start();
    for (let n = 1; n <= 9; n++) {
      await at.lapsed(n);
      await at.world.advance(SECOND);
    }
    await at.world.advance(MINUTE);
    expect([at.count("orders"), at.count("events"), at.count("tombstones")]).toEqual([2, 4, 3]);
    at.retention.stop();
  });

  test("of all rows keeps those that wait for a person", async () => {
    const at = house({ lapsed: 0, tombstones: 0 });
    for (const n of [1, 2]) await at.lapsed(n);
    await at.tell(1, { type: "PreimageShown" });
    await at.answer("askNode", { type: "NodeAnswered", answer: "not_settled" });
    await at.round();
    expect(at.order(1).attention?.reason).toBe("proven_but_unpaid");
    expect([at.count("orders"), at.count("tombstones")]).toEqual([1, 0]);
  });

  test("leaves no idempotency keys, while those of paid orders stay", async () => {
    const at = house({ lapsed: 0, tombstones: 9 });
    for (const n of [1, 2]) {
      await at.open(n);
      at.db.run("INSERT INTO claims VALUES ('idempotency_key', ?, ?, 'digest', ?)", [
        `key${n}`,
        idOf(n),
        at.world.now(),
      ]);
    }
    await at.pay(1);
    await at.tell(2, { type: "SurelyUnpaid" });
    await at.round();
    expect(at.db.query("SELECT value FROM claims WHERE kind = 'idempotency_key'").all()).toEqual([{ value: "key1" }]);
  });
});

describe("late money for an order that is gone", () => {
  const settlement = (settledAt: number) =>
    ({ paymentHash: hashOf(1), settledAt, receivedMsats: (PRICE_SATS * 1_000) as never }) as const;

  test("brings it back from its tombstone, and the money goes back", async () => {
    const { lapsed, world, round, journal, supervisor, order, isReplayable, effects } = house();
    await lapsed(1);
    const before = order(1);
    await world.advance(DAY + HOUR);
    await round();
    const settling = settle(settlement(world.now()), { world, journal, supervisor });
    await world.settle();
    await settling;
    expect(order(1)).toMatchObject({ terms: { ...before.terms, invoice: "" }, payment: { late: true } });
    // Its refund invoice expired meanwhile: it waits visibly for another one.
    expect(order(1).state).toMatchObject({ kind: "refundStuck", why: "destination_expired" });
    expect(effects.asked).toEqual([]);
    expect(isReplayable(1)).toBe(true);
  });

  test("is taken once, however often it is told", async () => {
    const { lapsed, world, round, journal, supervisor, store, count } = house();
    await lapsed(1);
    await world.advance(DAY + HOUR);
    await round();
    const options = { world, journal, supervisor };
    const now = world.now();
    const settling = Promise.allSettled([settle(settlement(now), options), settle(settlement(now), options)]);
    await world.settle();
    await settling;
    const again = settle(settlement(now), options);
    await world.settle();
    await again;
    expect(count("orders")).toBe(1);
    expect(store.ledger().find(({ account }) => account === "owed")?.amount).toBe(PRICE_SATS * 1_000);
  });

  test("after the tombstone went as well changes nothing", async () => {
    const { lapsed, world, round, journal, supervisor, store, count } = house();
    await lapsed(1);
    await world.advance(DAY + HOUR);
    await round();
    await world.advance(31 * DAY);
    await round();
    const settling = settle(settlement(world.now()), { world, journal, supervisor });
    await world.settle();
    await settling;
    expect([count("orders"), store.ledger()]).toEqual([0, []]);
  });
});

describe("scrubbing", () => {
  test("leaves no phone number, invoice or client trace on disk thirty days after the end, and keeps the books", async () => {
    const { completed, world, round, onDisk, order, isReplayable, store, column, db } = house();
    await completed(1);
    const before = order(1);
    const ledger = store.ledger();
    const traces = [numberOf(1, 0).phoneNumber, "lnbcrt1invoice1", "lnbcrt1refund1", NPUB, CLIENT, "dd".repeat(32)];
    for (const trace of traces) expect(onDisk(trace)).toBe(true);
    await world.advance(30 * DAY);
    await round();
    expect(column(1, "opened_by")).toBe(CLIENT);
    await world.advance(MINUTE);
    await round();
    expect(traces.filter(onDisk)).toEqual([]);
    expect(store.ledger()).toEqual(ledger);
    expect(order(1)).toMatchObject({ id: before.id, seq: before.seq, payment: before.payment });
    expect(order(1).state).toEqual({ kind: "done", as: "completed", number: null });
    expect(isReplayable(1)).toBe(true);
    // Of the policy what is unusual, as every step writes it.
    expect([
      db.query("SELECT state ->> '$.terms.policy' AS policy FROM orders").get(),
      db.query("SELECT body ->> '$.order.terms.policy' AS policy FROM events").get(),
    ]).toEqual([{ policy: "{}" }, { policy: "{}" }]);
    expect(store.idByActivation(numberOf(1, 0).activationId)).toBeNull();
  });

  test("comes early for an order whose end was put back, as docs/privacy.md says", async () => {
    const { round, onDisk, completed, journal, isReplayable, column } = house();
    await completed(1);
    await completed(2);
    const manual = await Bun.file(join(import.meta.dir, "../../docs/privacy.md")).text();
    const [, statements = ""] = /sqlite3 "\$DATA_DIR\/orders\.sqlite" "([^"]+)"/.exec(manual) ?? [];
    journal.db.run(statements.replaceAll("\\$", "$").replace("'ID'", `'${idOf(1)}'`));
    await round();
    expect([numberOf(1, 0), numberOf(2, 0)].map(({ phoneNumber }) => onDisk(phoneNumber))).toEqual([false, true]);
    expect(column(1, "ended_at")).toBe(1);
    expect(isReplayable(1)).toBe(true);
  });

  test("leaves no trace among thousands of rows either", async () => {
    const at = house();
    await at.completed(1);
    const ended = at.order(1);
    const phone = (n: number) => `+1999${n}CANARY`;
    at.fill(1_200, (n) => ({
      ...ended,
      id: idOf(n),
      terms: { ...ended.terms, paymentHash: hashOf(n) },
      state: { ...ended.state, number: { ...numberOf(n, 0), phoneNumber: phone(n) } },
    }));
    at.journal.truncateLog();
    expect(at.onDisk(phone(10_700))).toBe(true);
    await at.world.advance(30 * DAY + MINUTE);
    await at.round();
    expect(at.onDisk("CANARY")).toBe(false);
  });

  test("also takes the number of a lost buy that turned up too late", async () => {
    const at = house();
    await at.completed(1);
    const ended = at.order(1);
    const loose = { attempt: 1, since: 0, found: { ...numberOf(2, 0), phoneNumber: "+1888CANARY" } };
    at.fill(1, (n) => ({ ...ended, id: idOf(n), loose }));
    await at.world.advance(30 * DAY + MINUTE);
    await at.round();
    expect(at.onDisk("+1888CANARY")).toBe(false);
  });

  test("leaves alone what is still owed, and lets nothing owed stand in the way of others", async () => {
    const at = house();
    await at.completed(1);
    const ended = at.order(1);
    at.fill(700, (n) => ({ ...ended, id: idOf(n), owedMsats: 1_000, endedAt: (ended.endedAt ?? 0) - 1 }));
    await at.world.advance(30 * DAY + MINUTE);
    await at.round();
    const left = at.db.query("SELECT count(*) AS n FROM orders WHERE opened_by IS NOT NULL").get();
    expect(left).toEqual({ n: 700 });
    expect(at.column(1, "opened_by")).toBeNull();
  });

  test("goes through all that is due in one round", async () => {
    const at = house();
    await at.completed(1);
    const ended = at.order(1);
    at.fill(1_300, (n) => ({ ...ended, id: idOf(n) }));
    await at.world.advance(30 * DAY + MINUTE);
    await at.round();
    expect(at.db.query("SELECT count(*) AS n FROM orders WHERE opened_by IS NOT NULL").get()).toEqual({ n: 0 });
  });

  test.each([0, 1, 2, 3, 4])("and a step of the same order, %d turns later, never mix", async (turns) => {
    const { completed, world, retention, supervisor, order, isReplayable, round, crashes, onDisk } = house();
    await completed(1);
    await world.advance(30 * DAY + MINUTE);
    const running = retention.run();
    for (let turn = 0; turn < turns; turn++) await world.turn();
    await world.ready();
    const read = supervisor.tell(idOf(1), { type: "CodeRead" });
    await world.settle();
    await running;
    await read;
    expect(order(1).codeReadAt).not.toBeNull();
    expect(isReplayable(1)).toBe(true);
    await round();
    expect(isReplayable(1)).toBe(true);
    expect(onDisk(numberOf(1, 0).phoneNumber)).toBe(false);
    expect(order(1).codeReadAt).not.toBeNull();
    expect(crashes).toEqual([]);
  });
});

test.each([0, 1, 2, 3])(
  "burying an order and late money for it, %d turns later, never lose the money",
  async (turns) => {
    const { lapsed, world, retention, journal, supervisor, order, isReplayable, crashes } = house();
    await lapsed(1);
    await world.advance(DAY + 1);
    // Loaded, as by a reader.
    const loaded = supervisor.tell(idOf(1), { type: "Due" });
    await world.settle();
    await loaded;
    const running = retention.run();
    for (let turn = 0; turn < turns; turn++) await world.turn();
    await world.ready();
    const settlement = { paymentHash: hashOf(1), settledAt: world.now(), receivedMsats: 1_500_000 as never };
    const settling = settle(settlement, { world, journal, supervisor });
    await world.settle();
    await Promise.all([running, settling]);
    expect(order(1).payment?.receivedMsats).toBe(1_500_000 as never);
    expect(isReplayable(1)).toBe(true);
    expect(crashes).toEqual([]);
  },
);

test("what nobody needs any more goes: hints, intents, idempotency keys; a claimed refund hash stays for ever", async () => {
  const { db, world, round } = house();
  const now = world.now();
  db.run("INSERT INTO hints VALUES ('1', ?)", [now]);
  db.run("INSERT INTO intents (key, sent_at, known) VALUES ('k', ?, '[]')", [now]);
  db.run("INSERT INTO claims VALUES ('idempotency_key', 'i', 'o', NULL, ?), ('refund_hash', 'r', 'o', NULL, ?)", [
    now,
    now,
  ]);
  const left = () =>
    ["hints", "intents", "claims"].map(
      (table) => (db.query(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n,
    );
  await round();
  expect(left()).toEqual([1, 1, 2]);
  await world.advance(DAY + 1);
  await round();
  expect(left()).toEqual([0, 1, 2]);
  await world.advance(7 * DAY);
  await round();
  expect(left()).toEqual([0, 1, 1]);
  await world.advance(30 * DAY);
  await round();
  expect(left()).toEqual([0, 0, 1]);
});

describe("rounds", () => {
  test("come every five minutes until stop", async () => {
    const { retention, world, lapsed, count } = house();
    await lapsed(1);
    retention.start();
    await world.advance(DAY + 5 * MINUTE);
    expect(count("tombstones")).toBe(1);
    retention.stop();
    expect(world.armed()).toEqual([]);
  });

  test("that fail are reported, and the next one comes all the same", async () => {
    const { retention, world, lapsed, count, failures, db } = house();
    await lapsed(1);
    db.run("CREATE TRIGGER broken BEFORE INSERT ON tombstones BEGIN SELECT raise(FAIL, 'broken'); END");
    retention.start();
    await world.advance(DAY + 11 * MINUTE);
    expect(failures.length).toBeGreaterThanOrEqual(2);
    expect(count("orders")).toBe(1);
    db.run("DROP TRIGGER broken");
    await world.advance(5 * MINUTE);
    expect(count("orders")).toBe(0);
    retention.stop();
  });
});

test("a database in memory can be kept tidy as well", async () => {
  const world = new ManualWorld();
  const db = new Database(":memory:", { strict: true });
  configure(db);
  migrate(db);
  const { journal, supervisor } = startEngine({ world, db });
  const running = new Retention({ world, journal, supervisor, times: DEFAULT_RETENTION, failed: () => {} }).run();
  await world.settle();
  await running;
});
