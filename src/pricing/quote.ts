/**
 * What a good costs in sats: the provider's cost, times the operator's multiplier, over the rate, rounded up. Exact
 * rational arithmetic; nothing here is a float.
 */
import { type MicroUsd, type Sats, sats } from "../../actors/order/money.ts";
import type { UsdCentsPerBtc } from "./units.ts";

/** The operator's factor as an exact fraction. */
export interface Multiplier {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

const SATS_PER_BTC = 100_000_000n;
const MICRO_USD_PER_CENT = 10_000n;
const MAX_MULTIPLIER = 1_000n;
const MULTIPLIER_DENOMINATOR = 1_000_000n;

/**
 * Reads a factor such as "1.35": more than 0, at most 1000, at most six decimals.
 * @returns null when the text is not such a number.
 */
export function parseMultiplier(text: string): Multiplier | null {
  const match = /^(\d{1,4})(?:\.(\d{1,6}))?$/.exec(text.trim());
  if (!match) return null;
  const fraction = BigInt((match[2] ?? "").padEnd(6, "0"));
  const numerator = BigInt(match[1] ?? "0") * MULTIPLIER_DENOMINATOR + fraction;
  if (numerator === 0n || numerator > MAX_MULTIPLIER * MULTIPLIER_DENOMINATOR) return null;
  return { numerator, denominator: MULTIPLIER_DENOMINATOR };
}

/**
 * The price in whole sats: `ceil(cost × multiplier / rate)`, at least 1 sat.
 * @throws RangeError when the price would be more than all bitcoin, or the multiplier is not positive.
 */
export function quoteSats(cost: MicroUsd, rate: UsdCentsPerBtc, multiplier: Multiplier): Sats {
  const { numerator, denominator } = multiplier;
  if (numerator <= 0n || denominator <= 0n) throw new RangeError("Price multiplier must be positive");
  if (rate <= 0) throw new RangeError("Rate must be positive");
  const dividend = BigInt(cost) * SATS_PER_BTC * numerator;
  const divisor = BigInt(rate) * MICRO_USD_PER_CENT * denominator;
  const price = (dividend + divisor - 1n) / divisor;
  return sats(Number(price === 0n ? 1n : price));
}
