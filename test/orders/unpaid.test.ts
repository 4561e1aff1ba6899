import { describe, expect, test } from "bun:test";
import { msats } from "../../actors/order/money.ts";
import { type InvoiceState, NodeUnavailable } from "../../src/lightning/port.ts";
import { type UnpaidOptions, UnpaidSweep } from "../../src/orders/unpaid.ts";
import { hashOf, idOf, MINUTE, PRICE_SATS, SECOND, startEngine } from "../actors/runtime/engine.ts";
import { TRAITS } from "../lightning/traits.ts";

function sweeping(settlesAfterExpiryMs = 0) {
  const engine = startEngine();
  const { world, store, supervisor } = engine;
  const cancelled: string[] = [];
  const failures: string[] = [];
  const answers = new Map<string, InvoiceState["kind"] | "unavailable" | "broken">();
  const node: UnpaidOptions["node"] = {
    traits: { ...TRAITS, settlesAfterExpiryMs },
    async cancelInvoice(paymentHash) {
      cancelled.push(paymentHash);
      const kind = answers.get(paymentHash) ?? "dead";
      if (kind === "unavailable") throw new NodeUnavailable("down");
      if (kind === "broken") throw new Error("a bug");
      if (kind !== "settled") return { kind };
      const receivedMsats = msats(PRICE_SATS * 1_000);
      return { kind, settlement: { paymentHash, settledAt: world.now() - SECOND, receivedMsats } };
    },
  };
  const sweep = new UnpaidSweep({
    world,
    store,
    supervisor,
    node,
    failed: (error) => failures.push((error as Error).name),
  });
  return {
    ...engine,
    sweep,
    cancelled,
    failures,
    say: (n: number, kind: InvoiceState["kind"] | "unavailable" | "broken") => answers.set(hashOf(n), kind),
  };
}

/** The life of an invoice, and the moment that the node has to say so. */
const OVER = 5 * MINUTE + 16 * SECOND;

describe("an expired invoice", () => {
  test("is made unpayable at the node, and only then its order lapses", async () => {
    const { open, sweep, world, order, cancelled } = sweeping();
    await open(1);
    sweep.start();
    await world.advance(5 * MINUTE + 15 * SECOND);
    expect(cancelled).toEqual([]);
    expect(order(1).state.kind).toBe("unpaid");
    await world.advance(SECOND);
    expect(cancelled).toEqual([hashOf(1)]);
    expect(order(1).state.kind).toBe("lapsed");
  });

  test("is not asked about while a node that cannot cancel may still settle it", async () => {
    const { open, sweep, world, order, cancelled } = sweeping(10 * MINUTE);
    await open(1);
    sweep.start();
    await world.advance(15 * MINUTE + 15 * SECOND);
    expect([cancelled, order(1).state.kind]).toEqual([[], "unpaid"]);
    await world.advance(MINUTE);
    expect([cancelled, order(1).state.kind]).toEqual([[hashOf(1)], "lapsed"]);
  });

  test("that the node does not know can never be paid: its order lapses", async () => {
    const { open, sweep, world, order, say } = sweeping();
    await open(1);
    say(1, "missing");
    sweep.start();
    await world.advance(OVER);
    expect(order(1).state.kind).toBe("lapsed");
  });

  test("that was paid in its last second is paid", async () => {
    const { open, sweep, world, order, say, effects } = sweeping();
    await open(1);
    say(1, "settled");
    sweep.start();
    await world.advance(OVER);
    expect(order(1).payment?.receivedMsats).toBe(msats(PRICE_SATS * 1_000));
    expect(effects.kinds()).toEqual(["buy"]);
  });

  test("that may still be paid keeps its order open, and is asked about again", async () => {
    const { open, sweep, world, order, say, cancelled } = sweeping();
    await open(1);
    say(1, "open");
    sweep.start();
    await world.advance(OVER);
    expect(order(1).state.kind).toBe("unpaid");
    await world.advance(5 * MINUTE);
    expect(order(1).state.kind).toBe("unpaid");
    expect(cancelled.length).toBeWithin(4, 8);
    say(1, "dead");
    await world.advance(MINUTE + 5 * SECOND);
    expect(order(1).state.kind).toBe("lapsed");
  });

  test("about which the node cannot be asked keeps its order open: nothing is known", async () => {
    const { open, sweep, world, order, say, failures } = sweeping();
    await open(1);
    say(1, "unavailable");
    sweep.start();
    await world.advance(10 * MINUTE);
    expect(order(1).state.kind).toBe("unpaid");
    expect(failures.every((name) => name === "NodeUnavailable")).toBe(true);
    say(1, "settled");
    await world.advance(MINUTE + 5 * SECOND);
    expect(order(1).payment).not.toBeNull();
  });
});

describe("many expired invoices", () => {
  test("are closed in one sweep", async () => {
    const { open, sweep, world, store, cancelled } = sweeping();
    for (let n = 1; n <= 130; n++) await open(n);
    sweep.start();
    await world.advance(OVER);
    expect(new Set(cancelled).size).toBe(130);
    expect(cancelled).toHaveLength(130);
    expect(store.countByKind()).toEqual({ lapsed: 130 });
  });

  test("that stay open, or whose orders break, do not stand in the way of later ones", async () => {
    const { open, sweep, world, store, say, db } = sweeping();
    for (let n = 1; n <= 130; n++) await open(n);
    for (let n = 1; n <= 60; n++) say(n, "open");
    for (let n = 61; n <= 120; n++) say(n, "broken");
    sweep.start();
    await world.advance(OVER);
    expect(store.countByKind()).toEqual({ unpaid: 120, lapsed: 10 });
    db.run("INSERT INTO quarantine SELECT id, 0, 'test' FROM orders WHERE kind = 'unpaid'");
    await open(200);
    await world.advance(OVER);
    expect(store.order(idOf(200))?.state.kind).toBe("lapsed");
  });

  test("of which one has a row that nobody can read are closed all the same, and that one is set aside", async () => {
    const { open, sweep, world, store, db, supervisor } = sweeping();
    for (let n = 1; n <= 5; n++) await open(n);
    for (let n = 1; n <= 5; n++) supervisor.evict(idOf(n));
    db.run("UPDATE orders SET state = '{}' WHERE id = ?", [idOf(1)]);
    sweep.start();
    await world.advance(OVER);
    expect(store.countByKind()).toEqual({ unpaid: 1, lapsed: 4 });
    await world.advance(10 * MINUTE);
    expect(store.isQuarantined(idOf(1))).toBe(true);
  });

  test("while the node is down are not asked about one after the other", async () => {
    const { open, sweep, world, cancelled, say } = sweeping();
    for (let n = 1; n <= 130; n++) {
      await open(n);
      say(n, "unavailable");
    }
    sweep.start();
    await world.advance(OVER);
    expect(cancelled).toHaveLength(50);
  });

  test("of orders that are set aside are left alone, without haste", async () => {
    const { open, sweep, world, cancelled, db } = sweeping();
    await open(1);
    db.run("INSERT INTO quarantine VALUES (?, 0, 'test')", [idOf(1)]);
    sweep.start();
    await world.advance(10 * MINUTE);
    expect(cancelled).toEqual([]);
  });
});

describe("an order that gives way", () => {
  test("is gone when its invoice is closed, and not when it is being paid: then it needs all that it holds", async () => {
    const { open, sweep, world, order, say } = sweeping();
    await open(1);
    await open(2);
    say(2, "settled");
    const closing = Promise.all([1, 2, 9].map((n) => sweep.closeEarly(idOf(n))));
    await world.settle();
    expect(await closing).toEqual([true, false, true]);
    expect([order(1).state.kind, order(2).state.kind]).toEqual(["lapsed", "buying"]);
    const again = Promise.all([1, 2].map((n) => sweep.closeEarly(idOf(n))));
    await world.settle();
    expect(await again).toEqual([true, false]);
  });
});

describe("the sweep", () => {
  test("goes on after the database could not be read", async () => {
    const { open, sweep, world, order, store, failures } = sweeping();
    await open(1);
    const { nextUnpaidExpiry } = store;
    store.nextUnpaidExpiry = () => {
      throw new Error("disk I/O error");
    };
    sweep.start();
    await world.advance(MINUTE);
    expect(failures.length).toBeGreaterThan(0);
    store.nextUnpaidExpiry = nextUnpaidExpiry;
    await world.advance(OVER + MINUTE);
    expect(order(1).state.kind).toBe("lapsed");
  });

  test("notices orders that are opened later", async () => {
    const { open, sweep, world, order } = sweeping();
    sweep.start();
    await world.advance(3 * MINUTE);
    await open(1);
    await world.advance(OVER + MINUTE);
    expect(order(1).state.kind).toBe("lapsed");
  });

  test("does nothing after stop", async () => {
    const { open, sweep, world, cancelled } = sweeping();
    await open(1);
    sweep.start();
    await world.settle();
    sweep.stop();
    await world.advance(10 * MINUTE);
    expect(cancelled).toEqual([]);
    expect(world.armed()).toEqual([]);
  });
});
