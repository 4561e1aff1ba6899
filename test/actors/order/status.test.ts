/** The 12 public words. */
import { expect, test } from "bun:test";
import { FINAL, STATUSES, type Status } from "../../../actors/order/status.ts";
import { Life } from "./life.ts";
import { MINUTE } from "./orders.ts";

const WAYS: Readonly<Record<Status, () => Life>> = {
  pending_payment: () => Life.open(),
  paid: () => {
    const life = Life.open();
    life.tell({ type: "PreimageShown" });
    return life;
  },
  allocating_number: () => {
    const life = Life.open();
    life.settle();
    return life;
  },
  waiting_for_sms: () => Life.open().toClosing(),
  code_received: () => Life.open().toDelivered(),
  rent_active: () => Life.open({ type: "rent-number" }).toWaiting(),
  completed: () => {
    const life = Life.open().toDelivered();
    life.tell({ type: "FinishAsked" });
    life.looked("finished");
    return life;
  },
  refund_pending: () => Life.open().toRefunding(),
  refunded: () => {
    const life = Life.open().toRefunding();
    life.refunded();
    return life;
  },
  refund_failed: () => Life.open({ destination: null }).toRefunding(),
  failed: () => Life.open({ type: "rent-number", destination: null }).toRefunding(),
  expired: () => {
    const life = Life.open();
    life.wait(6 * MINUTE).tell({ type: "SurelyUnpaid" });
    return life;
  },
};

test.each([...STATUSES])("an order can be %s", (word) => {
  expect(WAYS[word]().status).toBe(word);
});

test("the final words are those of orders that are over", () => {
  expect([...FINAL].sort()).toEqual(["completed", "expired", "failed", "refunded"]);
  for (const word of STATUSES) expect(WAYS[word]().order.endedAt !== null).toBe(FINAL.has(word));
});
