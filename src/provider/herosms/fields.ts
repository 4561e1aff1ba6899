/**
 * Single values of HeroSMS answers: ids and numbers come as strings or numbers, lists as arrays or as objects with
 * running keys (PHP), empty objects as `[]`. Whatever does not fit is null; the caller decides what that means.
 */
import type { CountryId } from "../port.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** The value as an object; PHP writes an empty one as `[]`. */
export function fields(value: unknown): Fields | null {
  if (typeof value !== "object" || value === null) return null;
  if (!Array.isArray(value)) return value as Fields;
  return value.length === 0 ? {} : null;
}

/** The value as a list; PHP writes a list with gaps as an object. */
export function rows(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  return typeof value === "object" && value !== null ? Object.values(value) : null;
}

/** An id of the provider: digits. A JSON number past 2^53 has already lost digits: that is no id. */
export function id(value: unknown): string | null {
  const text = typeof value === "number" ? (Number.isSafeInteger(value) ? String(value) : "") : value;
  return typeof text === "string" && /^[1-9]\d{0,19}$/.test(text) ? text : null;
}

/** A whole number from 0 on. */
export function whole(value: unknown): number | null {
  const number = typeof value === "string" && /^\d{1,15}$/.test(value.trim()) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

/** Country ids are 0..999 on the wire. */
export function country(value: unknown): CountryId | null {
  const number = whole(value);
  return number !== null && number <= 999 ? number : null;
}

/** Service codes have 2 to 4 letters by the documentation; digits are tolerated. */
export function service(value: unknown): string | null {
  return typeof value === "string" && /^[A-Za-z0-9]{2,10}$/.test(value) ? value : null;
}

/** Text that says something: trimmed, not empty, cut at `limit` characters. */
export function text(value: unknown, limit: number): string | null {
  if (typeof value !== "string" && typeof value !== "number") return null;
  const trimmed = String(value).trim().slice(0, limit);
  return trimmed === "" ? null : trimmed;
}

/** "+" and the digits (E.164: at most 15), or null for a masked or otherwise incomplete number. */
export function phone(value: unknown): string | null {
  if (typeof value !== "string" && typeof value !== "number") return null;
  const digits = String(value)
    .replace(/^\s*\+/, "")
    .replace(/[\s()-]/g, "");
  return /^[1-9]\d{5,14}$/.test(digits) ? `+${digits}` : null;
}
