/**
 * The forms in which HeroSMS writes times: with `+00:00`, with `+03:00`, without any zone (which means UTC+3) and with
 * microseconds. `Date` is not used, because time comes from the World.
 */
import { iso, type Millis } from "../../../actors/runtime/world.ts";

const MOSCOW_MS = 3 * 3_600_000;
const DAY_MS = 86_400_000;

/** `2026-02-18T16:11:33+00:00`: purchases. */
export const utcTime = (time: Millis): string => `${iso(time).slice(0, 19)}+00:00`;

/** `2026-02-16T12:36:59+03:00`: messages. */
export const moscowTime = (time: Millis): string => `${iso(time + MOSCOW_MS).slice(0, 19)}+03:00`;

/** `2022-06-01 16:59:16`: the active list and the history, UTC+3 without saying so. */
export const zonelessTime = (time: Millis): string =>
  iso(time + MOSCOW_MS)
    .slice(0, 19)
    .replace("T", " ");

/** `2026-09-28T11:41:10.000000Z`: REST v1 and webhooks. */
export const microTime = (time: Millis): string => iso(time).replace("Z", "000Z");

const ISO_FORM = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(?:Z|([+\- ])(\d\d):?(\d\d))?)?$/;

/**
 * Parses an ISO-8601 date or time, to the second. A blank before the offset is a "+" that was not percent-encoded.
 * @returns null for anything else.
 */
export function parseTime(text: string): Millis | null {
  const match = ISO_FORM.exec(text);
  if (!match) return null;
  const [year, month, day, hour, minute, second, , offsetHours, offsetMinutes] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const sign = match[7] === "-" ? -1 : 1;
  if (!month || month > 12 || !day || day > 31) return null;
  const days = daysSinceEpoch(year ?? 0, month, day);
  const offset = sign * ((offsetHours ?? 0) * 60 + (offsetMinutes ?? 0));
  return days * DAY_MS + ((hour ?? 0) * 60 + (minute ?? 0) - offset) * 60_000 + (second ?? 0) * 1000;
}

/** Days from 1970-01-01 in the Gregorian calendar; the year starts in March so that leap days fall at its end. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468;
}
