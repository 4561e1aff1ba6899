/**
 * What the peer says back. Two dialects of one protocol: `current` has real HTTP status codes and the JSON envelope
 * `{title, details, info}` (HeroSMS docs since February 2026); `legacy` answers 200 with the plain words of SMS-Activate.
 * Both label everything `text/html`, as the live service does.
 */

export type Mode = "current" | "legacy";

/** A finished answer. */
export interface Reply {
  readonly kind: "reply";
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A documented error, not yet put into a dialect. */
export interface Refusal {
  readonly kind: "refusal";
  readonly status: number;
  readonly title: string;
  readonly details: string;
  readonly info?: Readonly<Record<string, unknown>>;
  /** The word of the old protocol where it is not the title. */
  readonly legacy?: string;
}

export type Answer = Reply | Refusal;

export const text = (body: string, status = 200): Reply => ({ kind: "reply", status, body });
export const json = (value: unknown, status = 200): Reply => text(JSON.stringify(value), status);
export const html = (status: number, title: string, body = ""): Reply =>
  text(`<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`, status);
/** Success without a body, as finish and cancel answer it. */
export const NO_CONTENT: Reply = text("", 204);
/** "No stock" is a plain word at 200 in both dialects (getNumber, getNumberV2). */
export const NO_NUMBERS: Reply = text("NO_NUMBERS");

function refusal(status: number, title: string, details: string, more: Partial<Refusal> = {}): Refusal {
  return { kind: "refusal", status, title, details, ...more };
}

export const BAD_KEY = refusal(401, "BAD_KEY", "Unauthorized");
export const NO_BALANCE = refusal(402, "NO_BALANCE", "Payment Required");
export const ACCOUNT_INACTIVE = refusal(403, "ACCOUNT_INACTIVE", "Activate your account");
export const SERVICE_NOT_AVAILABLE = refusal(
  403,
  "SERVICE_NOT_AVAILABLE",
  "Service not available for sale. Contact the technical support.",
);
export const SIM_OFFLINE = refusal(403, "SIM_OFFLINE", "The SIM card is offline");
export const SIM_TEMPORARY_OFFLINE = refusal(403, "SIM_TEMPORARY_OFFLINE", "The SIM card is temporarily offline");
export const CHANNELS_LIMIT = refusal(
  403,
  "CHANNELS_LIMIT",
  "You have reached the maximum number of concurrent threads (purchases) allowed for your account. Contact the technical support.",
  { info: { current_threads: 0, max_allowed: -1 } },
);
export const NOT_FOUND = refusal(404, "NOT_FOUND", "Activation Not Found", { legacy: "NO_ACTIVATION" });
export const BAD_ACTION = refusal(404, "BAD_ACTION", "Method Not Found");
export const NO_RENT_NUMBERS = refusal(404, "NO_NUMBERS", "No numbers available");
export const BAD_STATUS = refusal(400, "BAD_STATUS", "Wrong status code");
export const EARLY_CANCEL_DENIED = refusal(
  409,
  "EARLY_CANCEL_DENIED",
  "Activation cannot be cancelled at this time. Minimum activation period must pass.",
  { info: { minActivationTime: 120 } },
);
export const OTP_RECEIVED = refusal(
  409,
  "OTP_RECEIVED",
  "Cannot terminate activation - OTP has been received on this number",
  { legacy: "BAD_STATUS" },
);
export const FREE_CANCELLATION_EXPIRED = refusal(
  409,
  "FREE_CANCELLATION_EXPIRED",
  "Cannot terminate activation - time limit exceeded (20 minutes)",
  { legacy: "BAD_STATUS" },
);
export const ACTIVATION_NOT_ACTIVE = refusal(
  409,
  "ACTIVATION_NOT_ACTIVE",
  "Activation is terminated/refunded and Otp cannot be retrieved",
  { legacy: "NO_ACTIVATION" },
);
export const SERVER_ERROR = refusal(500, "SERVER_ERROR", "Server Gone", { legacy: "ERROR_SQL" });
export const RATE_LIMIT = refusal(429, "RATE_LIMIT", "");

/** `data`: the messages the caller has not read yet. */
export const newOtpReceived = (data: readonly unknown[]): Refusal =>
  refusal(409, "NEW_OTP_RECEIVED", "Otp was received on this number. Please confirm termination.", {
    info: { data },
    legacy: "BAD_STATUS",
  });

/** `min` in USD. */
export const wrongMaxPrice = (min: number): Refusal =>
  refusal(400, "WRONG_MAX_PRICE", "The maximum price is less than the permitted price", {
    info: { min },
    legacy: `WRONG_MAX_PRICE:${min}`,
  });

export const badDuration = (available: readonly number[]): Refusal =>
  refusal(400, "BAD_DURATION", "Invalid rental period.", {
    info: { min: available[0] ?? 0, max: available.at(-1) ?? 0, available_durations: available },
  });

export const wrong = (title: string, details: string, info?: Record<string, unknown>): Refusal =>
  refusal(400, title, details, info ? { info } : {});

/** Words of the old protocol for a parameter that is missing or wrong. */
const LEGACY_INVALID: Readonly<Record<string, string>> = {
  api_key: "NO_KEY",
  service: "BAD_SERVICE",
  country: "BAD_COUNTRY",
  id: "WRONG_ACTIVATION_ID",
  status: "BAD_STATUS",
};

export const invalid = (field: string, code: "REQUIRED" | "INVALID" = "INVALID", message = ""): Refusal =>
  refusal(422, "UNPROCESSABLE_ENTITY", "Validation failed", {
    info: { field, code, message },
    legacy: LEGACY_INVALID[field] ?? `UNPROCESSABLE_ENTITY:${field}:${code}`,
  });

/** Puts an answer into the dialect of `mode`. */
export function render(answer: Answer, mode: Mode): Reply {
  if (answer.kind === "reply") return answer;
  if (mode === "legacy") return text(answer.legacy ?? answer.title);
  const { title, details, info } = answer;
  return json({ title, details, ...(info && { info }) }, answer.status);
}

export function toResponse(reply: Reply, contentType: string): Response {
  const headers = { "content-type": contentType, ...reply.headers };
  return new Response(reply.status === 204 ? null : reply.body, { status: reply.status, headers });
}
