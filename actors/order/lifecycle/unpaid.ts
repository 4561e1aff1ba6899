/** Before the money: `unpaid` and `lapsed`. Rows without an actor's timer; the sweep of open invoices moves them. */
import type { CommandOf } from "../commands.ts";
import { type Row, type Rule, type Step, stays } from "../decision.ts";
import { buyNext, startRefund, withoutNumber } from "../moves.ts";
import { isRefundable } from "../terms.ts";
import { noAddressRuns, noLink, takeAddress } from "./ladder.ts";
import { nothingToReconcile } from "./reconciled.ts";
import { isSameDestination, never, noBuyRuns, noNotice, noRefundRuns, numberNotYet } from "./shared.ts";

const MINUTE = 60_000;

/** Whether the price is too old to buy at, or, where no refund is promised, the time to buy counts anew. */
function isLate(step: Step, settledAt: number): boolean {
  const { state, terms } = step.order;
  if (state.kind === "lapsed") return true;
  const age = step.now - settledAt;
  return age > step.policy.lateAfterMs || (!isRefundable(terms.good) && age >= step.policy.buyWindowMs);
}

/**
 * The node's word arrived. Money in time buys; late money never buys at a stale price unless the type promises no
 * refund, and then only within the quoted cost, which the buy's cap enforces.
 */
function settled(step: Step, command: CommandOf<"Settled">, destinationTaken: boolean): void {
  const { policy } = step;
  const { terms, destination } = step.order;
  // A payment comes after its invoice and before the news of it: beyond that, the node's clock and ours are apart.
  const settledAt = Math.min(Math.max(command.settledAt, terms.createdAt), step.now);
  const late = isLate(step, settledAt);
  const from = late ? step.now : settledAt;
  const payment = {
    settledAt,
    learnedAt: step.now,
    receivedMsats: command.receivedMsats,
    late,
    buyBy: from + policy.buyWindowMs,
    smsBy: from + policy.smsTimeoutMs,
  };
  if (destination && !destinationTaken) step.claims.push({ kind: "refund_hash", value: destination.paymentHash });
  step.emit({ type: "PaymentSettled", payment, destinationTaken });
  step.calm();
  if (command.receivedMsats < terms.priceSats * 1000) {
    step.attention("underpaid");
    return withoutNumber(step);
  }
  if (late && isRefundable(terms.good)) return startRefund(step);
  buyNext(step, 1);
}

const pay: Rule<CommandOf<"Settled">> = {
  does: "the node's word: buys; late money of a refundable order is refunded instead",
  run: (step, command) => settled(step, command, false),
};

const claimRefused: Rule<CommandOf<"ClaimRefused">> = {
  does: "the refund invoice belongs to another order: goes on without it and asks for a fresh one",
  run: (step, { command }) => {
    if (command.type === "Settled") settled(step, command, true);
    else step.refuse("REFUND_DESTINATION_TAKEN");
  },
};

const destination: Rule<CommandOf<"DestinationGiven">> = {
  does: "destination set; its hash is claimed when money arrives",
  run: (step, { destination }) => {
    if (isSameDestination(step, destination)) return;
    step.emit({ type: "DestinationSet", destination: { ...destination, claimed: false } });
  },
};

/** Whoever has the preimage paid; a node that says otherwise has lost its books, or is not the one that was paid. */
function contradicted(step: Step): void {
  if (step.order.provenAt !== null) step.attention("proven_but_unpaid");
}

const interrupted = stays("as if the node had not answered");

const tooSoon: Rule<CommandOf<"CancelAsked">> = {
  does: "refused: CANCEL_TOO_SOON",
  run: (step) => step.refuse("CANCEL_TOO_SOON", step.now + MINUTE),
};

const neverDue = never("no deadline");

export const unpaid: Row = {
  ...noAddressRuns,
  ...noLink,
  AddressGiven: takeAddress,
  ...numberNotYet,
  ...noBuyRuns,
  ...noRefundRuns,
  ...noNotice,
  Settled: pay,
  PreimageShown: {
    does: "shown as paid; asks the node for its word",
    run: (step) => {
      if (step.order.provenAt === null) step.emit({ type: "PreimageShown" });
      if (step.state("unpaid").asking) return;
      step.emit({ type: "NodeAsked" });
      const { paymentHash } = step.order.terms;
      step.effects.push({ kind: "askNode", key: step.key("askNode"), paymentHash });
    },
  },
  SurelyUnpaid: {
    does: "-> `lapsed`; a person is told when a preimage was shown all the same",
    run: (step) => {
      step.emit({ type: "Lapsed" });
      contradicted(step);
    },
  },
  NodeAnswered: { does: "the next proof asks again", run: (step) => step.emit({ type: "NodeSilent" }) },
  CancelAsked: tooSoon,
  DestinationGiven: destination,
  Due: neverDue,
  Reconciled: nothingToReconcile,
  EffectInterrupted: interrupted,
  ClaimRefused: claimRefused,
};

export const lapsed: Row = {
  ...unpaid,
  Settled: { ...pay, does: "late money: refundable orders are refunded, others buy within the quoted cost" },
  PreimageShown: {
    does: "shown as paid; asks the node for its word, and tells a person",
    run: (step) => {
      if (step.order.provenAt !== null) return;
      step.emit({ type: "PreimageShown" });
      contradicted(step);
      const { paymentHash } = step.order.terms;
      step.effects.push({ kind: "askNode", key: step.key("askNode"), paymentHash });
    },
  },
  SurelyUnpaid: never("only open invoices are swept"),
  NodeAnswered: stays("stays: the stream or the list will tell"),
  EffectInterrupted: stays("stays: the stream or the list will tell"),
};
