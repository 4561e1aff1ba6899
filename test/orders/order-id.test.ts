import { expect, test } from "bun:test";
import { newOrderId } from "../../src/orders/order-id.ts";
import { ManualWorld } from "../support/manual-world.ts";

const world = new ManualWorld();
const idAt = (time: number) => newOrderId({ now: () => time, random: (length) => world.random(length) });
const YEAR = 365 * 86_400_000;

test("an id has 32 hex digits, now and in a hundred years", () => {
  for (const time of [world.now(), world.now() + 100 * YEAR]) expect(idAt(time)).toMatch(/^[0-9a-f]{32}$/);
});

test("an id of a later moment sorts after one of an earlier moment", () => {
  const ids = [0, 1, 15, 16, 4_095, 4_096, 1_700_000_000_000, 4_900_000_000_000].map(idAt);
  expect(ids.toSorted()).toEqual(ids);
});

test("ids of the same moment differ", () => {
  const ids = Array.from({ length: 1_000 }, () => newOrderId(world));
  expect(new Set(ids).size).toBe(1_000);
});
