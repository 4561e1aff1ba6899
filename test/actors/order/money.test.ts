/** Money is whole numbers with a unit. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  floorToSats,
  formatMicroUsd,
  microUsd,
  msats,
  parseMicroUsd,
  sats,
  toMsats,
} from "../../../actors/order/money.ts";

test("amounts are whole and not negative", () => {
  for (const make of [sats, msats, microUsd]) {
    for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => make(wrong)).toThrow(RangeError);
    }
    expect<number>(make(0)).toBe(0);
  }
});

test("nobody has more than 21 million bitcoin", () => {
  expect<number>(sats(2_100_000_000_000_000)).toBe(2_100_000_000_000_000);
  expect(() => sats(2_100_000_000_000_001)).toThrow(RangeError);
});

test("a part of a sat cannot be sent", () => {
  expect<number>(floorToSats(msats(1_234_999))).toBe(1_234);
  expect<number>(floorToSats(msats(999))).toBe(0);
  expect<number>(toMsats(sats(3))).toBe(3_000);
});

test.each([
  ["0.0480", 48_000],
  [0.6, 600_000],
  ["12", 12_000_000],
  [" 1.5 ", 1_500_000],
  ["0.0000001", 1],
  ["0.1234561", 123_457],
  [0.1 + 0.2, 300_000],
  [0, 0],
])("the provider's %p is %p millionths of a dollar", (text, amount) => {
  expect<number | null>(parseMicroUsd(text)).toBe(amount);
});

test.each([
  "",
  "-1",
  "1e5",
  "1,5",
  "0x10",
  "1.",
  ".5",
  "1234567890",
  Number.NaN,
  -0.1,
  1e9,
  null,
  undefined,
  {},
  "1 2",
])("%p is not an amount of the provider", (text) => {
  expect(parseMicroUsd(text)).toBeNull();
});

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_000_000 }), (amount) => {
      expect<number | null>(parseMicroUsd(formatMicroUsd(microUsd(amount)))).toBe(amount);
    }),
  );
  expect(formatMicroUsd(microUsd(48_000))).toBe("0.048");
  expect(formatMicroUsd(microUsd(12_000_000))).toBe("12");
});
