/**
 * What the adapters of all kinds of nodes share: reading JSON that nobody vouches for, lost answers, and checking what a
 * node claims against what can be computed.
 */
import { hexToBytes } from "@noble/hashes/utils.js";
import { toMsats } from "../../actors/order/money.ts";
import { sha256Hex } from "../sha256.ts";
import { AnswerLost } from "../wire.ts";
import { readInvoice } from "./bolt11.ts";
import { type CreatedInvoice, type Network, type NewInvoice, NodeUnavailable, type PaymentHash } from "./port.ts";

export type Json = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function parseObject(text: string): Json | null {
  const value = parseJson(text);
  return isObject(value) ? value : null;
}

/** 64 hex digits in lower case, or null. */
export function hash32(value: unknown): string | null {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value) ? value : null;
}

/** A compressed public key in lower-case hex, or null. */
export function publicKey(value: unknown): string | null {
  return typeof value === "string" && /^0[23][0-9a-f]{64}$/.test(value) ? value : null;
}

/** What a table has for a word of the node; undefined for words that it does not have, and for what is no word. */
export function wordOf<T>(table: Readonly<Record<string, T>>, value: unknown): T | undefined {
  return typeof value === "string" && Object.hasOwn(table, value) ? table[value] : undefined;
}

/** A whole, non-negative JSON number, or null. */
export function count(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** The preimage in lower case when it proves the payment of `hash`, else null. */
export function provenPreimage(value: unknown, hash: PaymentHash): string | null {
  const preimage = hash32(value);
  return preimage !== null && sha256Hex(hexToBytes(preimage)) === hash ? preimage : null;
}

export function malformed(what: string): NodeUnavailable {
  return new NodeUnavailable(`${what}: malformed answer`);
}

/** Runs `work`; a lost answer becomes NodeUnavailable. */
export async function unlessLost<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AnswerLost) throw new NodeUnavailable(`${what}: ${error.why}`, { cause: error });
    throw error;
  }
}

/**
 * Checks that an invoice which the node made is the one that was asked for, and that payers' nodes will take it.
 * @param paymentHash what the node says beside it. @throws NodeUnavailable when it is not.
 */
export function checkCreated(
  what: string,
  made: { readonly bolt11: unknown; readonly paymentHash: string | null },
  wanted: NewInvoice,
  network: Network,
): Omit<CreatedInvoice, "node"> & { readonly payee: string } {
  if (typeof made.bolt11 !== "string" || !made.paymentHash) throw malformed(what);
  const read = readInvoice(made.bolt11, network);
  if (!read.ok) throw new NodeUnavailable(`${what}: the invoice is refused (${read.reason})`);
  const { invoice, paymentHash, amountMsats, payee } = read.facts;
  if (paymentHash !== made.paymentHash) throw new NodeUnavailable(`${what}: the invoice has another payment hash`);
  if (amountMsats !== toMsats(wanted.amountSats)) throw new NodeUnavailable(`${what}: the invoice has another amount`);
  return { bolt11: invoice, paymentHash, payee };
}
