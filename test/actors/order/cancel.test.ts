/** What a customer hears who cancels: one documented answer in each kind, for each type of order. */
import { expect, test } from "bun:test";
import type { Refusal } from "../../../actors/order/decision.ts";
import type { Kind } from "../../../actors/order/state.ts";
import type { OrderType } from "../../../actors/order/terms.ts";
import { Life } from "./life.ts";
import { DAY, MINUTE, SECOND } from "./orders.ts";

const paid = (type: OrderType): Life => {
  const life = Life.open({ type });
  life.settle();
  return life;
};

/** A life in each kind, at least 3 minutes after payment where it is paid. */
const LIVES: Readonly<Record<Kind, (type: OrderType) => Life>> = {
  unpaid: (type) => Life.open({ type }),
  lapsed: (type) => {
    const life = Life.open({ type });
    life.wait(6 * MINUTE).tell({ type: "SurelyUnpaid" });
    return life;
  },
  buying: (type) => paid(type).wait(3 * MINUTE),
  buyUnknown: (type) => {
    const life = paid(type);
    life.buyLost();
    return life.wait(3 * MINUTE);
  },
  waiting: (type) =>
    Life.open({ type })
      .toWaiting()
      .wait(3 * MINUTE),
  closing: (type) => Life.open({ type }).toClosing(),
  delivered: (type) =>
    Life.open({ type })
      .toDelivered()
      .wait(3 * MINUTE),
  finishing: (type) => {
    const life = Life.open({ type }).toDelivered();
    life.tell({ type: "FinishAsked" });
    return life;
  },
  renting: (type) =>
    Life.open({ type })
      .toWaiting()
      .wait(3 * MINUTE),
  resolving: (type) => {
    const life = Life.open({ type, destination: null });
    life.tell({ type: "AddressGiven", address: "alice@wallet.example" });
    return life.toRefunding();
  },
  refunding: (type) => Life.open({ type }).toRefunding(),
  refundUnknown: (type) => {
    const life = Life.open({ type }).toRefunding();
    life.refundLost();
    return life;
  },
  refundStuck: (type) => {
    const life = Life.open({ type }).toRefunding();
    for (life.wait(DAY).refundFailed(); life.kind === "refunding"; life.refundFailed()) life.due();
    return life;
  },
  done: (type) => {
    const life = Life.open({ type }).toRefunding();
    life.refunded();
    return life;
  },
};

type Answer = Refusal["code"] | "accepted";

const ANSWERS: readonly (readonly [OrderType, Partial<Record<Kind, Answer>>])[] = [
  [
    "receive-sms",
    {
      unpaid: "CANCEL_TOO_SOON",
      lapsed: "CANCEL_TOO_SOON",
      buying: "accepted",
      buyUnknown: "accepted",
      waiting: "accepted",
      closing: "accepted",
      delivered: "CANCEL_SMS_RECEIVED",
      finishing: "CANCEL_SMS_RECEIVED",
      resolving: "accepted",
      refunding: "accepted",
      refundUnknown: "accepted",
      refundStuck: "accepted",
      done: "accepted",
    },
  ],
  [
    "receive-sms-reactivate",
    {
      unpaid: "CANCEL_TOO_SOON",
      lapsed: "CANCEL_TOO_SOON",
      buying: "CANCEL_NOT_ALLOWED",
      buyUnknown: "CANCEL_NOT_ALLOWED",
      waiting: "CANCEL_NOT_ALLOWED",
      closing: "CANCEL_NOT_ALLOWED",
      delivered: "CANCEL_NOT_ALLOWED",
      finishing: "CANCEL_NOT_ALLOWED",
      resolving: "CANCEL_NOT_ALLOWED",
      refunding: "CANCEL_NOT_ALLOWED",
      refundUnknown: "CANCEL_NOT_ALLOWED",
      refundStuck: "CANCEL_NOT_ALLOWED",
      done: "CANCEL_NOT_ALLOWED",
    },
  ],
  [
    "rent-number",
    {
      unpaid: "CANCEL_TOO_SOON",
      lapsed: "CANCEL_TOO_SOON",
      buying: "CANCEL_NOT_ALLOWED",
      buyUnknown: "CANCEL_NOT_ALLOWED",
      renting: "CANCEL_NOT_ALLOWED",
      resolving: "CANCEL_NOT_ALLOWED",
      refunding: "CANCEL_NOT_ALLOWED",
      refundUnknown: "CANCEL_NOT_ALLOWED",
      refundStuck: "CANCEL_NOT_ALLOWED",
      done: "CANCEL_NOT_ALLOWED",
    },
  ],
];

for (const [type, answers] of ANSWERS) {
  for (const [kind, answer] of Object.entries(answers) as [Kind, Answer][]) {
    test(`a cancel of a ${type} order that is ${kind} is answered ${answer}`, () => {
      const life = LIVES[kind](type);
      expect(life.kind).toBe(kind);
      expect(life.cancelAsked()?.code ?? "accepted").toBe(answer);
    });
  }
}

test("a cancel of a completed order says that the SMS was received", () => {
  const life = Life.open().toDelivered();
  life.tell({ type: "Hinted" });
  life.looked("finished");
  expect(life.cancelAsked()?.code).toBe("CANCEL_SMS_RECEIVED");
});

test("a cancel while pending says to come back", () => {
  const life = Life.open();
  expect(life.cancelAsked()?.retryAt).toBe(life.now + 60 * SECOND);
});
