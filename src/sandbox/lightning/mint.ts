/**
 * Makes real, signed BOLT 11 invoices. The bolt11 library lays out the fields; the signature comes from @noble/curves,
 * because the library's native signer is missing in compiled binaries and its fallback, elliptic, has CVE-2025-14505.
 * Every field is given explicitly: the library's defaults read the wall clock and are below what BOLT 11 asks for.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { encode } from "bolt11";
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
const BECH32_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BECH32_CHECKSUM_LENGTH = 6;
/** A timestamp is 35 bits (BOLT 11). */
const MAX_TIMESTAMP = 2 ** 35 - 1;
/** The library turns the end of life into a date, which ends there. */
const MAX_EXPIRY_SECONDS = 2 ** 42;
/** Bits 0..19 by pairs, in the library's names. */
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
type FeatureFlags = { required: boolean; supported: boolean };

/**
 * Makes an invoice and signs it.
 * @throws RangeError when a field cannot be written down.
 */
export function mintInvoice(mint: Mint): string {
  check(mint);
  const secretKey = mint.secretKey ?? STRANGER_KEY;
  const amountMsat = mint.amountMsat ?? null;
  const fields = {
    network: networkParameters(mint.network ?? "bcrt"),
    ...(amountMsat !== null && { millisatoshis: String(amountMsat) }),
    timestamp: mint.timestamp,
    tags: tags(mint),
  };
  const unsigned = encode(fields, false);
  if (unsigned.prefix === undefined || unsigned.wordsTemp === undefined)
    throw new TypeError("Invoice was not laid out");
  const message = new Uint8Array([...new TextEncoder().encode(unsigned.prefix), ...packWords(unsigned.wordsTemp)]);
  // noble hashes with SHA-256 itself, and puts the recovery flag first.
  const signature = secp256k1.sign(message, secretKey, { format: "recovered" });
  const signed = encode(
    {
      ...fields,
      signature: bytesToHex(signature.subarray(1)),
      recoveryFlag: signature[0] ?? 0,
      payeeNodeKey: publicKey(secretKey),
    },
    false,
  );
  if (!signed.paymentRequest) throw new TypeError("Invoice was not signed");
  return signed.paymentRequest;
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

function tags(mint: Mint) {
  const secret = mint.paymentSecret === undefined ? ODD_SECRET : mint.paymentSecret;
  const expiry = mint.expirySeconds === undefined ? 3600 : mint.expirySeconds;
  const features = mint.features ?? INVOICE_FEATURES;
  return [
    { tagName: "payment_hash", data: mint.paymentHash },
    ...(secret === null ? [] : [{ tagName: "payment_secret", data: secret }]),
    { tagName: "description", data: mint.description ?? "" },
    ...(expiry === null ? [] : [{ tagName: "expire_time", data: expiry }]),
    { tagName: "min_final_cltv_expiry", data: mint.finalCltv ?? DEFAULT_FINAL_CLTV },
    ...(features.length === 0 ? [] : [{ tagName: "feature_bits", data: featureBits(features) }]),
  ];
}

function featureBits(bits: readonly number[]) {
  const named: Partial<Record<FeatureName, FeatureFlags>> = {};
  const unnamed: boolean[] = [];
  for (const bit of bits) {
    const name = featureName(bit);
    if (name === null) {
      while (unnamed.length <= bit - FIRST_UNNAMED_FEATURE) unnamed.push(false);
      unnamed[bit - FIRST_UNNAMED_FEATURE] = true;
    } else {
      named[name] ??= { required: false, supported: false };
      named[name][bit % 2 === 0 ? "required" : "supported"] = true;
    }
  }
  const wordLength = Math.ceil((Math.max(...bits) + 1) / 5);
  return { word_length: wordLength, ...named, extra_bits: { start_bit: FIRST_UNNAMED_FEATURE, bits: unnamed } };
}

/** The data part as bytes, padded with zero bits on the right: what BOLT 11 has signed after the prefix. */
function packWords(bech32: string): number[] {
  const data = bech32.slice(bech32.lastIndexOf("1") + 1, -BECH32_CHECKSUM_LENGTH);
  const bytes: number[] = [];
  let pending = 0;
  let bits = 0;
  for (const letter of data) {
    pending = ((pending << 5) | BECH32_ALPHABET.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((pending >> bits) & 0xff);
  }
  if (bits > 0) bytes.push((pending << (8 - bits)) & 0xff);
  return bytes;
}
