/** What a customer reads: times that are true, and a next step that helps. */
import { describe, expect, test } from "bun:test";
import type { Kind } from "../../actors/order/state.ts";
import type { OrderType } from "../../actors/order/terms.ts";
import type { StoredMessage } from "../../actors/runtime/store.ts";
import { iso } from "../../actors/runtime/world.ts";
import { type OrderView, viewOf } from "../../src/orders/view.ts";
import { Life } from "../actors/order/life.ts";
import { DAY, destination, HOUR, MINUTE, OPENED_AT, PAID_AT, SECOND, sms } from "../actors/order/orders.ts";

const RETENTION_MS = 30 * DAY;

const message = (code: string | null): StoredMessage => ({
  id: "m1",
  code,
  text: "Welcome",
  sender: null,
  receivedAt: null,
  storedAt: PAID_AT + MINUTE,
});

const view = (life: Life, ...messages: StoredMessage[]): OrderView =>
  viewOf(life.order, messages, life.now, { retentionMs: RETENTION_MS });

/** Lives that stand in a kind, and what their customers read as `expiresAt` there. */
const ENDS: readonly (readonly [kind: Kind, make: () => Life, expiresAt: (life: Life) => number | null])[] = [
  ["unpaid", () => Life.open(), () => OPENED_AT + 5 * MINUTE],
  ["lapsed", () => lapsed(), (life) => life.now + DAY],
  ["buying", () => paid(), () => PAID_AT + 20 * MINUTE],
  ["waiting", () => Life.open().toWaiting(), () => PAID_AT + 20 * MINUTE],
  ["closing", () => Life.open().toClosing().wait(SECOND), () => null],
  ["delivered", () => Life.open().toDelivered(), (life) => life.in("delivered").number.endsAt],
  ["renting", () => Life.open({ type: "rent-number" }).toWaiting(), (life) => life.in("renting").number.endsAt],
  ["refunding", () => Life.open().toRefunding().wait(HOUR), () => null],
  ["refundStuck", () => stuck().wait(HOUR), () => PAID_AT + 90 * DAY],
  ["done", () => completed(), (life) => life.now + RETENTION_MS],
  ["done", () => completed().wait(RETENTION_MS), () => null],
  ["done", () => owed(), () => null],
];

function paid(): Life {
  const life = Life.open();
  life.settle();
  return life;
}

function lapsed(): Life {
  const life = Life.open();
  life.wait(6 * MINUTE).tell({ type: "SurelyUnpaid" });
  return life;
}

function stuck(): Life {
  return Life.open({ destination: null }).toRefunding();
}

function completed(): Life {
  const life = Life.open().toDelivered();
  life.tell({ type: "Hinted" });
  life.looked("finished");
  return life;
}

/** A rental that could not be had: its sats wait for a destination for as long as it takes. */
function owed(): Life {
  const life = Life.open({ type: "rent-number", destination: null });
  life.settle();
  life.buyRefused("never");
  expect(view(life)).toMatchObject({ status: "failed", refund: { status: "needs_destination" } });
  return life;
}

function withText(): Life {
  const life = Life.open().toWaiting();
  life.tell({ type: "Hinted" });
  life.looked("open", sms("m1", { code: null }));
  return life;
}

test.each([...ENDS])("expiresAt of an order that is %s is never a time that has passed", (kind, make, expiresAt) => {
  const life = make();
  expect(life.kind).toBe(kind);
  const until = expiresAt(life);
  expect(view(life).expiresAt).toBe(until === null ? null : iso(until));
});

test("a refund that waits for a destination expires with its claim window, and not at all afterwards", () => {
  const life = stuck();
  const { expiresAt, refund } = view(life);
  expect(expiresAt).toBe(refund.claimUntil);
  life.due();
  expect(view(life)).toMatchObject({ expiresAt: null, refund: { status: "unclaimed", claimUntil: null } });
});

describe("cancelAvailableAt", () => {
  test("of an unpaid order is the earliest time that is possible", () => {
    expect(view(Life.open()).cancelAvailableAt).toBe(iso(OPENED_AT + 3 * MINUTE));
  });

  test("of a paid order is 3 minutes after its payment, in every state", () => {
    for (const life of [paid(), Life.open().toWaiting(), completed(), stuck()]) {
      expect(view(life).cancelAvailableAt).toBe(iso(PAID_AT + 3 * MINUTE));
    }
  });

  test.each(["rent-number", "receive-sms-reactivate"] as const satisfies OrderType[])(
    "of a %s is null, paid or not",
    (type) => {
      expect(view(Life.open({ type })).cancelAvailableAt).toBeNull();
      expect(view(Life.open({ type }).toWaiting()).cancelAvailableAt).toBeNull();
    },
  );
});

describe("the next step", () => {
  test("after an invoice that surely nobody paid is a new order", () => {
    expect(view(lapsed())).toMatchObject({ status: "expired", next: { action: "none" } });
  });

  test("after a shown preimage is never to order anew, whatever the node says", () => {
    const life = lapsed();
    life.tell({ type: "PreimageShown" });
    const { status, next } = view(life);
    expect(status).toBe("paid");
    expect(next.action).toBe("wait");
    expect(next.message).toContain("looked into");
    expect(next.message).not.toContain("new order");
  });

  test("after a message without a code is to keep polling", () => {
    const life = withText();
    const { code, messages, next } = view(life, message(null));
    expect({ code, messages: messages.length, action: next.action }).toEqual({
      code: null,
      messages: 1,
      action: "wait",
    });
    expect(next.message).toContain("without a code");
    life.tell({ type: "FinishAsked" });
    expect(view(life, message(null)).next.action).toBe("wait");
  });

  test("after a code is to read it", () => {
    const life = Life.open().toDelivered();
    expect(view(life, message("424242"))).toMatchObject({ code: "424242", next: { action: "read_code" } });
    expect(view(life, message("424242"), { ...message(null), id: "m2" })).toMatchObject({
      code: "424242",
      next: { action: "read_code" },
    });
  });

  test("of a rental that ended empty does not say that no number could be had", () => {
    const life = Life.open({ type: "rent-number", destination: null }).toWaiting();
    life.tell({ type: "Hinted" });
    life.looked("refunded");
    expect(view(life).next).toMatchObject({ action: "give_refund_invoice" });
    expect(view(life).next.message).not.toContain("No number");
    const none = Life.open({ type: "rent-number", destination: null }).toRefunding();
    expect(view(none).next.message).toContain("No number could be had");
  });

  test("of a reactivation that is given back promises no refund", () => {
    const life = Life.open({ type: "receive-sms-reactivate", destination: destination() }).toClosing();
    expect(view(life).next.message).not.toContain("refund");
    expect(view(Life.open().toClosing()).next.message).toContain("refund");
  });
});
