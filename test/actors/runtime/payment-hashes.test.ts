import { expect, test } from "bun:test";
import { HashTaken, Journal, JournalUnavailable } from "../../../actors/runtime/journal.ts";
import { withSharedHash } from "../../../actors/runtime/payment-hashes.ts";
import { type BrittleDatabase, type Engine, hashOf, idOf, opening, startEngine } from "./engine.ts";

/** Orders that the index lacks. */
const unindexed = ({ db }: Engine) =>
  db
    .query<{ id: string }, []>("SELECT id FROM orders WHERE unindexed IS NOT NULL ORDER BY id")
    .all()
    .map(({ id }) => id);

const found = ({ journal }: Pick<Engine, "journal">, ...numbers: number[]) =>
  numbers.map((n) => journal.hashes.idOf(hashOf(n)));

/** A process that finds what the last one left. */
const restarted = ({ db, world }: Engine) => ({ journal: new Journal(db, world) });

test("an order is found by its hash whether it is paid or not, and after a start", async () => {
  const engine = startEngine();
  for (const n of [1, 2, 3]) await engine.open(n);
  expect(unindexed(engine)).toEqual([1, 2, 3].map(idOf));
  await engine.pay(2);
  await engine.tell(3, { type: "SurelyUnpaid" });
  expect(unindexed(engine)).toEqual([idOf(1)]);
  expect(found(engine, 1, 2, 3, 4)).toEqual([idOf(1), idOf(2), idOf(3), null]);
  const next = restarted(engine);
  expect(found(next, 1, 2, 3, 4)).toEqual([idOf(1), idOf(2), idOf(3), null]);
  expect(next.journal.hashes.isTaken(hashOf(1))).toBe(true);
});

test("a step that leaves it unpaid leaves it out of the index", async () => {
  const engine = startEngine();
  await engine.open(1);
  await engine.tell(1, { type: "PreimageShown" });
  expect(unindexed(engine)).toEqual([idOf(1)]);
  expect(found(engine, 1)).toEqual([idOf(1)]);
});

test("a hash that begins like an order's is nobody's, and no second order may have it", async () => {
  const engine = startEngine();
  await engine.open(1);
  const alike = `${hashOf(1).slice(0, 32)}${"b".repeat(32)}`;
  expect(engine.journal.hashes.idOf(alike)).toBeNull();
  expect(engine.journal.hashes.idOf(hashOf(1).toUpperCase())).toBeNull();
  const open = async (hash: string) => {
    const result = engine.journal.commit(opening(2, engine.world.now(), { terms: { paymentHash: hash } }));
    await engine.world.settle();
    return await result;
  };
  for (const hash of [alike, hashOf(1), hashOf(1).toUpperCase()]) {
    expect(await open(hash)).toEqual({ kind: "refused", error: new HashTaken(idOf(2)) });
  }
  await engine.pay(1);
  expect(engine.journal.hashes.idOf(alike)).toBeNull();
  for (const hash of [alike, hashOf(1)]) expect((await open(hash)).kind).toBe("refused");
  expect(engine.count("orders")).toBe(1);
});

test("hex digits are the same in either case, as in the index", async () => {
  const { journal, world } = startEngine();
  const hash = "abcdef".repeat(11).slice(0, 64);
  void journal.commit(opening(1, world.now(), { terms: { paymentHash: hash } }));
  await world.settle();
  expect(journal.hashes.isTaken(hash.toUpperCase())).toBe(true);
});

test("of two orders with one hash in the same commit the second alone is refused", async () => {
  const { journal, world, count } = startEngine();
  const now = world.now();
  const both = [1, 2, 3].map((n) =>
    journal.commit(opening(n, now, n === 2 ? { terms: { paymentHash: hashOf(1) } } : {})),
  );
  await world.settle();
  expect((await Promise.all(both)).map(({ kind }) => kind)).toEqual(["committed", "refused", "committed"]);
  expect(count("orders")).toBe(2);
  expect(found({ journal }, 1, 2, 3)).toEqual([idOf(1), null, idOf(3)]);
});

test("a commit that fails changes nothing: what did not open has no hash, and what was not paid keeps its own", async () => {
  const engine = startEngine();
  const db = engine.db as BrittleDatabase;
  await engine.open(1);
  db.failCommits = true;
  const [opened, paid] = [
    engine.journal.commit(opening(2, engine.world.now())),
    engine.supervisor.tell(idOf(1), engine.settled()),
  ];
  const failures = Promise.allSettled([opened, paid]);
  await engine.world.settle();
  for (const failure of await failures) {
    expect((failure as PromiseRejectedResult).reason).toBeInstanceOf(JournalUnavailable);
  }
  db.failCommits = false;
  expect(found(engine, 1, 2)).toEqual([idOf(1), null]);
  expect(engine.journal.hashes.isTaken(hashOf(2))).toBe(false);
  await engine.open(2);
  // The commit after it, which knows nothing of the payment that failed.
  expect(found(engine, 1, 2)).toEqual([idOf(1), idOf(2)]);
  await engine.pay(1);
  expect(found(engine, 1, 2)).toEqual([idOf(1), idOf(2)]);
  expect(unindexed(engine)).toEqual([idOf(2)]);
});

test("a payment that alone cannot be written leaves its order where it was", async () => {
  const engine = startEngine();
  for (const n of [1, 2]) await engine.open(n);
  let broken = true;
  engine.journal.accompany((_, { id, state }) => {
    if (broken && id === idOf(1) && state.kind !== "unpaid") throw new TypeError("broken");
  });
  const payments = Promise.allSettled([1, 2].map((n) => engine.pay(n)));
  await engine.world.settle();
  expect((await payments).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  expect(unindexed(engine)).toEqual([idOf(1)]);
  expect(found(engine, 1, 2)).toEqual([idOf(1), idOf(2)]);
  broken = false;
  await engine.pay(1);
  expect(found(engine, 1, 2)).toEqual([idOf(1), idOf(2)]);
});

test("an order that comes back from its tombstone is in the index alone", async () => {
  const { journal, world, db } = startEngine();
  const [first] = [opening(1, world.now())];
  const lapsed = { ...first.order, state: { kind: "lapsed" }, endedAt: world.now() } as const;
  void journal.commit({ ...first, order: lapsed });
  await world.settle();
  db.run("DELETE FROM orders");
  expect(found({ journal }, 1)).toEqual([null]);
  expect(journal.hashes.isTaken(hashOf(1))).toBe(false);
});

test("orders that could not enter the index are named", async () => {
  const engine = startEngine();
  for (const n of [1, 2, 3, 4]) await engine.open(n);
  await engine.pay(1);
  expect(withSharedHash(engine.db)).toEqual([]);
  engine.db.run("UPDATE orders SET payment_hash = ? WHERE id = ?", [hashOf(1), idOf(2)]);
  engine.db.run("UPDATE orders SET payment_hash = ? WHERE id = ?", [hashOf(3), idOf(4)]);
  expect(withSharedHash(engine.db)).toEqual([idOf(2), idOf(4)]);
});

test("an unpaid order of an older version is in the index, and is paid like any other", async () => {
  const engine = startEngine();
  await engine.open(1);
  engine.db.run("UPDATE orders SET unindexed = NULL");
  const next = startEngine({ db: engine.db, world: engine.world });
  expect(found(next, 1)).toEqual([idOf(1)]);
  expect(next.journal.hashes.isTaken(hashOf(1))).toBe(true);
  await next.pay(1);
  expect(found(next, 1)).toEqual([idOf(1)]);
});
