/** The number is given back: looks once more, cancels, and only the provider's word moves the money. */
import { expect, test } from "bun:test";
import { microUsd } from "../../../actors/order/money.ts";
import { Life } from "./life.ts";
import { DAY, destination, HOUR, MINUTE, notSeen, PAID_AT, QUOTED_COST, SECOND, seen, sms } from "./orders.ts";

const closing = (): Life => Life.open().toClosing();

/** The last look showed nothing: the cancel is out. */
function cancelling(): Life {
  const life = closing();
  life.looked("open");
  return life;
}

test("looks once more, cancels, and refunds after the provider confirmed", () => {
  const life = closing();
  expect(life.has("cancel")).toBe(false);
  life.looked("open");
  expect(life.has("refund")).toBe(false);
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "cancelled" } });
  expect(life.effect("refund")).toMatchObject({ attempt: 1, amountSats: 1_500, maxFeeSats: 8, timeoutSeconds: 60 });
  expect(life.watcher.sums.µUSD).toMatchObject({ provider: 0, numbers: 0, loss: 0 });
});

test("an SMS that the last look shows is delivered, not refunded", () => {
  const life = closing();
  life.looked("open", sms("m1"));
  expect(life.kind).toBe("delivered");
});

test("an SMS that arrives in the instant of the cancel is delivered", () => {
  const life = cancelling();
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "sms_arrived", messages: [sms("m1")] } });
  expect(life.kind).toBe("delivered");
});

test("an SMS that a late look shows while the cancel is out is delivered, and a confirmed cancel only ends the number", () => {
  const life = cancelling();
  life.tell(seen("open", sms("m1")));
  expect(life.kind).toBe("delivered");
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "cancelled" } });
  expect(life.status).toBe("completed");
  expect(life.watcher.sums.µUSD.provider).toBe(0);
});

test("a cancel that crossed the SMS and found it stores the messages once", () => {
  const life = cancelling();
  life.tell(seen("open", sms("m1")));
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "sms_arrived", messages: [sms("m1"), sms("m2")] } });
  expect(life.order.messageIds).toEqual(["m1", "m2"]);
});

test("a late empty look while the cancel is out changes nothing", () => {
  expect(cancelling().tell(seen("ended")).events).toEqual([]);
  expect(cancelling().tell(notSeen).events).toEqual([]);
});

test("an SMS that is said to be there and cannot be read is looked for, ever more slowly, and a person is told", () => {
  const life = cancelling();
  const pauses: number[] = [];
  for (let tries = 0; tries < 25; tries++) {
    life.answer("cancel", { type: "CancelAnswered", answer: { kind: "sms_arrived", messages: [] } });
    pauses.push(life.in("closing").due - life.now);
    life.due();
    life.looked("open");
  }
  expect(pauses.slice(0, 3)).toEqual([SECOND, 2 * SECOND, 4 * SECOND]);
  expect(pauses.at(-1)).toBe(MINUTE);
  expect(life.order.attention?.reason).toBe("cancel_unconfirmed");
});

test("a cancel that the provider calls too early waits for its minimum", () => {
  const life = cancelling();
  const { boughtAt } = life.in("closing").number;
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "too_early", minActivationMs: 20 * MINUTE } });
  expect(life.in("closing")).toMatchObject({ step: "pausing", due: boughtAt + 20 * MINUTE });
});

test("however long the provider calls it too early, the number is looked at again after two minutes", () => {
  const life = cancelling();
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "too_early", minActivationMs: DAY } });
  expect(life.in("closing").due).toBe(life.now + 2 * MINUTE);
  life.due();
  life.looked("refunded");
  expect(life.kind).toBe("refunding");
});

test("a customer's cancel less than 120 s after the buy waits in closing, and looks again before it cancels", () => {
  const life = Life.open();
  life.settle();
  life.until(PAID_AT + 2 * MINUTE).bought();
  life.until(PAID_AT + 3 * MINUTE).cancelAsked();
  life.looked("open");
  expect(life.in("closing")).toMatchObject({ step: "pausing", due: PAID_AT + 4 * MINUTE });
  life.due();
  expect(life.has("cancel")).toBe(false);
  life.looked("open");
  expect(life.has("cancel")).toBe(true);
});

test("a cancel that came too late for free, and a final empty look: refunded, the cost is our loss", () => {
  const life = cancelling();
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "too_late" } });
  expect(life.has("refund")).toBe(false);
  life.due();
  life.looked("open");
  expect(life.has("refund")).toBe(true);
  expect(life.watcher.sums.µUSD).toMatchObject({ provider: -QUOTED_COST, numbers: 0, loss: QUOTED_COST });
});

test("a cancel that came too late for free because of an SMS delivers it", () => {
  const life = cancelling();
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "too_late" } });
  life.due();
  life.looked("open", sms("m1"));
  expect(life.kind).toBe("delivered");
});

test("a number dearer than quoted that is given back leaves nothing in the books, one that is not is all loss", () => {
  for (const confirmed of [true, false]) {
    const life = Life.open();
    life.settle();
    life.bought({ cost: microUsd(QUOTED_COST + 777) });
    life.due();
    life.looked("open");
    life.answer("cancel", { type: "CancelAnswered", answer: { kind: confirmed ? "cancelled" : "too_late" } });
    if (!confirmed) {
      life.due();
      life.looked("open");
    }
    const lost = confirmed ? 0 : QUOTED_COST + 777;
    expect(life.watcher.sums.µUSD).toMatchObject({ provider: 0 - lost, numbers: 0, loss: lost });
  }
});

test("a number that the provider refunded by itself is refunded to the customer at once", () => {
  const life = closing();
  life.looked("refunded");
  expect(life.has("refund")).toBe(true);
  expect(life.watcher.sums.µUSD.provider).toBe(0);
});

test("an end that the provider does not explain is believed when it says so three times in a row", () => {
  const life = closing();
  for (const standing of ["ended", "missing"] as const) {
    life.looked(standing);
    expect(life.in("closing").step).toBe("pausing");
    life.due();
  }
  life.looked("finished");
  expect(life.has("refund")).toBe(true);
  expect(life.watcher.sums.µUSD.loss).toBe(QUOTED_COST);
});

test("looks that failed or showed it open do not count as words that it ended", () => {
  const life = closing();
  for (let tries = 0; tries < 5; tries++) {
    life.answer("look", notSeen);
    life.due();
  }
  life.looked("ended");
  expect(life.kind).toBe("closing");
  life.due();
  life.looked("ended");
  life.due();
  life.looked("open");
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "unknown" } });
  life.due();
  life.looked("ended");
  expect(life.kind).toBe("closing");
});

test("a cancel whose answer was lost is looked into before anything else", () => {
  const life = cancelling();
  life.crash();
  expect(life.in("closing").step).toBe("pausing");
  life.due();
  expect(life.has("cancel")).toBe(false);
  life.looked("refunded");
  expect(life.has("refund")).toBe(true);
});

test("a cancel of what is not active any more is decided by looking", () => {
  const life = cancelling();
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "not_active" } });
  expect(life.in("closing").due).toBe(life.now + SECOND);
  life.due();
  life.looked("refunded");
  expect(life.has("refund")).toBe(true);
});

test("a provider that cannot be reached is asked for as long as it takes, and a person is told", () => {
  const life = closing();
  const pauses: number[] = [];
  for (let tries = 1; tries <= 40; tries++) {
    life.answer("look", notSeen);
    expect(life.order.attention !== null).toBe(tries >= 20);
    pauses.push((life.in("closing").due - life.now) / SECOND);
    life.due();
  }
  expect(pauses.slice(0, 6)).toEqual([6, 12, 24, 48, 60, 60]);
  expect(life.order.attention?.reason).toBe("provider_unreachable");
  life.looked("refunded");
  life.refunded();
  expect(life.order.attention).toBeNull();
});

test("a look or a cancel that takes too long is told to a person and waited for", () => {
  const life = closing();
  life.due();
  expect(life.order.attention?.reason).toBe("closing_overdue");
  life.looked("open");
  life.due();
  expect(life.in("closing").step).toBe("cancelling");
});

test("a cancel of a closing order is accepted, and a hint is not needed", () => {
  const life = closing();
  expect(life.cancelAsked()).toBeNull();
  expect(life.tell({ type: "Hinted" }).events).toEqual([]);
});

test("a destination given while closing is where the refund goes", () => {
  const life = cancelling();
  life.give(destination(2, life.now + 2 * HOUR));
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "cancelled" } });
  expect(life.effect("refund").paymentHash).toBe(destination(2).paymentHash);
});

test("an SMS seen after the refund was decided is told to a person, never shown", () => {
  const life = cancelling();
  life.answer("cancel", { type: "CancelAnswered", answer: { kind: "cancelled" } });
  life.tell(seen("refunded", sms("m1")));
  expect(life.order).toMatchObject({ messageIds: [], attention: { reason: "sms_after_end" } });
  life.refunded();
  expect(life.order.attention?.reason).toBe("sms_after_end");
});
