import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import type { OrderId } from "../../../actors/order/terms.ts";
import { Deadlines } from "../../../actors/runtime/deadlines.ts";
import { configure, migrate } from "../../../actors/runtime/schema.ts";
import { Store } from "../../../actors/runtime/store.ts";
import { ManualWorld } from "../../support/manual-world.ts";
import { DAY, destinationOf, HOUR, idOf, MINUTE, SECOND, startEngine } from "./engine.ts";

/** Deadlines over rows that have nothing but an id and a due time. */
function deadlines(): {
  readonly world: ManualWorld;
  readonly store: Store;
  readonly start: number;
  readonly fired: { readonly id: OrderId; readonly at: number }[];
  /** What an order does when it is fired. */
  onFire: (id: OrderId) => Promise<unknown>;
  set(id: OrderId, due: number | null): void;
  readonly deadlines: Deadlines;
} {
  const world = new ManualWorld();
  const db = new Database(":memory:", { strict: true });
  configure(db);
  migrate(db);
  const store = new Store(db);
  const fired: { id: OrderId; at: number }[] = [];
  const start = world.now();
  const self: ReturnType<typeof deadlines> = {
    world,
    store,
    start,
    fired,
    onFire: (id) => {
      self.set(id, null);
      return Promise.resolve();
    },
    set(id, due) {
      db.run(
        `INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at, due) VALUES (?, 1, 'waiting', '{}', hex(randomblob(32)), 0, 0, ?)
         ON CONFLICT (id) DO UPDATE SET due = excluded.due`,
        [id, due],
      );
    },
    deadlines: new Deadlines({
      world,
      store,
      fire: (id) => {
        fired.push({ id, at: world.now() - start });
        return self.onFire(id);
      },
    }),
  };
  return self;
}

describe("deadlines", () => {
  test("that passed while the process was down fire at once, earliest first", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start - HOUR);
    at.set(idOf(2), at.start - DAY);
    at.set(idOf(3), at.start + HOUR);
    at.deadlines.start();
    await at.world.advance(0);
    expect(at.fired).toEqual([
      { id: idOf(2), at: 0 },
      { id: idOf(1), at: 0 },
    ]);
    expect(at.world.held()).toEqual([]);
  });

  test("fire when they are due and not before", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start + 90 * SECOND);
    at.deadlines.start();
    await at.world.advance(90 * SECOND - 1);
    expect(at.fired).toEqual([]);
    await at.world.advance(1);
    expect(at.fired).toEqual([{ id: idOf(1), at: 90 * SECOND }]);
  });

  test("that move earlier fire earlier; those that move later, later", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start + 50 * SECOND);
    at.deadlines.start();
    at.set(idOf(1), at.start + 10 * SECOND);
    at.deadlines.moved(at.start + 10 * SECOND);
    at.set(idOf(2), at.start + 5 * SECOND);
    at.deadlines.moved(at.start + 5 * SECOND);
    at.set(idOf(2), at.start + 40 * SECOND);
    at.deadlines.moved(at.start + 40 * SECOND);
    await at.world.advance(MINUTE);
    expect(at.fired).toEqual([
      { id: idOf(1), at: 10 * SECOND },
      { id: idOf(2), at: 40 * SECOND },
    ]);
  });

  test("that an order sets while others fire are not forgotten", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start + SECOND);
    at.onFire = (id) => {
      const due = at.fired.length < 3 ? at.world.now() + 2 * SECOND : null;
      at.set(id, due);
      at.deadlines.moved(due);
      return Promise.resolve();
    };
    at.deadlines.start();
    await at.world.advance(MINUTE);
    expect(at.fired.map((one) => one.at)).toEqual([SECOND, 3 * SECOND, 5 * SECOND]);
  });

  test("in large numbers fire in slices, each once", async () => {
    const at = deadlines();
    for (let n = 0; n < 250; n++) at.set(idOf(n), at.start - 1_000 + n);
    let open = 0;
    let most = 0;
    at.onFire = async (id) => {
      most = Math.max(most, ++open);
      await new Promise<void>((resolve) => at.world.soon(resolve));
      at.set(id, null);
      open--;
    };
    at.deadlines.start();
    await at.world.advance(0);
    expect(most).toBe(100);
    expect(new Set(at.fired.map(({ id }) => id)).size).toBe(250);
    expect(at.fired).toHaveLength(250);
  });

  test("that fail are tried again after a second, and do not spin", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start);
    at.set(idOf(2), at.start);
    at.onFire = (id) => {
      if (id === idOf(1)) return Promise.reject(new Error("mailbox full"));
      at.set(id, null);
      return Promise.resolve();
    };
    at.deadlines.start();
    await at.world.advance(10 * SECOND);
    const of = (n: number) => at.fired.filter(({ id }) => id === idOf(n)).map((one) => one.at);
    expect(of(2)).toEqual([0]);
    expect(of(1)).toEqual(Array.from({ length: 11 }, (_, n) => n * SECOND));
  });

  test("of an order that takes note and stays due do not stop the world", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start);
    at.onFire = () => Promise.resolve();
    at.deadlines.start();
    await at.world.advance(10 * SECOND);
    expect(at.fired.length).toBeGreaterThan(5);
    expect(at.fired.length).toBeLessThan(30);
  });

  test("survive a journal that cannot be read for a moment", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start + SECOND);
    at.deadlines.start();
    const { due } = at.store;
    at.store.due = () => {
      throw new Error("disk I/O error");
    };
    await at.world.advance(5 * SECOND);
    expect(at.fired).toEqual([]);
    expect(at.world.held()).toEqual([]);
    at.store.due = due;
    await at.world.advance(SECOND);
    expect(at.fired).toHaveLength(1);
  });

  test("far away never arm a timer further than a minute ahead", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start + 60 * DAY);
    at.deadlines.start();
    for (let minute = 0; minute < 5; minute++) {
      expect(at.world.armed()).toHaveLength(1);
      expect(at.world.armed()[0]).toBeLessThanOrEqual(at.world.now() + MINUTE);
      await at.world.advance(MINUTE);
    }
    expect(at.fired).toEqual([]);
    at.world.step(60 * DAY);
    await at.world.advance(0);
    expect(at.fired).toHaveLength(1);
  });

  test("are noticed within a minute when the wall clock steps forward", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start + 5 * HOUR);
    at.deadlines.start();
    at.world.step(6 * HOUR);
    await at.world.advance(MINUTE);
    expect(at.fired).toHaveLength(1);
  });

  test("do not fire early when a timer does", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start + 10 * SECOND);
    at.deadlines.start();
    // The wall clock was set back: the timer comes by elapsed time, before the hour.
    at.world.step(-HOUR);
    at.deadlines.moved(at.world.now());
    await at.world.advance(10 * SECOND);
    expect(at.fired).toEqual([]);
    await at.world.advance(HOUR);
    expect(at.fired).toHaveLength(1);
  });

  test("fire no more after stop, and again after start", async () => {
    const at = deadlines();
    at.set(idOf(1), at.start + SECOND);
    at.deadlines.start();
    at.deadlines.stop();
    at.deadlines.moved(at.start);
    await at.world.advance(MINUTE);
    expect(at.fired).toEqual([]);
    expect(at.world.armed()).toEqual([]);
    at.deadlines.start();
    await at.world.advance(0);
    expect(at.fired).toHaveLength(1);
  });
});

describe("in the engine", () => {
  test("every step that moves a deadline wakes its order in time", async () => {
    const { world, supervisor, ...engine } = startEngine({ maxResidents: 1 });
    await supervisor.start();
    await engine.withNumber(1);
    await engine.withNumber(2);
    const due = engine.column<number>(1, "due");
    expect(due).toBe(world.now() + 20 * MINUTE);
    await world.advance(20 * MINUTE - 1);
    expect(engine.order(1).state.kind).toBe("waiting");
    await world.advance(1);
    expect([engine.order(1).state.kind, engine.order(2).state.kind]).toEqual(["closing", "closing"]);
    expect([1, 2].every(engine.isReplayable)).toBe(true);
  });

  /** The refund of one order pauses between two tries, another waits for its SMS; both by a clock that is a day ahead. */
  async function pausing() {
    const engine = startEngine();
    const { world, answer } = engine;
    await engine.supervisor.start();
    await engine.withNumber(1, { destination: destinationOf(1, world.now() + 2 * DAY) });
    await world.advance(4 * MINUTE);
    await engine.tell(1, { type: "CancelAsked" });
    await answer("look", { type: "Looked", answer: { kind: "seen", standing: "refunded", messages: [] } });
    await engine.withNumber(2);
    await answer("refund", { type: "RefundAnswered", attempt: 1, answer: { kind: "failed", reason: "no_route" } });
    expect(engine.order(1).state).toMatchObject({ kind: "refunding", step: "pausing" });
    return engine;
  }

  test("a refund is tried again within a minute although the clock was set back by a day", async () => {
    const { world, ...engine } = await pausing();
    world.step(-DAY);
    // The real world's timers count by the time that passes; here another order arms one.
    await engine.withNumber(3);
    await world.advance(MINUTE);
    expect(engine.order(1).state).toMatchObject({ kind: "refunding", step: "paying", attempt: 2 });
    expect(engine.order(2).state.kind).toBe("waiting");
    expect(engine.effects.kinds().filter((kind) => kind === "refund")).toHaveLength(2);
    expect(engine.isReplayable(1)).toBe(true);
  });

  test("and so it is by a process that starts after the clock was set back", async () => {
    const first = await pausing();
    first.world.step(-DAY);
    const second = startEngine({ world: first.world, db: first.db });
    await second.supervisor.start();
    await second.world.advance(MINUTE);
    expect(second.order(1).state).toMatchObject({ kind: "refunding", step: "paying", attempt: 2 });
    expect(second.effects.kinds()).toEqual(["refund"]);
  });

  test("a deadline that passed while the process was down fires at the next start", async () => {
    const first = startEngine();
    await first.withNumber(1);
    first.world.step(DAY);
    const second = startEngine({ world: first.world, db: first.db });
    await second.supervisor.start();
    await second.world.advance(0);
    expect(second.order(1).state.kind).toBe("closing");
    expect(second.effects.kinds()).toEqual(["look"]);
  });

  test("an order that is set aside no longer fires", async () => {
    const { world, supervisor, ...engine } = startEngine();
    await supervisor.start();
    await engine.withNumber(1);
    engine.db.run("UPDATE orders SET seq = seq + 10 WHERE id = ?", [idOf(1)]);
    await world.advance(20 * MINUTE + 10 * SECOND);
    expect(engine.crashes).toHaveLength(4);
    expect(engine.store.quarantined()).toHaveLength(1);
    await world.advance(HOUR);
    expect(engine.crashes).toHaveLength(4);
  });
});
