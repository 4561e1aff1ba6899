import { describe, expect, test } from "bun:test";
import { Hints } from "../../src/orders/hints.ts";
import { type BrittleDatabase, idOf, numberOf, startEngine } from "../actors/runtime/engine.ts";

function hinting() {
  const failures: unknown[] = [];
  const engine: ReturnType<typeof startEngine> = startEngine({
    observer: { committed: (order, events) => hints.follow(order, events) },
  });
  const { world, journal, supervisor } = engine;
  const hints = new Hints({ world, journal, supervisor, failed: (error) => failures.push(error) });
  return { ...engine, hints, failures };
}

const activation = (n: number) => numberOf(n, 0).activationId;

describe("news about an activation", () => {
  test("of ours makes its order look", async () => {
    const { withNumber, hints, world, effects, count } = hinting();
    await withNumber(1);
    hints.heard(activation(1));
    await world.settle();
    expect(effects.kinds()).toEqual(["buy", "look"]);
    expect(count("hints")).toBe(0);
  });

  test("that nobody holds yet waits, and makes the order look that buys it", async () => {
    const { withNumber, hints, world, effects, count } = hinting();
    hints.heard(activation(1));
    await world.settle();
    expect(count("hints")).toBe(1);
    await withNumber(1);
    expect(effects.kinds()).toEqual(["buy", "look"]);
  });

  test("that never becomes ours makes nobody look", async () => {
    const { withNumber, hints, world, effects } = hinting();
    hints.heard("123");
    await world.settle();
    await withNumber(1);
    expect(effects.kinds()).toEqual(["buy"]);
  });

  test("told very often is one hint, and makes one look and one more", async () => {
    const { withNumber, hints, world, effects, count, order } = hinting();
    for (let time = 0; time < 50; time++) hints.heard("123");
    await world.settle();
    expect(count("hints")).toBe(1);
    await withNumber(1);
    for (let time = 0; time < 50; time++) hints.heard(activation(1));
    await world.settle();
    expect(effects.kinds()).toEqual(["buy", "look"]);
    expect(order(1).seq).toBeLessThan(10);
  });

  test("about foreign ids is bounded", async () => {
    const { hints, world, count, db } = hinting();
    db.run(
      "WITH RECURSIVE ids (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ids WHERE n < 10000) INSERT INTO hints SELECT 'x' || n, 0 FROM ids",
    );
    hints.heard("123");
    await world.settle();
    expect(count("hints")).toBe(10_000);
  });

  test("never fails, whatever is wrong with the journal or the order", async () => {
    const { withNumber, hints, world, db, supervisor, failures } = hinting();
    await withNumber(1);
    (db as BrittleDatabase).failCommits = true;
    hints.heard(activation(1));
    hints.heard("123");
    await world.settle();
    expect(failures).toHaveLength(2);
    (db as BrittleDatabase).failCommits = false;
    db.run("UPDATE orders SET state = 'nonsense' WHERE id = ?", [idOf(1)]);
    supervisor.evict(idOf(1));
    hints.heard(activation(1));
    await world.settle();
    expect(failures).toHaveLength(3);
  });
});
