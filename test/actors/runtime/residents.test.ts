import { expect, test } from "bun:test";
import type { Order } from "../../../actors/order/state.ts";
import { pack, unpack } from "../../../actors/runtime/packed.ts";
import { Residents } from "../../../actors/runtime/residents.ts";
import { orderText } from "../../../actors/runtime/texts.ts";
import { idOf, opening } from "./engine.ts";

const orderOf = (n: number): Order => opening(n, 1_000 + n).order;

test("an order is packed into a quarter of its text, and is equal afterwards", () => {
  const order = orderOf(1);
  const bytes = pack(order);
  expect(bytes.length).toBeLessThan(JSON.stringify(order).length / 4);
  expect(unpack(bytes, order.id)).toStrictEqual(order);
  // Nothing of the packer's buffer, which it writes the next one into.
  expect(bytes.buffer.byteLength).toBe(bytes.length);
  pack(orderOf(2));
  expect(unpack(bytes, order.id)).toStrictEqual(order);
  expect(orderText(unpack(bytes, order.id))).toBe(orderText(order));
});

test("orders of another node, with other members and unusual numbers, stay apart", () => {
  const first = orderOf(1);
  const changes: readonly Partial<Order>[] = [
    { terms: { ...first.terms, node: `03${"22".repeat(32)}` } },
    { refundAddress: "näme@example.com", addressAttempts: 2, withdrawLink: null },
    { messageIds: ["1", "", "ü"], attention: { since: 2 ** 53 - 1, reason: "" } },
    { owedMsats: -1 as never, doubtSince: 0 },
  ];
  const orders = changes.map((change) => ({ ...first, ...change }));
  const packed = orders.map(pack);
  expect(packed.map((bytes) => unpack(bytes, first.id))).toStrictEqual(orders);
});

test("shapes beyond those that are written down once are packed all the same", () => {
  const orders = Array.from({ length: 600 }, (_, n) => ({ ...orderOf(n), [`member${n}`]: n }) as Order);
  const packed = orders.map(pack);
  expect(packed.map((bytes, n) => unpack(bytes, idOf(n)))).toStrictEqual(orders);
});

test("the least recently used leaves first, packed or not", () => {
  const residents = new Residents(10);
  for (let n = 1; n <= 10; n++) residents.keep(orderOf(n));
  expect(residents.size).toBe(10);
  expect(residents.get(idOf(1))).toStrictEqual(orderOf(1));
  residents.keep(orderOf(11));
  residents.keep(orderOf(12));
  expect(residents.size).toBe(10);
  const here = (n: number) => residents.take(idOf(n)) !== null;
  expect([1, 2, 3, 4, 11, 12].map(here)).toEqual([true, false, false, true, true, true]);
  expect(residents.size).toBe(6);
});

test("what is taken or forgotten is gone, and a newer state stands for an older one", () => {
  const residents = new Residents(10);
  for (let n = 1; n <= 5; n++) residents.keep(orderOf(n));
  for (const n of [1, 5]) {
    residents.forget(idOf(n));
    expect(residents.take(idOf(n))).toBeNull();
  }
  const newer = { ...orderOf(2), seq: 2 };
  expect(residents.take(idOf(2))).toStrictEqual(orderOf(2));
  residents.keep(newer);
  expect(residents.get(idOf(2))).toBe(newer);
  expect(residents.size).toBe(3);
});

test("what is read counts as used, and no more stand ready for that", () => {
  const residents = new Residents(10);
  for (let n = 1; n <= 10; n++) residents.keep(orderOf(n));
  for (let n = 1; n <= 10; n++) residents.get(idOf(n));
  const last = residents.get(idOf(10));
  expect(residents.get(idOf(10))).toBe(last);
  for (let n = 1; n <= 9; n++) residents.get(idOf(n));
  expect(residents.get(idOf(10))).not.toBe(last);
});

test("of very many no more than 4,000 stand ready", () => {
  const residents = new Residents(1_000_000);
  const orders = Array.from({ length: 4_001 }, (_, n) => orderOf(n));
  for (const order of orders) residents.keep(order);
  expect(residents.take(idOf(0))).not.toBe(orders[0] as Order);
  expect(residents.take(idOf(1))).toBe(orders[1] as Order);
});

test("one is kept where one is allowed", () => {
  const residents = new Residents(1);
  for (let n = 1; n <= 3; n++) {
    residents.keep(orderOf(n));
    expect(residents.size).toBe(1);
    expect(residents.get(idOf(n))?.id).toBe(idOf(n));
  }
});
