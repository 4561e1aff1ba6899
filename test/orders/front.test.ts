import { expect, test } from "bun:test";
import type { Order } from "../../actors/order/state.ts";
import { presentedAs } from "../../src/l402/authorization.ts";
import { RootKeys } from "../../src/l402/keys.ts";
import { NOTHING_REVOKED } from "../../src/l402/revocations.ts";
import type { CreateInput } from "../../src/orders/desk.ts";
import { Front, type FrontOptions } from "../../src/orders/front.ts";
import { digestOf } from "../../src/orders/request.ts";
import type { OrderView } from "../../src/orders/view.ts";
import { numberOf, opening, termsOf } from "../actors/runtime/engine.ts";
import { ManualWorld } from "../support/manual-world.ts";

const REQUEST = { service: "tg" };
const NOW = 1_000_000;
const unpaid = { state: { kind: "unpaid", asking: true }, payment: null, terms: { invoiceExpiresAt: NOW + 1_000 } };

/** A desk whose key names one order; opening another would be a defect. */
function desk(order: object): Front {
  const options = {
    world: { now: () => NOW },
    supervisor: { read: () => order as Order },
    store: { claimOwner: () => ({ orderId: "o1", detail: digestOf(REQUEST), at: 0 }) },
    keys: { pseudonym: (text: string) => text },
    opening: { open: () => Promise.reject(new Error("opened another order")) },
  };
  // Only what a repeated key touches.
  return new Front(options as unknown as FrontOptions);
}

const input: CreateInput = {
  request: REQUEST,
  emptyBody: false,
  client: "a",
  idempotencyKey: "0123456789abcdef012345",
  bearer: null,
  unpaidBearer: null,
  parent: null,
};

test("a repeated key never says that a purchase expired whose preimage was shown, also before the node's word", async () => {
  for (const state of ["unpaid", "lapsed"]) {
    const order = { ...unpaid, state: { kind: state, asking: false }, provenAt: NOW - 10 };
    expect(await desk(order).create(input)).toMatchObject({
      problem: "IDEMPOTENCY_CONFLICT",
      details: { statusUrl: "/v2/l402/order/o1" },
    });
  }
});

test("a repeated key whose invoice expired unpaid is spent", async () => {
  const answer = await desk({ ...unpaid, state: { kind: "lapsed" }, provenAt: null }).create(input);
  expect(answer).toMatchObject({ problem: "IDEMPOTENCY_CONFLICT", message: expect.stringContaining("expired") });
});

test("a credential outlives the invoice: an order that was scrubbed still tells its full-rights holder the macaroon", () => {
  const order = { id: "0".repeat(32), terms: { ...termsOf(1, 0), invoice: "" } } as unknown as Order;
  const front = new Front({
    world: new ManualWorld(),
    supervisor: { read: () => order },
    keys: new RootKeys([{ kid: 0, key: new Uint8Array(32).fill(7) }]),
    revocations: NOTHING_REVOKED,
  } as unknown as FrontOptions);
  const bearer = { orderId: order.id, paymentHash: order.terms.paymentHash, capabilities: "all" } as const;
  const [credential] = presentedAs(`${front.macaroonOf(bearer)}:`).credentials;
  expect(credential?.preimage).toBeNull();
  expect(front.macaroonOf({ ...bearer, capabilities: new Set(["read"]) })).toBeNull();
});

test("the texts of a live order are read once until more arrive, those of one that is over each time: they are erased without a step", async () => {
  const { order } = opening(1, NOW);
  const number = numberOf(1, NOW);
  let messages = [{ id: "1", code: "123456", text: "Code 123456", sender: "tg", receivedAt: NOW, storedAt: NOW }];
  let reads = 0;
  const live: Order = {
    ...order,
    messageIds: ["1"],
    codeReadAt: NOW,
    state: { kind: "delivered", number, looking: "idle", due: NOW + 60_000 },
  };
  let current: Order = live;
  const front = new Front({
    world: { now: () => NOW },
    supervisor: { read: () => current },
    store: {
      messages: () => {
        reads++;
        return messages;
      },
    },
    keys: { pseudonym: (text: string) => text },
    limits: { retentionMs: 1_000 },
  } as unknown as FrontOptions);
  const bearer = { orderId: order.id, paymentHash: order.terms.paymentHash, capabilities: "all" } as const;
  const shown = async () => ((await front.read(bearer)) as OrderView).code;
  expect([await shown(), await shown(), reads]).toEqual(["123456", "123456", 1]);
  current = { ...live, seq: 9 };
  expect([await shown(), await shown(), reads]).toEqual(["123456", "123456", 1]);
  messages = [{ ...messages[0], id: "2", code: "654321" } as (typeof messages)[0], ...messages];
  current = { ...live, seq: 10, messageIds: ["1", "2"] };
  expect([((await front.read(bearer)) as OrderView).messages.length, reads]).toEqual([2, 2]);
  messages = messages.slice(1);
  current = { ...live, endedAt: NOW, state: { kind: "done", as: "completed", number } };
  expect(await shown()).toBe("123456");
  messages = [];
  expect([await shown(), reads]).toEqual([null, 4]);
});
