/**
 * Times as HeroSMS writes them: ISO 8601 with an offset in newer answers, "2022-06-01 16:59:16" without one in
 * getActiveActivations and getHistory, unix seconds in a few places.
 */
import type { Millis } from "../../../actors/runtime/world.ts";

/** Times without a zone are the provider's own wall clock. */
const ZONELESS_OFFSET_MINUTES = 3 * 60;

const ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))? ?(Z|[+-]\d{2}:?\d{2})?$/;

/** @returns null for anything that is not a time between the years 2000 and 2199. */
export function parseTime(value: unknown): Millis | null {
  if (typeof value === "number") return fromUnix(value);
  if (typeof value !== "string") return null;
  const text = value.trim();
  if (/^\d{10,13}$/.test(text)) return fromUnix(Number(text));
  const match = ISO.exec(text);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year < 2000 || year > 2199 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  const millis = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3));
  const minutes = (daysSinceEpoch(year, month, day) * 24 + hour) * 60 + minute - offsetMinutes(match[8]);
  return (minutes * 60 + second) * 1000 + millis;
}

const HTTP_DATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT$/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A `Date` header (RFC 9110, 5.6.7). @returns null for anything else. */
export function parseHttpDate(value: string | null): Millis | null {
  const [, day, name = "", year, time] = HTTP_DATE.exec(value ?? "") ?? [];
  const month = MONTHS.indexOf(name) + 1;
  return parseTime(`${year}-${String(month).padStart(2, "0")}-${day}T${time}Z`);
}

function fromUnix(value: number): Millis | null {
  if (!Number.isSafeInteger(value)) return null;
  if (value >= 1e9 && value < 1e10) return value * 1000;
  return value >= 1e12 && value < 1e13 ? value : null;
}

function offsetMinutes(zone: string | undefined): number {
  if (zone === undefined) return ZONELESS_OFFSET_MINUTES;
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return zone.startsWith("-") ? -minutes : minutes;
}

const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

function daysInMonth(year: number, month: number): number {
  return month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Days from 1970-01-01 in the Gregorian calendar. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const past = year - 1;
  let days = past * 365 + Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400) - 719_162;
  for (let earlier = 1; earlier < month; earlier++) days += daysInMonth(year, earlier);
  return days + day - 1;
}
