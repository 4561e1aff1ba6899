/**
 * What a HeroSMS answer says, whatever form it came in. Since February 2026 errors are HTTP codes with an envelope
 * `{"title","details","info"}`; before that they were plain words at HTTP 200, and some still are. The content type is
 * `text/html` for everything, so the body decides. Pure, and total: there is a reading for every body.
 *
 * Error pages may echo the API key, so the word of an error is always one of a fixed list; `info` is for reading single
 * fields, never for showing.
 */
import { type Fields, fields } from "./fields.ts";

/** Every error word the documentation, the provider's site or its live service is known to use. */
export const ERROR_WORDS = [
  "ACCOUNT_INACTIVE",
  "ACTION_NOT_AVAILABLE",
  "ACTIVATION_NOT_ACTIVE",
  "BAD_ACTION",
  "BAD_BALANCE",
  "BAD_COUNTRY",
  "BAD_DURATION",
  "BAD_KEY",
  "BAD_SERVICE",
  "BAD_STATUS",
  "BANNED",
  "CHANNELS_LIMIT",
  "COUNTRY_IS_INCORRECT",
  "EARLY_CANCEL_DENIED",
  "ERROR_SQL",
  "ERROR_SQL25",
  "FREE_CANCELLATION_EXPIRED",
  "MAX_RENT_DATE_ERROR",
  "NEW_OTP_RECEIVED",
  "NOT_AVAILABLE",
  "NOT_FOUND",
  "NO_ACTIVATION",
  "NO_ACTIVATIONS",
  "NO_BALANCE",
  "NO_KEY",
  "NO_NUMBERS",
  "NO_YULA_MAIL",
  "OFFER_NOT_FOUND",
  "OPERATORS_NOT_FOUND",
  "ORDER_ALREADY_EXISTS",
  "OTP_RECEIVED",
  "RATE_LIMIT",
  "SERVER_ERROR",
  "SERVICE_IS_INCORRECT",
  "SERVICE_NOT_AVAILABLE",
  "SIM_OFFLINE",
  "SIM_TEMPORARY_OFFLINE",
  "UNPROCESSABLE_ENTITY",
  "WHATSAPP_NOT_AVAILABLE",
  "WRONG_ACTIVATION_ID",
  "WRONG_COUNTRY",
  "WRONG_CURRENCY",
  "WRONG_EXCEPTION_PHONE",
  "WRONG_MAX_PRICE",
  "WRONG_SERVICE",
] as const;

/** A word of the list, or `UNRECOGNISED` for an envelope with any other title. */
export type ErrorWord = (typeof ERROR_WORDS)[number] | "UNRECOGNISED";

export type Reading =
  /** A successful answer (2xx) without a body. */
  | { readonly kind: "empty"; readonly status: number }
  /** Plain text at 2xx, e.g. `STATUS_OK:12345`. */
  | { readonly kind: "text"; readonly status: number; readonly text: string }
  /** JSON at 2xx that is no error. */
  | { readonly kind: "json"; readonly status: number; readonly value: unknown }
  /** The service itself said no, at whatever HTTP code. */
  | { readonly kind: "error"; readonly status: number; readonly word: ErrorWord; readonly info: Fields }
  /** Stopped in front of the service: Cloudflare's 1020, an HTML 403, the bare 400 of the rate guard. */
  | { readonly kind: "blocked"; readonly status: number }
  /** Nothing that can be understood: HTML, cut JSON, a redirect, an empty 500. */
  | { readonly kind: "garbled"; readonly status: number };

const KNOWN: ReadonlySet<string> = new Set(ERROR_WORDS);

const ALIASES: Readonly<Record<string, ErrorWord>> = {
  BAD_API_KEY: "BAD_KEY",
  "Unauthenticated.": "BAD_KEY",
};

const PARSE_FAILED = Symbol("parse failed");

/** Reads one answer. `body` is the decoded text. */
export function read(status: number, body: string): Reading {
  const text = body.replace(/^\uFEFF/, "").trim();
  if (status === 429) return { kind: "error", status, word: "RATE_LIMIT", info: {} };
  if (text === "") return status >= 200 && status < 300 ? { kind: "empty", status } : unreadable(status);
  if (/^["{[]/.test(text)) return readJson(status, text);
  return readText(status, text);
}

function readJson(status: number, text: string): Reading {
  let value = parseJson(text);
  // Some answers are JSON in quotes, even the empty object of serviceCountRent ("{}").
  if (typeof value === "string") {
    const inner = value.trim();
    if (!/^[{[]/.test(inner)) return inner === "" ? { kind: "garbled", status } : readText(status, inner);
    value = parseJson(inner);
  }
  if (value === PARSE_FAILED) return { kind: "garbled", status };
  const error = errorIn(status, value);
  if (error) return error;
  return status >= 200 && status < 300 ? { kind: "json", status, value } : { kind: "garbled", status };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return PARSE_FAILED;
  }
}

function errorIn(status: number, value: unknown): Reading | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const body = value as Fields;
  // An object that also carries a purchase is no refusal; reading it as one would lose the number.
  if ("activationId" in body || "phoneNumber" in body) return null;
  if (typeof body.title === "string") {
    const info = fields(body.info) ?? {};
    return { kind: "error", status, word: envelopeWord(body.title, info), info };
  }
  if (body.status !== "error" && body.status !== "false" && body.status !== false) return null;
  const said = [body.error, body.msg, body.message].find((part) => typeof part === "string");
  // getPrices: {"status":"false","msg":"service is incorrect"}.
  const word = typeof said === "string" ? said.trim().toUpperCase().replaceAll(" ", "_") : "";
  return { kind: "error", status, word: known(word), info: fields(body.info) ?? {} };
}

function envelopeWord(title: string, info: Fields): ErrorWord {
  if (title === "UNPROCESSABLE_ENTITY" && info.field === "api_key") return "BAD_KEY";
  return Object.hasOwn(ALIASES, title) ? (ALIASES[title] ?? "UNRECOGNISED") : known(title);
}

const known = (word: string): ErrorWord => (KNOWN.has(word) ? (word as ErrorWord) : "UNRECOGNISED");

/** Words at any HTTP code; `WRONG_MAX_PRICE:0.025` and `UNPROCESSABLE_ENTITY:service:INVALID` carry a detail. */
function readText(status: number, text: string): Reading {
  const match = /^([A-Z][A-Z0-9_]{2,39})(?::([^\n]{0,200}))?$/.exec(text);
  const word = match?.[1];
  if (word !== undefined && KNOWN.has(word)) {
    const info = wordInfo(word, match?.[2] ?? "");
    return { kind: "error", status, word: envelopeWord(word, info), info };
  }
  if (status >= 200 && status < 300 && !text.startsWith("<")) return { kind: "text", status, text };
  return /^error code: 1\d{3}$/i.test(text) && status >= 400 && status < 500
    ? { kind: "blocked", status }
    : unreadable(status);
}

function wordInfo(word: string, detail: string): Fields {
  if (word === "WRONG_MAX_PRICE") return { min: detail };
  return word === "UNPROCESSABLE_ENTITY" ? { field: detail.split(":")[0] ?? "" } : {};
}

/** Above the rate limit the account gets "error 1020 or 400" (HeroSMS rules page); Cloudflare's own page is a 403. */
function unreadable(status: number): Reading {
  return { kind: status === 400 || status === 403 ? "blocked" : "garbled", status };
}
