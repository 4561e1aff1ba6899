/**
 * The one judgement on what a purchase came to: bought, surely refused, or unknown. HeroSMS has no idempotency key, so
 * refused is only said of answers that leave no doubt; everything else is unknown and gets reconciled.
 */
import { type MicroUsd, parseMicroUsd } from "../../../actors/order/money.ts";
import type { Bought, BuyOutcome, BuyRefusal, CountryId, ServiceCode } from "../port.ts";
import type { Client, Told } from "./client.ts";
import type { ErrorWord } from "./dialect.ts";
import * as field from "./fields.ts";
import { parseTime } from "./time.ts";
import { accountTrouble, shortly } from "./trouble.ts";

/** What was asked for, where the answer does not repeat it. Unknown for a reactivation. */
export interface Wanted {
  readonly service: ServiceCode | null;
  readonly country: CountryId | null;
  /** ISO 4217 numeric code of the account's money. */
  readonly currency: number;
}

/** HTTP codes at which the service's own word is a refusal; 409, 3xx and 5xx never are. */
const REFUSING = new Set([200, 400, 401, 402, 403, 404, 422, 429]);

const PAIR_WORDS: ReadonlySet<ErrorWord> = new Set([
  "SERVICE_NOT_AVAILABLE",
  "NOT_AVAILABLE",
  "WHATSAPP_NOT_AVAILABLE",
  "BANNED",
]);
const INVALID_WORDS: ReadonlySet<ErrorWord> = new Set([
  "BAD_ACTION",
  "BAD_COUNTRY",
  "BAD_DURATION",
  "BAD_SERVICE",
  "MAX_RENT_DATE_ERROR",
  "NO_ACTIVATION",
  "NO_YULA_MAIL",
  "OPERATORS_NOT_FOUND",
  "UNPROCESSABLE_ENTITY",
  "WRONG_ACTIVATION_ID",
  "WRONG_COUNTRY",
  "WRONG_CURRENCY",
  "WRONG_EXCEPTION_PHONE",
  "WRONG_SERVICE",
]);
/** The server failed, or an order exists: something may have been bought at whatever HTTP code this comes. */
const DOUBTFUL_WORDS: ReadonlySet<ErrorWord> = new Set([
  "ERROR_SQL",
  "ERROR_SQL25",
  "ORDER_ALREADY_EXISTS",
  "SERVER_ERROR",
]);

/** Judges the answer to getNumberV2, getRentNumber or reactivate. */
export function purchaseOutcome(client: Client, told: Told, wanted: Wanted): BuyOutcome {
  if (told.kind === "json") {
    const bought = parseBought(told.value, wanted);
    if (!bought) return { kind: "unknown", detail: "incomplete purchase" };
    if (bought.currency !== wanted.currency) client.report("currency");
    return { kind: "bought", bought };
  }
  const refusal = refusalIn(told);
  return refusal ? { kind: "refused", refusal } : { kind: "unknown", detail: shortly(told) };
}

/** A bought number needs an id, a complete phone number and a cost. */
function parseBought(value: unknown, wanted: Wanted): Bought | null {
  const body = field.fields(value);
  if (!body) return null;
  const activationId = field.id(body.activationId ?? body.id);
  const phoneNumber = field.phone(body.phoneNumber);
  const cost = parseMicroUsd(body.activationCost ?? body.cost);
  const country = field.country(body.countryCode) ?? wanted.country;
  const service = field.service(body.serviceCode) ?? wanted.service;
  if (activationId === null || phoneNumber === null || cost === null || country === null || service === null) {
    return null;
  }
  const currency = body.currency === undefined || body.currency === null ? wanted.currency : field.whole(body.currency);
  const endsAt = parseTime(body.activationEndTime ?? body.endDate);
  // A currency that is no number is surely not ours: 0 says so.
  return { activationId, phoneNumber, cost, currency: currency ?? 0, country, service, endsAt };
}

/** The refusal in an answer that leaves no doubt that nothing was bought; null for any other answer. */
export function refusalIn(told: Told): BuyRefusal | null {
  if (told.kind === "error" && (!REFUSING.has(told.status) || DOUBTFUL_WORDS.has(told.word))) return null;
  const trouble = accountTrouble(told);
  if (trouble) return { why: "account", trouble };
  if (told.kind !== "error") return null;
  const { word, info, status } = told;
  if (word === "NO_NUMBERS") return { why: "no_numbers" };
  if (word === "WRONG_MAX_PRICE") return { why: "price_above_cap", minimum: parseMicroUsd(info.min) };
  if (word === "SIM_OFFLINE" || word === "SIM_TEMPORARY_OFFLINE") return { why: "sim_offline" };
  if (PAIR_WORDS.has(word)) return { why: "pair_barred", until: (field.whole(info.banned_until) ?? 0) * 1000 };
  if (INVALID_WORDS.has(word)) return { why: "invalid", detail: word };
  // At HTTP 200 a word that does not fit a purchase proves nothing.
  if (status === 200) return null;
  return unfittingWord(word, status);
}

/** A 4xx with an envelope is the service's own refusal, even when its word is new or belongs elsewhere. */
function unfittingWord(word: ErrorWord, status: number): BuyRefusal {
  if (status === 401) return { why: "account", trouble: "bad_key" };
  if (status === 402) return { why: "account", trouble: "no_balance" };
  if (status === 403) return { why: "pair_barred", until: 0 };
  return { why: "invalid", detail: word };
}

/** Refuses what was read just before the purchase to cost more than the cap. */
export function capRefusal(price: MicroUsd, maxCost: MicroUsd): BuyRefusal | null {
  return price > maxCost ? { why: "price_above_cap", minimum: price } : null;
}

/** The read before a purchase failed, so nothing was sent that could have bought anything. */
export function neverBought(told: Told): BuyOutcome {
  const refusal = refusalIn(told) ?? { why: "account", trouble: "rate_limited" };
  return { kind: "refused", refusal };
}
