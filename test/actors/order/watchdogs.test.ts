/** Every answer that is waited for has a watchdog: it looks again every five minutes and tells a person, once, and concludes nothing. */
import { expect, test } from "bun:test";
import { Life } from "./life.ts";
import { MINUTE, PAID_AT, SECOND } from "./orders.ts";

const WAITS: readonly (readonly [step: string, seconds: number, reason: string, make: () => Life])[] = [
  [
    "a buy",
    // Until the buying window closes, and a little longer.
    4 * 60 + 90,
    "buy_overdue",
    () => {
      const life = Life.open();
      life.settle();
      return life;
    },
  ],
  [
    "the search for a buy",
    60,
    "buy_search_overdue",
    () => {
      const life = Life.open();
      life.settle();
      life.buyLost();
      return life;
    },
  ],
  ["a last look", 60, "closing_overdue", () => Life.open().toClosing()],
  [
    "a cancel",
    60,
    "closing_overdue",
    () => {
      const life = Life.open().toClosing();
      life.looked("open");
      return life;
    },
  ],
  [
    "a finish",
    60,
    "finish_overdue",
    () => {
      const life = Life.open().toDelivered();
      life.tell({ type: "FinishAsked" });
      life.looked("open");
      return life;
    },
  ],
  ["a refund", 180, "refund_overdue", () => Life.open().toRefunding()],
  [
    "the search for a refund",
    60,
    "refund_search_overdue",
    () => {
      const life = Life.open().toRefunding();
      life.refundLost();
      return life;
    },
  ],
];

test.each([...WAITS])("%s that takes more than %d s is told to a person and waited for", (_, seconds, reason, make) => {
  const life = make();
  const { now, order } = life;
  const { due: first, ...before } = order.state as { due: number };
  expect(first).toBe(now + seconds * SECOND);
  for (let times = 1; times <= 3; times++) {
    life.due();
    const { due, ...after } = life.order.state as { due: number };
    expect(after).toEqual(before);
    expect(due).toBe(life.now + 5 * MINUTE);
  }
  expect(life.order.attention).toEqual({ since: first, reason });
  expect(life.count("AttentionRaised")).toBe(1);
  expect(life.pending.size).toBe(1);
});

test("the answer of a buy that was overdue for hours is still taken", () => {
  const life = Life.open();
  life.settle();
  for (let times = 0; times < 10; times++) life.due();
  life.buyRefused("soon");
  expect(life.kind).toBe("refunding");
  expect(life.now).toBeGreaterThan(PAID_AT + 45 * MINUTE);
});
