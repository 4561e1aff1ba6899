/** A reactivation: one more code on a number that was had before; a sale of access, not of a message. */
import { expect, test } from "bun:test";
import { Life } from "./life.ts";
import { destination, MINUTE, PAID_AT, QUOTED_COST, RECEIVED, sms } from "./orders.ts";

const reactivated = (): Life => Life.open({ type: "receive-sms-reactivate" }).toWaiting();

test("a code that comes completes it like any other", () => {
  const life = reactivated();
  life.tell({ type: "Hinted" });
  life.looked("open", sms("m1"));
  life.tell({ type: "CodeRead" });
  life.due();
  life.looked("open");
  life.answer("finish", { type: "FinishAnswered", answer: { kind: "finished" } });
  expect(life.status).toBe("completed");
});

test("without a code it expires after 20 minutes, and the money is kept", () => {
  for (const answer of ["cancelled", "too_late"] as const) {
    const life = reactivated();
    life.due();
    expect(life.now).toBe(PAID_AT + 20 * MINUTE);
    life.looked("open");
    life.answer("cancel", { type: "CancelAnswered", answer: { kind: answer } });
    if (answer === "too_late") {
      life.due();
      life.looked("open");
    }
    expect(life.status).toBe("expired");
    expect(life.has("refund")).toBe(false);
    expect(life.watcher.sums.msat).toMatchObject({ kept: RECEIVED, owed: 0 });
    expect(life.watcher.sums.µUSD.loss).toBe(answer === "cancelled" ? 0 : QUOTED_COST);
  }
});

test("one that expired after trouble waits for nobody", () => {
  const life = reactivated();
  life.due();
  life.due();
  expect(life.order.attention?.reason).toBe("closing_overdue");
  life.looked("refunded");
  expect(life.order).toMatchObject({ attention: null, state: { kind: "done", as: "expired" } });
});

test("it cannot be cancelled, and once it has its number it takes no refund destination", () => {
  const life = reactivated();
  life.wait(4 * MINUTE);
  expect(life.cancelAsked()?.code).toBe("CANCEL_NOT_ALLOWED");
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
  life.due();
  expect(life.cancelAsked()?.code).toBe("CANCEL_NOT_ALLOWED");
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
});

test("while its number is bought it takes one, because a reactivation that cannot be had is refunded", () => {
  const life = Life.open({ type: "receive-sms-reactivate", destination: null });
  life.settle();
  expect(life.wait(4 * MINUTE).cancelAsked()?.code).toBe("CANCEL_NOT_ALLOWED");
  expect(life.give(destination(2))).toBeNull();
  life.buyRefused("never", "sim_offline");
  expect(life.effect("refund").paymentHash).toBe(destination(2).paymentHash);
});

test("one that expired cannot be refunded", () => {
  const life = reactivated();
  life.due();
  life.looked("refunded");
  expect(life.give(destination(2))?.code).toBe("REFUND_NOT_PENDING");
});
