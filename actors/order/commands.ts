/**
 * What can be said to an order: by a customer, by the clock, or by an effect that came back. Nothing else moves it.
 */
import type { Effect } from "./effects.ts";
import type { Msats, Sats } from "./money.ts";
import type { Destination, HeldNumber } from "./state.ts";

/** A message as the provider's own list told it. `id` is the provider's, or counted within the order where it gave none. */
export interface IncomingMessage {
  readonly id: string;
  readonly code: string | null;
  readonly text: string | null;
  readonly from: string | null;
  readonly receivedAt: number | null;
}

export type BuyAnswer =
  | { readonly kind: "bought"; readonly number: HeldNumber }
  /** Surely nothing was bought. `retry` says whether another try can help within the buying window. */
  | { readonly kind: "refused"; readonly reason: string; readonly retry: "soon" | "later" | "never" }
  | { readonly kind: "unknown"; readonly reason: string };

export type BuySearch =
  | { readonly kind: "found"; readonly number: HeldNumber }
  /** Two complete looks, long enough after the request: surely nothing was bought. */
  | { readonly kind: "absent" }
  | { readonly kind: "unsure"; readonly reason: string };

export type Standing = "open" | "refunded" | "finished" | "ended" | "missing";

export type LookAnswer =
  | { readonly kind: "seen"; readonly standing: Standing; readonly messages: readonly IncomingMessage[] }
  | { readonly kind: "unavailable" };

export type CancelAnswer =
  | { readonly kind: "cancelled" }
  | { readonly kind: "too_early"; readonly minActivationMs: number }
  | { readonly kind: "sms_arrived"; readonly messages: readonly IncomingMessage[] }
  | { readonly kind: "too_late" }
  | { readonly kind: "not_active" }
  | { readonly kind: "unknown" };

export type FinishAnswer =
  | { readonly kind: "finished" }
  | { readonly kind: "sms_arrived"; readonly messages: readonly IncomingMessage[] }
  | { readonly kind: "not_active" }
  | { readonly kind: "unknown" };

export type RefundAnswer =
  | { readonly kind: "succeeded"; readonly preimage: string; readonly feeMsats: Msats }
  /** The node proved that no HTLC of this attempt can settle any more. */
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "in_flight" }
  | { readonly kind: "never_sent" }
  | { readonly kind: "unknown"; readonly reason: string };

/** What a doctor found out from node and provider; see lifecycle/reconciled.ts. */
export type Finding =
  /** The node proves that it paid this to a refund invoice of the order. `numberRefunded`: the provider took back a number it held. */
  | {
      readonly kind: "refund_paid";
      readonly paymentHash: string;
      readonly amountSats: Sats;
      readonly feeMsats: Msats;
      readonly preimage: string;
      readonly numberRefunded: boolean;
    }
  /** The provider sold this number for the order, and no other order may have been meant. */
  | { readonly kind: "number"; readonly number: HeldNumber }
  /** A person's word that the customer got what was sold. */
  | { readonly kind: "served" }
  /** Nobody knows what became of it since the books were lost: nothing is bought or paid for it until somebody does. */
  | { readonly kind: "doubt" }
  | { readonly kind: "doubt_over" };
/** What a refund address answered (LUD-06, LUD-16). */
export type AddressAnswer =
  /** An invoice for exactly the refund, checked by the rules of refund invoices. */
  | { readonly kind: "invoice"; readonly destination: Omit<Destination, "claimed"> }
  /** It will not give one that we can pay. `reason` is a word of ours, never of the peer. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "unavailable"; readonly reason: string };

export type Command =
  /** The node says that the invoice settled. Idempotent. */
  | { readonly type: "Settled"; readonly settledAt: number; readonly receivedMsats: Msats }
  /** The customer showed a preimage that fits; proof for the reader, not yet for buying. */
  | { readonly type: "PreimageShown" }
  /** The node says that the invoice can never be paid any more. */
  | { readonly type: "SurelyUnpaid" }
  | { readonly type: "NodeAnswered"; readonly answer: "not_settled" | "unavailable" }
  | { readonly type: "BuyAnswered"; readonly attempt: number; readonly answer: BuyAnswer }
  | { readonly type: "BuySearched"; readonly attempt: number; readonly answer: BuySearch }
  /** Webhook, poll or reader suspects news at the provider. A hint, never a fact. */
  | { readonly type: "Hinted" }
  | { readonly type: "Looked"; readonly answer: LookAnswer }
  | { readonly type: "CancelAsked" }
  | { readonly type: "CancelAnswered"; readonly answer: CancelAnswer }
  | { readonly type: "FinishAnswered"; readonly answer: FinishAnswer }
  | { readonly type: "ReleaseAnswered"; readonly answer: CancelAnswer }
  /** An answer that carried a code reached the customer. */
  | { readonly type: "CodeRead" }
  /** A reactivation needs this number finished at the provider first. */
  | { readonly type: "FinishAsked" }
  | { readonly type: "DestinationGiven"; readonly destination: Omit<Destination, "claimed"> }
  | { readonly type: "AddressGiven"; readonly address: string }
  | { readonly type: "AddressAnswered"; readonly attempt: number; readonly answer: AddressAnswer }
  /** The customer wants a withdraw link; its secret is made outside, and only its digest comes in. */
  | { readonly type: "LinkAsked"; readonly secretHash: string }
  /** Somebody with the link's secret names the invoice. */
  | { readonly type: "LinkUsed"; readonly secretHash: string; readonly destination: Omit<Destination, "claimed"> }
  | { readonly type: "RefundAnswered"; readonly attempt: number; readonly answer: RefundAnswer }
  | { readonly type: "RefundSearched"; readonly attempt: number; readonly answer: RefundAnswer }
  | { readonly type: "NoticeHanded" }
  /** The deadline passed. `early`: not by the clock, which was set back since the deadline was set; a mere pause is over all the same. */
  | { readonly type: "Due"; readonly early?: true }
  /** Our books were compared with those of node and provider. */
  | { readonly type: "Reconciled"; readonly finding: Finding }
  /** The process died while this effect was under way: its outcome is unknown. */
  | { readonly type: "EffectInterrupted"; readonly effect: Effect }
  /** Another order owns what `command` wanted to claim; decide again without it. */
  | { readonly type: "ClaimRefused"; readonly command: Command };

export type CommandType = Command["type"];
export type CommandOf<T extends CommandType> = Extract<Command, { type: T }>;

export const COMMAND_TYPES = [
  "Settled",
  "PreimageShown",
  "SurelyUnpaid",
  "NodeAnswered",
  "BuyAnswered",
  "BuySearched",
  "Hinted",
  "Looked",
  "CancelAsked",
  "CancelAnswered",
  "FinishAnswered",
  "ReleaseAnswered",
  "CodeRead",
  "FinishAsked",
  "DestinationGiven",
  "AddressGiven",
  "AddressAnswered",
  "LinkAsked",
  "LinkUsed",
  "RefundAnswered",
  "RefundSearched",
  "NoticeHanded",
  "Due",
  "Reconciled",
  "EffectInterrupted",
  "ClaimRefused",
] as const satisfies readonly CommandType[];
