/** What a doctor found out at node and provider is told to an order, in every kind it can be in. */
import { describe, expect, test } from "bun:test";
import { COMMAND_TYPES, type Finding } from "../../../actors/order/commands.ts";
import { decide, LIFECYCLE } from "../../../actors/order/decide.ts";
import { msats, sats } from "../../../actors/order/money.ts";
import { findings, proof, reconcile } from "./findings.ts";
import { Life } from "./life.ts";
import { DAY, destination, HOUR, heldNumber, MINUTE, PRICE, RECEIVED, seen, sms } from "./orders.ts";

const rental = () => Life.open({ type: "rent-number" });
const failedRental = () => {
  const life = Life.open({ type: "rent-number", destination: null });
  life.settle();
  life.buyRefused("never");
  return life;
};
const stuck = () => Life.open({ destination: null }).toRefunding();
const unknown = () => {
  const life = Life.open().toRefunding();
  life.refundLost();
  return life;
};
const buying = () => {
  const life = Life.open();
  life.settle();
  return life;
};
const buyUnknown = () => {
  const life = buying();
  life.buyLost();
  return life;
};
const finishing = () => {
  const life = Life.open().toDelivered();
  life.tell({ type: "FinishAsked" });
  return life;
};
const renting = () => {
  const life = rental();
  life.settle();
  life.bought();
  return life;
};

const number = (life: Life): Finding => ({ kind: "number", number: heldNumber(life.now - MINUTE, life.type) });

describe("a refund that the node paid", () => {
  test.each([
    ["buying", buying],
    ["buyUnknown", buyUnknown],
    ["waiting", () => Life.open().toWaiting()],
    ["closing", () => Life.open().toClosing()],
    ["refunding", () => Life.open().toRefunding()],
    ["refundUnknown", unknown],
    ["refundStuck", stuck],
    ["done failed", failedRental],
  ])("ends an order in %s as refunded, with the proof and the fee, once", (_, make) => {
    const life = make();
    reconcile(life, proof());
    expect(life.order.state).toEqual({ kind: "done", as: "refunded", number: null });
    expect(life.order.refund).toMatchObject({ amountSats: PRICE, paymentHash: "77".repeat(32), feeMsats: 1_000 });
    expect(life.order.owedMsats).toBe(msats(0));
    const before = life.events.length;
    reconcile(life, proof());
    expect(life.events).toHaveLength(before);
    expect(life.pending.size).toBe(0);
  });

  test("claims its hash for this order unless it is claimed already", () => {
    const life = Life.open().toRefunding();
    const claims = (finding: Finding) => decide(life.order, { type: "Reconciled", finding }, life.now).claims;
    expect(claims(proof())).toEqual([{ kind: "refund_hash", value: "77".repeat(32) }]);
    expect(claims(proof({ paymentHash: destination().paymentHash }))).toEqual([]);
  });

  test.each([
    ["delivered", () => Life.open().toDelivered()],
    ["finishing", finishing],
    ["renting", renting],
  ])("contradicts an order in %s: a person is told, the order goes on", (_, make) => {
    const life = make();
    const { state } = life.order;
    reconcile(life, proof());
    expect(life.order.attention?.reason).toBe("refund_after_sale");
    expect(life.order.state.kind).toBe(state.kind);
  });

  test("of another amount than what is owed, or a second one, is booked nowhere", () => {
    const life = stuck();
    reconcile(life, proof({ amountSats: sats(PRICE + 1) }));
    expect([life.kind, life.order.attention?.reason]).toEqual(["refundStuck", "refund_differs"]);
    reconcile(life, proof());
    reconcile(life, proof({ paymentHash: "88".repeat(32) }));
    expect(life.order.attention?.reason).toBe("refund_after_sale");
    expect(life.order.refund?.paymentHash).toBe("77".repeat(32));
  });

  test("of a reactivation that holds its number was never promised", () => {
    const life = Life.open({ type: "receive-sms-reactivate", destination: null }).toWaiting();
    reconcile(life, proof());
    expect([life.kind, life.order.attention?.reason]).toEqual(["waiting", "refund_after_sale"]);
  });
});

describe("a number that the provider sold", () => {
  test.each([
    ["buying", buying, "waiting"],
    ["buyUnknown", buyUnknown, "waiting"],
    ["refunding", () => Life.open().toRefunding(), "waiting"],
    ["refundStuck", stuck, "waiting"],
    ["done failed", failedRental, "renting"],
  ])("is adopted by an order in %s, which goes on from there", (_, make, kind) => {
    const life = make();
    reconcile(life, number(life));
    expect(life.kind).toBe(kind as typeof life.kind);
    expect([life.order.endedAt, life.pending.size]).toEqual([null, 0]);
  });

  test("with its code in the history completes the order, without it the refund starts anew under a new key", () => {
    const make = () => {
      const life = Life.open().toRefunding();
      life.wait(HOUR / 2);
      reconcile(life, number(life));
      life.due();
      return life;
    };
    const served = make();
    served.looked("finished", sms("a"));
    served.until(served.now + DAY).due();
    served.answer("look", seen("finished"));
    expect(served.status).toBe("completed");
    const unserved = make();
    unserved.looked("refunded");
    expect(unserved.effect("refund")).toMatchObject({ attempt: 2 });
  });

  test.each([
    ["refundUnknown, where a refund may be out", unknown],
    ["waiting, which has one", () => Life.open().toWaiting()],
  ])("is not adopted in %s", (_, make) => {
    const life = make();
    const { state } = life.order;
    reconcile(life, number(life));
    expect(life.order.state.kind).toBe(state.kind);
    expect(life.count("NumberBought")).toBe(state.kind === "waiting" ? 1 : 0);
  });
});

describe("a person's word that the customer was served", () => {
  test.each([
    ["buying", buying],
    ["closing", () => Life.open().toClosing()],
    ["refunding", () => Life.open().toRefunding()],
    ["refundStuck", stuck],
    ["done failed", failedRental],
  ])("completes an order in %s: what was owed is earned", (_, make) => {
    const life = make();
    reconcile(life, { kind: "served" });
    expect(life.status).toBe("completed");
    expect(life.watcher.sums.msat).toMatchObject({ kept: RECEIVED, owed: 0 });
  });

  test("is not heard while a refund may be out", () => {
    const life = unknown();
    reconcile(life, { kind: "served" });
    expect(life.kind).toBe("refundUnknown");
  });
});

describe("doubt", () => {
  test("is remembered and told once, survives other reasons, and ends", () => {
    const life = stuck();
    reconcile(life, { kind: "doubt" });
    const since = life.order.doubtSince;
    expect([since, life.order.attention?.reason]).toEqual([life.now, "in_doubt"]);
    life.wait(HOUR);
    reconcile(life, { kind: "doubt" });
    expect(life.order.doubtSince).toBe(since as number);
    reconcile(life, { kind: "doubt_over" });
    expect("doubtSince" in life.order).toBe(false);
    expect(life.order.attention).toBeNull();
  });

  test.each([
    ["the refund that was looked for", proof()],
    ["a person's word", { kind: "served" } as const],
    ["the number that was looked for", { kind: "number", number: heldNumber(0, "receive-sms") } as const],
  ])("ends with %s", (_, finding) => {
    const life = Life.open().toRefunding();
    reconcile(life, { kind: "doubt" });
    // The attempt that the crash interrupted: the node never had it.
    life.refundNeverSent();
    reconcile(life, finding);
    expect("doubtSince" in life.order).toBe(false);
    expect(life.order.attention).toBeNull();
  });

  test("does not hide a loose activation for good", () => {
    const life = buyUnknown();
    life.until(life.now + 5 * MINUTE);
    life.searched("unsure");
    expect(life.order.attention?.reason).toBe("loose_activation");
    reconcile(life, { kind: "doubt" });
    expect(life.order.attention?.reason).toBe("in_doubt");
    reconcile(life, { kind: "doubt_over" });
    expect(life.order.attention?.reason).toBe("loose_activation");
  });
});

test("an order that was never paid has nothing to reconcile", () => {
  for (const life of [Life.open(), Life.open()]) {
    for (const finding of findings(life.order, life.now, life.type)) reconcile(life, finding);
    expect(life.events).toHaveLength(1);
    life.tell({ type: "SurelyUnpaid" });
    for (const finding of findings(life.order, life.now, life.type)) reconcile(life, finding);
    expect(life.kind).toBe("lapsed");
  }
});

test("every kind says what it does with what was found out", () => {
  expect(COMMAND_TYPES).toContain("Reconciled");
  for (const row of Object.values(LIFECYCLE)) expect(row.Reconciled.does.length).toBeGreaterThan(20);
});
