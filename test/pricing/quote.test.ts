import { expect, test } from "bun:test";
import fc from "fast-check";
import { microUsd } from "../../actors/order/money.ts";
import { type Multiplier, parseMultiplier, quoteSats } from "../../src/pricing/quote.ts";
import { usdCentsPerBtc } from "../../src/pricing/units.ts";

const factor = (text: string): Multiplier => {
  const multiplier = parseMultiplier(text);
  if (!multiplier) throw new Error(`Not a multiplier: ${text}`);
  return multiplier;
};
const price = (usdMicros: number, cents: number, multiplier: string): number =>
  quoteSats(microUsd(usdMicros), usdCentsPerBtc(cents), factor(multiplier));

test("known prices come out exactly", () => {
  expect(price(1_000_000, 10_000_000, "1")).toBe(1_000); // 1 USD at 100,000 USD
  expect(price(1_000_000, 10_000_000, "1.5")).toBe(1_500);
  expect(price(48_000, 6_345_010, "1.35")).toBe(103); // 0.0648 / 63450.10 BTC = 102.127... sat
  expect(price(600_000, 6_000_000, "2")).toBe(2_000);
  expect(price(600_001, 6_000_000, "2")).toBe(2_001); // a millionth more rounds up
});

test("nothing is sold for less than one sat", () => {
  expect(price(0, 6_000_000, "1")).toBe(1);
  expect(price(1, 10_000_000_000, "0.000001")).toBe(1);
});

test("a price above all bitcoin is an error, not a number", () => {
  expect(() => quoteSats(microUsd(Number.MAX_SAFE_INTEGER), usdCentsPerBtc(10_000), factor("1000"))).toThrow(
    RangeError,
  );
  expect(() => quoteSats(microUsd(1), usdCentsPerBtc(10_000), { numerator: 0n, denominator: 1n })).toThrow(RangeError);
});

test("reads multipliers exactly and refuses what is none", () => {
  expect(parseMultiplier("1.35")).toEqual({ numerator: 1_350_000n, denominator: 1_000_000n });
  expect(parseMultiplier(" 1000 ")).toEqual({ numerator: 1_000_000_000n, denominator: 1_000_000n });
  for (const text of [
    "",
    "0",
    "0.0",
    "-1",
    "1000.000001",
    "1.0000001",
    "1,5",
    "1e3",
    ".5",
    "Infinity",
    "1".repeat(99),
  ]) {
    expect(parseMultiplier(text)).toBeNull();
  }
});

const costs = fc.integer({ min: 0, max: 1_000_000_000 });
const rates = fc.integer({ min: 10_000, max: 10_000_000_000 });
const factors = fc
  .integer({ min: 1, max: 1_000_000_000 })
  .map((n) => ({ numerator: BigInt(n), denominator: 1_000_000n }));

test("the price is the least whole number of sats that covers the exact value", () => {
  fc.assert(
    fc.property(costs, rates, factors, (cost, rate, multiplier) => {
      const sats = BigInt(quoteSats(microUsd(cost), usdCentsPerBtc(rate), multiplier));
      const divisor = BigInt(rate) * 10_000n * multiplier.denominator;
      const exact = BigInt(cost) * 100_000_000n * multiplier.numerator;
      expect(sats * divisor >= exact).toBe(true);
      expect(sats === 1n || (sats - 1n) * divisor < exact).toBe(true);
    }),
  );
});

test("the price never falls when the cost or the multiplier rises, nor rises with the price of bitcoin", () => {
  fc.assert(
    fc.property(costs, costs, rates, rates, factors, (a, b, r, s, multiplier) => {
      const [cheap, dear] = [Math.min(a, b), Math.max(a, b)].map(microUsd);
      const [low, high] = [Math.min(r, s), Math.max(r, s)].map(usdCentsPerBtc);
      if (cheap === undefined || dear === undefined || low === undefined || high === undefined) return;
      const more = { ...multiplier, numerator: multiplier.numerator + 1n };
      expect(quoteSats(dear, low, multiplier)).toBeGreaterThanOrEqual(quoteSats(cheap, low, multiplier));
      expect(quoteSats(dear, low, multiplier)).toBeGreaterThanOrEqual(quoteSats(dear, high, multiplier));
      expect(quoteSats(dear, low, more)).toBeGreaterThanOrEqual(quoteSats(dear, low, multiplier));
    }),
  );
});
