import { expect, test } from "bun:test";
import type { Kind } from "../../actors/order/state.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import type { Bearer } from "../../src/orders/desk.ts";
import { Ownership } from "../../src/orders/ownership.ts";
import { ManualWorld } from "../support/manual-world.ts";

/** Orders by id, each with the order before it, and what was looked up. */
function register(parents: Readonly<Record<string, string | null>>, kind: Kind = "done") {
  const read: string[] = [];
  const supervisor: Pick<Supervisor, "read"> = {
    read: (id) => {
      read.push(id);
      const parent = parents[id];
      if (parent === undefined) return null;
      const good =
        parent === null ? { type: "receive-sms" } : { type: "receive-sms-reactivate", parentOrderId: parent };
      return { id, state: { kind }, terms: { good, paymentHash: `hash of ${id}` } } as never;
    },
  };
  // Only what ownership asks for.
  return { read, ownership: new Ownership(new ManualWorld(), supervisor as Supervisor) };
}

const proof = (orderId: string, more: Partial<Bearer> = {}): Bearer => ({
  orderId,
  paymentHash: `hash of ${orderId}`,
  capabilities: "all",
  ...more,
});

test("without a full-rights credential nothing is looked up: whether the order exists shows in no answer and no time", async () => {
  const { ownership, read } = register({ a: null });
  for (const proofs of [[], [null, null], [proof("a", { capabilities: new Set(["read", "cancel"]) }), null]] as const) {
    for (const orderId of ["a", "missing"]) {
      expect(await ownership.parent(orderId, proofs)).toMatchObject({ problem: "INVALID_MACAROON" });
    }
  }
  expect(read).toEqual([]);
});

test("a credential of any order in the number's chain will do, of another chain none", async () => {
  const { ownership } = register({ a: null, b: "a", c: "b", other: null });
  for (const [orderId, owner] of [
    ["a", "a"],
    ["a", "c"],
    ["c", "a"],
    ["b", "c"],
  ] as const) {
    expect(await ownership.parent(orderId, [null, proof(owner)])).toMatchObject({ id: orderId });
  }
  for (const wrong of [proof("other"), proof("missing"), proof("a", { paymentHash: "of another order of that id" })]) {
    for (const orderId of ["a", "c", "missing"]) {
      expect(await ownership.parent(orderId, [wrong])).toMatchObject({ problem: "INVALID_MACAROON" });
    }
  }
});

test("a chain that bites its own tail is not followed for ever", async () => {
  const { ownership, read } = register({ a: "b", b: "a", c: null });
  expect(await ownership.parent("c", [proof("a")])).toMatchObject({ problem: "INVALID_MACAROON" });
  expect(read.length).toBeLessThan(300);
});

test("an order that gave its number back is not waited for, however long its refund takes", async () => {
  for (const kind of ["resolving", "refunding", "refundUnknown", "refundStuck"] as const) {
    const answer = await register({ a: null }, kind).ownership.parent("a", [proof("a")]);
    expect([kind, answer]).toMatchObject([kind, { problem: "UNAVAILABLE", retryable: false }]);
  }
  const waiting = await register({ a: null }, "waiting").ownership.parent("a", [proof("a")]);
  expect(waiting).toMatchObject({ problem: "UNAVAILABLE", retryAfterSeconds: 30 });
});
