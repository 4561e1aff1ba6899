/**
 * A strict BOLT11 reader. The signature is `curve.ts`'s matter; every fact is read here, because the `bolt11` package
 * accepts invoices that nodes refuse (missing or repeated fields, unknown required features), drops amounts below a sat,
 * and takes minutes for long input. What this reader accepts, a node reads the same way.
 */
import { bytesToHex } from "@noble/hashes/utils.js";
import { type Msats, msats } from "../../actors/order/money.ts";
import type { Millis } from "../../actors/runtime/world.ts";
import { sha256 } from "../sha256.ts";
import { bigEndian, type Fields, hasChecksum, packWords, type RouteHop, readFields, toWords } from "./bolt11-fields.ts";
import { curve } from "./curve.ts";
import type { Network } from "./port.ts";

/**
 * Longest invoice read, in characters. Decoding time grows with the square of the length. Wallets stay below 1,100;
 * lnd itself stops at 7,089 (zpay32: maxInvoiceLength).
 */
export const MAX_INVOICE_LENGTH = 2048;

/** A year, the longest that lnd lets its own invoices live. Also keeps every date far from the end of time. */
const MAX_EXPIRY_SECONDS = 365 * 86_400;
const TIMESTAMP_WORDS = 7;
const SIGNATURE_WORDS = 104;
const CHECKSUM_WORDS = 6;
/** Millisats in one bitcoin, and of all bitcoin. */
const BTC = 100_000_000_000n;
const MAX_MSATS = 21_000_000n * BTC;
/** Picobitcoin in one bitcoin divided by the multiplier, i.e. tenths of a millisat in one unit. */
const TENTHS_OF_MSAT: Readonly<Record<string, bigint>> = { "": 10n * BTC, m: 10n ** 9n, u: 10n ** 6n, n: 1000n, p: 1n };
/** Half the order of secp256k1, big-endian hex: a signature with a larger s is not in its canonical ("low-S") form. */
const HALF_ORDER = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0";

/**
 * Required features a payer's node is known to understand (BOLT 9, context "9"): var_onion_optin, payment_secret,
 * basic_mpp and payment_metadata. Any other required bit would make the node refuse, and only when it is too late.
 */
const UNDERSTOOD_FEATURES: readonly number[] = [8, 14, 16, 48];

/** Whether an invoice says itself what it is for, by its human-readable part alone. */
export const namesAmount = (invoice: string): boolean => /\d/.test(invoice.slice(0, invoice.lastIndexOf("1")));

export interface Bolt11Facts {
  /** The invoice in lower case. */
  readonly invoice: string;
  readonly paymentHash: string;
  readonly paymentSecret: string;
  /** Null when the payer chooses the amount. */
  readonly amountMsats: Msats | null;
  readonly issuedAt: Millis;
  readonly expiresAt: Millis;
  /** Compressed public key of the node that signed, hex. */
  readonly payee: string;
  /** Free text of a stranger, or null where there is only a hash of it. Never log it. */
  readonly description: string | null;
  readonly descriptionHash: string | null;
  /** Blocks. */
  readonly minFinalCltv: number;
  readonly routes: readonly (readonly RouteHop[])[];
  /** Feature bits that are set (BOLT 9). */
  readonly features: readonly number[];
}

/** Why an invoice was refused; never holds a piece of it. */
export type BadInvoice =
  | "too_long"
  | "malformed"
  | "bad_checksum"
  | "wrong_network"
  | "bad_amount"
  | "bad_fields"
  | "bad_expiry"
  | "unknown_feature"
  | "bad_signature";

export type ReadInvoice =
  | { readonly ok: true; readonly facts: Bolt11Facts }
  | { readonly ok: false; readonly reason: BadInvoice };

/**
 * Reads an invoice of `network`. Never throws, needs no clock: whether the invoice is expired is for the caller to say.
 * BOLT 11, all requirements for a reader; see the module comment for what it refuses beyond them.
 */
export function readInvoice(text: string, network: Network): ReadInvoice {
  if (typeof text !== "string") return refuse("malformed");
  if (text.length > MAX_INVOICE_LENGTH) return refuse("too_long");
  const invoice = text.toLowerCase();
  if ((text !== invoice && text !== text.toUpperCase()) || !/^[a-z0-9]+$/.test(invoice)) return refuse("malformed");

  const separator = invoice.lastIndexOf("1");
  const hrp = invoice.slice(0, Math.max(separator, 0));
  const words = toWords(invoice.slice(separator + 1));
  if (!words || words.length < TIMESTAMP_WORDS + SIGNATURE_WORDS + CHECKSUM_WORDS) return refuse("malformed");
  if (!/^ln[a-z]/.test(hrp)) return refuse("malformed");
  // First of all, so that a mistyped invoice is called that.
  if (!hasChecksum(hrp, words)) return refuse("bad_checksum");

  const prefix = `ln${network}`;
  if (!hrp.startsWith(prefix) || /^[a-z]/.test(hrp.slice(prefix.length))) return refuse("wrong_network");
  const amount = readAmount(hrp.slice(prefix.length));
  if (!amount.ok) return refuse("bad_amount");

  const fields = readFields(words.subarray(TIMESTAMP_WORDS, -(SIGNATURE_WORDS + CHECKSUM_WORDS)));
  if (!fields) return refuse("bad_fields");
  if (fields.expiry > MAX_EXPIRY_SECONDS) return refuse("bad_expiry");
  const required = fields.features.filter((bit) => bit % 2 === 0);
  if (!required.every((bit) => UNDERSTOOD_FEATURES.includes(bit))) return refuse("unknown_feature");

  const payee = verifySignature(hrp, words, fields);
  if (!payee) return refuse("bad_signature");

  const issuedAt = bigEndian(words.subarray(0, TIMESTAMP_WORDS)) * 1000;
  const { paymentHash, paymentSecret, description, descriptionHash, minFinalCltv, routes, features } = fields;
  return {
    ok: true,
    facts: {
      invoice,
      paymentHash,
      paymentSecret,
      amountMsats: amount.msats,
      issuedAt,
      expiresAt: issuedAt + fields.expiry * 1000,
      payee,
      description,
      descriptionHash,
      minFinalCltv,
      routes,
      features,
    },
  };
}

function refuse(reason: BadInvoice): ReadInvoice {
  return { ok: false, reason };
}

type Amount = { readonly ok: true; readonly msats: Msats | null } | { readonly ok: false };

/** BOLT 11, "Human-Readable Part": digits without leading zeros, one multiplier at most, whole millisats. */
function readAmount(text: string): Amount {
  if (text === "") return { ok: true, msats: null };
  const match = /^([1-9]\d{0,17})([munp]?)$/.exec(text);
  const unit = match && TENTHS_OF_MSAT[match[2] ?? ""];
  if (!match || unit === null || unit === undefined) return { ok: false };
  const tenths = BigInt(match[1] ?? "") * unit;
  if (tenths % 10n !== 0n || tenths > MAX_MSATS * 10n) return { ok: false };
  const value = Number(tenths / 10n);
  return Number.isSafeInteger(value) ? { ok: true, msats: msats(value) } : { ok: false };
}

/**
 * Checks the signature over the prefix and everything before it (BOLT 11, "Data Part").
 * @returns the key that signed, or null. With an `n` field, that is the key; a signature is then valid in one form only
 * (low-S), while recovery takes both forms (BOLT 11, "Requirements" of tagged fields).
 */
function verifySignature(hrp: string, words: Uint8Array, fields: Fields): string | null {
  const signed = words.length - SIGNATURE_WORDS - CHECKSUM_WORDS;
  const signature = packWords(words, signed, words.length - CHECKSUM_WORDS);
  const data = packWords(words, 0, signed);
  const message = new Uint8Array(hrp.length + data.length);
  // The prefix is letters and digits only.
  for (let index = 0; index < hrp.length; index++) message[index] = hrp.charCodeAt(index);
  message.set(data, hrp.length);
  const key = curve.recover(sha256(message), signature.subarray(0, 64), signature[64] ?? Number.NaN);
  if (!key) return null;
  const payee = bytesToHex(key);
  if (fields.payee === null) return payee;
  const isLowS = bytesToHex(signature.subarray(32, 64)) <= HALF_ORDER;
  return fields.payee === payee && isLowS ? payee : null;
}
