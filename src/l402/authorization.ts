/**
 * Reads credentials as L402 clients really send them: `Authorization: L402 <macaroon>:<preimage>` with either scheme
 * word in any case, repeated, merged from several lines, with several macaroons or without a preimage; and the hex
 * headers of aperture's clients (aperture, l402/header.go). One pass over bounded text.
 *
 * A preimage alone (`Payment method="lightning", preimage="..."`) is no credential: every node on the payment's route
 * knows it.
 */
import { decodeBase64, decodeHex, encodeBase64 } from "./base64.ts";
import { decodeMacaroon, type Macaroon } from "./macaroon.ts";

export interface Presented {
  readonly macaroon: Macaroon;
  /** Canonical text of the macaroon: standard base64 with padding. A secret. */
  readonly text: string;
  /** What followed the colon, lower-case hex; null in the unpaid form and in hex headers. */
  readonly preimage: string | null;
}

export interface Presentation {
  /** Distinct, in the order presented. */
  readonly credentials: readonly Presented[];
  /** Something was presented as a credential that is none. */
  readonly malformed: boolean;
}

/** Just enough of `Headers`. */
export interface HeaderSource {
  get(name: string): string | null;
}

/** Longest header value that is read, in characters. */
const MAX_VALUE = 8 * 1024;
/** Each costs an HMAC chain to verify; clients present one or two. */
const MAX_CREDENTIALS = 8;
/** Words that are tried as macaroons, good or not: decoding costs microseconds each, and 8 KiB hold thousands of small ones. */
const MAX_TRIED = 64;
/** Hex macaroons with the preimage in a caveat; the first two names are the newer ones. */
const HEX_HEADERS = ["token", "grpc-metadata-token", "macaroon", "grpc-metadata-macaroon"] as const;

const SCHEME = /^(?:l402|lsat)$/i;
const PREIMAGE = /^[0-9a-f]{64}$/i;

/** Everything presented in a request's headers. */
export function presentedIn(headers: HeaderSource): Presentation {
  const found = new Collector();
  readAuthorization(headers.get("authorization") ?? "", found);
  for (const name of HEX_HEADERS) {
    const value = headers.get(name);
    if (value !== null) readHex(value, found);
  }
  return found;
}

/** The `Authorization` header when it is all that was presented and of a size that is read; else null. */
export function presentedAlone(headers: HeaderSource): string | null {
  const value = headers.get("authorization");
  if (value === null || value.length > MAX_VALUE) return null;
  return HEX_HEADERS.every((name) => headers.get(name) === null) ? value : null;
}

/** A credential given as text: `L402 <macaroon>:<preimage>`, or the same without the scheme word. */
export function presentedAs(text: string): Presentation {
  const found = new Collector();
  readAuthorization(/^\s*(?:l402|lsat)\s/i.test(text) ? text : `L402 ${text}`, found);
  return found;
}

class Collector implements Presentation {
  readonly credentials: Presented[] = [];
  malformed = false;
  #tried = 0;

  add(word: string, decode: (word: string) => Uint8Array | null, preimage: string | null): void {
    this.#tried += 1;
    const bytes = this.#tried > MAX_TRIED ? null : decode(word);
    const macaroon = bytes && decodeMacaroon(bytes);
    if (!bytes || !macaroon) {
      this.malformed = true;
      return;
    }
    const text = encodeBase64(bytes);
    if (this.credentials.some((one) => one.text === text && one.preimage === preimage)) return;
    if (this.credentials.length === MAX_CREDENTIALS) {
      this.malformed = true;
      return;
    }
    this.credentials.push({ macaroon, text, preimage });
  }
}

/**
 * Walks over words, commas and colons. A scheme word opens a list of macaroons; a colon closes it, with a preimage if
 * 64 hex digits follow. Words outside such a list belong to other schemes and are passed over.
 */
function readAuthorization(value: string, found: Collector): void {
  if (value.length > MAX_VALUE) {
    found.malformed = true;
    return;
  }
  let macaroons: string[] = [];
  let open = false;
  let afterColon = false;
  const close = (preimage: string | null) => {
    for (const macaroon of macaroons) found.add(macaroon, decodeBase64, preimage);
    macaroons = [];
    open = false;
    afterColon = false;
  };
  for (const word of value.match(/[,:]|[^\s,:]+/g) ?? []) {
    if (afterColon) {
      close(PREIMAGE.test(word) ? word.toLowerCase() : null);
      if (!SCHEME.test(word)) continue;
    }
    if (SCHEME.test(word)) {
      close(null);
      open = true;
    } else if (open) {
      if (word === ":") afterColon = true;
      else if (word !== ",") macaroons.push(word);
    }
  }
  close(null);
}

function readHex(value: string, found: Collector): void {
  if (value.length > MAX_VALUE) {
    found.malformed = true;
    return;
  }
  for (const word of value.split(",")) {
    if (word.trim() !== "") found.add(word.trim(), decodeHex, null);
  }
}
