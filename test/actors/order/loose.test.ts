/** A buy that nobody could resolve in time: the customer is served, the possible activation stays on the attention list. */
import { expect, test } from "bun:test";
import { Life } from "./life.ts";
import { heldNumber, MINUTE, PAID_AT, QUOTED_COST, SECOND, seen, sms } from "./orders.ts";

const NUMBER = heldNumber(PAID_AT + SECOND, "receive-sms");

/** The window closed on a lost buy. */
function abandoned(): Life {
  const life = Life.open();
  life.settle();
  life.buyLost();
  life.searched("unsure");
  life.until(PAID_AT + 4 * MINUTE).tell({ type: "Due" });
  return life;
}

test("when the window closes the customer gets the refund, and the search goes on", () => {
  const life = abandoned();
  expect(life.has("refund")).toBe(true);
  expect(life.effect("findBuy")).toMatchObject({ attempt: 1, last: true });
  expect(life.order.loose).toEqual({ attempt: 1, since: life.now, found: null });
  expect(life.order.attention?.reason).toBe("loose_activation");
});

test("an unsure answer after the window abandons as well", () => {
  const life = Life.open();
  life.settle();
  life.buyLost();
  life.until(PAID_AT + 5 * MINUTE).searched("unsure");
  expect(life.order.loose).not.toBeNull();
  expect(life.kind).toBe("refunding");
});

test("paying the refund does not take the loose activation off the list", () => {
  const life = abandoned();
  life.refunded();
  expect(life.status).toBe("refunded");
  expect(life.order.attention?.reason).toBe("loose_activation");
});

test("one that surely never was is forgotten", () => {
  const life = abandoned();
  life.refunded();
  life.searched("absent");
  expect(life.order).toMatchObject({ loose: null, attention: null });
  expect(life.watcher.sums.µUSD).toMatchObject({ provider: 0, loss: 0 });
});

test("one that is found is booked as loss, given back, and booked back", () => {
  const life = abandoned();
  life.refunded();
  life.searched(NUMBER);
  expect(life.effect("release").activationId).toBe(NUMBER.activationId);
  expect(life.watcher.sums.µUSD).toMatchObject({ provider: -QUOTED_COST, loss: QUOTED_COST });
  life.answer("release", { type: "ReleaseAnswered", answer: { kind: "cancelled" } });
  expect(life.order).toMatchObject({ loose: null, attention: null, state: { kind: "done", as: "refunded" } });
  expect(life.watcher.sums.µUSD).toMatchObject({ provider: 0, loss: 0 });
});

test("one that cannot be given back stays on the list and in the books", () => {
  const life = abandoned();
  life.searched(NUMBER);
  life.answer("release", { type: "ReleaseAnswered", answer: { kind: "too_late" } });
  life.refunded();
  expect(life.order.loose?.found).toEqual(NUMBER);
  expect(life.order.attention?.reason).toBe("loose_activation");
  expect(life.watcher.sums.µUSD.loss).toBe(QUOTED_COST);
});

test("one that is never found stays on the list", () => {
  const life = abandoned();
  life.refunded();
  life.searched("unsure");
  expect(life.order.attention?.reason).toBe("loose_activation");
});

test("told twice that it was found, it is booked and given back once", () => {
  const life = abandoned();
  life.searched(NUMBER);
  const again = life.tell({ type: "BuySearched", attempt: 1, answer: { kind: "found", number: NUMBER } });
  expect(again.events).toEqual([]);
  expect(life.watcher.sums.µUSD.loss).toBe(QUOTED_COST);
});

test("an answer about a release that was never asked for settles nothing", () => {
  const life = abandoned();
  const stray = life.tell({ type: "ReleaseAnswered", answer: { kind: "cancelled" } });
  expect(stray.events).toEqual([]);
  expect(life.order.loose).not.toBeNull();
});

test("a crash does not end the search, nor the giving back", () => {
  const life = abandoned();
  life.refunded();
  life.crash();
  expect(life.effect("findBuy")).toMatchObject({ attempt: 1, last: true });
  life.searched(NUMBER);
  life.crash();
  life.answer("release", { type: "ReleaseAnswered", answer: { kind: "cancelled" } });
  expect(life.order.loose).toBeNull();
});

test("trouble of the refund does not hide the loose activation", () => {
  const life = abandoned();
  life.due();
  expect(life.order.attention?.reason).toBe("loose_activation");
  life.searched("absent");
  expect(life.order.attention).toBeNull();
  life.due();
  expect(life.order.attention?.reason).toBe("refund_overdue");
});

test("an SMS of a number that is no longer the customer's is told to a person, never shown", () => {
  const life = abandoned();
  life.searched("absent");
  life.tell(seen("open", sms("m1")));
  expect(life.order.attention?.reason).toBe("sms_after_end");
  life.refunded();
  expect(life.order.messageIds).toEqual([]);
  expect(life.order.attention?.reason).toBe("sms_after_end");
});
