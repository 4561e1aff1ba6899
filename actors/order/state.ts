/**
 * Everything an order knows about itself. `state.kind` is the machine; a kind holds exactly the facts that exist in it,
 * so that an impossible combination cannot be written down. All times are ms since 1970 UTC.
 */
import type { MicroUsd, Msats, Sats } from "./money.ts";
import type { OrderId, Terms } from "./terms.ts";

/** The node's word that the money is ours. */
export interface Payment {
  readonly settledAt: number;
  /** When we heard of it; much later than `settledAt` after a downtime. */
  readonly learnedAt: number;
  readonly receivedMsats: Msats;
  readonly late: boolean;
  /** No buy is sent after this. */
  readonly buyBy: number;
  /** Without an SMS by then the order closes. */
  readonly smsBy: number;
}

/** The phone number, while it is ours. */
export interface HeldNumber {
  readonly activationId: string;
  readonly phoneNumber: string;
  readonly cost: MicroUsd;
  readonly boughtAt: number;
  /** When the provider ends it by itself. */
  readonly endsAt: number;
}

/** Where a refund goes: an invoice without an amount, of somebody else's node. */
export interface Destination {
  readonly invoice: string;
  readonly paymentHash: string;
  readonly expiresAt: number;
  /** Its hash was claimed for this order alone; before that, unpaid orders may share it. */
  readonly claimed: boolean;
}

/** A single-use right to name the invoice that a refund goes to. Only the digest of its secret is kept. */
export interface WithdrawLink {
  /** SHA-256 in lower-case hex. */
  readonly secretHash: string;
  readonly issuedAt: number;
}

/** A question to the provider about messages: one at a time, and once more if a hint came meanwhile. */
export type Looking = "idle" | "running" | "again";

export type CloseReason = "timeout" | "customer" | "provider_ended";
export type StuckReason = "no_destination" | "destination_expired" | "address_failed";
export type Outcome = "completed" | "refunded" | "failed" | "expired";

/**
 * `due` is the order's one deadline. In a step that waits for an answer it is a watchdog; the answer itself always
 * arrives as a command, so a deadline never turns an unknown into a failure.
 */
export type State =
  | { readonly kind: "unpaid"; readonly asking: boolean }
  | { readonly kind: "lapsed" }
  | {
      readonly kind: "buying";
      readonly step: "asking" | "pausing";
      readonly attempt: number;
      readonly startedAt: number;
      readonly due: number;
    }
  | {
      readonly kind: "buyUnknown";
      readonly step: "asking" | "pausing";
      readonly attempt: number;
      readonly startedAt: number;
      readonly due: number;
    }
  | { readonly kind: "waiting"; readonly number: HeldNumber; readonly looking: Looking; readonly due: number }
  | {
      readonly kind: "closing";
      readonly why: CloseReason;
      readonly number: HeldNumber;
      readonly step: "looking" | "cancelling" | "pausing";
      readonly since: number;
      readonly tries: number;
      /** The provider said that it no longer cancels for free. */
      readonly tooLate: boolean;
      /** Looks in a row that said it ended, without proof that our money is back. */
      readonly saidEnded: number;
      readonly due: number;
    }
  | { readonly kind: "delivered"; readonly number: HeldNumber; readonly looking: Looking; readonly due: number }
  | {
      readonly kind: "finishing";
      readonly number: HeldNumber;
      readonly step: "looking" | "finishing" | "pausing";
      readonly tries: number;
      readonly due: number;
    }
  | {
      readonly kind: "renting";
      readonly number: HeldNumber;
      readonly looking: Looking;
      /** Looks in a row that said it ended early, without proof that our money is back. */
      readonly saidEnded: number;
      readonly due: number;
    }
  /** The refund address is asked for an invoice. No money moves by that, so it may be asked again. */
  | {
      readonly kind: "resolving";
      readonly step: "asking" | "pausing";
      readonly attempt: number;
      readonly due: number;
    }
  | { readonly kind: "refunding"; readonly step: "paying" | "pausing"; readonly attempt: number; readonly due: number }
  | {
      readonly kind: "refundUnknown";
      readonly step: "asking" | "pausing";
      readonly attempt: number;
      readonly since: number;
      readonly tries: number;
      /** The node said of this attempt that it is in flight: one that it "never sent" later, it has forgotten. */
      readonly acknowledged: boolean;
      readonly due: number;
    }
  | { readonly kind: "refundStuck"; readonly why: StuckReason; readonly due: number | null }
  | { readonly kind: "done"; readonly as: Outcome; readonly number: HeldNumber | null };

export type Kind = State["kind"];
export type StateOf<K extends Kind> = Extract<State, { kind: K }>;

/** Something waits for a person; the order itself goes on meanwhile. */
export interface Attention {
  readonly since: number;
  readonly reason: string;
}

export interface Order {
  /** Version of this shape; older rows are upcast when loaded. */
  readonly v: 1;
  readonly id: OrderId;
  readonly terms: Terms;
  /** How many events made this state. */
  readonly seq: number;
  /** A preimage was shown before the node confirmed: the customer surely paid. */
  readonly provenAt: number | null;
  readonly payment: Payment | null;
  readonly destination: Destination | null;
  /** Where an invoice for the refund is had when there is no usable one: a Lightning address or LNURL, as the customer gave it. */
  readonly refundAddress?: string | null;
  /** How often an address was asked; `addressBase` of them before this one was given. */
  readonly addressAttempts?: number;
  readonly addressBase?: number;
  /** The link with which whoever holds it may name the invoice. */
  readonly withdrawLink?: WithdrawLink | null;
  readonly refund: {
    readonly amountSats: Sats;
    readonly feeMsats: Msats;
    readonly preimage: string;
    readonly paymentHash: string;
    readonly at: number;
  } | null;
  /** Refund attempts so far; each had its own key. */
  readonly refundAttempts: number;
  /** Ids of the messages recorded, oldest first: one SMS is delivered once, however many ways it came. */
  readonly messageIds: readonly string[];
  /** When the first message that carries a code was recorded. */
  readonly codeReceivedAt: number | null;
  readonly codeReadAt: number | null;
  /** The customer asked to cancel while the number was still being bought. */
  readonly cancelAskedAt: number | null;
  /** Msats received for which no good and no refund was given yet. */
  readonly owedMsats: Msats;
  /** A buy given up as unknown; `found` once its activation turned up. */
  readonly loose: { readonly attempt: number; readonly since: number; readonly found: HeldNumber | null } | null;
  readonly attention: Attention | null;
  /** Since when nobody knows what became of it, because our books were lost; absent otherwise. */
  readonly doubtSince?: number;
  readonly endedAt: number | null;
  readonly state: State;
}

export const MAX_MESSAGES = 1_000;

/** The order's one deadline, or null when only a person, a payment or nothing can move it. */
export function deadline(order: Order): number | null {
  const { state } = order;
  return "due" in state ? state.due : null;
}

export const isUnpaid = ({ state }: Order): boolean => state.kind === "unpaid";

/** The number that the order holds or held, if any. */
export function numberOf(order: Order): HeldNumber | null {
  const { state } = order;
  return "number" in state ? state.number : null;
}
