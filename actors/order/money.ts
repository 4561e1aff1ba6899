/**
 * Money is whole numbers with a unit in the type: sats, millisats, micro-USD. A float never holds money.
 */

/** Whole satoshis. */
export type Sats = number & { readonly unit: "sat" };
/** Whole millisatoshis, the unit of the Lightning wire. */
export type Msats = number & { readonly unit: "msat" };
/** Millionths of a US dollar: the provider prices with up to four decimals, sometimes as strings. */
export type MicroUsd = number & { readonly unit: "µUSD" };

/** All bitcoin there will ever be; no amount of ours may exceed it. */
const MAX_SATS = 21_000_000 * 100_000_000;

/** @throws RangeError unless `value` is a whole, non-negative number of sats. */
export function sats(value: number): Sats {
  if (!Number.isSafeInteger(value) || value < 0 || value > MAX_SATS) {
    throw new RangeError(`Not an amount in sats: ${value}`);
  }
  return value as Sats;
}

/** @throws RangeError unless `value` is a whole, non-negative number of millisats. */
export function msats(value: number): Msats {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`Not an amount in millisats: ${value}`);
  return value as Msats;
}

/** @throws RangeError unless `value` is a whole, non-negative number of micro-USD. */
export function microUsd(value: number): MicroUsd {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`Not an amount in micro-USD: ${value}`);
  return value as MicroUsd;
}

export const toMsats = (amount: Sats): Msats => msats(amount * 1000);

/** Whole sats contained in an amount: what is paid back of 1,234,567 msat is 1,234 sat. */
export const floorToSats = (amount: Msats): Sats => sats(Math.floor(amount / 1000));

/**
 * Parses the provider's decimal money ("0.0480", 0.6, "12") without floating-point arithmetic.
 * Digits past the sixth decimal round up, so that a cost is never understated.
 * @returns null when the text is not a plain non-negative decimal of at most nine whole digits.
 */
export function parseMicroUsd(value: unknown): MicroUsd | null {
  const text = typeof value === "number" ? plainDecimal(value) : typeof value === "string" ? value.trim() : null;
  const match = text === null ? null : /^(\d{1,9})(?:\.(\d{1,18}))?$/.exec(text);
  if (!match) return null;
  const fraction = (match[2] ?? "").padEnd(6, "0");
  const dust = /[1-9]/.test(fraction.slice(6)) ? 1 : 0;
  return microUsd(Number(match[1]) * 1_000_000 + Number(fraction.slice(0, 6)) + dust);
}

/** Micro-USD as the provider's decimal text, e.g. 48000 -> "0.048". */
export function formatMicroUsd(amount: MicroUsd): string {
  const text = (amount / 1_000_000).toFixed(6).replace(/0+$/, "");
  return text.endsWith(".") ? text.slice(0, -1) : text;
}

function plainDecimal(value: number): string | null {
  return Number.isFinite(value) && value >= 0 && value < 1e9 ? value.toFixed(9) : null;
}
