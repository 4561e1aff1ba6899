/**
 * The price of a bitcoin as a whole number with a unit: US cents per BTC. Every number that comes from outside (a
 * price source, a cache, a shared database) becomes one through these functions or not at all.
 */

/** Whole US cents for one bitcoin. */
export type UsdCentsPerBtc = number & { readonly unit: "¢/BTC" };

/** Below 100 USD or above 100 million USD per bitcoin something is broken, not cheap: such a number is no price. */
const MIN_CENTS = 100 * 100;
const MAX_CENTS = 100_000_000 * 100;

/** @throws RangeError unless `value` is a whole number of cents that can be a price of one bitcoin. */
export function usdCentsPerBtc(value: number): UsdCentsPerBtc {
  if (!isPlausible(value)) throw new RangeError(`Not a price in US cents per BTC: ${value}`);
  return value as UsdCentsPerBtc;
}

/** Whole cents as they were stored, or null when they cannot be a price. */
export function readCents(value: unknown): UsdCentsPerBtc | null {
  return typeof value === "number" && isPlausible(value) ? (value as UsdCentsPerBtc) : null;
}

/**
 * A price source's USD per BTC ("63450.10000", 67187.34) as whole cents, without floating-point arithmetic. Fractions
 * of a cent are dropped: a cheaper bitcoin asks for more sats, so that a price never understates the cost.
 * @returns null for anything that is not a plain decimal in the plausible range (also for NaN, -1, 0, "1e5").
 */
export function parseUsdPerBtc(value: unknown): UsdCentsPerBtc | null {
  // The text of a JSON number is the shortest one that reads back as the same number: the decimal that was sent.
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : "";
  const match = /^(\d{1,9})(?:\.(\d{1,18}))?$/.exec(text);
  if (!match) return null;
  return readCents(Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0").slice(0, 2)));
}

function isPlausible(value: number): boolean {
  return Number.isSafeInteger(value) && value >= MIN_CENTS && value <= MAX_CENTS;
}
