/**
 * A payment as a wallet describes it (NIP-47: lookup_invoice, list_transactions). `state` is optional, and what is there
 * instead is not alike: LNbits gives every payment that is not pending a settle time, also one that failed, and shows the
 * preimage of invoices that nobody paid; Alby Hub calls a payment that is under way "expired" once its invoice is.
 */
import { type Msats, msats } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { count, hash32, type Json, provenPreimage } from "../answers.ts";
import { type Bolt11Facts, readInvoice } from "../bolt11.ts";
import type { Network, PaymentHash, PaymentOutcome, Settlement } from "../port.ts";

export interface Transaction {
  readonly type: "incoming" | "outgoing";
  /** Null where the wallet says none. */
  readonly state: "pending" | "settled" | "accepted" | "expired" | "failed" | null;
  readonly paymentHash: PaymentHash;
  readonly preimage: unknown;
  readonly amountMsats: Msats;
  /** Null when it is not said. */
  readonly feesMsats: Msats | null;
  readonly createdAt: Millis | null;
  readonly settledAt: Millis | null;
  readonly expiresAt: Millis | null;
  readonly invoice: string | null;
  readonly metadata: unknown;
  readonly description: string | null;
}

/** Why nothing is known of what may be out or may have failed. */
export const EXPIRED = "expired";

const STATES = ["pending", "settled", "accepted", "expired", "failed"] as const;

/** Null when a field that is always there is wrong. */
export function readTransaction(value: Json, network: Network | null): Transaction | null {
  const { type, amount, invoice, state } = value;
  const paymentHash = hash32(value.payment_hash);
  const text = typeof invoice === "string" && invoice !== "" ? invoice : null;
  const facts = () => (text !== null && network !== null ? factsOf(text, network) : null);
  // Some say what an invoice of theirs brought, which is nothing before it is paid (coinos).
  const isOpen = type === "incoming" && state === "pending";
  const amountMsats = isOpen && amount === undefined ? (facts()?.amountMsats ?? null) : count(amount);
  if ((type !== "incoming" && type !== "outgoing") || !paymentHash || amountMsats === null) return null;
  const known = STATES.find((word) => word === state) ?? null;
  if (known === null && state !== undefined && state !== null && state !== "") return null;
  const fees = count(value.fees_paid);
  return {
    type,
    state: known,
    paymentHash,
    preimage: value.preimage,
    amountMsats: msats(amountMsats),
    feesMsats: fees === null ? null : msats(fees),
    createdAt: time(value.created_at),
    settledAt: time(value.settled_at),
    expiresAt: time(value.expires_at) ?? facts()?.expiresAt ?? null,
    invoice: text,
    metadata: value.metadata,
    description: typeof value.description === "string" ? value.description : null,
  };
}

/** The settlement of an incoming transaction that is known to have settled. */
export function toSettlement({ paymentHash, settledAt, amountMsats }: Transaction): Settlement | null {
  return settledAt === null ? null : { paymentHash, settledAt, receivedMsats: amountMsats };
}

/** What an outgoing transaction says of its payment. */
export function outcomeOf({ paymentHash, preimage: shown, state, feesMsats, settledAt }: Transaction): PaymentOutcome {
  const preimage = provenPreimage(shown, paymentHash);
  if (preimage) return { kind: "succeeded", preimage, feeMsats: feesMsats ?? msats(0) };
  switch (state) {
    case "failed":
      return { kind: "failed", reason: "failed" };
    case "pending":
    case "accepted":
      return { kind: "in_flight" };
    case "settled":
      return { kind: "unknown", reason: "wrong_preimage" };
    // Alby Hub says so of whatever has not settled when its invoice is over, also of what is under way.
    case "expired":
      return { kind: "unknown", reason: EXPIRED };
    case null:
      return settledAt === null ? { kind: "in_flight" } : { kind: "unknown", reason: "no_proof" };
  }
}

function time(seconds: unknown): Millis | null {
  const whole = count(seconds);
  return whole === null || whole === 0 ? null : whole * 1000;
}

function factsOf(invoice: string, network: Network): Bolt11Facts | null {
  const read = readInvoice(invoice, network);
  return read.ok ? read.facts : null;
}
