/**
 * A BOLT11 invoice at the level of its 5-bit words: the checksum, and a walk over the tagged fields that refuses
 * whatever a payer could understand differently from its node. The `bolt11` package reads past the end of a field,
 * takes the last of several payment hashes and does not look at lengths, so none of this is left to it.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** The bech32 alphabet; the index of a character is its 5-bit value (BIP 173). */
const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/** The value of each character, by its code; -1 for those that are not of the alphabet. */
const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

/** Coefficients of the checksum's generator polynomial (BIP 173). */
const GENERATOR: readonly number[] = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
/** What each value of the top five bits adds to the checksum. */
const ADDED = Int32Array.from({ length: 32 }, (_, top) =>
  GENERATOR.reduce((sum, coefficient, bit) => ((top >> bit) & 1 ? sum ^ coefficient : sum), 0),
);

/** Types of tagged fields (BOLT 11, "Tagged Fields"). */
const TYPE = { p: 1, r: 3, features: 5, x: 6, f: 9, d: 13, s: 16, n: 19, h: 23, c: 24, m: 27 } as const;
/** Fields that may appear at most once: with two of them, each reader picks its own. */
const SINGLE: readonly number[] = [TYPE.p, TYPE.s, TYPE.d, TYPE.h, TYPE.n, TYPE.x, TYPE.c, TYPE.features, TYPE.m];
/** More fields than any wallet writes; bounds the work below. */
const MAX_FIELDS = 64;
const HASH_WORDS = 52;
const KEY_WORDS = 53;
/** 35 bits, as many as the timestamp has. */
const MAX_INTEGER_WORDS = 7;
/** lnd casts the delta to 16 bits (lnrpc/routerrpc: extractIntentFromSendRequest), so a larger one means another value there. */
const MAX_CLTV = 0xffff;
/** Bytes of one hop of an `r` field: key, channel, base fee, proportional fee, delta. */
const HOP_BYTES = 51;
const CHECKSUM_WORDS = 6;
const NO_WORDS = new Uint8Array();
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface RouteHop {
  readonly pubkey: string;
  /** What it takes for passing an amount on: so many msats, and so many millionths. */
  readonly feeBaseMsats: number;
  readonly feePpm: number;
  readonly cltvDelta: number;
}

export interface Fields {
  readonly paymentHash: string;
  readonly paymentSecret: string;
  /** The `d` field, or null where `h` commits to a description elsewhere. Free text of a stranger: never log it. */
  readonly description: string | null;
  readonly descriptionHash: string | null;
  /** The `n` field; null when the key is to be recovered from the signature. */
  readonly payee: string | null;
  /** Seconds. */
  readonly expiry: number;
  /** Blocks. */
  readonly minFinalCltv: number;
  /** One entry per `r` field, each an alternative way to the payee. */
  readonly routes: readonly (readonly RouteHop[])[];
  /** Feature bits that are set: an even one is required of the payer, an odd one is on offer (BOLT 9). */
  readonly features: readonly number[];
}

/** 5-bit words; those of an invoice that was read share its memory. */
type Words = ArrayLike<number>;

/** The words behind bech32 characters in lower case; null if a character is not of the alphabet. */
export function toWords(text: string): Uint8Array | null {
  const words = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const word = VALUES[text.charCodeAt(index)] ?? -1;
    if (word < 0) return null;
    words[index] = word;
  }
  return words;
}

/** The characters of words, and of the checksum that makes them whole behind this prefix (BIP 173). */
export function toBech32(hrp: string, words: Words): string {
  let residue = remainder(hrp, words);
  for (let index = 0; index < CHECKSUM_WORDS; index++) residue = step(residue, 0);
  residue ^= 1;
  let text = `${hrp}1`;
  for (let index = 0; index < words.length; index++) text += ALPHABET[words[index] as number];
  for (let shift = 25; shift >= 0; shift -= 5) text += ALPHABET[(residue >> shift) & 31];
  return text;
}

/** Whether the last six words are the checksum of everything before them (BIP 173, "Bech32"). */
export const hasChecksum = (hrp: string, words: Words): boolean => remainder(hrp, words) === 1;

function remainder(hrp: string, words: Words): number {
  let residue = 1;
  for (let index = 0; index < hrp.length; index++) residue = step(residue, hrp.charCodeAt(index) >> 5);
  residue = step(residue, 0);
  for (let index = 0; index < hrp.length; index++) residue = step(residue, hrp.charCodeAt(index) & 31);
  for (let index = 0; index < words.length; index++) residue = step(residue, words[index] as number);
  return residue;
}

const step = (residue: number, value: number): number =>
  ((residue & 0x1ffffff) << 5) ^ value ^ (ADDED[residue >>> 25] as number);

/** The bytes of some words; bits left over are padded with zeros on the right, as BOLT 11 has them signed. */
export function packWords(words: Words, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(((to - from) * 5) / 8));
  let value = 0;
  let bits = 0;
  let length = 0;
  for (let index = from; index < to; index++) {
    value = ((value << 5) | (words[index] as number)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = value >> bits;
  }
  if (bits > 0) bytes[length] = value << (8 - bits);
  return bytes;
}

/** A big-endian integer; callers never pass more than 35 bits. */
export function bigEndian(words: Words): number {
  let total = 0;
  for (let index = 0; index < words.length; index++) total = total * 32 + (words[index] as number);
  return total;
}

/**
 * Reads the tagged fields between timestamp and signature.
 * @returns null for a field that is truncated, repeated, missing, of a wrong length, padded with ones, or not what its
 * type promises (BOLT 11, "Tagged Fields", requirements for a reader).
 */
export function readFields(words: Uint8Array): Fields | null {
  const fields = walk(words);
  if (!fields || SINGLE.some((type) => (fields.get(type)?.length ?? 0) > 1)) return null;
  const one = (type: number): Uint8Array | undefined => fields.get(type)?.[0];

  const paymentHash = fixed(one(TYPE.p), HASH_WORDS);
  const paymentSecret = fixed(one(TYPE.s), HASH_WORDS);
  if (!paymentHash || !paymentSecret) return null;

  const [d, h, n] = [one(TYPE.d), one(TYPE.h), one(TYPE.n)];
  if ((d === undefined) === (h === undefined)) return null;
  const description = d ? utf8(d) : null;
  const descriptionHash = fixed(h, HASH_WORDS);
  const payee = fixed(n, KEY_WORDS);
  if ((d && description === null) || (h && !descriptionHash) || (n && !payee)) return null;

  const [x, c, m] = [one(TYPE.x), one(TYPE.c), one(TYPE.m)];
  const expiry = x ? minimal(x) : 3600;
  const minFinalCltv = c ? minimal(c) : 18;
  if (expiry === null || minFinalCltv === null || minFinalCltv > MAX_CLTV) return null;
  if (m && !toBytes(m)) return null;

  if (!(fields.get(TYPE.f) ?? []).every(isFallback)) return null;
  const routes = (fields.get(TYPE.r) ?? []).map(readRoute);
  if (!routes.every((route) => route !== null)) return null;

  const featureWords = one(TYPE.features) ?? NO_WORDS;
  // "SHOULD use minimum length": LDK writes it anew in that form before it checks the signature, and finds another key.
  if (featureWords[0] === 0) return null;
  const features = setBits(featureWords);
  return {
    paymentHash,
    paymentSecret,
    description,
    descriptionHash,
    payee,
    expiry,
    minFinalCltv,
    routes,
    features,
  };
}

/** Every field's words by type; null when a field runs past the end or words are left over. */
function walk(words: Uint8Array): Map<number, Uint8Array[]> | null {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  for (let count = 0; at < words.length; count++) {
    if (count === MAX_FIELDS || at + 3 > words.length) return null;
    const type = words[at] as number;
    const end = at + 3 + bigEndian(words.subarray(at + 1, at + 3));
    if (end > words.length) return null;
    const data = words.subarray(at + 3, end);
    const seen = fields.get(type);
    if (seen) seen.push(data);
    else fields.set(type, [data]);
    at = end;
  }
  return fields;
}

/** Bytes of a field; null when its padding is longer than four bits or not zero, which nodes refuse. */
function toBytes(words: Uint8Array): Uint8Array | null {
  const bits = (words.length * 5) % 8;
  const last = words.at(-1) ?? 0;
  if (bits > 4 || (last & ((1 << bits) - 1)) !== 0) return null;
  return packWords(words, 0, words.length).subarray(0, Math.floor((words.length * 5) / 8));
}

/** Hex of a field whose length is fixed; null when it is absent or has another length. */
function fixed(words: Uint8Array | undefined, length: number): string | null {
  const bytes = words?.length === length ? toBytes(words) : null;
  return bytes && bytesToHex(bytes);
}

function utf8(words: Uint8Array): string | null {
  const bytes = toBytes(words);
  try {
    return bytes && UTF8.decode(bytes);
  } catch {
    return null;
  }
}

/** A positive integer in as few words as possible ("no leading 0 field-elements"). */
function minimal(words: Uint8Array): number | null {
  return words.length === 0 || words[0] === 0 || words.length > MAX_INTEGER_WORDS ? null : bigEndian(words);
}

/** Whether a node can read this fallback address. Unknown versions are skipped, as BOLT 11 demands. */
function isFallback(words: Uint8Array): boolean {
  const [version] = words;
  const rest = words.subarray(1);
  if (version === undefined || rest.length === 0) return false;
  const lengths: Readonly<Record<number, readonly number[]>> = { 0: [20, 32], 1: [32], 17: [20], 18: [20] };
  const known = lengths[version];
  const length = toBytes(rest)?.length ?? -1;
  if (known) return known.includes(length);
  // A witness version of the future. Its program has a length all the same (BIP 141), and LDK refuses an invoice where it has not.
  return version > 16 || (length >= 2 && length <= 40);
}

function readRoute(words: Uint8Array): readonly RouteHop[] | null {
  const bytes = toBytes(words);
  if (!bytes || bytes.length === 0 || bytes.length % HOP_BYTES !== 0) return null;
  const hops: RouteHop[] = [];
  for (let at = 0; at < bytes.length; at += HOP_BYTES) {
    const key = bytes.slice(at, at + 33);
    if (!isPublicKey(key)) return null;
    const number = (from: number, to: number): number =>
      bytes.slice(at + from, at + to).reduce((value, byte) => value * 256 + byte, 0);
    hops.push({
      pubkey: bytesToHex(key),
      feeBaseMsats: number(41, 45),
      feePpm: number(45, 49),
      cltvDelta: number(49, 51),
    });
  }
  return hops;
}

function isPublicKey(bytes: Uint8Array): boolean {
  return secp256k1.utils.isValidPublicKey(bytes, true);
}

/** Numbers of the set bits. */
function setBits(words: Uint8Array): number[] {
  const bits: number[] = [];
  words.forEach((word, index) => {
    const base = (words.length - 1 - index) * 5;
    for (let bit = 0; bit < 5; bit++) {
      if ((word >> bit) & 1) bits.push(base + bit);
    }
  });
  return bits.sort((a, b) => a - b);
}
