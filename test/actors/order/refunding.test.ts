/** The money goes back: attempts, their time, answers that were lost, and destinations that are no longer any good. */
import { expect, test } from "bun:test";
import { msats } from "../../../actors/order/money.ts";
import { Life } from "./life.ts";
import { DAY, destination, HOUR, MINUTE, OPENED_AT, PREIMAGE, RECEIVED, SECOND } from "./orders.ts";

const refunding = (): Life => Life.open().toRefunding();

function unknown(): Life {
  const life = refunding();
  life.refundLost();
  return life;
}

test("a preimage proves the refund and ends the order; the routing fee is ours", () => {
  const life = refunding();
  expect(life.status).toBe("refund_pending");
  life.refunded(3_000);
  expect(life.status).toBe("refunded");
  expect(life.order.refund).toEqual({
    amountSats: 1_500 as never,
    feeMsats: msats(3_000),
    preimage: PREIMAGE,
    paymentHash: destination().paymentHash,
    at: life.now,
  });
  expect(life.watcher.sums.msat).toMatchObject({ refunded: RECEIVED, fees: 3_000, kept: -3_000, owed: 0 });
});

test("a small refund may cost 2 sats of routing fees, a large one half a percent", () => {
  for (const [sats, cap] of [
    [1_500, 8],
    [100, 2],
    [400, 2],
    [401, 3],
  ] as const) {
    const life = Life.open();
    life.settle(msats(sats * 1000));
    if (life.has("buy")) life.buyRefused("never");
    expect<number>(life.effect("refund").maxFeeSats).toBe(cap);
  }
});

test("an attempt that surely failed is repeated at growing intervals, each under a key of its own", () => {
  const life = refunding();
  const pauses: number[] = [];
  for (let attempt = 1; attempt <= 7; attempt++) {
    expect(life.effect("refund")).toMatchObject({ attempt, key: `${life.order.id}:refund:${attempt}` });
    life.refundFailed();
    pauses.push((life.in("refunding").due - life.now) / SECOND);
    life.due();
  }
  expect(pauses).toEqual([5, 10, 20, 40, 60, 60, 60]);
});

test("an invoice that lives a year is tried less and less often, so that a receiver who is never there fills no books", () => {
  const life = Life.open({ destination: destination(1, OPENED_AT + 365 * DAY) }).toRefunding();
  let longest = 0;
  let attempts = 0;
  while (life.now < OPENED_AT + 30 * DAY) {
    life.refundFailed();
    attempts++;
    longest = Math.max(longest, life.in("refunding").due - life.now);
    life.due();
  }
  expect(longest).toBe(HOUR);
  expect(attempts).toBeLessThan(30 * 24 + 20);
});

test("attempts end at a time: when none can finish within the invoice's life, a fresh invoice is asked for", () => {
  const life = Life.open({ destination: destination(1, 0) });
  const { expiresAt } = destination();
  life.tell({ type: "DestinationGiven", destination: destination(1, expiresAt) });
  life.toRefunding();
  while (life.kind === "refunding") {
    expect(life.now).toBeLessThan(expiresAt - 90 * SECOND);
    life.refundFailed();
    if (life.kind === "refunding") life.due();
  }
  expect(life.in("refundStuck").why).toBe("destination_expired");
  expect(life.now).toBeGreaterThan(expiresAt - 90 * SECOND - 2 * MINUTE);
  expect(life.status).toBe("refund_failed");
});

test("an attempt needs 90 s of the invoice's life: 60 to pay and 30 to spare", () => {
  for (const [life, kind] of [
    [90 * SECOND, "refundStuck"],
    [90 * SECOND + 1, "refunding"],
  ] as const) {
    const order = Life.open({ destination: destination(1, OPENED_AT + 2 * MINUTE + life) });
    order.settle();
    order.until(OPENED_AT + 2 * MINUTE).buyRefused("never");
    expect(order.kind).toBe(kind);
    if (order.kind === "refundStuck") expect(order.in("refundStuck").why).toBe("destination_expired");
  }
});

test("a repeated attempt whose answer was lost is not called dead by what the node says of the one before", () => {
  const life = refunding();
  life.refundFailed();
  life.due();
  life.refundLost();
  // The request is still on its way to the node, which knows the hash from the first attempt only.
  life.refundSearched("failed");
  expect(life.kind).toBe("refundUnknown");
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
  life.due();
  life.refundSearched("succeeded");
  expect(life.status).toBe("refunded");
});

test("a repeated attempt is called dead once the node has seen it, or when its request cannot be on its way any more", () => {
  const lost = (): Life => {
    const life = refunding();
    life.refundFailed();
    life.due();
    life.refundLost();
    return life;
  };
  const seen = lost();
  seen.refundSearched("in_flight");
  seen.due();
  seen.refundSearched("failed");
  expect(seen.in("refunding")).toMatchObject({ step: "pausing", attempt: 2 });

  const unseen = lost();
  const since = unseen.now;
  while (unseen.kind === "refundUnknown") {
    unseen.refundSearched("failed");
    if (unseen.kind === "refundUnknown") unseen.due();
  }
  expect(unseen.now - since).toBeGreaterThanOrEqual(2 * MINUTE);
  expect(unseen.now - since).toBeLessThan(5 * MINUTE);
});

test("during an attempt no other destination is taken; between attempts that surely died it is, and is paid at once", () => {
  const life = refunding();
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
  life.refundFailed();
  expect(life.give(destination(2))).toBeNull();
  expect(life.effect("refund")).toMatchObject({ attempt: 2, paymentHash: destination(2).paymentHash });
});

test("while nobody knows how an attempt ended, no other destination is taken", () => {
  const life = unknown();
  expect(life.status).toBe("refund_pending");
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
});

test("a lost answer is asked for, never paid again", () => {
  const life = unknown();
  expect(life.has("refund")).toBe(false);
  expect(life.effect("findRefund")).toMatchObject({ attempt: 1, paymentHash: destination().paymentHash });
  life.refundSearched("succeeded");
  expect(life.status).toBe("refunded");
});

test.each(["in_flight", "never_sent"] as const)("an attempt that comes back as %s is asked for as well", (kind) => {
  const life = refunding();
  life.answer("refund", { type: "RefundAnswered", attempt: 1, answer: { kind } });
  expect(life.kind).toBe("refundUnknown");
});

test("an attempt that a crash interrupted counts as unknown", () => {
  const life = refunding();
  life.crash();
  expect(life.kind).toBe("refundUnknown");
  expect(life.has("findRefund")).toBe(true);
});

test("a question that a crash interrupted is asked again", () => {
  const life = unknown();
  life.crash();
  life.due();
  expect(life.has("findRefund")).toBe(true);
});

test("an attempt that the node proves dead is followed by the next one", () => {
  const life = unknown();
  life.refundSearched("failed");
  expect(life.in("refunding").step).toBe("pausing");
  life.due();
  expect(life.effect("refund").attempt).toBe(2);
});

test("'never sent' is believed only after two minutes, because it may race the sending", () => {
  const life = unknown();
  const since = life.now;
  life.refundNeverSent();
  expect(life.now).toBeGreaterThanOrEqual(since + 2 * MINUTE);
  expect(life.now).toBeLessThan(since + 6 * MINUTE);
  life.due();
  expect(life.effect("refund").attempt).toBe(2);
});

test("'never sent' is not believed sooner because the clock was set ahead", () => {
  const life = unknown();
  life.wait(DAY);
  let spent = 0;
  while (life.kind === "refundUnknown") {
    life.refundSearched("never_sent");
    if (life.kind !== "refundUnknown") break;
    spent += life.in("refundUnknown").due - life.now;
    life.due();
  }
  expect(spent).toBeGreaterThanOrEqual(2 * MINUTE);
});

test.each(["by the answer to the payment", "by an earlier search"])(
  "'never sent' of an attempt that was acknowledged %s means a node without its books: nothing is paid again",
  (by) => {
    const life = refunding();
    if (by === "by an earlier search") {
      life.refundLost();
      life.refundSearched("in_flight");
      life.due();
    } else life.answer("refund", { type: "RefundAnswered", attempt: 1, answer: { kind: "in_flight" } });
    const since = life.now;
    while (life.now < since + 2 * HOUR) {
      life.refundSearched(life.now < since + HOUR ? "never_sent" : "unknown");
      expect(life.kind).toBe("refundUnknown");
      expect(life.order.attention?.reason).toBe("node_forgot_refund");
      life.due();
    }
    expect(life.count("AttentionRaised")).toBe(1);
    life.refundSearched("succeeded");
    expect(life.order).toMatchObject({ attention: { reason: "node_forgot_refund" }, state: { as: "refunded" } });
  },
);

test("the next attempt is not taken for acknowledged because an earlier one was", () => {
  const life = unknown();
  life.refundSearched("in_flight");
  life.due();
  life.refundSearched("failed");
  life.due();
  life.refundLost();
  life.refundNeverSent();
  expect(life.in("refunding").step).toBe("pausing");
});

test("a refund that is held is asked about for days, at most every five minutes, and a person is told after an hour", () => {
  const life = unknown();
  const since = life.now;
  const pauses: number[] = [];
  while (life.now < since + 3 * DAY) {
    life.refundSearched(life.now < since + DAY ? "in_flight" : "unknown");
    expect(life.in("refundUnknown").due - life.now).toBeLessThanOrEqual(5 * MINUTE);
    expect(life.order.attention !== null).toBe(life.now - since > HOUR);
    pauses.push((life.in("refundUnknown").due - life.now) / SECOND);
    life.due();
  }
  expect(pauses.slice(0, 9)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300]);
  expect(life.order.attention?.reason).toBe("refund_in_doubt");
  life.refundSearched("succeeded");
  expect(life.order).toMatchObject({ attention: null, state: { as: "refunded" } });
});

test("a refund or a question about it that takes too long is told to a person and waited for", () => {
  const life = refunding();
  life.due();
  expect(life.order.attention?.reason).toBe("refund_overdue");
  expect(life.in("refunding").step).toBe("paying");
  life.refundLost();
  life.due();
  expect(life.order.attention?.reason).toBe("refund_search_overdue");
  expect(life.in("refundUnknown").step).toBe("asking");
});

test("answers of earlier attempts change nothing", () => {
  const life = unknown();
  life.refundSearched("failed");
  life.due();
  const preimage = PREIMAGE;
  const paid = { kind: "succeeded", preimage, feeMsats: msats(0) } as const;
  expect(life.tell({ type: "RefundSearched", attempt: 1, answer: { kind: "failed", reason: "x" } }).events).toEqual([]);
  expect(life.tell({ type: "RefundAnswered", attempt: 1, answer: paid }).events).toEqual([]);
  expect(life.in("refunding").attempt).toBe(2);
});

function stuck(): Life {
  const life = Life.open({ destination: null });
  life.settle();
  life.buyRefused("never");
  return life;
}

test("without a destination the order waits 90 days for one, visibly", () => {
  const life = stuck();
  expect(life.status).toBe("refund_failed");
  expect(life.in("refundStuck").due).toBe(life.now + 90 * DAY);
  const { claims } = life.until(life.now + 89 * DAY).tell({
    type: "DestinationGiven",
    destination: destination(2, life.now + 2 * HOUR),
  });
  expect(claims).toEqual([{ kind: "refund_hash", value: destination(2).paymentHash }]);
  life.refunded();
  expect(life.status).toBe("refunded");
});

test("the claim window counts from the payment, however often the refund gets stuck", () => {
  const life = stuck();
  const { due } = life.in("refundStuck");
  for (const [n, days] of [
    [2, 30],
    [3, 80],
  ] as const) {
    life.until(OPENED_AT + days * DAY).give(destination(n, life.now + 2 * HOUR));
    while (life.kind === "refunding") {
      life.refundFailed();
      if (life.kind === "refunding") life.due();
    }
    expect(life.in("refundStuck")).toMatchObject({ why: "destination_expired", due });
  }
  life.due();
  expect(life.watcher.sums.msat).toMatchObject({ unclaimed: RECEIVED, owed: 0 });
});

test("a refund that gets stuck after its claim window is closed by the next alarm", () => {
  const life = unknown();
  life.wait(100 * DAY).refundSearched("failed");
  expect(life.in("refundStuck").due).toBe(life.now + SECOND);
  life.due();
  expect(life.in("refundStuck").due).toBeNull();
});

test("a fresh destination that is too short-lived leaves the order waiting", () => {
  const life = stuck();
  life.give(destination(2, life.now + MINUTE));
  expect(life.in("refundStuck").why).toBe("destination_expired");
});

test("after the claim window the ledger says unclaimed, and destinations are refused", () => {
  const life = stuck();
  life.due();
  expect(life.in("refundStuck").due).toBeNull();
  expect(life.status).toBe("refund_failed");
  expect(life.watcher.sums.msat).toMatchObject({ unclaimed: RECEIVED, owed: 0 });
  expect(life.give(destination(2, life.now + 2 * HOUR))?.code).toBe("REFUND_NOT_PENDING");
});

test("an alarm that waited in the mailbox while the last attempt died does not close the claim window", () => {
  const life = Life.open({ destination: destination(1, destination().expiresAt - 115 * MINUTE) });
  life.until(destination().expiresAt - 118 * MINUTE);
  life.toRefunding();
  life.until(life.in("refunding").due).refundFailed();
  expect(life.kind).toBe("refundStuck");
  // Fired by the watchdog of the attempt, told after its answer.
  expect(life.tell({ type: "Due" }).events).toEqual([]);
  expect(life.give(destination(2, life.now + 2 * HOUR))).toBeNull();
});

test("a pause is over early when the clock was set back since it began; nothing else is", () => {
  const early = { type: "Due", early: true } as const;
  const life = refunding();
  expect(life.wait(-DAY).tell(early).events).toEqual([]);
  life.wait(DAY).refundFailed();
  expect(life.wait(-DAY).tell({ type: "Due" }).events).toEqual([]);
  life.tell(early);
  expect(life.in("refunding")).toMatchObject({ step: "paying", attempt: 2 });
  const waiting = Life.open().toWaiting();
  expect(waiting.wait(-DAY).tell(early).events).toEqual([]);
});

test("a refund that never went out is given up two minutes after the clock was set back by a day, not a day later", () => {
  const life = unknown();
  life.wait(-DAY).refundSearched("never_sent");
  const { since } = life.in("refundUnknown");
  expect(since).toBe(life.now);
  while (life.kind === "refundUnknown" && life.now - since < HOUR) {
    life.due();
    life.refundSearched("never_sent");
  }
  expect(life.kind).toBe("refunding");
  expect(life.now - since).toBeWithin(2 * MINUTE, 5 * MINUTE);
});

test("a destination that belongs to another order is refused, and the order waits on", () => {
  const life = stuck();
  const command = { type: "DestinationGiven", destination: destination(2) } as const;
  const { reply } = life.tell({ type: "ClaimRefused", command });
  expect(reply).toEqual({ ok: false, refusal: { code: "REFUND_DESTINATION_TAKEN", retryAt: null } });
  expect(life.kind).toBe("refundStuck");
});

test("a failed order that gave nothing for its money takes a destination and is refunded", () => {
  const life = Life.open({ type: "rent-number", destination: null });
  life.settle();
  life.buyRefused("never");
  expect(life.status).toBe("failed");
  life.give(destination(2, life.now + MINUTE));
  expect(life.status).toBe("refund_failed");
  expect(life.order.endedAt).toBeNull();
  life.give(destination(3));
  life.refunded();
  expect(life.status).toBe("refunded");
});

test("the same destination, claimed already, is not claimed twice", () => {
  const life = refunding();
  life.refundFailed();
  const again = life.tell({ type: "DestinationGiven", destination: destination() });
  expect(again).toMatchObject({ reply: { ok: true }, events: [], claims: [], effects: [] });
});

test("the destination of a stuck refund that expired, given again, changes nothing", () => {
  const life = stuck();
  const dead = destination(2, life.now + MINUTE);
  life.give(dead);
  expect(life.tell({ type: "DestinationGiven", destination: dead }).events).toEqual([]);
});

test("a failed rental is refunded to the destination that it had all along", () => {
  const life = Life.open({ type: "rent-number" }).toWaiting();
  life.tell({ type: "Hinted" });
  life.looked("refunded");
  expect(life.status).toBe("failed");
  expect(life.give(destination())).toBeNull();
  life.refunded();
  expect(life.status).toBe("refunded");
});

test("what was refunded takes nothing more", () => {
  const life = refunding();
  life.refunded();
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
});
