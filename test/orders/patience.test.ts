import { describe, expect, test } from "bun:test";
import type { Good } from "../../actors/order/terms.ts";
import { impatience } from "../../src/orders/patience.ts";
import { termsOf } from "../actors/runtime/engine.ts";

const sms = termsOf(1, 0).good;
const rental = termsOf(1, 0, "rent-number").good;

const code = (outcomes: { givenBack: number; delivered: number }, good: Good = sms, pausesAll = false) =>
  impatience("a", good, {
    world: { now: () => 0 },
    store: { outcomesOf: () => outcomes },
    guard: { pausesAll: () => pausesAll },
    maxCancelledPerClient: 5,
  })?.problem ?? null;

describe("patience", () => {
  test("ends with a client whose orders all end without an SMS", () => {
    expect(code({ givenBack: 4, delivered: 0 })).toBeNull();
    expect(code({ givenBack: 5, delivered: 0 })).toBe("RATE_LIMITED");
    expect(code({ givenBack: 5, delivered: 2 })).toBe("RATE_LIMITED");
  });

  test("does not with one who uses a third of the numbers, nor for what cannot be given back", () => {
    expect(code({ givenBack: 6, delivered: 3 })).toBeNull();
    expect(code({ givenBack: 50, delivered: 0 }, rental)).toBeNull();
  });

  test("ends for all when the account is in danger, but for rentals, which are not judged by their SMS", () => {
    expect(code({ givenBack: 0, delivered: 0 }, sms, true)).toBe("TEMPORARILY_UNAVAILABLE");
    expect(code({ givenBack: 0, delivered: 0 }, rental, true)).toBeNull();
  });
});
