import { describe, expect, test } from "bun:test";
import { msats } from "../../actors/order/money.ts";
import { JournalUnavailable } from "../../actors/runtime/journal.ts";
import { orderText } from "../../actors/runtime/texts.ts";
import { SETTLEMENT_CURSOR, saveCursor, settle } from "../../src/orders/settle.ts";
import { type BrittleDatabase, hashOf, idOf, PRICE_SATS, startEngine } from "../actors/runtime/engine.ts";
import { failureOf } from "../support/manual-world.ts";

function settling() {
  const engine = startEngine();
  const { world, journal, supervisor } = engine;
  const done = async (work: Promise<void>): Promise<void> => {
    work.catch(() => {});
    await world.settle();
    return work;
  };
  return {
    ...engine,
    db: engine.db as BrittleDatabase,
    cursor: () => engine.store.cursor(SETTLEMENT_CURSOR),
    saveCursor: (position: string) => done(saveCursor(journal, position)),
    settle(n: number): Promise<void> {
      const settlement = { paymentHash: hashOf(n), settledAt: world.now(), receivedMsats: msats(PRICE_SATS * 1_000) };
      return done(settle(settlement, { world, journal, supervisor }));
    },
  };
}

describe("a settlement", () => {
  test("moves its order in one commit", async () => {
    const { open, settle: take, order, db, effects } = settling();
    await open(1);
    const before = db.commits;
    await take(1);
    expect(db.commits).toBe(before + 1);
    expect(order(1).state.kind).toBe("buying");
    expect(effects.kinds()).toEqual(["buy"]);
  });

  test("told again changes nothing", async () => {
    const { open, settle: take, order, effects, store } = settling();
    await open(1);
    await take(1);
    const after = order(1);
    await take(1);
    expect(order(1)).toEqual(after);
    expect(effects.kinds()).toEqual(["buy"]);
    expect(store.ledger().find(({ account }) => account === "owed")?.amount).toBe(PRICE_SATS * 1_000);
  });

  test("of somebody else's invoice changes nothing", async () => {
    const { settle: take, count, db } = settling();
    const before = db.commits;
    await take(99);
    expect([count("orders"), db.commits]).toEqual([0, before]);
  });

  test("that cannot be stored is not taken, and comes again", async () => {
    const { open, settle: take, order, db } = settling();
    await open(1);
    db.failCommits = true;
    expect(await failureOf(take(1))).toBeInstanceOf(JournalUnavailable);
    db.failCommits = false;
    await take(1);
    expect(order(1).state.kind).toBe("buying");
  });

  test("of an order that is set aside does not hold up those of all others", async () => {
    const { open, settle: take, order, db, crashes } = settling();
    await open(1);
    db.run("UPDATE orders SET seq = seq + 10, state = ? WHERE id = ?", [orderText(order(1)), idOf(1)]);
    for (let crash = 0; crash < 4; crash++) expect(await failureOf(take(1))).toBeInstanceOf(Error);
    expect(crashes.at(-1)?.quarantined).toBe(true);
    await take(1);
    expect(order(1).state.kind).toBe("unpaid");
  });
});

test("the cursor is kept durably, or it is said that it is not", async () => {
  const { saveCursor: save, cursor, db } = settling();
  await save("7");
  db.failCommits = true;
  expect(await failureOf(save("8"))).toBeInstanceOf(JournalUnavailable);
  db.failCommits = false;
  expect(cursor()).toBe("7");
});
