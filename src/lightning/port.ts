/**
 * What the service asks of a Lightning node, whatever kind it is. One file per kind of node implements it.
 *
 * Two rules hold for every method that moves money (reference: "Refund exactly once"): a lost answer is `unknown`,
 * never `failed`; and `failed` is only said when the node itself proved that no HTLC of the attempt can still settle.
 */
import type { Msats, Sats } from "../../actors/order/money.ts";
import type { FeeCap } from "../../actors/order/policy.ts";
import type { Millis } from "../../actors/runtime/world.ts";

/** Lower-case hex, 64 digits. */
export type PaymentHash = string;
export type Preimage = string;

/** BOLT11 prefix after "ln": mainnet, testnet, signet, regtest. */
export type Network = "bc" | "tb" | "tbs" | "bcrt";

/**
 * What a kind of node can and cannot do, as far as that changes what the service does. Nothing above the adapters asks
 * which kind it is.
 */
export interface NodeTraits {
  /** Its name, for people. */
  readonly name: string;
  /**
   * How to know that the right node answers. `invoices`: its key signs its invoices, but whoever stands at the address
   * may answer, so it is asked for its key. `answers`: every answer is encrypted by the key that is its identity.
   */
  readonly provenBy: "invoices" | "answers";
  /**
   * How long after its expiry an invoice may still settle, ms. 0 where `cancelInvoice` makes it unpayable; else a payment
   * that came in its last second may be held for a while, and only when this has passed it is surely unpaid.
   */
  readonly settlesAfterExpiryMs: number;
  /**
   * Who keeps to `Payment.maxFeeSats`: the node; the adapter, because the fee is known before it is sent; or nobody, where
   * the wallet has a rule of its own.
   */
  readonly feeLimit: "node" | "adapter" | "nobody";
  /** Whether the node stops to try after `Payment.timeoutSeconds`. */
  readonly timeLimit: boolean;
  /** The fee a refund must be allowed, or this node could never pay it. */
  readonly feeCap: FeeCap;
}

export interface NodeInfo {
  /** The node's identity, to which a database is bound: its public key in hex, or the name of the connection to a wallet. */
  readonly pubkey: string;
  readonly network: Network;
  readonly alias: string;
  readonly synced: boolean;
}

export interface NodeBalance {
  /** What channels could send in all, sats; fees and reserves not deducted. */
  readonly outboundSats: Sats;
  /** Null where the node does not say. */
  readonly inboundSats: Sats | null;
}

export interface NewInvoice {
  /**
   * Names this invoice for ever, at most 64 letters, digits, `-`, `_` and `:`. The node keeps it where it can, so that one
   * whose answer was lost is found again, and so that its owner finds the order.
   */
  readonly key: string;
  readonly amountSats: Sats;
  /** At most 128 characters: the shortest limit of all nodes. */
  readonly description: string;
  readonly expirySeconds: number;
}

export interface CreatedInvoice {
  readonly bolt11: string;
  readonly paymentHash: PaymentHash;
  /** Identity of the node that made it, as its signature or its answer proves. */
  readonly node: string;
}

export type InvoiceState =
  | { readonly kind: "open" }
  | { readonly kind: "settled"; readonly settlement: Settlement }
  /** Expired or cancelled at the node: it can no longer be paid. */
  | { readonly kind: "dead" }
  /** The node does not know this hash. */
  | { readonly kind: "missing" };

/** The node's own word that an invoice of ours was paid. */
export interface Settlement {
  readonly paymentHash: PaymentHash;
  /** The node's settle time. */
  readonly settledAt: Millis;
  /** What arrived; at least the invoice's amount, more when the payer overpaid. */
  readonly receivedMsats: Msats;
}

/**
 * Longest time lock of a refund's whole route, in blocks (a week). The receiver can hold our money, and the channel space it takes, for
 * that long. A node that can keep to it is told so.
 */
export const MAX_ROUTE_BLOCKS = 1008;

export interface Payment {
  readonly bolt11: string;
  readonly paymentHash: PaymentHash;
  /** What arrives. An invoice that names an amount names exactly this one, and nodes must not be told it again. */
  readonly amountSats: Sats;
  readonly maxFeeSats: Sats;
  /** How long the node may start new attempts. HTLCs that are out may outlive it by days. */
  readonly timeoutSeconds: number;
}

export type PaymentOutcome =
  /** `sha256(preimage) = paymentHash` was checked by the adapter. */
  | { readonly kind: "succeeded"; readonly preimage: Preimage; readonly feeMsats: Msats }
  /** Surely dead: the node proved it. `reason` is a short word, safe to log and to show. */
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "in_flight" }
  /** The answer was lost or made no sense: ask `lookupPayment`. */
  | { readonly kind: "unknown"; readonly reason: string };

export type PaymentState = PaymentOutcome | { readonly kind: "never_sent" };

/** One payment in the node's own list. */
export interface Outgoing {
  readonly paymentHash: PaymentHash;
  /** Null where the node does not keep it. */
  readonly bolt11: string | null;
  readonly startedAt: Millis;
  /** What arrives, without fees. */
  readonly amountMsats: Msats;
  /** The answer of `lookupPayment` about it. */
  readonly state: PaymentOutcome;
}

/** One settled invoice in the node's own list. */
export interface Receipt extends Settlement {
  /** `NewInvoice.description` as it was given; null where the node does not keep it. */
  readonly description: string | null;
  /** `NewInvoice.key` as it was given; null where the node does not keep it, or the invoice is not ours. */
  readonly key: string | null;
}

/** What a node tells of its past, for whoever compares books. Every list is complete, or it throws NodeUnavailable. */
export interface NodeHistory {
  /** Payments that were begun at or after `since`, whatever became of them. */
  paid(since: Millis): Promise<Outgoing[]>;
  /** Invoices that settled at or after `since`, whosever they are. */
  received(since: Millis): Promise<Receipt[]>;
}

/** The node could not be asked, or refused: nothing is known about the subject of the question. */
export class NodeUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`Lightning node unavailable: ${reason}`, options);
    this.name = "NodeUnavailable";
  }
}

/** Whether the node would pay for us at all. `reason` says in plain words why not and what to do. */
export type MayPay = { readonly ok: true } | { readonly ok: false; readonly reason: string };

export interface LightningNode {
  readonly traits: NodeTraits;
  /** @throws NodeUnavailable */
  info(): Promise<NodeInfo>;
  /** @throws NodeUnavailable */
  balance(): Promise<NodeBalance>;
  /**
   * One that was made although its answer was lost is found by its key. @throws NodeUnavailable when it cannot be found: an
   * invoice that nobody has seen is harmless.
   */
  createInvoice(invoice: NewInvoice): Promise<CreatedInvoice>;
  /** @throws NodeUnavailable */
  lookupInvoice(hash: PaymentHash): Promise<InvoiceState>;
  /**
   * Makes an open invoice unpayable where the node can do that; elsewhere it only asks. Idempotent. Resolves with the state
   * afterwards: `dead`, or `settled` when the payment came first. @throws NodeUnavailable
   */
  cancelInvoice(hash: PaymentHash): Promise<InvoiceState>;
  /**
   * Settlements after `cursor` (exclusive), then live ones, in the node's order; ends by throwing NodeUnavailable when the
   * stream breaks, or returns when `signal` aborts. `cursor` is opaque text; null means "from now on". What settled while
   * nobody listened comes first, one or the other twice.
   */
  settlements(cursor: string | null, signal: AbortSignal): AsyncIterable<{ settlement: Settlement; cursor: string }>;
  /**
   * Settlements of the past, newest pages first are fine: catches up where the stream has no backlog (LND before its first
   * settle index). Every settlement at or after `since` is included. @throws NodeUnavailable
   */
  settledSince(since: Millis): Promise<Settlement[]>;
  /** Never throws: whatever goes wrong is `unknown`. */
  pay(payment: Payment): Promise<PaymentOutcome>;
  /** @throws NodeUnavailable */
  lookupPayment(hash: PaymentHash): Promise<PaymentState>;
  /** Finds out without paying anything. @throws NodeUnavailable */
  mayPay(): Promise<MayPay>;
  /** Absent where the node cannot list its past. */
  readonly history?: NodeHistory;
}
