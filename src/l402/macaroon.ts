/**
 * Macaroons: the v2 binary format (libmacaroons, doc/format.txt) and the HMAC chain that seals it.
 *
 * The decoder is strict on purpose: every macaroon has exactly one binary form here, so what was verified is what was
 * sent. It differs from go-macaroon only in refusing what no encoder writes: over-long varints and empty fields.
 */
import { utf8ToBytes } from "@noble/hashes/utils.js";
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
/** What a section has beside its data: a type and at most two bytes of length for each of three fields, and its end. */
const MAX_FRAME = 10;
const KEY_GENERATOR = utf8ToBytes("macaroons-key-generator");

/** Makes a macaroon with first-party caveats (UTF-8 text), in order. */
export function mint(options: {
  readonly rootKey: Uint8Array;
  readonly identifier: Uint8Array;
  readonly location: string | null;
  readonly caveats: readonly string[];
}): Macaroon {
  const location = options.location === null ? null : utf8ToBytes(options.location);
  const caveats = options.caveats.map(firstParty);
  let signature = firstLink(options.rootKey, options.identifier);
  for (const { id } of caveats) signature = hmacSha256(signature, id);
  return { location, identifier: options.identifier, caveats, signature };
}

/** Adds one first-party caveat; needs no key, because the old signature is the key of the next link. */
export function attenuate(macaroon: Macaroon, text: string): Macaroon {
  const caveat = firstParty(text);
  return {
    ...macaroon,
    caveats: [...macaroon.caveats, caveat],
    signature: hmacSha256(macaroon.signature, caveat.id),
  };
}

const firstParty = (text: string): Caveat => ({ location: null, id: utf8ToBytes(text), vid: null });

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
export function encodeMacaroon({ location, identifier, caveats, signature }: Macaroon): Uint8Array {
  let data = (location?.length ?? 0) + identifier.length + signature.length;
  for (const { location, id, vid } of caveats) data += (location?.length ?? 0) + id.length + (vid?.length ?? 0);
  if (data > MAX_MACAROON_BYTES || caveats.length > MAX_CAVEATS) throw tooLarge(data, caveats.length);
  const out = new Writer(data + (caveats.length + 2) * MAX_FRAME);
  out.section(location, identifier, null);
  for (const { location, id, vid } of caveats) out.section(location, id, vid);
  out.end();
  out.field(SIGNATURE, signature);
  const bytes = out.written();
  if (bytes.length > MAX_MACAROON_BYTES) throw tooLarge(bytes.length, caveats.length);
  return bytes;
}

const tooLarge = (bytes: number, caveats: number): RangeError =>
  new RangeError(`Macaroon too large: ${bytes} bytes, ${caveats} caveats`);

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

/** Writes fields one after another into room that must be there. */
class Writer {
  readonly #room: Uint8Array;
  #at = 1;

  constructor(room: number) {
    this.#room = new Uint8Array(room);
    this.#room[0] = VERSION;
  }

  section(location: Uint8Array | null, id: Uint8Array, vid: Uint8Array | null): void {
    if (location) this.field(LOCATION, location);
    this.field(IDENTIFIER, id);
    if (vid) this.field(VID, vid);
    this.end();
  }

  field(type: number, data: Uint8Array): void {
    this.#room[this.#at++] = type;
    let rest = data.length;
    for (; rest > 0x7f; rest >>>= 7) this.#room[this.#at++] = (rest & 0x7f) | 0x80;
    this.#room[this.#at++] = rest;
    this.#room.set(data, this.#at);
    this.#at += data.length;
  }

  end(): void {
    this.#room[this.#at++] = EOS;
  }

  written(): Uint8Array {
    return this.#room.slice(0, this.#at);
  }
}

/** Fields up to an end-of-section mark. A caveat section without any field ends the list of caveats. */
interface Section {
  readonly location: Uint8Array | null;
  readonly id: Uint8Array | null;
  readonly vid: Uint8Array | null;
}

const END = Object.freeze({ type: EOS, data: new Uint8Array() });

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
    let location: Uint8Array | null = null;
    let id: Uint8Array | null = null;
    let vid: Uint8Array | null = null;
    let previous = 0;
    for (;;) {
      const next = this.field();
      if (!next) return null;
      if (next.type === EOS) break;
      // Strictly ascending types forbid repeated and out-of-order fields alike; a signature never sits in a section.
      if (next.type <= previous) return this.#fail();
      previous = next.type;
      if (next.type === LOCATION) location = next.data;
      else if (next.type === IDENTIFIER) id = next.data;
      else if (next.type === VID) vid = next.data;
      else return this.#fail();
    }
    return { location, id, vid };
  }

  field(): { type: number; data: Uint8Array } | null {
    const type = this.#varint();
    if (type === null) return null;
    if (type === EOS) return END;
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

/** libmacaroons derives the real key from the root key with a fixed label (go-macaroon, `makeKey`). */
function firstLink(rootKey: Uint8Array, identifier: Uint8Array): Uint8Array {
  return hmacSha256(hmacSha256(KEY_GENERATOR, rootKey), identifier);
}

function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
