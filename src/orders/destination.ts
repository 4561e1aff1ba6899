/** A refund invoice that a customer hands in: checked by the rules of BOLT 11 and against everything claimed so far. */
import type { Sats } from "../../actors/order/money.ts";
import { feeCapOf, type Policy, REFUND_INVOICE_LIFE_MS } from "../../actors/order/policy.ts";
import type { Destination } from "../../actors/order/state.ts";
import type { Journal } from "../../actors/runtime/journal.ts";
import type { World } from "../../actors/runtime/world.ts";
import type { Network } from "../lightning/port.ts";
import { checkRefundInvoice } from "../lightning/refund-invoice.ts";
import { type Problem, problem } from "./problem.ts";

export interface DestinationRules {
  readonly world: World;
  readonly journal: Journal;
  readonly network: Network;
  /** Our own node: paying ourselves is no refund. */
  readonly ownPubkey: string;
}

export interface RefundToSend {
  readonly amountSats: Sats;
  readonly maxFeeSats: Sats;
}

/** What a refund of so much may cost by the policy of its order. */
export const refundToSend = (amountSats: Sats, { refundFeeCap }: Policy): RefundToSend => ({
  amountSats,
  maxFeeSats: feeCapOf(refundFeeCap, amountSats),
});

export function readDestination(
  refundInvoice: string,
  { world, journal, network, ownPubkey }: DestinationRules,
  /** The order that may own the hash already, and what it would send there; null before its price is known. */
  { orderId = null, refund = null }: { readonly orderId?: string | null; readonly refund?: RefundToSend | null } = {},
): Omit<Destination, "claimed"> | Problem {
  const minLifeSeconds = REFUND_INVOICE_LIFE_MS / 1_000;
  const now = world.now();
  const verdict = checkRefundInvoice({ invoice: refundInvoice, network, now, minLifeSeconds, ownPubkey, refund });
  if (!verdict.ok) {
    return problem(verdict.code, verdict.message, {
      suggestion: "Send a BOLT11 invoice without an amount, valid for two hours",
      details: { field: "refundInvoice" },
    });
  }
  const { invoice, paymentHash, expiresAt } = verdict;
  if (isTaken(journal, paymentHash, orderId)) return destinationTaken();
  return { invoice, paymentHash, expiresAt };
}

/** Whether a hash is claimed for the refund of another order than this one, or is that of an invoice of ours. */
export function isTaken({ store, hashes }: Journal, paymentHash: string, orderId: string | null): boolean {
  const owner = store.claimOwner("refund_hash", paymentHash)?.orderId;
  return (owner !== undefined && owner !== orderId) || hashes.idOf(paymentHash) !== null;
}

/** Two refunds to one invoice would lose the second: the network pays a hash once. */
export const destinationTaken = (): Problem =>
  problem("INVALID_REFUND_INVOICE", "This refund invoice is already in use", {
    suggestion: "Create a fresh invoice without an amount",
    details: { field: "refundInvoice" },
  });
