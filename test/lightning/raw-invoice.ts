/**
 * Writes invoices word by word and signs them, so that tests can make what no wallet and no library would: fields
 * twice, of wrong lengths, padded with ones, cut off. BOLT 11 and BIP 173.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** Key of the customer's node. */
export const PAYEE_KEY = new Uint8Array(32).fill(0x42);
export const PAYEE = bytesToHex(secp256k1.getPublicKey(PAYEE_KEY));
export const HASH = "ab".repeat(32);
export const SECRET = "cd".repeat(32);

export type Field = readonly [type: string, words: readonly number[]];

/** Words of bytes given as hex, padded with zeros on the right. */
export function fromHex(hex: string): number[] {
  const bits = Array.from(Buffer.from(hex, "hex"), (byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? []).map((group) => Number.parseInt(group.padEnd(5, "0"), 2));
}

export const fromText = (text: string): number[] => fromHex(Buffer.from(text).toString("hex"));

/** Big-endian words of an integer, at least `length` of them. */
export function fromInteger(value: number, length = 1): number[] {
  const words: number[] = [];
  for (let left = value; left > 0; left = Math.floor(left / 32)) words.unshift(left % 32);
  while (words.length < length) words.unshift(0);
  return words;
}

export function fromFeatures(bits: readonly number[]): number[] {
  const words = new Array<number>(Math.ceil((Math.max(0, ...bits) + 1) / 5)).fill(0);
  for (const bit of bits) {
    const index = words.length - 1 - Math.floor(bit / 5);
    words[index] = (words[index] ?? 0) | (1 << (bit % 5));
  }
  return words;
}

/** One hop of an `r` field. */
export function hop(cltvDelta: number, pubkey = PAYEE, fee = { baseMsats: 1, ppm: 20 }): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
  return `${pubkey}${"0000010000020003"}${hex(fee.baseMsats, 8)}${hex(fee.ppm, 8)}${hex(cltvDelta, 4)}`;
}

/** The fields of a sound invoice without amount; replace, drop or add some to break it. */
export const SOUND: readonly Field[] = [
  ["p", fromHex(HASH)],
  ["s", fromHex(SECRET)],
  ["d", fromText("refund")],
  ["x", fromInteger(7200)],
  ["c", fromInteger(80)],
  ["9", fromFeatures([8, 14, 17])],
];

/** `SOUND` without the fields of the given types, and with others at the end. */
export function fields(without: string, ...added: Field[]): Field[] {
  return [...SOUND.filter(([type]) => !without.includes(type)), ...added];
}

const TYPES: Readonly<Record<string, number>> = { "9": 5 };

export interface Raw {
  readonly hrp?: string;
  /** Seconds. */
  readonly timestamp?: number;
  readonly fields?: readonly Field[];
  /** Words after the last field. */
  readonly tail?: readonly number[];
  /** Signs with the negated s, and the recovery flag that goes with it. */
  readonly highS?: boolean;
}

export function rawInvoice(raw: Raw = {}): string {
  const hrp = raw.hrp ?? "lnbcrt";
  const body = [...fromInteger(raw.timestamp ?? 1_700_000_000, 7)];
  for (const [type, words] of raw.fields ?? SOUND) {
    body.push(TYPES[type] ?? ALPHABET.indexOf(type), ...fromInteger(words.length, 2), ...words);
  }
  body.push(...(raw.tail ?? []));
  const message = new Uint8Array([...new TextEncoder().encode(hrp), ...toBytes(body)]);
  const signed = secp256k1.sign(sha256(message), PAYEE_KEY, { prehash: false, format: "recovered" });
  let flag = signed[0] ?? 0;
  let signature = bytesToHex(signed.subarray(1));
  if (raw.highS) {
    const order = secp256k1.Point.Fn.ORDER;
    const s = order - BigInt(`0x${signature.slice(64)}`);
    signature = signature.slice(0, 64) + s.toString(16).padStart(64, "0");
    flag ^= 1;
  }
  return withChecksum(hrp, [...body, ...fromHex(`${signature}0${flag}`)]);
}

/** The text of an invoice with some of its words changed and the checksum made to fit again. */
export function reworded(invoice: string, change: (words: number[]) => number[]): string {
  const at = invoice.lastIndexOf("1");
  const words = Array.from(invoice.slice(at + 1, -6), (character) => ALPHABET.indexOf(character));
  return withChecksum(invoice.slice(0, at), change(words));
}

function withChecksum(hrp: string, words: readonly number[]): string {
  const codes = Array.from(hrp, (character) => character.charCodeAt(0));
  const residue =
    polymod([...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...words, 0, 0, 0, 0, 0, 0]) ^ 1;
  const checksum = [25, 20, 15, 10, 5, 0].map((shift) => (residue >> shift) & 31);
  return `${hrp}1${[...words, ...checksum].map((word) => ALPHABET[word]).join("")}`;
}

function polymod(values: readonly number[]): number {
  return values.reduce((residue, value) => {
    const next = ((residue & 0x1ffffff) << 5) ^ value;
    return GENERATOR.reduce((sum, factor, bit) => (((residue >>> 25) >> bit) & 1 ? sum ^ factor : sum), next);
  }, 1);
}

function toBytes(words: readonly number[]): number[] {
  const bits = words.map((word) => word.toString(2).padStart(5, "0")).join("");
  return (bits.match(/.{1,8}/g) ?? []).map((group) => Number.parseInt(group.padEnd(8, "0"), 2));
}
