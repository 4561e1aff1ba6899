/**
 * The rules for a customer's refund invoice. It is checked when it is handed in, because a refund that turns out to be
 * unpayable later has no second chance: the money would stay owed.
 */
import type { Msats, Sats } from "../../actors/order/money.ts";
import type { Millis } from "../../actors/runtime/world.ts";
import { type BadInvoice, type Bolt11Facts, MAX_INVOICE_LENGTH, readInvoice } from "./bolt11.ts";
import type { Network, PaymentHash } from "./port.ts";

/** How far an invoice's clock may be ahead of ours. */
const MAX_CLOCK_SKEW_MS = 600_000;

/**
 * Longest final delta, in blocks (three days). The recipient can hold our refund, and the channel space it takes, for that long. Wallets
 * ask for 18 to about 150.
 */
const MAX_FINAL_BLOCKS = 432;
/** Longest private way in, final delta included (five days); the rest of `MAX_ROUTE_BLOCKS` is for the hops before it. */
const MAX_PRIVATE_BLOCKS = 720;
/**
 * Features whose announcement nodes look for before they pay: var_onion_optin and payment_secret, each as required or
 * optional (BOLT 9). LDK refuses an invoice without either, although it carries a secret.
 */
const ANNOUNCED: readonly (readonly [number, number])[] = [
  [8, 9],
  [14, 15],
];
/** Hops over all route hints; lnd writes at most 20 (invoicesrpc: maxHopHints). */
const MAX_HINT_HOPS = 20;

export interface RefundInvoiceCheck {
  /** As the customer sent it; a "lightning:" prefix is fine. */
  readonly invoice: string;
  readonly network: Network;
  readonly now: Millis;
  readonly minLifeSeconds: number;
  /** Our own node's key, hex: paying ourselves is no refund, and nodes refuse it. */
  readonly ownPubkey: string;
  /** What the invoice must be for; null, the default, is an invoice without an amount. */
  readonly amountMsats?: Msats | null;
  /** SHA-256 of what the invoice must commit to (LUD-06: the metadata of the pay request), lower-case hex. */
  readonly descriptionHash?: string;
  /** What would be sent, once that is known: route hints that take more than `maxFeeSats` for it are refused. */
  readonly refund?: { readonly amountSats: Sats; readonly maxFeeSats: Sats } | null;
}

export type RefundInvoiceVerdict =
  | {
      readonly ok: true;
      /** Lower case, without prefix. */
      readonly invoice: string;
      readonly paymentHash: PaymentHash;
      readonly expiresAt: Millis;
      readonly minFinalCltv: number;
    }
  | {
      readonly ok: false;
      readonly code: "INVALID_REFUND_INVOICE" | "REFUND_INVOICE_EXPIRES_TOO_SOON";
      /** For the customer; holds nothing of the invoice. */
      readonly message: string;
    };

/**
 * Checks one refund invoice: no amount, our network, a sound signature and fields, required features our node knows, not
 * dated in the future, not our own node, sane time locks and fees, long enough to live. That its hash belongs to no other
 * order is claimed elsewhere, in the commit that uses it. Never throws.
 */
export function checkRefundInvoice(check: RefundInvoiceCheck): RefundInvoiceVerdict {
  const { network, now, minLifeSeconds, ownPubkey, amountMsats = null } = check;
  const read = readInvoice(withoutScheme(check.invoice), network);
  if (!read.ok) return invalid(explain(read.reason, network));
  const { facts } = read;

  if (amountMsats !== null && facts.amountMsats !== amountMsats) {
    return invalid("The invoice is not for exactly the refund");
  }
  if (check.descriptionHash !== undefined && facts.descriptionHash !== check.descriptionHash) {
    return invalid("The invoice does not commit to the description of its pay request");
  }
  if (amountMsats === null && facts.amountMsats !== null) {
    return invalid(
      "The refund invoice has an amount; create one without an amount, because a refund pays back exactly what was received",
    );
  }
  if (facts.issuedAt > now + MAX_CLOCK_SKEW_MS) return invalid("The refund invoice is dated in the future");
  if (facts.payee === ownPubkey) {
    return invalid("The refund invoice was issued by this service's own node; use an invoice of your own wallet");
  }
  if (!ANNOUNCED.every((pair) => pair.some((bit) => facts.features.includes(bit)))) {
    return invalid("The refund invoice does not announce the features that nodes need to pay it; use a current wallet");
  }
  const locks = timeLockProblem(facts);
  if (locks) return invalid(locks);
  if (facts.expiresAt - now < minLifeSeconds * 1000) {
    const minutes = Math.ceil(minLifeSeconds / 60);
    return {
      ok: false,
      code: "REFUND_INVOICE_EXPIRES_TOO_SOON",
      message: `The refund invoice expires too soon; it must stay valid for at least ${minutes} minutes from now, two hours are recommended`,
    };
  }
  if (check.refund && leastHintFee(facts, check.refund.amountSats) > check.refund.maxFeeSats * 1000) {
    return invalid(
      `Every route hint of the refund invoice asks for more than ${check.refund.maxFeeSats} sats in fees, which is what a refund may cost to send`,
    );
  }
  const { invoice, paymentHash, expiresAt, minFinalCltv } = facts;
  return { ok: true, invoice, paymentHash, expiresAt, minFinalCltv };
}

/** Wallets copy invoices as URIs; "lightning:" in any case is taken off. */
function withoutScheme(text: string): string {
  return typeof text === "string" && /^lightning:/i.test(text) ? text.slice("lightning:".length) : text;
}

function timeLockProblem(facts: Bolt11Facts): string | null {
  if (facts.minFinalCltv > MAX_FINAL_BLOCKS) {
    return `The refund invoice asks for a time lock of more than ${MAX_FINAL_BLOCKS} blocks`;
  }
  if (facts.routes.reduce((hops, route) => hops + route.length, 0) > MAX_HINT_HOPS) {
    return `The refund invoice has more than ${MAX_HINT_HOPS} hops in its route hints`;
  }
  const longest = Math.max(0, ...facts.routes.map((route) => route.reduce((sum, hop) => sum + hop.cltvDelta, 0)));
  return longest + facts.minFinalCltv > MAX_PRIVATE_BLOCKS
    ? `The route hints of the refund invoice ask for a time lock of more than ${MAX_PRIVATE_BLOCKS} blocks`
    : null;
}

/** What the cheapest of the private ways in would take for passing the amount on, msats; 0 without any. */
function leastHintFee({ routes }: Bolt11Facts, amountSats: Sats): number {
  const fees = routes.map((route) =>
    route.reduceRight((fee, hop) => fee + hop.feeBaseMsats + ((amountSats * 1000 + fee) * hop.feePpm) / 1_000_000, 0),
  );
  return fees.length === 0 ? 0 : Math.min(...fees);
}

function explain(reason: BadInvoice, network: Network): string {
  switch (reason) {
    case "too_long":
      return `The refund invoice is longer than ${MAX_INVOICE_LENGTH} characters`;
    case "malformed":
      return "The refund invoice is not a BOLT11 invoice";
    case "wrong_network":
      return `The refund invoice is for another network; it must start with "ln${network}1"`;
    case "bad_amount":
      return `The refund invoice has a malformed amount; create one without an amount, which starts with "ln${network}1"`;
    case "bad_fields":
      return "The refund invoice has missing, repeated or malformed fields";
    case "bad_expiry":
      return "The refund invoice lives too long; let it expire within a year";
    case "unknown_feature":
      return "The refund invoice requires a feature that this service's node does not support";
    case "bad_checksum":
      return "The refund invoice has a wrong checksum; check that it was copied in full";
    case "bad_signature":
      return "The refund invoice has an invalid signature";
  }
}

function invalid(message: string): RefundInvoiceVerdict {
  return { ok: false, code: "INVALID_REFUND_INVOICE", message };
}
