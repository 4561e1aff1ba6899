/** Paid, number not there yet: attempts, their window, and a buy whose answer was lost. */
import { expect, test } from "bun:test";
import { microUsd } from "../../../actors/order/money.ts";
import { Life } from "./life.ts";
import { destination, HOUR, heldNumber, MINUTE, PAID_AT, QUOTED_COST, RECEIVED, SECOND } from "./orders.ts";

function paid(options?: Parameters<typeof Life.open>[0]): Life {
  const life = Life.open(options);
  life.settle();
  return life;
}

test("a bought number waits for its SMS until 20 minutes after payment", () => {
  const life = paid();
  life.wait(8 * SECOND).bought();
  expect(life.status).toBe("waiting_for_sms");
  expect(life.in("waiting").due).toBe(PAID_AT + 20 * MINUTE);
});

test("a number dearer than quoted is served, and the difference booked as loss", () => {
  const life = paid();
  life.bought({ cost: microUsd(QUOTED_COST + 1_234) });
  expect(life.kind).toBe("waiting");
  expect(life.watcher.sums.µUSD).toEqual(expect.objectContaining({ numbers: QUOTED_COST, loss: 1_234 }));
});

test("nothing to sell now: four attempts with growing pauses, then the refund", () => {
  const life = paid();
  for (const [attempt, pause] of [
    [1, 2],
    [2, 4],
    [3, 8],
  ] as const) {
    expect(life.effect("buy").attempt).toBe(attempt);
    life.buyRefused("soon");
    expect(life.in("buying")).toMatchObject({ step: "pausing", due: life.now + pause * SECOND });
    life.due();
  }
  life.buyRefused("soon");
  expect(life.kind).toBe("refunding");
});

test("trouble that passes is waited out at a steady pace, for as long as the window lasts", () => {
  const life = paid();
  let attempts = 1;
  for (; life.kind === "buying"; attempts++) {
    life.buyRefused("later", "rate_limited");
    if (life.kind === "buying") life.due();
  }
  expect(attempts).toBeGreaterThan(15);
  expect(life.now).toBeLessThan(PAID_AT + 4 * MINUTE);
  expect(life.kind).toBe("refunding");
});

test("what another try cannot help is refunded at once", () => {
  const life = paid();
  life.buyRefused("never", "no_balance");
  expect(life.kind).toBe("refunding");
});

test("no attempt starts after payment + 4 minutes, however late its pause ends", () => {
  const life = paid();
  life.until(PAID_AT + 4 * MINUTE - 5 * SECOND).buyRefused("soon");
  expect(life.kind).toBe("buying");
  life.until(PAID_AT + HOUR).tell({ type: "Due" });
  expect(life.kind).toBe("refunding");
});

test.each([
  ["with a destination is refunded", destination(), "refund_pending"],
  ["without one fails, and the sats are owed", null, "failed"],
] as const)("a rental that cannot be had %s", (_, to, status) => {
  const life = paid({ type: "rent-number", destination: to });
  life.buyRefused("never");
  expect(life.status).toBe(status);
  expect<number>(life.order.owedMsats).toBe(RECEIVED);
});

test("a refundable order without a destination waits visibly for one", () => {
  const life = paid({ destination: null });
  life.buyRefused("never");
  expect(life.status).toBe("refund_failed");
  expect(life.in("refundStuck")).toMatchObject({ why: "no_destination", due: life.now + 90 * 24 * HOUR });
});

test("an answer of another attempt, or after the answer, changes nothing", () => {
  const life = paid();
  const refused = { kind: "refused", reason: "no_numbers", retry: "never" } as const;
  expect(life.tell({ type: "BuyAnswered", attempt: 2, answer: refused }).events).toEqual([]);
  life.buyRefused("soon");
  expect(life.tell({ type: "BuyAnswered", attempt: 1, answer: refused }).events).toEqual([]);
});

test("a buy that takes too long is told to a person and waited for; nothing is concluded", () => {
  const life = paid();
  life.due();
  expect(life.order.attention?.reason).toBe("buy_overdue");
  life.due();
  expect(life.count("AttentionRaised")).toBe(1);
  life.bought();
  expect(life.kind).toBe("waiting");
  expect(life.order.attention).toBeNull();
});

test("a cancel before 3 minutes is too soon and says when", () => {
  const life = paid();
  expect(life.until(PAID_AT + 3 * MINUTE - 1).cancelAsked()).toEqual({
    code: "CANCEL_TOO_SOON",
    retryAt: PAID_AT + 3 * MINUTE,
  });
});

test("a cancel between two attempts is refunded at once", () => {
  const life = paid();
  life.until(PAID_AT + 3 * MINUTE).buyRefused("soon");
  expect(life.cancelAsked()).toBeNull();
  expect(life.kind).toBe("refunding");
});

test("a cancel during an attempt is remembered: refused means refund", () => {
  const life = paid();
  expect(life.until(PAID_AT + 3 * MINUTE).cancelAsked()).toBeNull();
  expect(life.cancelAsked()).toBeNull();
  expect(life.count("CancelAsked")).toBe(1);
  life.buyRefused("soon");
  expect(life.kind).toBe("refunding");
});

test("a cancel during an attempt is remembered: a number that comes is closed at once", () => {
  const life = paid();
  life.until(PAID_AT + 3 * MINUTE).cancelAsked();
  life.bought();
  expect(life.in("closing").why).toBe("customer");
});

test("a cancel while a lost buy is searched is remembered: surely absent means refund", () => {
  const life = paid();
  life.buyLost();
  expect(life.until(PAID_AT + 3 * MINUTE).cancelAsked()).toBeNull();
  life.searched("absent");
  expect(life.kind).toBe("refunding");
});

test("a destination given while buying is claimed, and claimed once", () => {
  const life = paid();
  expect(life.tell({ type: "DestinationGiven", destination: destination(2) }).claims).toHaveLength(1);
  expect(life.tell({ type: "DestinationGiven", destination: destination(2) }).claims).toEqual([]);
  expect(life.order.destination).toEqual({ ...destination(2), claimed: true });
});

test("a destination that belongs to another order is refused, and the old one stays", () => {
  const life = paid();
  const command = { type: "DestinationGiven", destination: destination(2) } as const;
  expect(life.tell({ type: "ClaimRefused", command }).reply).toEqual({
    ok: false,
    refusal: { code: "REFUND_DESTINATION_TAKEN", retryAt: null },
  });
  expect(life.order.destination?.paymentHash).toBe(destination(1).paymentHash);
});

test("a buy whose answer was lost is searched, never repeated", () => {
  const life = paid();
  life.buyLost();
  expect(life.kind).toBe("buyUnknown");
  expect(life.status).toBe("allocating_number");
  expect(life.has("buy")).toBe(false);
  expect(life.effect("findBuy")).toMatchObject({ attempt: 1, last: false });
});

test("a buy that a crash interrupted counts as lost", () => {
  const life = paid();
  life.crash();
  expect(life.kind).toBe("buyUnknown");
});

test("a lost buy that is found is adopted", () => {
  const life = paid();
  life.buyLost();
  life.wait(20 * SECOND).searched(heldNumber(PAID_AT + SECOND, "receive-sms"));
  expect(life.in("waiting").number.boughtAt).toBe(PAID_AT + SECOND);
});

test("a lost buy that was found too late is looked at and closed, because the 20 minutes count from payment", () => {
  const life = paid();
  life.buyLost();
  life.until(PAID_AT + 3 * MINUTE).searched("unsure");
  life.due();
  life.until(PAID_AT + 21 * MINUTE).searched(heldNumber(PAID_AT + SECOND, "receive-sms"));
  life.due();
  expect(life.in("closing").why).toBe("timeout");
});

test("a lost buy that surely did not happen is tried again", () => {
  const life = paid();
  life.buyLost();
  life.until(PAID_AT + 3 * MINUTE).searched("absent");
  expect(life.effect("buy").attempt).toBe(2);
});

test("a lost buy that surely did not happen is refunded when the window is over", () => {
  const life = paid();
  life.buyLost();
  life.until(PAID_AT + 5 * MINUTE).searched("absent");
  expect(life.kind).toBe("refunding");
  expect(life.order.loose).toBeNull();
});

test("an unsure search is repeated every ten seconds until the window closes", () => {
  const life = paid();
  life.buyLost();
  life.searched("unsure");
  expect(life.in("buyUnknown")).toMatchObject({ step: "pausing", due: life.now + 10 * SECOND });
  life.until(PAID_AT + 4 * MINUTE - 3 * SECOND).tell({ type: "Due" });
  life.searched("unsure");
  expect(life.in("buyUnknown").due).toBe(PAID_AT + 4 * MINUTE);
});

test("a search that takes too long is told to a person and waited for", () => {
  const life = paid();
  life.buyLost();
  life.due();
  expect(life.order.attention?.reason).toBe("buy_search_overdue");
  expect(life.kind).toBe("buyUnknown");
});

test("an interrupted search is repeated", () => {
  const life = paid();
  life.buyLost();
  life.crash();
  life.due();
  expect(life.effect("findBuy").last).toBe(false);
});
