/**
 * What happened to an order: facts, in the past tense, never changed. The fold of its events is its state. Events hold ids and
 * digests of messages, never a code or a text.
 */
import type { MicroUsd, Msats, Sats } from "./money.ts";
import type { CloseReason, Destination, HeldNumber, Order, Outcome, Payment, StuckReason } from "./state.ts";
import type { OrderId, Terms } from "./terms.ts";

export type EventBody =
  | {
      readonly type: "Opened";
      readonly id: OrderId;
      readonly terms: Terms;
      readonly destination: Omit<Destination, "claimed"> | null;
      readonly refundAddress?: string;
    }
  | { readonly type: "PreimageShown" }
  | { readonly type: "NodeAsked" }
  | { readonly type: "NodeSilent" }
  | { readonly type: "Lapsed" }
  | { readonly type: "PaymentSettled"; readonly payment: Payment; readonly destinationTaken: boolean }
  | { readonly type: "BuyStarted"; readonly attempt: number; readonly due: number }
  | { readonly type: "BuyRefused"; readonly attempt: number; readonly reason: string; readonly due: number }
  | { readonly type: "BuyLost"; readonly attempt: number; readonly reason: string; readonly due: number }
  | { readonly type: "BuySearchPaused"; readonly reason: string; readonly due: number }
  | { readonly type: "BuySearchResumed"; readonly due: number }
  | { readonly type: "BuyAbandoned"; readonly attempt: number }
  | { readonly type: "LooseFound"; readonly number: HeldNumber }
  /** The process died while the loose activation was looked for or given back. */
  | { readonly type: "LooseAskedAgain" }
  | { readonly type: "LooseSettled"; readonly refunded: boolean }
  | { readonly type: "NumberBought"; readonly number: HeldNumber; readonly overQuote: MicroUsd; readonly due: number }
  | { readonly type: "LookStarted" }
  | { readonly type: "LookWanted" }
  | { readonly type: "LookEnded" }
  | {
      readonly type: "MessagesReceived";
      readonly ids: readonly string[];
      readonly first: boolean;
      /** Among these is the first one that carries a code. */
      readonly firstCode: boolean;
      readonly due: number;
    }
  | { readonly type: "CodeRead"; readonly due: number }
  | { readonly type: "CancelAsked" }
  | { readonly type: "ClosingStarted"; readonly why: CloseReason; readonly due: number }
  | {
      readonly type: "ClosingStep";
      readonly step: "looking" | "cancelling" | "pausing";
      readonly due: number;
      readonly tooLate: boolean;
      readonly saidEnded: number;
    }
  /** The provider had seemed to have ended the number, and has not. */
  | { readonly type: "WaitingResumed"; readonly due: number }
  | { readonly type: "FinishingStarted"; readonly due: number }
  | { readonly type: "FinishingStep"; readonly step: "looking" | "finishing" | "pausing"; readonly due: number }
  | { readonly type: "RentalLookStarted"; readonly due: number }
  /** A look at a rental said, or no longer says, that it ended early; `due` is when to look next. */
  | { readonly type: "RentalDoubted"; readonly saidEnded: number; readonly due: number }
  /** The number is no longer ours; `refunded` when the provider gave our money back. */
  | { readonly type: "NumberEnded"; readonly cost: MicroUsd; readonly refunded: boolean }
  /** A rental ended early, before anything arrived: the sats are owed again. */
  | { readonly type: "SaleReversed" }
  | { readonly type: "DestinationSet"; readonly destination: Destination }
  /** `instead` of the invoice that was named before, or for when that cannot be used. */
  | { readonly type: "AddressSet"; readonly address: string; readonly instead: boolean }
  | { readonly type: "AddressAsked"; readonly attempt: number; readonly due: number }
  | { readonly type: "AddressSilent"; readonly attempt: number; readonly reason: string; readonly due: number }
  | { readonly type: "AddressRefused"; readonly attempt: number; readonly reason: string }
  | { readonly type: "LinkIssued"; readonly secretHash: string }
  | {
      readonly type: "RefundStarted";
      readonly attempt: number;
      readonly paymentHash: string;
      readonly amountSats: Sats;
      readonly due: number;
    }
  | { readonly type: "RefundAttemptFailed"; readonly attempt: number; readonly reason: string; readonly due: number }
  | {
      readonly type: "RefundUncertain";
      readonly attempt: number;
      readonly reason: string;
      readonly acknowledged: boolean;
      readonly due: number;
    }
  | {
      readonly type: "RefundSearchPaused";
      readonly reason: string;
      readonly acknowledged: boolean;
      readonly due: number;
    }
  | { readonly type: "RefundSearchResumed"; readonly due: number }
  | { readonly type: "RefundStuck"; readonly why: StuckReason; readonly due: number }
  | {
      readonly type: "RefundPaid";
      readonly attempt: number;
      readonly amountSats: Sats;
      readonly feeMsats: Msats;
      readonly preimage: string;
      readonly paymentHash: string;
    }
  | { readonly type: "ClaimWindowClosed" }
  /** Our books were lost, and nobody knows what became of the order since; or that is over. */
  | { readonly type: "Doubted" }
  | { readonly type: "DoubtOver" }
  /** A person's word that the customer got what was sold: what was owed is earned. */
  | { readonly type: "SaleKept" }
  | { readonly type: "Ended"; readonly as: Outcome }
  | { readonly type: "AttentionRaised"; readonly reason: string }
  | { readonly type: "AttentionCleared" }
  /** A step waits longer than it should; `due` is when to look again. */
  | { readonly type: "Overdue"; readonly due: number }
  /** Retention: all earlier events were replaced by this state, without phone number, invoices and client traces. */
  | { readonly type: "Scrubbed"; readonly order: Order };

export type EventType = EventBody["type"];
/** `at` is when it was decided. */
export type OrderEvent = EventBody & { readonly at: number };
