/**
 * Macaroons: the v2 binary format (libmacaroons, doc/format.txt) and the HMAC chain that seals it.
 *
 * The decoder is strict on purpose: every macaroon has exactly one binary form here, so what was verified is what was
 * sent. It differs from go-macaroon only in refusing what no encoder writes: over-long varints and empty fields.
 */
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { hmacSha256 } from "./hmac.ts";

export interface Caveat {
  /** Where a third party discharges the caveat; first-party caveats have none. */
  readonly location: Uint8Array | null;
  readonly id: Uint8Array;
  /** Verification id. Its presence marks a third-party caveat. */
  readonly vid: Uint8Array | null;
}

export interface Macaroon {
  /** A hint where the macaroon belongs. Not covered by the signature. */
  readonly location: Uint8Array | null;
  readonly identifier: Uint8Array;
  readonly caveats: readonly Caveat[];
  /** 32 bytes: the end of the HMAC chain. */
  readonly signature: Uint8Array;
}

/** What 8 KiB of base64 can hold; our own macaroons are about 230 bytes. */
export const MAX_MACAROON_BYTES = 6 * 1024;
/** Each caveat costs one HMAC to verify. */
export const MAX_CAVEATS = 64;

const VERSION = 2;
const EOS = 0;
const LOCATION = 1;
const IDENTIFIER = 2;
const VID = 4;
const SIGNATURE = 6;
const SIGNATURE_BYTES = 32;
const KEY_GENERATOR = utf8ToBytes("macaroons-key-generator");

/** Makes a macaroon with first-party caveats (UTF-8 text), in order. */
export function mint(options: {
  readonly rootKey: Uint8Array;
  readonly identifier: Uint8Array;
  readonly location: string | null;
  readonly caveats: readonly string[];
}): Macaroon {
  const bare: Macaroon = {
    location: options.location === null ? null : utf8ToBytes(options.location),
    identifier: options.identifier,
    caveats: [],
    signature: firstLink(options.rootKey, options.identifier),
  };
  return options.caveats.reduce(attenuate, bare);
}

/** Adds one first-party caveat; needs no key, because the old signature is the key of the next link. */
export function attenuate(macaroon: Macaroon, caveat: string): Macaroon {
  const id = utf8ToBytes(caveat);
  return {
    ...macaroon,
    caveats: [...macaroon.caveats, { location: null, id, vid: null }],
    signature: hmacSha256(macaroon.signature, id),
  };
}

/**
 * Whether the HMAC chain leads from this root key to the signature. Says nothing about what the caveats demand.
 * A third-party caveat needs a discharge macaroon, which this service never takes: false.
 */
export function verifyChain(macaroon: Macaroon, rootKey: Uint8Array): boolean {
  let link = firstLink(rootKey, macaroon.identifier);
  for (const { id, vid } of macaroon.caveats) {
    if (vid !== null) return false;
    link = hmacSha256(link, id);
  }
  return equalInConstantTime(link, macaroon.signature);
}

/** @throws RangeError when a part is larger than anything that would be read back. */
export function encodeMacaroon(macaroon: Macaroon): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(VERSION)];
  if (macaroon.location) parts.push(field(LOCATION, macaroon.location));
  parts.push(field(IDENTIFIER, macaroon.identifier), Uint8Array.of(EOS));
  for (const { location, id, vid } of macaroon.caveats) {
    if (location) parts.push(field(LOCATION, location));
    parts.push(field(IDENTIFIER, id));
    if (vid) parts.push(field(VID, vid));
    parts.push(Uint8Array.of(EOS));
  }
  parts.push(Uint8Array.of(EOS), field(SIGNATURE, macaroon.signature));
  const bytes = concatBytes(...parts);
  if (bytes.length > MAX_MACAROON_BYTES || macaroon.caveats.length > MAX_CAVEATS) {
    throw new RangeError(`Macaroon too large: ${bytes.length} bytes, ${macaroon.caveats.length} caveats`);
  }
  return bytes;
}

/** @returns null for anything but exactly one well-formed v2 macaroon within the limits. */
export function decodeMacaroon(bytes: Uint8Array): Macaroon | null {
  if (bytes.length > MAX_MACAROON_BYTES || bytes[0] !== VERSION) return null;
  const reader = new Reader(bytes, 1);
  const head = reader.section();
  if (!head?.id || head.vid) return null;
  const caveats: Caveat[] = [];
  for (;;) {
    const { location, id, vid } = reader.section() ?? { location: null, id: null, vid: null };
    if (!id) {
      if (reader.broken || location || vid) return null;
      break;
    }
    if (location && !vid) return null;
    if (caveats.length === MAX_CAVEATS) return null;
    caveats.push({ location, id, vid });
  }
  const seal = reader.field();
  if (seal?.type !== SIGNATURE || seal.data.length !== SIGNATURE_BYTES || !reader.atEnd) return null;
  return { location: head.location, identifier: head.id, caveats, signature: seal.data };
}

/** Fields up to an end-of-section mark. A caveat section without any field ends the list of caveats. */
interface Section {
  readonly location: Uint8Array | null;
  readonly id: Uint8Array | null;
  readonly vid: Uint8Array | null;
}

/** Reads fields one after another; after the first violation everything reads as null. */
class Reader {
  broken = false;
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  section(): Section | null {
    const data: Record<number, Uint8Array> = {};
    let previous = 0;
    for (;;) {
      const next = this.field();
      if (!next) return null;
      if (next.type === EOS) break;
      // Strictly ascending types forbid repeated and out-of-order fields alike; a signature never sits in a section.
      if (next.type <= previous || (next.type !== LOCATION && next.type !== IDENTIFIER && next.type !== VID)) {
        return this.#fail();
      }
      previous = next.type;
      data[next.type] = next.data;
    }
    return { location: data[LOCATION] ?? null, id: data[IDENTIFIER] ?? null, vid: data[VID] ?? null };
  }

  field(): { type: number; data: Uint8Array } | null {
    const type = this.#varint();
    if (type === null) return null;
    if (type === EOS) return { type, data: new Uint8Array() };
    const length = this.#varint();
    if (length === null || length > this.#bytes.length - this.#at) return this.#fail();
    // Encoders leave an empty location or vid out; an empty vid would pass for a first-party caveat elsewhere.
    if (length === 0 && type !== IDENTIFIER) return this.#fail();
    const data = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += length;
    return { type, data };
  }

  /** Unsigned LEB128 below 2^31, as go-macaroon bounds it, in its shortest form only. */
  #varint(): number | null {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#at];
      if (this.broken || byte === undefined) break;
      this.#at++;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value > 0x7fffffff || (byte === 0 && shift > 0) ? this.#fail() : value;
    }
    return this.#fail();
  }

  #fail(): null {
    this.broken = true;
    return null;
  }
}

function field(type: number, data: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(type), varint(data.length), data);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Uint8Array.from([...bytes, rest]);
}

/** libmacaroons derives the real key from the root key with a fixed label (go-macaroon, `makeKey`). */
function firstLink(rootKey: Uint8Array, identifier: Uint8Array): Uint8Array {
  return hmacSha256(hmacSha256(KEY_GENERATOR, rootKey), identifier);
}

function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
