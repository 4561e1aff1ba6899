/** What must not happen and is told to a person if it does: numbers and messages that belong to no step of the order. */
import { expect, test } from "bun:test";
import { Life } from "./life.ts";
import { heldNumber, MINUTE, PAID_AT, seen, sms } from "./orders.ts";

const bought = {
  type: "BuyAnswered",
  attempt: 1,
  answer: { kind: "bought", number: heldNumber(PAID_AT, "receive-sms") },
} as const;

const lost = (): Life => {
  const life = Life.open();
  life.settle();
  life.buyLost();
  return life;
};

test.each([
  ["an unpaid", () => Life.open()],
  ["a waiting", () => Life.open().toWaiting()],
  ["a delivered", () => Life.open().toDelivered()],
  ["a refunding", () => Life.open().toRefunding()],
  ["an unresolved", lost],
] as const)("a number bought for %s order outside its step is told to a person, and not held", (_, make) => {
  const life = make();
  const before = life.order.state;
  life.tell(bought);
  expect(life.order.attention?.reason).toBe("unexpected_number");
  expect(life.order.state).toEqual(before);
});

test("a second number is not forgotten because the order ended well", () => {
  const life = Life.open().toRefunding();
  life.tell(bought);
  life.refunded();
  expect(life.order.attention?.reason).toBe("unexpected_number");
});

test("a buy that is refused or unknown outside its step is nobody's concern", () => {
  const life = Life.open().toWaiting();
  const answer = { kind: "unknown", reason: "timeout" } as const;
  expect(life.tell({ type: "BuyAnswered", attempt: 1, answer }).events).toEqual([]);
});

test.each([
  ["an unpaid", () => Life.open()],
  ["a lost", lost],
  ["a refunding", () => Life.open().toRefunding()],
] as const)("an SMS for %s order is told to a person, never shown", (_, make) => {
  const life = make();
  life.tell(seen("open", sms("m1")));
  expect(life.order.attention?.reason).toBe("sms_after_end");
  expect(life.order.messageIds).toEqual([]);
  expect(life.wait(MINUTE).tell(seen("open")).events).toEqual([]);
});

test("one reason is kept: a passing one does not hide a lasting one", () => {
  const life = Life.open().toRefunding();
  life.tell(seen("open", sms("m1")));
  const { since } = life.order.attention ?? {};
  life.due();
  expect(life.order.attention).toEqual({ since: since ?? 0, reason: "sms_after_end" });
});
