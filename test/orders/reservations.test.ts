import { describe, expect, test } from "bun:test";
import { Reservations } from "../../src/orders/reservations.ts";
import {
  destinationOf,
  HOUR,
  idOf,
  MAX_COST,
  MINUTE,
  numberOf,
  opening,
  PRICE_SATS,
  startEngine,
} from "../actors/runtime/engine.ts";
import { START } from "../support/manual-world.ts";

function reserving() {
  const reservations = new Reservations([]);
  const engine = startEngine({ observer: { committed: (order, _, before) => reservations.follow(order, before) } });
  const sums = () => ({ unpaid: reservations.unpaid, microUsd: reservations.microUsd, sats: reservations.sats });
  return { ...engine, reservations, sums };
}

const NOTHING = { unpaid: 0, microUsd: 0, sats: 0 };

describe("what an order may still cost", () => {
  test("is its number and its refund while it is unpaid or being bought", async () => {
    const { open, pay, sums } = reserving();
    await open(1);
    expect(sums()).toEqual({ unpaid: 1, microUsd: MAX_COST, sats: PRICE_SATS });
    await pay(1);
    expect(sums()).toEqual({ unpaid: 0, microUsd: MAX_COST, sats: PRICE_SATS });
  });

  test("is held while a refund is out and its receiver has not taken it", async () => {
    const { withNumber, world, tell, answer, reservations } = reserving();
    await withNumber(1, { destination: destinationOf(1, world.now() + 2 * HOUR) });
    await world.advance(4 * MINUTE);
    await tell(1, { type: "CancelAsked" });
    await answer("look", { type: "Looked", answer: { kind: "seen", standing: "refunded", messages: [] } });
    expect(reservations.heldSats).toBe(0);
    await answer("refund", { type: "RefundAnswered", attempt: 1, answer: { kind: "in_flight" } });
    expect(reservations.heldSats).toBe(PRICE_SATS);
    await answer("findRefund", { type: "RefundSearched", attempt: 1, answer: { kind: "failed", reason: "timeout" } });
    expect(reservations.heldSats).toBe(0);
  });

  test("is known again after a restart, whatever the order is waiting for", async () => {
    const { open, withNumber, world, tell, answer, sums, reservations, order, store } = reserving();
    const seen = new Set<string>();
    const restarted = () => {
      const fresh = new Reservations(store.stakes());
      seen.add(order(1).state.kind);
      return { unpaid: fresh.unpaid, microUsd: fresh.microUsd, sats: fresh.sats, heldSats: fresh.heldSats };
    };
    const same = () => expect(restarted()).toEqual({ ...sums(), heldSats: reservations.heldSats });
    await open(2);
    await withNumber(1);
    same();
    await tell(1, { type: "AddressGiven", address: "alice@wallet.com" });
    await world.advance(4 * MINUTE);
    await tell(1, { type: "CancelAsked" });
    same();
    await answer("look", { type: "Looked", answer: { kind: "seen", standing: "refunded", messages: [] } });
    expect(reservations.sats).toBe(2 * PRICE_SATS);
    same();
    const destination = destinationOf(1, world.now() + 2 * HOUR);
    await answer("resolve", { type: "AddressAnswered", attempt: 1, answer: { kind: "invoice", destination } });
    same();
    await answer("refund", { type: "RefundAnswered", attempt: 1, answer: { kind: "in_flight" } });
    same();
    expect([...seen]).toEqual(["waiting", "closing", "resolving", "refunding", "refundUnknown"]);
  });

  test("is its refund once the number is there, and nothing once the SMS is", async () => {
    const { withNumber, tell, answer, sums } = reserving();
    await withNumber(1);
    expect(sums()).toEqual({ unpaid: 0, microUsd: 0, sats: PRICE_SATS });
    await tell(1, { type: "Hinted" });
    const message = { id: "1", code: "1", text: null, from: null, receivedAt: null };
    await answer("look", { type: "Looked", answer: { kind: "seen", standing: "open", messages: [message] } });
    expect(sums()).toEqual(NOTHING);
  });

  test("is nothing once its invoice lapsed, and its refund again when late money comes", async () => {
    const { open, tell, pay, sums, world } = reserving();
    await open(1, { destination: destinationOf(1, world.now() + 9 * HOUR) });
    await tell(1, { type: "SurelyUnpaid" });
    expect(sums()).toEqual(NOTHING);
    await world.advance(MINUTE);
    await pay(1);
    expect(sums()).toEqual({ unpaid: 0, microUsd: 0, sats: PRICE_SATS });
  });

  test("is never a refund for what is sold without one", async () => {
    const { open, pay, sums } = reserving();
    await open(1, { type: "rent-number" });
    await open(2, { type: "receive-sms-reactivate" });
    expect(sums()).toEqual({ unpaid: 2, microUsd: 2 * MAX_COST, sats: 0 });
    await pay(1);
    expect(sums()).toEqual({ unpaid: 1, microUsd: 2 * MAX_COST, sats: 0 });
  });

  test("stays reserved while a refund waits for a destination, and is free when it was paid", async () => {
    const { withNumber, tell, answer, sums, world, order } = reserving();
    await withNumber(1, { destination: destinationOf(1, world.now() + 9 * HOUR) });
    await world.advance(4 * MINUTE);
    await tell(1, { type: "CancelAsked" });
    await answer("look", { type: "Looked", answer: { kind: "seen", standing: "open", messages: [] } });
    await answer("cancel", { type: "CancelAnswered", answer: { kind: "cancelled" } });
    expect(order(1).state.kind).toBe("refunding");
    expect(sums()).toEqual({ unpaid: 0, microUsd: 0, sats: PRICE_SATS });
    const paid = { kind: "succeeded", preimage: "cc".repeat(32), feeMsats: 0 as never } as const;
    await answer("refund", { type: "RefundAnswered", attempt: 1, answer: paid });
    expect(order(1).state).toMatchObject({ kind: "done", as: "refunded" });
    expect(sums()).toEqual(NOTHING);
  });
});

test("unpaid orders that an earlier process opened count for their client until they are paid or lapse", async () => {
  const { open, pay, tell, order, reservations: earlier, store } = reserving();
  await open(1, { openedBy: "a" });
  await open(2, { openedBy: "a" });
  await open(3, { openedBy: "b" });
  const reservations = new Reservations(store.stakes());
  for (const { id, openedBy } of store.unpaidOwners()) reservations.inherit(id, openedBy);
  expect([reservations.unpaidOf("a"), reservations.unpaidOf("b"), earlier.unpaidOf("a")]).toEqual([2, 1, 0]);
  const follow = async (n: number, step: () => Promise<unknown>) => {
    const before = order(n);
    await step();
    reservations.follow(order(n), before);
  };
  await follow(1, () => pay(1));
  expect(reservations.unpaidOf("a")).toBe(1);
  await follow(2, () => tell(2, { type: "SurelyUnpaid" }));
  expect([reservations.unpaidOf("a"), reservations.unpaidOf("b")]).toEqual([0, 1]);
});

test("the sums of many orders in any order of events are the sums of where they stand", () => {
  const reservations = new Reservations([]);
  const unpaid = (n: number) => opening(n, START).order;
  for (let n = 0; n < 50; n++) {
    reservations.follow(unpaid(n), null);
    // A step that moves no sum.
    reservations.follow({ ...unpaid(n), seq: 2 }, unpaid(n));
  }
  expect(reservations.unpaid).toBe(50);
  for (let n = 0; n < 50; n++) {
    const waiting = { kind: "waiting", number: numberOf(n, START), looking: "idle", due: 1 } as const;
    const received = (PRICE_SATS * 1_000) as never;
    reservations.follow(
      { ...unpaid(n), id: idOf(n), owedMsats: received, state: n % 2 ? waiting : { kind: "lapsed" } },
      unpaid(n),
    );
  }
  expect(reservations.unpaid).toBe(0);
  expect(reservations.microUsd).toBe(0);
  expect(reservations.sats).toBe(25 * PRICE_SATS);
});
