/**
 * Reads BOLT 11 invoices the way a node of the simulated network does: regtest only, bounded, never throwing.
 */
import { decode } from "bolt11";
import { FIRST_UNNAMED_FEATURE, featureName, networkParameters } from "./mint.ts";

export interface ReadInvoice {
  readonly ok: true;
  /** Public key of the payee, recovered from the signature. */
  readonly payee: string;
  readonly paymentHash: string;
  readonly paymentSecret: string | null;
  /** In millisats; null when the payer chooses. */
  readonly amountMsat: number | null;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly expirySeconds: number;
  readonly description: string;
  readonly descriptionHash: string;
  readonly finalCltv: number;
  /** BOLT 9 bit numbers, ascending. */
  readonly features: readonly number[];
}

/** `reason` is in the node's own words. */
export interface UnreadableInvoice {
  readonly ok: false;
  readonly reason: string;
}

/** lnd: zpay32/invoice.go, maxInvoiceLength. Decoding time grows with the square of the length. */
const MAX_INVOICE_LENGTH = 7089;
const PREFIX = "lnbcrt";
/** BOLT 11, "Tagged Fields": what a missing `x` and a missing `c` mean. */
const DEFAULT_EXPIRY_SECONDS = 3600;
const ASSUMED_FINAL_CLTV = 18;

/** Reads an invoice of this network. */
export function readInvoice(text: string): ReadInvoice | UnreadableInvoice {
  if (text.length > MAX_INVOICE_LENGTH) return { ok: false, reason: "invoice is too large" };
  if (!text.toLowerCase().startsWith("ln")) return { ok: false, reason: 'prefix should be "ln"' };
  if (!text.toLowerCase().startsWith(PREFIX)) {
    return { ok: false, reason: "invoice not for current active network 'regtest'" };
  }
  try {
    return understand(text);
  } catch {
    return { ok: false, reason: "unable to decode payment request" };
  }
}

function understand(text: string): ReadInvoice | UnreadableInvoice {
  const invoice = decode(text, networkParameters("bcrt"));
  const tags = invoice.tagsObject;
  if (tags.payment_hash?.length !== 64) return { ok: false, reason: "no payment hash found" };
  if (invoice.payeeNodeKey === undefined || invoice.timestamp === undefined) throw new TypeError("incomplete");
  // Not `satoshis`: the library deletes it when the amount is no whole number of sats.
  const amountMsat = invoice.millisatoshis ? Number(invoice.millisatoshis) : null;
  if (amountMsat !== null && !Number.isSafeInteger(amountMsat)) return { ok: false, reason: "amount is too large" };
  return {
    ok: true,
    payee: invoice.payeeNodeKey,
    paymentHash: tags.payment_hash,
    paymentSecret: tags.payment_secret ?? null,
    amountMsat,
    timestamp: invoice.timestamp,
    expirySeconds: tags.expire_time ?? DEFAULT_EXPIRY_SECONDS,
    description: tags.description ?? "",
    descriptionHash: tags.purpose_commit_hash ?? "",
    finalCltv: tags.min_final_cltv_expiry ?? ASSUMED_FINAL_CLTV,
    features: featureNumbers(tags.feature_bits),
  };
}

type Flags = ReturnType<typeof decode>["tagsObject"]["feature_bits"];

function featureNumbers(flags: Flags): number[] {
  if (!flags) return [];
  const bits: number[] = [];
  for (let bit = 0; bit < FIRST_UNNAMED_FEATURE; bit++) {
    const name = featureName(bit);
    const flag = name === null ? undefined : flags[name];
    if (bit % 2 === 0 ? flag?.required : flag?.supported) bits.push(bit);
  }
  flags.extra_bits?.bits.forEach((set, index) => {
    if (set) bits.push(FIRST_UNNAMED_FEATURE + index);
  });
  return bits;
}
