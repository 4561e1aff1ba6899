/**
 * The scrubber of the logs: a pure function from anything to plain data without secrets. It knows secrets by the name
 * of their field and by their look. It errs on the side of masking: a log that hides too much can be asked again, a
 * log that shows a preimage cannot.
 *
 * Every pattern runs in linear time (no nested ambiguous repetition), and everything is bounded: text, depth, nodes.
 */
import { isIPv6 } from "node:net";
import { remembering } from "../remembering.ts";

/** What stands where a secret was. */
export const MASK = "[masked]";
const TOO_MUCH = "[too much]";
const MAX_TEXT = 8 * 1024;
const MAX_DEPTH = 8;
const MAX_NODES = 1_000;
/** Characters looked at in one record. */
const MAX_RECORD_TEXT = 64 * 1024;
const MAX_ERROR_CODE = 64;
/** Texts and names that are remembered, of at most this length each. */
const MAX_REMEMBERED = 1_000;
const MAX_REMEMBERED_LENGTH = 48;
/** What an error's record shows by its own rules, not as a plain field. */
const ERROR_FIELDS = new Set(["name", "message", "stack", "code", "cause", "errors"]);

/** Names, in lower case without punctuation, whose value is a secret or personal whatever it looks like. */
const SECRET_NAMES = new Set(
  (
    "code codes otp pin sms smscode smstext text phone phones number msisdn seed cookie setcookie auth key nsec npub " +
    "k1 lnurl refundaddress lightningaddress email ip clientip remoteip remoteaddress remoteaddr xforwardedfor forwarded forwardedfor xrealip authorization"
  ).split(" "),
);
/** A name that ends like this is a secret too: `readMacaroonHex` is not, `adminMacaroon` is. */
const SECRET_ENDINGS =
  /(?:authorization|macaroon|preimage|invoice|bolt11|paymentrequest|apikey|privatekey|secretkey|rootkey|secret|password|passphrase|token|credential|phonenumber|verificationcode|idempotencykey)s?(?:hex)?$/;

/** Nearly all names are written in our sources, and come again with every line. */
const REMEMBERED = { most: MAX_REMEMBERED, longest: MAX_REMEMBERED_LENGTH };

/** Whether a field of this name is masked whatever it holds. */
export const isSecretName = remembering((name) => {
  const plain = name
    .slice(0, 128)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "");
  return SECRET_NAMES.has(plain) || SECRET_ENDINGS.test(plain);
}, REMEMBERED);

/** What secrets look like inside a text, and what is left of them. The order matters: whole headers come first. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // Header lines, and schemes with their credential: RFC 9110 section 11, L402.
  [/(authorization["']?\s{0,3}[:=]\s{0,3}["']?)[^\n"'}]+/gi, `$1${MASK}`],
  [/\b(Bearer|Basic)\s{1,3}[^\s"',]{4,}/gi, `$1 ${MASK}`],
  [/\b(L402|LSAT)\s{1,3}[A-Za-z0-9+/_=:.-]{16,}/gi, `$1 ${MASK}`],
  // name=value, as in query strings (`api_key=`) and challenges (`macaroon="..."`).
  [/((?:key|token|auth|secret|password|macaroon|invoice|preimage|code|phone)=["']?)[^\s"'&,;#]+/gi, `$1${MASK}`],
  [/((?:api[_-]?key|secret|password|macaroon|preimage)["']?\s{0,3}:\s{0,3}["']?)[^\s"'&,;}]+/gi, `$1${MASK}`],
  // JSON inside a text, as peers send it, and the provider's legacy answers with a code or a number.
  [/("(?:code|smscode|text|smstext|sms|phone|phonenumber)"\s{0,3}:\s{0,3}")[^"]*/gi, `$1${MASK}`],
  [/(STATUS_OK|STATUS_WAIT_RETRY|FULL_SMS|ACCESS_NUMBER):[^\s"']+/g, `$1:${MASK}`],
  [/\b((?:code|otp)(?:\s{0,3}:\s{0,3}|\sis\s{1,3}))\d[\d-]{2,9}/gi, `$1${MASK}`],
  // Secrets in paths, and user:password@ in URLs.
  [/(\/webhooks\/rent\/)[^\s/?#"']+/gi, `$1${MASK}`],
  [/(\/withdraw\/[^\s/?#"']{1,64}\/)[^\s/?#"']+/gi, `$1${MASK}`],
  [/(\bk1=)[^\s"'&,;#]+/gi, `$1${MASK}`],
  [/(:\/\/)[^\s/@"']{1,256}@/g, `$1${MASK}@`],
  // Nostr keys (NIP-19); BOLT 11 invoices; macaroons (base64 of a v2 or v1 header); JSON web tokens.
  [/n(?:sec|pub|profile|cryptsec)1[0-9a-z]{20,}/gi, "[nostr key]"],
  [/ln(?:bcrt|bc|tbs|tb|sb)[0-9a-z]{20,}/gi, "[invoice]"],
  // LNURL (LUD-01): a link to withdraw with is money, one to pay to is somebody's; Lightning addresses (LUD-16).
  [/lnurl1[0-9a-z]{10,}/gi, "[lnurl]"],
  [/[a-z0-9._+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b/gi, "[address]"],
  [/(?:AgE|AgI|MDA)[A-Za-z0-9+/_-]{24,}={0,2}/g, "[macaroon]"],
  [/eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){0,2}/g, "[token]"],
  // 32 bytes and more: hashes, preimages, keys in hex and base64; long opaque tokens.
  [/[0-9a-f]{64,}/gi, "[hex]"],
  [/[A-Za-z0-9+/_-]{43}=/g, "[base64]"],
  [/[A-Za-z0-9_-]{80,}/g, "[token]"],
  // Phone numbers in international form (E.164), with the usual separators.
  [/(?:\+|%2B)\d(?:[ ().-]{0,2}\d){6,}/gi, "[phone]"],
];

const IPV6 = /(?<![0-9a-z:.])(?:[0-9a-f]{0,4}:){2,8}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4})/gi;
const IPV4 = /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)/g;
/** Control characters other than line feed and tab: they forge lines and steer terminals. */
const CONTROL = /[^\P{Cc}\n\t]/gu;

/** Short texts in which nothing was found: field names, routes, methods, which every line of the log repeats. */
const harmless = new Set<string>();

/** No pattern fits a word as short as this, without punctuation; names of requests are such words, and come once each. */
const SHORT_WORD = /^[\w-]{1,12}$/;
export const isShortWord = (text: string): boolean => SHORT_WORD.test(text);

/** A text without secrets, at most 8 KiB of it. The same text is always answered alike, so what was harmless once is not searched again. */
export function scrubText(text: string): string {
  if (isShortWord(text) || harmless.has(text)) return text;
  const clean = searched(text);
  if (clean === text && text.length <= MAX_REMEMBERED_LENGTH) {
    // All of them, rather than the oldest: what comes often is back after a few lines.
    if (harmless.size >= MAX_REMEMBERED) harmless.clear();
    harmless.add(text);
  }
  return clean;
}

function searched(text: string): string {
  let clean = cut(text).toWellFormed().replace(CONTROL, " ");
  for (const [pattern, mask] of PATTERNS) clean = clean.replace(pattern, mask);
  return clean
    .replace(IPV6, (found) => (isIPv6(found) && found !== "::1" && found !== "::" ? "[ip]" : found))
    .replace(IPV4, (found) => (isOwnAddress(found) || !isDottedQuad(found) ? found : "[ip]"));
}

/**
 * Plain data (what JSON can hold) without secrets. Errors become `{type, message, stack, errorCode?, cause?, errors?}`
 * plus their own fields; bytes are only counted; what is too deep, too much or circular is named as such.
 */
export function scrub(value: unknown): unknown {
  return new Scrubber().value(value, 0);
}

/** One record's walk: counts nodes and characters, and knows which objects it is inside of. */
class Scrubber {
  #nodes = 0;
  #text = 0;
  readonly #path = new Set<object>();

  value(value: unknown, depth: number): unknown {
    if (++this.#nodes > MAX_NODES) return TOO_MUCH;
    switch (typeof value) {
      case "string":
        return this.#clean(value);
      case "number":
      case "boolean":
      case "undefined":
        return value;
      case "bigint":
        return this.#clean(String(value));
      case "object":
        return value === null ? null : this.#object(value, depth);
      default:
        return `[${typeof value}]`;
    }
  }

  #clean(text: string): string {
    if (this.#text > MAX_RECORD_TEXT) return TOO_MUCH;
    this.#text += Math.min(text.length, MAX_TEXT);
    return scrubText(text);
  }

  #object(value: object, depth: number): unknown {
    if (this.#path.has(value)) return "[circular]";
    if (depth >= MAX_DEPTH) return "[too deep]";
    this.#path.add(value);
    try {
      return this.#inside(value, depth + 1);
    } catch {
      // A getter or toJSON that throws must not take the log line with it.
      return "[unreadable]";
    } finally {
      this.#path.delete(value);
    }
  }

  #inside(value: object, depth: number): unknown {
    if (value instanceof Error) return this.#error(value, depth);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) return this.#list(value, depth);
    if (value instanceof Set) return this.#list(value, depth);
    if (value instanceof Map) return this.#fields(value, depth);
    if ("toJSON" in value && typeof value.toJSON === "function") return this.value(value.toJSON(), depth);
    return this.#fields(Object.entries(value), depth);
  }

  #list(items: Iterable<unknown>, depth: number): unknown[] {
    const list: unknown[] = [];
    for (const item of items) {
      list.push(this.value(item, depth));
      if (this.#nodes > MAX_NODES) break;
    }
    return list;
  }

  #fields(entries: Iterable<readonly [unknown, unknown]>, depth: number): Record<string, unknown> {
    const fields: [string, unknown][] = [];
    for (const [key, value] of entries) {
      const name = String(key);
      fields.push([this.#clean(name), isSecretName(name) ? MASK : this.value(value, depth)]);
      if (this.#nodes > MAX_NODES) break;
    }
    return Object.fromEntries(fields);
  }

  #error(error: Error, depth: number): Record<string, unknown> {
    const code = "code" in error ? error.code : undefined;
    const own = Object.entries(error).filter(([name]) => !ERROR_FIELDS.has(name));
    return {
      type: this.#clean(error.name),
      message: this.#clean(error.message),
      ...(error.stack !== undefined && { stack: this.#clean(error.stack) }),
      // A field called "code" is masked, but ECONNREFUSED and SQLITE_BUSY are what one reads logs for.
      ...(typeof code === "string" && isErrorCode(code) && { errorCode: code }),
      ...(error.cause !== undefined && { cause: this.value(error.cause, depth) }),
      ...(error instanceof AggregateError && { errors: this.#list(error.errors, depth) }),
      ...this.#fields(own, depth),
    };
  }
}

function isErrorCode(code: string): boolean {
  return (
    code.length <= MAX_ERROR_CODE && /^(?:E[A-Z]{3,}|(?:ERR|SQLITE|UND_ERR|CERT|DEPTH|UNABLE)_[A-Z_]+)$/.test(code)
  );
}

/** Cuts a long text, and with it the word at the cut: half a secret would no longer look like one. */
function cut(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  let end = MAX_TEXT;
  while (end > 0 && !/\s/.test(text.charAt(end - 1))) end--;
  return `${text.slice(0, end)}[cut]`;
}

function isDottedQuad(text: string): boolean {
  return text.split(".").every((part) => Number(part) <= 255);
}

/** Addresses that name this host and no client. */
function isOwnAddress(address: string): boolean {
  return address.startsWith("127.") || address === "0.0.0.0";
}
