/**
 * Makes real, signed BOLT 11 invoices, laid out here: the `bolt11` package's encoder takes as long as a hundred of these, reads the wall
 * clock for its defaults, and signs with a library that has CVE-2025-14505. It still reads what is made here (`decode.ts`).
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { packWords, toBech32 } from "../../lightning/bolt11-fields.ts";
import { curve } from "../../lightning/curve.ts";
import type { Network } from "../../lightning/port.ts";

/** What an invoice says. Only the first two have no default, so that tests can make odd ones with little. */
export interface Mint {
  /** Lower-case hex, 32 bytes. */
  readonly paymentHash: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  /** Key of the payee. Default: a stranger's key, known to no node. */
  readonly secretKey?: Uint8Array;
  /** `s` field, hex, 32 bytes; null leaves it out, as before 2020. Default: 32 fixed bytes. */
  readonly paymentSecret?: string | null;
  /** In millisats; null, the default, leaves the amount to the payer. */
  readonly amountMsat?: number | null;
  /** `x` field; null leaves it out, which means 3600. Default 3600. */
  readonly expirySeconds?: number | null;
  /** `d` field, at most 639 bytes of UTF-8. */
  readonly description?: string;
  /** `h` field instead of the `d` field: SHA-256 of a text elsewhere, lower-case hex. */
  readonly descriptionHash?: string;
  /** `c` field, blocks. Default 80; BOLT 11 assumes 18 where it is missing. */
  readonly finalCltv?: number;
  /** `9` field, as BOLT 9 bit numbers (even: required). Default 8, 14, 17. */
  readonly features?: readonly number[];
  /** Default "bcrt". */
  readonly network?: Network;
}

/** var_onion_optin and payment_secret required, basic_mpp supported: what lnd puts into its invoices (BOLT 9). */
export const INVOICE_FEATURES: readonly number[] = [8, 14, 17];
export const DEFAULT_FINAL_CLTV = 80;

const STRANGER_KEY = new Uint8Array(32).fill(0x5a);
const ODD_SECRET = "5e".repeat(32);
/** Types of tagged fields (BOLT 11, "Tagged Fields"). */
const TYPE = {
  hash: 1,
  features: 5,
  expiry: 6,
  description: 13,
  secret: 16,
  descriptionHash: 23,
  finalCltv: 24,
} as const;
const TIMESTAMP_WORDS = 7;
/** Millisats in one unit of each multiplier, largest first (BOLT 11, "Human-Readable Part"); "p" is a tenth of one. */
const UNITS = [
  ["", 100_000_000_000],
  ["m", 100_000_000],
  ["u", 100_000],
  ["n", 100],
] as const;
/** A timestamp is 35 bits (BOLT 11). */
const MAX_TIMESTAMP = 2 ** 35 - 1;
/** Readers turn the end of life into a date, which ends there. */
const MAX_EXPIRY_SECONDS = 2 ** 42;
/** Bits 0..19 by pairs, in the names of the `bolt11` package. */
const FEATURE_NAMES = [
  "option_data_loss_protect",
  "initial_routing_sync",
  "option_upfront_shutdown_script",
  "gossip_queries",
  "var_onion_optin",
  "gossip_queries_ex",
  "option_static_remotekey",
  "payment_secret",
  "basic_mpp",
  "option_support_large_channel",
] as const;
export const FIRST_UNNAMED_FEATURE = FEATURE_NAMES.length * 2;

type FeatureName = (typeof FEATURE_NAMES)[number];

/**
 * Makes an invoice and signs it.
 * @throws RangeError when a field cannot be written down.
 */
export function mintInvoice(mint: Mint): string {
  check(mint);
  const secretKey = mint.secretKey ?? STRANGER_KEY;
  const hrp = `ln${mint.network ?? "bcrt"}${amountText(mint.amountMsat ?? null)}`;
  const words = layOut(mint);
  const message = concatBytes(utf8ToBytes(hrp), packWords(words, 0, words.length));
  const { signature, recovery } = curve.sign(sha256(message), secretKey);
  push(words, concatBytes(signature, Uint8Array.of(recovery)));
  return toBech32(hrp, words);
}

/** Compressed public key, hex: a node's identity. */
export function publicKey(secretKey: Uint8Array): string {
  return bytesToHex(secp256k1.getPublicKey(secretKey));
}

/** The network's constants in the form the library wants. Signet is unknown to it. */
export function networkParameters(bech32: Network) {
  const [pubKeyHash, scriptHash] = bech32 === "bc" ? [0x00, 0x05] : [0x6f, 0xc4];
  return { bech32, pubKeyHash, scriptHash, validWitnessVersions: [0, 1] };
}

/** Names the pair of feature bits `bit` belongs to, or null when the library has no name for it. */
export function featureName(bit: number): FeatureName | null {
  return FEATURE_NAMES[bit >> 1] ?? null;
}

function check(mint: Mint): void {
  const inRange = (value: number | null | undefined, min: number, max: number) =>
    value === null || value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max);
  if (!isHash(mint.paymentHash)) throw new RangeError("Payment hash is not 32 bytes of hex");
  if (mint.descriptionHash && !isHash(mint.descriptionHash)) {
    throw new RangeError("Description hash is not 32 bytes of hex");
  }
  if (mint.paymentSecret && !isHash(mint.paymentSecret)) throw new RangeError("Payment secret is not 32 bytes of hex");
  if (!inRange(mint.timestamp, 0, MAX_TIMESTAMP)) throw new RangeError(`Not a timestamp: ${mint.timestamp}`);
  if (!inRange(mint.expirySeconds, 0, MAX_EXPIRY_SECONDS)) throw new RangeError(`Not an expiry: ${mint.expirySeconds}`);
  if (!inRange(mint.amountMsat, 1, Number.MAX_SAFE_INTEGER)) throw new RangeError(`Not msats: ${mint.amountMsat}`);
  if (!inRange(mint.finalCltv, 1, 0xffff)) throw new RangeError(`Not a CLTV delta: ${mint.finalCltv}`);
  if (!(mint.features ?? []).every((bit) => inRange(bit, 0, 1_000))) throw new RangeError("Not a feature bit");
}

function isHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text) && hexToBytes(text).length === 32;
}

/** The amount in the largest unit that holds it exactly. */
function amountText(msat: number | null): string {
  if (msat === null) return "";
  for (const [name, unit] of UNITS) if (msat % unit === 0) return `${msat / unit}${name}`;
  return `${msat}0p`;
}

/** Timestamp and fields, in lnd's order. */
function layOut(mint: Mint): number[] {
  const words = integer(mint.timestamp, TIMESTAMP_WORDS);
  const secret = mint.paymentSecret === undefined ? ODD_SECRET : mint.paymentSecret;
  const expiry = mint.expirySeconds === undefined ? 3600 : mint.expirySeconds;
  const features = mint.features ?? INVOICE_FEATURES;
  tag(words, TYPE.hash, bytesWords(hexToBytes(mint.paymentHash)));
  if (secret !== null) tag(words, TYPE.secret, bytesWords(hexToBytes(secret)));
  if (mint.descriptionHash) tag(words, TYPE.descriptionHash, bytesWords(hexToBytes(mint.descriptionHash)));
  else tag(words, TYPE.description, bytesWords(utf8ToBytes(mint.description ?? "")));
  if (expiry !== null) tag(words, TYPE.expiry, integer(expiry, 1));
  tag(words, TYPE.finalCltv, integer(mint.finalCltv ?? DEFAULT_FINAL_CLTV, 1));
  if (features.length > 0) tag(words, TYPE.features, featureWords(features));
  return words;
}

function tag(words: number[], type: number, data: readonly number[]): void {
  words.push(type, data.length >> 5, data.length & 31, ...data);
}

function bytesWords(bytes: Uint8Array): number[] {
  const words: number[] = [];
  push(words, bytes);
  return words;
}

/** Appends bytes as words, padded with zero bits on the right. */
function push(words: number[], bytes: Uint8Array): void {
  let pending = 0;
  let bits = 0;
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      words.push((pending >> bits) & 31);
    }
  }
  if (bits > 0) words.push((pending << (5 - bits)) & 31);
}

/** Big-endian, in at least `length` words. Beyond 32 bits, hence without shifts. */
function integer(value: number, length: number): number[] {
  const words: number[] = [];
  for (let left = value; left > 0 || words.length < length; left = Math.floor(left / 32)) words.unshift(left % 32);
  return words;
}

function featureWords(bits: readonly number[]): number[] {
  const words = new Array<number>(Math.ceil((Math.max(...bits) + 1) / 5)).fill(0);
  for (const bit of bits) {
    const index = words.length - 1 - Math.floor(bit / 5);
    words[index] = (words[index] ?? 0) | (1 << (bit % 5));
  }
  return words;
}
