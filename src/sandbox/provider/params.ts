/**
 * Reading and checking query parameters. HeroSMS ignores what it does not know and answers 422 for what it needs and
 * does not get.
 */
import { type MicroUsd, parseMicroUsd } from "../../../actors/order/money.ts";
import { invalid, type Refusal } from "./answers.ts";
import { findService } from "./catalog.ts";

export type Params = URLSearchParams;

/** v1 documents this minimum for `maxPrice`, in micro-USD. */
const MIN_MAX_PRICE = 6_700;

export const refused = <T>(value: T | Refusal): value is Refusal =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "refusal";

/** A whole number of at most 15 digits between `min` and `max`; null when absent. */
export function optionalInteger(params: Params, field: string, min: number, max: number): number | null | Refusal {
  const raw = params.get(field);
  if (raw === null || raw === "") return null;
  const value = /^\d{1,15}$/.test(raw) ? Number(raw) : Number.NaN;
  return value >= min && value <= max ? value : invalid(field);
}

export function integer(params: Params, field: string, min = 0, max = Number.MAX_SAFE_INTEGER): number | Refusal {
  return optionalInteger(params, field, min, max) ?? invalid(field, "REQUIRED");
}

export const countryId = (params: Params): number | Refusal => integer(params, "country", 0, 999);

/** A known service code, `^[a-zA-Z]{2,4}$`, in lower case. */
export function serviceCode(params: Params): string | Refusal {
  const raw = params.get("service");
  if (!raw) return invalid("service", "REQUIRED");
  const code = raw.toLowerCase();
  return /^[a-z]{2,4}$/.test(code) && findService(code) ? code : invalid("service");
}

/** The cap in micro-USD; null when absent. */
export function maxPrice(params: Params): MicroUsd | null | Refusal {
  const raw = params.get("maxPrice");
  if (raw === null || raw === "") return null;
  const price = parseMicroUsd(raw);
  return price !== null && price >= MIN_MAX_PRICE ? price : invalid("maxPrice");
}

/** A comma list of operators; the answer names the first, or "any". */
export function operator(params: Params): string | Refusal {
  const raw = params.get("operator");
  if (raw === null || raw === "") return "any";
  return /^[\w,-]{1,200}$/.test(raw) ? (raw.split(",")[0] ?? "any") : invalid("operator");
}
