/** A number waits for its SMS. */
import { expect, test } from "bun:test";
import { Life } from "./life.ts";
import { destination, HOUR, MINUTE, notSeen, PAID_AT, RECEIVED, SECOND, sms } from "./orders.ts";

const waiting = (): Life => Life.open().toWaiting();

test("a hint makes the order look at the provider's own list; the hint itself makes no message", () => {
  const life = waiting();
  life.tell({ type: "Hinted" });
  expect(life.effect("look")).toMatchObject({
    activationId: "900000007",
    boughtAt: life.in("waiting").number.boughtAt,
  });
  life.looked("open");
  expect(life.in("waiting").looking).toBe("idle");
});

test("hints that come during a look cause one more, not many", () => {
  const life = waiting();
  for (let hints = 0; hints < 5; hints++) life.tell({ type: "Hinted" });
  expect(life.pending.size).toBe(1);
  life.looked("open");
  expect(life.pending.size).toBe(1);
  life.looked("open");
  expect(life.pending.size).toBe(0);
});

test("a hint that came during the look which delivered is not lost: the code may be in the second SMS", () => {
  const life = waiting();
  life.tell({ type: "Hinted" });
  life.tell({ type: "Hinted" });
  life.looked("open", sms("m1", { code: null }));
  expect(life.in("delivered").looking).toBe("running");
  life.looked("open", sms("m1", { code: null }), sms("m2"));
  expect(life.order.messageIds).toEqual(["m1", "m2"]);
  expect(life.order.codeReceivedAt).toBe(life.now);
  expect(life.pending.size).toBe(0);
});

test("a look that a crash interrupted does not block the next one", () => {
  const life = waiting();
  life.tell({ type: "Hinted" });
  life.crash();
  expect(life.in("waiting").looking).toBe("idle");
  life.tell({ type: "Hinted" });
  expect(life.has("look")).toBe(true);
});

test("a look that failed says nothing about the number", () => {
  const life = waiting();
  life.tell({ type: "Hinted" });
  life.answer("look", notSeen);
  expect(life.kind).toBe("waiting");
});

test("the first SMS delivers, earns the money and hands the notice over", () => {
  const life = Life.open({ notifyNpub: "ab".repeat(32) }).toWaiting();
  life.tell({ type: "Hinted" });
  const { messages } = life.looked("open", sms("m1"), sms("m2"));
  expect(messages.map(({ id }) => id)).toEqual(["m1", "m2"]);
  expect(life.status).toBe("code_received");
  expect(life.watcher.sums.msat).toMatchObject({ kept: RECEIVED, owed: 0 });
  expect(life.effect("notify").npub).toBe("ab".repeat(32));
});

test("without a Nostr account nobody is notified", () => {
  const life = waiting();
  life.tell({ type: "Hinted" });
  life.looked("open", sms("m1"));
  expect(life.pending.size).toBe(0);
});

test("20 minutes after payment without an SMS the order closes", () => {
  const life = waiting();
  life.due();
  expect(life.now).toBe(PAID_AT + 20 * MINUTE);
  expect(life.in("closing")).toMatchObject({ why: "timeout", step: "looking" });
  expect(life.status).toBe("waiting_for_sms");
});

test("from 3 minutes after payment a cancel closes the order, before that it is too soon", () => {
  const life = waiting();
  expect(life.until(PAID_AT + 3 * MINUTE - 1).cancelAsked()).toEqual({
    code: "CANCEL_TOO_SOON",
    retryAt: PAID_AT + 3 * MINUTE,
  });
  expect(life.wait(1).cancelAsked()).toBeNull();
  expect(life.in("closing").why).toBe("customer");
  expect(life.order.cancelAskedAt).toBe(life.now);
});

test("an alarm that waited in the mailbox while the SMS came does not end the number", () => {
  const life = Life.open();
  life.settle();
  life.bought({ endsAt: PAID_AT + 2 * HOUR });
  life.until(PAID_AT + 20 * MINUTE - SECOND).tell({ type: "Hinted" });
  life.wait(SECOND).looked("open", sms("m1"));
  // Fired for the 20 minutes, told after the SMS was recorded.
  expect(life.tell({ type: "Due" }).events).toEqual([]);
  expect(life.kind).toBe("delivered");
});

test.each(["refunded", "finished", "ended", "missing"] as const)(
  "a number that is %s at the provider closes",
  (standing) => {
    const life = waiting();
    life.tell({ type: "Hinted" });
    life.looked(standing);
    expect(life.in("closing").why).toBe("provider_ended");
  },
);

test("a wrong word that the number ended does not cost the customer a live number", () => {
  const life = waiting();
  life.tell({ type: "Hinted" });
  life.looked("missing");
  life.wait(SECOND).looked("open");
  expect(life.in("waiting").due).toBe(PAID_AT + 20 * MINUTE);
  expect(life.has("cancel")).toBe(false);
  life.tell({ type: "Hinted" });
  life.looked("open", sms("m1"));
  expect(life.kind).toBe("delivered");
});

test("after a wrong word that it ended, the number is closed all the same once its time is over", () => {
  const life = waiting();
  life.until(PAID_AT + 20 * MINUTE - SECOND).tell({ type: "Hinted" });
  life.looked("missing");
  life.wait(SECOND).looked("open");
  expect(life.in("closing").step).toBe("cancelling");
});

test("a customer who cancels while the provider's word is checked is taken at their word", () => {
  const life = waiting();
  life.until(PAID_AT + 4 * MINUTE).tell({ type: "Hinted" });
  life.looked("missing");
  expect(life.cancelAsked()).toBeNull();
  life.looked("open");
  expect(life.in("closing").step).toBe("cancelling");
});

test("a destination given while waiting is claimed", () => {
  const life = waiting();
  const { claims } = life.tell({ type: "DestinationGiven", destination: destination(2) });
  expect(claims).toEqual([{ kind: "refund_hash", value: destination(2).paymentHash }]);
});

test("a number cannot be finished for a reactivation before its code came", () => {
  expect(waiting().tell({ type: "FinishAsked" }).events).toEqual([]);
});
