/** Before the money, and the moment it arrives: `unpaid`, `lapsed`, late money. */
import { expect, test } from "bun:test";
import { msats } from "../../../actors/order/money.ts";
import { Life } from "./life.ts";
import { DAY, destination, HOUR, MINUTE, PAID_AT, PRICE, RECEIVED, SECOND } from "./orders.ts";

test("an opened order waits for its payment without a deadline", () => {
  const life = Life.open();
  expect(life.status).toBe("pending_payment");
  expect(life.order).toMatchObject({ payment: null, owedMsats: 0, endedAt: null, state: { kind: "unpaid" } });
  expect("due" in life.order.state).toBe(false);
});

test("the node's word buys, once, and not after payment + 4 minutes", () => {
  const life = Life.open();
  life.settle();
  expect(life.status).toBe("allocating_number");
  expect(life.effect("buy")).toMatchObject({ attempt: 1, notAfter: PAID_AT + 4 * MINUTE });
  const again = life.wait(SECOND).settle(RECEIVED, PAID_AT);
  expect(again.events).toEqual([]);
  expect(life.pending.size).toBe(1);
});

test("a node whose clock is behind ours does not turn a payment in time into late money", () => {
  const life = Life.open();
  life.until(PAID_AT).tell({ type: "Settled", settledAt: PAID_AT - 10 * MINUTE, receivedMsats: RECEIVED });
  expect(life.order.payment).toMatchObject({ late: false, settledAt: PAID_AT - MINUTE });
  expect(life.has("buy")).toBe(true);
});

test("a node whose clock is ahead of ours does not stretch the life of the order past that of its refund invoice", () => {
  const life = Life.open();
  life.until(PAID_AT).tell({ type: "Settled", settledAt: PAID_AT + HOUR, receivedMsats: RECEIVED });
  expect(life.order.payment).toMatchObject({
    settledAt: PAID_AT,
    buyBy: PAID_AT + 4 * MINUTE,
    smsBy: PAID_AT + 20 * MINUTE,
  });
});

test("a preimage makes the order paid for its reader, and asks the node before anything is bought", () => {
  const life = Life.open();
  life.tell({ type: "PreimageShown" });
  expect(life.status).toBe("paid");
  expect(life.has("buy")).toBe(false);
  expect(life.tell({ type: "PreimageShown" }).effects).toEqual([]);
  life.answer("askNode", { type: "NodeAnswered", answer: "unavailable" });
  expect(life.status).toBe("paid");
  life.tell({ type: "PreimageShown" });
  life.answer("askNode", { type: "Settled", settledAt: life.now, receivedMsats: RECEIVED });
  expect(life.has("buy")).toBe(true);
  expect(life.count("PreimageShown")).toBe(1);
});

test("a question to the node that a crash interrupted is asked again by the next proof", () => {
  const life = Life.open();
  life.tell({ type: "PreimageShown" });
  life.crash();
  life.tell({ type: "PreimageShown" });
  expect(life.has("askNode")).toBe(true);
});

test("a surely unpaid order lapses", () => {
  const life = Life.open();
  life.wait(6 * MINUTE).tell({ type: "SurelyUnpaid" });
  expect(life.kind).toBe("lapsed");
  expect(life.status).toBe("expired");
  expect(life.order.endedAt).toBe(life.now);
  expect(life.tell({ type: "SurelyUnpaid" }).events).toEqual([]);
});

test.each(["before", "after"])(
  "a preimage shown %s the node called it surely unpaid waits for a person, and for the money",
  (when) => {
    const life = Life.open();
    const show = () => life.tell({ type: "PreimageShown" });
    if (when === "before") show();
    life.wait(6 * MINUTE).tell({ type: "SurelyUnpaid" });
    if (when === "after") show();
    expect(life.status).toBe("paid");
    expect(life.order.attention?.reason).toBe("proven_but_unpaid");
    if (when === "after") expect(show().effects).toEqual([]);
    if (when === "after") life.answer("askNode", { type: "NodeAnswered", answer: "not_settled" });
    expect(life.order.attention?.reason).toBe("proven_but_unpaid");
    life.tell({ type: "Settled", settledAt: PAID_AT, receivedMsats: RECEIVED });
    expect(life.kind).toBe("refunding");
    expect(life.order.attention).toBeNull();
  },
);

test("money after the lapse is late: a refundable order is refunded, not bought at a stale price", () => {
  const life = Life.open();
  life.wait(6 * MINUTE).tell({ type: "SurelyUnpaid" });
  life.wait(SECOND).tell({ type: "Settled", settledAt: life.now, receivedMsats: RECEIVED });
  expect(life.kind).toBe("refunding");
  expect(life.order).toMatchObject({ payment: { late: true }, endedAt: null });
  expect(life.has("buy")).toBe(false);
});

test("money learned more than 5 minutes after it settled is late", () => {
  const onTime = Life.open();
  onTime.until(PAID_AT + 5 * MINUTE).tell({ type: "Settled", settledAt: PAID_AT, receivedMsats: RECEIVED });
  // On time, though its buying window is over already: nothing is bought.
  expect(onTime.order.payment?.late).toBe(false);
  expect(onTime.kind).toBe("refunding");
  const soon = Life.open();
  soon.until(PAID_AT + 3 * MINUTE).tell({ type: "Settled", settledAt: PAID_AT, receivedMsats: RECEIVED });
  expect(soon.effect("buy").notAfter).toBe(PAID_AT + 4 * MINUTE);
  const late = Life.open();
  late.until(PAID_AT + 5 * MINUTE + 1).tell({ type: "Settled", settledAt: PAID_AT, receivedMsats: RECEIVED });
  expect(late.order.payment?.late).toBe(true);
  expect(late.kind).toBe("refunding");
});

test.each(["rent-number", "receive-sms-reactivate"] as const)(
  "late money of a %s still buys, within a window from now and the quoted cost",
  (type) => {
    const life = Life.open({ type });
    life.wait(6 * MINUTE).tell({ type: "SurelyUnpaid" });
    life.wait(DAY).tell({ type: "Settled", settledAt: PAID_AT, receivedMsats: RECEIVED });
    expect(life.effect("buy").notAfter).toBe(life.now + 4 * MINUTE);
    expect(life.effect("buy").good.maxCost).toBe(life.order.terms.good.maxCost);
  },
);

test.each(["rent-number", "receive-sms-reactivate"] as const)(
  "money of a %s that is learned at any age buys, without a gap between the buying window and late money",
  (type) => {
    for (const [age, late] of [
      [4 * MINUTE - 1, false],
      [4 * MINUTE, true],
      [4.5 * MINUTE, true],
      [5 * MINUTE, true],
      [5.5 * MINUTE, true],
    ] as const) {
      const life = Life.open({ type });
      life.until(PAID_AT + age).tell({ type: "Settled", settledAt: PAID_AT, receivedMsats: RECEIVED });
      expect(life.order.payment?.late).toBe(late);
      expect(life.effect("buy").notAfter).toBe(late ? life.now + 4 * MINUTE : PAID_AT + 4 * MINUTE);
    }
  },
);

test("late money of a rental that cannot be had at the quoted cost is owed", () => {
  const life = Life.open({ type: "rent-number", destination: null });
  life.wait(6 * MINUTE).tell({ type: "SurelyUnpaid" });
  life.wait(DAY).settle();
  life.buyRefused("never", "price_above_cap");
  expect(life.status).toBe("failed");
  expect<number>(life.order.owedMsats).toBe(RECEIVED);
});

test("an underpaid order buys nothing: what arrived goes back, to the sat", () => {
  const life = Life.open();
  life.settle(msats(PRICE * 1000 - 1));
  expect<number>(life.effect("refund").amountSats).toBe(PRICE - 1);
  expect(life.order.attention?.reason).toBe("underpaid");
  life.refunded();
  expect(life.status).toBe("refunded");
  expect(life.order.attention).toBeNull();
  // The part of a sat that cannot be sent is kept, the routing fee is ours.
  expect(life.watcher.sums.msat).toMatchObject({
    refunded: (PRICE - 1) * 1000,
    kept: 999 - 1_000,
    fees: 1_000,
    owed: 0,
  });
});

test("less than a sat cannot be sent: the order ends and owes it, instead of trying for ever", () => {
  const life = Life.open();
  life.settle(msats(999));
  expect(life.status).toBe("failed");
  expect(life.has("refund")).toBe(false);
  expect<number>(life.order.owedMsats).toBe(999);
  expect(life.give(destination(2))).toMatchObject({ code: "REFUND_NOT_PENDING" });
});

test("a single sat is sent back", () => {
  const life = Life.open();
  life.settle(msats(1_000));
  expect<number>(life.effect("refund").amountSats).toBe(1);
});

test("an overpaid order refunds all that arrived", () => {
  const life = Life.open();
  life.settle(msats(RECEIVED + 7_500));
  life.buyRefused("never");
  expect<number>(life.effect("refund").amountSats).toBe(PRICE + 7);
});

test("unpaid orders may share a refund invoice; its hash is claimed when money arrives", () => {
  const life = Life.open();
  expect(life.order.destination?.claimed).toBe(false);
  const { claims } = life.tell({ type: "DestinationGiven", destination: destination(2) });
  expect(claims).toEqual([]);
  expect(life.order.destination).toEqual({ ...destination(2), claimed: false });
  const settled = life.settle();
  expect(settled.claims).toEqual([{ kind: "refund_hash", value: destination(2).paymentHash }]);
  expect(life.order.destination).toMatchObject({ paymentHash: destination(2).paymentHash, claimed: true });
});

test("the same refund invoice given again changes nothing", () => {
  const life = Life.open();
  expect(life.tell({ type: "DestinationGiven", destination: destination() })).toMatchObject({
    reply: { ok: true },
    events: [],
  });
  life.toWaiting();
  life.give(destination(2));
  const again = life.tell({ type: "DestinationGiven", destination: destination(2) });
  expect(again).toMatchObject({ reply: { ok: true }, events: [], claims: [] });
});

test("a second paid order with a claimed hash runs on without a destination and takes another one", () => {
  const life = Life.open();
  const command = { type: "Settled", settledAt: PAID_AT, receivedMsats: RECEIVED } as const;
  life.until(PAID_AT).tell({ type: "ClaimRefused", command });
  expect(life.has("buy")).toBe(true);
  expect(life.order.destination).toBeNull();
  life.buyRefused("never");
  expect(life.status).toBe("refund_failed");
  expect(life.in("refundStuck").why).toBe("no_destination");
  expect(life.give(destination(2, life.now + 2 * HOUR))).toBeNull();
  expect(life.effect("refund").paymentHash).toBe(destination(2).paymentHash);
});

test("without a destination there is nothing to claim", () => {
  const life = Life.open({ destination: null });
  expect(life.settle().claims).toEqual([]);
});
