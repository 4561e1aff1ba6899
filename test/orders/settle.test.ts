import { describe, expect, test } from "bun:test";
import { msats } from "../../actors/order/money.ts";
import { JournalUnavailable } from "../../actors/runtime/journal.ts";
import { SETTLEMENT_CURSOR, settle } from "../../src/orders/settle.ts";
import { type BrittleDatabase, hashOf, idOf, PRICE_SATS, startEngine } from "../actors/runtime/engine.ts";
import { failureOf } from "../support/manual-world.ts";

function settling() {
  const engine = startEngine();
  const { world, journal, supervisor } = engine;
  return {
    ...engine,
    db: engine.db as BrittleDatabase,
    cursor: () => engine.store.cursor(SETTLEMENT_CURSOR),
    async settle(n: number, position: string | null): Promise<void> {
      const settlement = { paymentHash: hashOf(n), settledAt: world.now(), receivedMsats: msats(PRICE_SATS * 1_000) };
      const settled = settle(settlement, position, { world, journal, supervisor });
      settled.catch(() => {});
      await world.settle();
      return settled;
    },
  };
}

describe("a settlement", () => {
  test("moves its order and the cursor in one commit", async () => {
    const { open, settle: take, order, cursor, db, effects } = settling();
    await open(1);
    const before = db.commits;
    await take(1, "7");
    expect(db.commits).toBe(before + 1);
    expect(order(1).state.kind).toBe("buying");
    expect(cursor()).toBe("7");
    expect(effects.kinds()).toEqual(["buy"]);
  });

  test("from a list, without a position, leaves the cursor alone", async () => {
    const { open, settle: take, order, cursor } = settling();
    await open(1);
    await take(1, null);
    expect(order(1).state.kind).toBe("buying");
    expect(cursor()).toBeNull();
  });

  test("told again changes nothing but the cursor", async () => {
    const { open, settle: take, order, cursor, effects, store } = settling();
    await open(1);
    await take(1, "7");
    const after = order(1);
    await take(1, null);
    await take(1, "8");
    expect(order(1)).toEqual(after);
    expect(cursor()).toBe("8");
    expect(effects.kinds()).toEqual(["buy"]);
    expect(store.ledger().find(({ account }) => account === "owed")?.amount).toBe(PRICE_SATS * 1_000);
  });

  test("of somebody else's invoice only moves the cursor", async () => {
    const { settle: take, cursor, count } = settling();
    await take(99, "7");
    expect([cursor(), count("orders")]).toEqual(["7", 0]);
    await take(98, null);
    expect(cursor()).toBe("7");
  });

  test("that cannot be stored is not taken: it comes again, and the cursor stays", async () => {
    const { open, settle: take, order, cursor, db } = settling();
    await open(1);
    db.failCommits = true;
    expect(await failureOf(take(1, "7"))).toBeInstanceOf(JournalUnavailable);
    expect(await failureOf(take(99, "7"))).toBeInstanceOf(JournalUnavailable);
    expect(cursor()).toBeNull();
    db.failCommits = false;
    await take(1, "7");
    expect([order(1).state.kind, cursor()]).toEqual(["buying", "7"]);
  });

  test("of an order that is set aside does not hold up those of all others", async () => {
    const { open, settle: take, order, cursor, db, crashes } = settling();
    await open(1);
    await open(2);
    db.run("UPDATE orders SET seq = seq + 10 WHERE id = ?", [idOf(1)]);
    for (let crash = 0; crash < 4; crash++) expect(await failureOf(take(1, "7"))).toBeInstanceOf(Error);
    expect(crashes.at(-1)?.quarantined).toBe(true);
    expect(cursor()).toBeNull();
    await take(1, "7");
    await take(2, "8");
    expect([order(1).state.kind, order(2).state.kind, cursor()]).toEqual(["unpaid", "buying", "8"]);
  });
});
