import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Order } from "../../../actors/order/state.ts";
import { type CommitResult, Journal, JournalUnavailable, type Transition } from "../../../actors/runtime/journal.ts";
import { keptStakes } from "../../../actors/runtime/store.ts";
import { byNow, ManualWorld } from "../../support/manual-world.ts";
import { BrittleDatabase, idOf, opening } from "./engine.ts";

function memory() {
  const world = new ManualWorld();
  const db = new BrittleDatabase(":memory:", { strict: true });
  const journal = new Journal(db, world);
  const rows = (table: string) => (db.query(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
  return { world, db, journal, rows };
}

function inDirectory<T>(work: (path: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "l402-journal-"));
  return work(join(dir, "orders.sqlite")).finally(() => rmSync(dir, { recursive: true }));
}

/** A step of an order that only adds an event. */
function step(before: Order, changes: Partial<Transition> = {}): Transition {
  const event = { type: "PreimageShown", at: 5 } as const;
  const order = { ...before, seq: before.seq + 1, provenAt: 5 };
  return { before, order, events: [event], postings: [], effects: [], messages: [], claims: [], ...changes };
}

describe("group commit", () => {
  test("everything of one turn shares one transaction", async () => {
    const { world, db, journal, rows } = memory();
    const results = Array.from({ length: 200 }, (_, n) => journal.commit(opening(n, world.now())));
    expect(rows("orders")).toBe(0);
    await world.turn();
    expect(await Promise.all(results)).toEqual(Array.from({ length: 200 }, () => ({ kind: "committed" as const })));
    expect(db.commits).toBe(1);
    expect(rows("orders")).toBe(200);
  });

  test("what comes in the next turn is the next transaction", async () => {
    const { world, db, journal } = memory();
    void journal.commit(opening(1, world.now()));
    await world.turn();
    void journal.commit(opening(2, world.now()));
    await world.turn();
    expect(db.commits).toBe(2);
  });

  test("a very large group is cut, and the world is held until its last part is written", async () => {
    const { world, db, journal, rows } = memory();
    for (let n = 0; n < 1_200; n++) void journal.commit(opening(n, world.now()));
    expect(world.held()).toEqual(["journal"]);
    await world.turn();
    expect(rows("orders")).toBe(512);
    expect(world.held()).toEqual(["journal"]);
    await world.settle();
    expect(rows("orders")).toBe(1_200);
    expect(db.commits).toBe(3);
    expect(world.held()).toEqual([]);
  });

  test("nobody hears of a step before the COMMIT", async () => {
    const { world, db, journal } = memory();
    const answered: string[] = [];
    for (let n = 0; n < 3; n++) {
      void journal
        .commit(opening(n, world.now()))
        .then(({ kind }) => answered.push(`${kind} after ${db.commits} commit`));
    }
    expect(await byNow(world, Promise.resolve(answered.length))).toBe(0);
    await world.turn();
    expect(answered).toEqual(Array.from({ length: 3 }, () => "committed after 1 commit"));
  });

  test("a note is as durable as the steps that it shares the transaction with", async () => {
    const { world, db, journal } = memory();
    void journal.commit(opening(1, world.now()));
    const noted = journal.note((inside) => {
      inside.run("INSERT INTO hints VALUES ('1', 1)");
      return null;
    });
    await world.turn();
    await noted;
    expect(db.commits).toBe(1);
  });
});

describe("a COMMIT that fails", () => {
  test("answers nobody, writes nothing, and does not keep the next group from being written", async () => {
    const { world, db, journal, rows } = memory();
    db.failCommits = true;
    const first = Array.from({ length: 3 }, (_, n) => journal.commit(opening(n, world.now())));
    const noted = journal.note(() => null);
    const outcomes = Promise.allSettled([...first, noted]);
    await world.turn();
    for (const outcome of await outcomes) {
      expect(outcome.status).toBe("rejected");
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(JournalUnavailable);
    }
    expect(rows("orders") + rows("events")).toBe(0);
    expect(db.inTransaction).toBe(false);
    expect(world.held()).toEqual([]);

    db.failCommits = false;
    const again = journal.commit(opening(0, world.now()));
    await world.turn();
    expect(await again).toEqual({ kind: "committed" });
  });

  test("a full disk takes the whole group back, whichever statement met it", async () => {
    const { world, db, journal, rows } = memory();
    const pages = (db.query("PRAGMA page_count").get() as { page_count: number }).page_count;
    db.run(`PRAGMA max_page_count = ${pages + 1}`);
    const big = opening(2, world.now(), { terms: { invoice: "x".repeat(50_000) } });
    const group = Promise.allSettled([journal.commit(opening(1, world.now())), journal.commit(big)]);
    await world.turn();
    expect((await group).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(rows("orders")).toBe(0);

    db.run(`PRAGMA max_page_count = ${pages + 100}`);
    const again = Promise.all([journal.commit(opening(1, world.now())), journal.commit(big)]);
    await world.turn();
    expect((await again).map(({ kind }) => kind)).toEqual(["committed", "committed"]);
  });

  test("the error holds nothing of the orders", async () => {
    const { world, db, journal } = memory();
    db.failCommits = true;
    const lost = journal.commit(opening(1, world.now())).catch((error: Error) => error.message);
    await world.turn();
    expect(await lost).toBe("Journal unavailable: the commit failed");
  });
});

describe("one transition of a group", () => {
  test("that cannot be written is refused alone, and nothing of it stays", async () => {
    const { world, db, journal, rows } = memory();
    const good = opening(1, world.now());
    const twin = { ...opening(2, world.now()), order: { ...opening(2, world.now()).order, terms: good.order.terms } };
    const results = Promise.all([good, twin, opening(3, world.now())].map((one) => journal.commit(one)));
    await world.turn();
    const [first, second, third] = await results;
    expect(first).toEqual({ kind: "committed" });
    expect(second?.kind).toBe("refused");
    expect(third).toEqual({ kind: "committed" });
    expect(db.commits).toBe(1);
    expect(rows("orders")).toBe(2);
    expect(rows("events")).toBe(2);
  });

  test("with a value that no database takes is refused alone as well", async () => {
    const { world, journal } = memory();
    const odd = opening(1, world.now());
    // As from a mistake in the rules: JSON cannot hold it.
    const [event] = odd.events;
    const results = Promise.all([
      journal.commit({ ...odd, events: [{ ...event, at: 1n }] as unknown as typeof odd.events }),
      journal.commit(opening(2, world.now())),
    ]);
    await world.turn();
    expect((await results).map(({ kind }) => kind)).toEqual(["refused", "committed"]);
  });

  test("that was decided from another state than the row's is refused", async () => {
    const { world, journal } = memory();
    const opened = opening(1, world.now());
    void journal.commit(opened);
    await world.turn();
    const results = Promise.all([journal.commit(step(opened.order)), journal.commit(step(opened.order))]);
    await world.turn();
    const [first, second] = await results;
    expect(first).toEqual({ kind: "committed" });
    expect((second as CommitResult & { kind: "refused" }).error.name).toBe("OutOfStep");
    expect(journal.store.events(idOf(1))).toHaveLength(2);
  });

  test("that loses a claim inside the group leaves no trace but the winner's", async () => {
    const { world, journal, rows } = memory();
    const claims = [
      { kind: "refund_hash", value: "mine" },
      { kind: "refund_hash", value: "shared" },
    ] as const;
    const other = [
      { kind: "refund_hash", value: "other" },
      { kind: "refund_hash", value: "shared" },
    ] as const;
    const results = Promise.all([
      journal.commit({ ...opening(1, world.now()), claims }),
      journal.commit({ ...opening(2, world.now()), claims: other }),
      journal.commit(opening(3, world.now())),
    ]);
    await world.turn();
    expect(await results).toEqual([
      { kind: "committed" },
      { kind: "claim_lost", claim: { kind: "refund_hash", value: "shared" } },
      { kind: "committed" },
    ]);
    expect(rows("orders")).toBe(2);
    expect(journal.store.claimOwner("refund_hash", "shared")?.orderId).toBe(idOf(1));
    expect(journal.store.claimOwner("refund_hash", "other")).toBeNull();
  });

  test("may claim again what its own order holds", async () => {
    const { world, journal } = memory();
    const claims = [{ kind: "refund_hash", value: "mine" }] as const;
    const opened = opening(1, world.now());
    void journal.commit({ ...opened, claims });
    await world.turn();
    const again = journal.commit(step(opened.order, { claims }));
    await world.turn();
    expect(await again).toEqual({ kind: "committed" });
  });

  test("a claim of a transition that was refused is free for the next one of the same group", async () => {
    const { world, journal } = memory();
    const claims = [{ kind: "refund_hash", value: "wanted" }] as const;
    const opened = opening(1, world.now());
    const missing = step({ ...opening(9, world.now()).order }, { claims });
    const results = Promise.all([journal.commit(missing), journal.commit({ ...opened, claims })]);
    await world.turn();
    expect((await results).map(({ kind }) => kind)).toEqual(["refused", "committed"]);
    expect(journal.store.claimOwner("refund_hash", "wanted")?.orderId).toBe(idOf(1));
  });
});

test("a note that fails rejects with its own error and undoes only itself", async () => {
  const { world, journal, rows } = memory();
  const noted = journal
    .note((db) => {
      db.run("INSERT INTO hints VALUES ('1', 1)");
      db.run("INSERT INTO hints VALUES ('1', 2)");
      return null;
    })
    .catch((error: Error) => error.message);
  const committed = journal.commit(opening(1, world.now()));
  await world.turn();
  expect(await noted).toContain("UNIQUE");
  expect((await committed).kind).toBe("committed");
  expect(rows("hints")).toBe(0);
});

test("what shares a group with a step that is refused is written once, its notes and its sums as well", async () => {
  const { world, db, journal, rows } = memory();
  const noted = journal.note((to) => {
    to.run("INSERT INTO hints VALUES ('1', 1)");
    return null;
  });
  const good = opening(1, world.now());
  const twin = { ...opening(2, world.now()), order: { ...opening(2, world.now()).order, terms: good.order.terms } };
  const results = Promise.all([good, twin, opening(3, world.now())].map((one) => journal.commit(one)));
  await world.turn();
  await noted;
  expect((await results).map(({ kind }) => kind)).toEqual(["committed", "refused", "committed"]);
  expect([rows("hints"), rows("orders"), rows("events")]).toEqual([1, 2, 2]);
  expect(keptStakes(db)).toMatchObject([{ kind: "unpaid", orders: 2 }]);
  expect(db.commits).toBe(1);
});

test("what belongs to a step is written with it: finished effect, effects, postings", async () => {
  const { world, journal, rows } = memory();
  const opened = opening(1, world.now());
  const look = { kind: "look", key: "k1", activationId: "1", boughtAt: 1 } as const;
  void journal.commit({ ...opened, effects: [look] });
  await world.turn();
  expect(journal.store.unfinishedEffects()).toEqual([{ orderId: idOf(1), effect: look }]);
  const posting = { account: "owed", unit: "msat", amount: 5 } as const;
  void journal.commit(step(opened.order, { finished: "k1", postings: [posting] }));
  await world.turn();
  expect(rows("effects")).toBe(0);
  expect(journal.store.ledger()).toEqual([posting]);
});

test("the number an order gave back stays its own: no other buy may take it for unexplained", async () => {
  const { world, journal } = memory();
  const opened = opening(1, world.now());
  void journal.commit(opened);
  await world.turn();
  const number = { activationId: "77", phoneNumber: "+1", cost: 0 as never, boughtAt: 1, endsAt: 2 };
  const held = step(opened.order);
  const waiting = { ...held.order, state: { kind: "waiting", number, looking: "idle", due: 9 } } as const;
  void journal.commit({ ...held, order: waiting });
  await world.turn();
  const gone = step(waiting);
  const refunding = { ...gone.order, state: { kind: "refunding", step: "paying", attempt: 1, due: 9 } } as const;
  void journal.commit({ ...gone, order: refunding });
  await world.turn();
  expect(journal.store.idByActivation("77")).toBe(idOf(1));
});

test("a number that turned up after its order was served otherwise is that order's as well", async () => {
  const { world, journal } = memory();
  const opened = opening(1, world.now());
  void journal.commit(opened);
  await world.turn();
  const found = { activationId: "78", phoneNumber: "+1", cost: 0 as never, boughtAt: 1, endsAt: 2 };
  const late = step(opened.order);
  void journal.commit({ ...late, order: { ...late.order, loose: { attempt: 1, since: 1, found } } });
  await world.turn();
  expect(journal.store.idByActivation("78")).toBe(idOf(1));
});

test("waits for another process that has the database alone for a moment, as the last one does that closes it", async () => {
  await inDirectory(async (path) => {
    const script = `const { Database } = require("bun:sqlite");
      // Kept, or a collection would close it.
      globalThis.held = new Database(process.argv[1], { create: true });
      held.run("BEGIN EXCLUSIVE");
      console.log("alone");
      setTimeout(() => process.exit(), 500);`;
    const other = Bun.spawn([process.execPath, "-e", script, path], { stdout: "pipe" });
    const { value } = await other.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("alone\n");
    const impatient = new Database(path);
    expect(() => impatient.query("PRAGMA user_version").get()).toThrow("locked");
    impatient.close();
    const journal = Journal.open(path, new ManualWorld());
    expect(journal.writable()).toBe(true);
    journal.close();
    await other.exited;
  });
});

describe("close", () => {
  test("writes what waits, however much that is", async () => {
    await inDirectory(async (path) => {
      const world = new ManualWorld();
      const journal = Journal.open(path, world);
      const all = Promise.all(Array.from({ length: 600 }, (_, n) => journal.commit(opening(n, world.now()))));
      journal.close();
      expect((await all).filter(({ kind }) => kind === "committed")).toHaveLength(600);
      const reader = new Database(path, { readonly: true });
      expect(reader.query("SELECT count(*) AS n FROM orders").get()).toEqual({ n: 600 });
      reader.close();
    });
  });

  test("afterwards nothing is acknowledged any more", async () => {
    await inDirectory(async (path) => {
      const world = new ManualWorld();
      const journal = Journal.open(path, world);
      journal.close();
      const late = journal.commit(opening(1, world.now())).catch((error: Error) => error.name);
      await world.settle();
      expect(await late).toBe("JournalUnavailable");
      expect(await journal.note(() => null).catch((error: Error) => error.name)).toBe("JournalUnavailable");
      const reader = new Database(path, { readonly: true });
      expect(reader.query("SELECT count(*) AS n FROM orders").get()).toEqual({ n: 0 });
      reader.close();
    });
  });
});

describe("truncateLog", () => {
  test("empties the log, after reads and writes", async () => {
    await inDirectory(async (path) => {
      const world = new ManualWorld();
      const journal = Journal.open(path, world);
      void journal.commit(opening(1, world.now()));
      await world.turn();
      journal.store.order(idOf(1));
      journal.store.due(world.now(), 5);
      expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
      expect(journal.truncateLog()).toBe(true);
      expect(statSync(`${path}-wal`).size).toBe(0);
      expect(readFileSync(path).includes("lnbcrt1invoice1")).toBe(true);
      journal.close();
    });
  });

  test("does not wait for a reader, says so, and succeeds once that is gone", async () => {
    await inDirectory(async (path) => {
      const world = new ManualWorld();
      const journal = Journal.open(path, world);
      void journal.commit(opening(1, world.now()));
      await world.turn();
      const reader = new Database(path, { readonly: true });
      reader.run("BEGIN");
      reader.query("SELECT count(*) FROM orders").get();
      void journal.commit(opening(2, world.now()));
      await world.turn();
      const begun = performance.now();
      expect(journal.truncateLog()).toBe(false);
      expect(performance.now() - begun).toBeLessThan(1_000);
      expect(journal.db.query("PRAGMA busy_timeout").get()).toEqual({ timeout: 5_000 });
      reader.run("COMMIT");
      reader.close();
      expect(journal.truncateLog()).toBe(true);
      expect(!existsSync(`${path}-wal`) || statSync(`${path}-wal`).size === 0).toBe(true);
      journal.close();
    });
  });
});

test("writable tells whether a write would be durable right now", async () => {
  const { db, journal } = memory();
  expect(journal.writable()).toBe(true);
  db.run("PRAGMA query_only = ON");
  expect(journal.writable()).toBe(false);
});
