/** The money goes back: `refunding`, `refundUnknown` while nobody knows, `refundStuck` while no destination is usable. */
import type { CommandOf, RefundAnswer } from "../commands.ts";
import { type Row, type Rule, type Step, stays } from "../decision.ts";
import { floorToSats } from "../money.ts";
import { end, overdue, startRefund, stuck, timeForRefund, WATCHDOG } from "../moves.ts";
import { isRefundable } from "../terms.ts";
import { addressOver, addressRefused, issueLink, noLink, payToAddress, useLink } from "./ladder.ts";
import { reconciledRefunding, reconciledRefundUnknown } from "./reconciled.ts";
import {
  alreadyPaid,
  claimDestination,
  destinationRefused,
  isSameDestination,
  looseBuy,
  never,
  noNotice,
  noRefundRuns,
  numberGone,
} from "./shared.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** What the node says right after a send may race the send itself; it is believed only after this, and after as many looks as that takes. */
const SEND_GRACE_MS = 2 * MINUTE;
/** A clock that is set ahead makes the time pass, and not the looks. */
const SEND_GRACE_LOOKS = 6;
const TELL_A_PERSON_AFTER_MS = 60 * MINUTE;

function paid(step: Step, attempt: number, answer: RefundAnswer & { kind: "succeeded" }): void {
  const { destination, owedMsats } = step.order;
  if (!destination) throw new Error("A refund succeeded without a destination");
  const { preimage, feeMsats } = answer;
  const amountSats = floorToSats(owedMsats);
  step.emit({ type: "RefundPaid", attempt, amountSats, feeMsats, preimage, paymentHash: destination.paymentHash });
  end(step, "refunded");
}

/**
 * The pause after an attempt that died: growing, to a minute for an invoice that lives two hours more or less, and to an hour for one that
 * lives long. It may live a year: tried every minute, a receiver that is never there would fill books and node.
 */
function pauseAfter(attempt: number, lifeMs: number): number {
  const longest = Math.min(Math.max(MINUTE, lifeMs / 120), 60 * MINUTE);
  return Math.floor(Math.min(5 * SECOND * 2 ** Math.min(attempt - 1, 10), longest));
}

/** Every attempt so far is surely dead: the same invoice again while it lives, else wait for a fresh one. */
function attemptDied(step: Step, attempt: number, reason: string): void {
  const { destination, refundAddress } = step.order;
  const due = step.now + pauseAfter(attempt, (destination?.expiresAt ?? step.now) - step.now);
  step.emit({ type: "RefundAttemptFailed", attempt, reason, due });
  const lives = destination !== null && timeForRefund(destination.expiresAt, due, step.policy.refundPayTimeoutMs);
  // An address is asked for another invoice when the pause is over.
  if (!lives && refundAddress == null) stuck(step, "destination_expired");
}

function search(step: Step, attempt: number): void {
  const { destination } = step.order;
  if (!destination) throw new Error("A refund is searched without a destination");
  const { paymentHash } = destination;
  step.effects.push({ kind: "findRefund", key: step.key("findRefund"), attempt, paymentHash });
}

const reasonOf = (answer: RefundAnswer): string => ("reason" in answer ? answer.reason : answer.kind);

function unsure(step: Step, attempt: number, answer: RefundAnswer): void {
  const acknowledged = answer.kind === "in_flight";
  const due = step.now + WATCHDOG.ask;
  step.emit({ type: "RefundUncertain", attempt, reason: reasonOf(answer), acknowledged, due });
  search(step, attempt);
}

const cancelAccepted: Rule<CommandOf<"CancelAsked">> = {
  does: "accepted: the refund is under way",
  run: (step) => {
    if (!isRefundable(step.order.terms.good)) step.refuse("CANCEL_NOT_ALLOWED");
  },
};

export const refunding: Row = {
  ...addressOver,
  ...noLink,
  ...alreadyPaid,
  ...numberGone,
  ...noRefundRuns,
  ...looseBuy,
  ...noNotice,
  CancelAsked: cancelAccepted,
  DestinationGiven: {
    does: "between attempts that surely died: replaces the destination and pays it, the same one again changes nothing; during one REFUND_NOT_PENDING",
    run: (step, { destination }) => {
      if (step.state("refunding").step === "paying") return step.refuse("REFUND_NOT_PENDING");
      if (isSameDestination(step, destination)) return;
      claimDestination(step, destination);
      startRefund(step);
    },
  },
  AddressGiven: {
    does: "between attempts that surely died: asked for an invoice instead; during one REFUND_NOT_PENDING",
    run: (step, { address }) => {
      if (step.state("refunding").step === "paying") step.refuse("REFUND_NOT_PENDING");
      else payToAddress(step, address);
    },
  },
  RefundAnswered: {
    does: "preimage proves success -> `done refunded`; surely failed -> next attempt or `refundStuck`; else `refundUnknown`",
    run: (step, { attempt, answer }) => {
      const at = step.state("refunding");
      if (attempt !== at.attempt || at.step !== "paying") return;
      if (answer.kind === "succeeded") return paid(step, attempt, answer);
      if (answer.kind === "failed") return attemptDied(step, attempt, answer.reason);
      unsure(step, attempt, answer);
    },
  },
  Due: {
    does: "pausing: next attempt; paying: a person is told, the answer is awaited",
    run: (step) => {
      if (step.state("refunding").step === "paying") overdue(step, "refund_overdue");
      else startRefund(step);
    },
  },
  Reconciled: reconciledRefunding,
  EffectInterrupted: stays("-> `refundUnknown`: the node is asked before anything is paid"),
  ClaimRefused: stays("refused: the refund invoice belongs to another order"),
};

export const refundUnknown: Row = {
  ...refunding,
  RefundAnswered: noRefundRuns.RefundAnswered,
  DestinationGiven: { ...destinationRefused, does: "refused: REFUND_NOT_PENDING, an attempt may still succeed" },
  AddressGiven: { ...addressRefused, does: "refused: REFUND_NOT_PENDING, an attempt may still succeed" },
  RefundSearched: {
    does: "success -> `done refunded`; surely failed (of a repeated one: seen by the node, or 2 minutes and 6 looks after the send), or never sent and never seen by the node -> next attempt; else asks again, for days if need be, and tells a person",
    run: (step, { attempt, answer }) => {
      const at = step.state("refundUnknown");
      if (attempt !== at.attempt) return;
      if (answer.kind === "succeeded") return paid(step, attempt, answer);
      const acknowledged = at.acknowledged || answer.kind === "in_flight";
      const raceOver = step.now - at.since >= SEND_GRACE_MS && at.tries >= SEND_GRACE_LOOKS;
      // The node knows hashes, not attempts: until it has this one, it may be speaking of the one before.
      const isOfThis = acknowledged || attempt === 1 || raceOver;
      if (answer.kind === "failed" && isOfThis) return attemptDied(step, attempt, answer.reason);
      if (answer.kind === "never_sent") {
        // A node that knew the attempt and does not any more has lost its books: the money may be gone.
        if (acknowledged) step.attention("node_forgot_refund");
        else if (raceOver) return attemptDied(step, attempt, "never_sent");
      }
      if (step.now - at.since > TELL_A_PERSON_AFTER_MS) step.attention("refund_in_doubt");
      const wait = Math.min(2 * SECOND * 2 ** Math.min(at.tries, 8), 5 * MINUTE);
      step.emit({ type: "RefundSearchPaused", reason: reasonOf(answer), acknowledged, due: step.now + wait });
    },
  },
  Due: {
    does: "pausing: asks the node again; asking: a person is told",
    run: (step) => {
      const { step: at, attempt } = step.state("refundUnknown");
      if (at === "asking") return overdue(step, "refund_search_overdue");
      step.emit({ type: "RefundSearchResumed", due: step.now + WATCHDOG.ask });
      search(step, attempt);
    },
  },
  Reconciled: reconciledRefundUnknown,
  EffectInterrupted: stays("asks the node again"),
  ClaimRefused: never("only a doctor claims something here"),
};

export const refundStuck: Row = {
  ...refunding,
  AddressAnswered: never("an address answers within its time limit, long before it is given up"),
  RefundAnswered: noRefundRuns.RefundAnswered,
  DestinationGiven: {
    does: "claimed and paid, within the claim window; afterwards REFUND_NOT_PENDING",
    run: (step, { destination }) => {
      if (step.state("refundStuck").due === null) return step.refuse("REFUND_NOT_PENDING");
      claimDestination(step, destination);
      startRefund(step);
    },
  },
  AddressGiven: {
    does: "asked for an invoice, within the claim window; afterwards REFUND_NOT_PENDING",
    run: (step, { address }) => {
      if (step.state("refundStuck").due === null) step.refuse("REFUND_NOT_PENDING");
      else payToAddress(step, address);
    },
  },
  LinkAsked: {
    does: "a link is issued, within the claim window, and replaces the one before; afterwards REFUND_NOT_PENDING",
    run: (step, command) => {
      if (step.state("refundStuck").due === null) step.refuse("REFUND_NOT_PENDING");
      else issueLink(step, command);
    },
  },
  LinkUsed: {
    does: "with the secret of the link that is out: claimed and paid, and the link is over; else REFUND_NOT_PENDING",
    run: useLink,
  },
  Due: {
    does: "claim window over: the ledger says unclaimed",
    run: (step) => step.emit({ type: "ClaimWindowClosed" }),
  },
  EffectInterrupted: stays(
    "a loose activation is looked for or given back again; all else belongs to a step that is over",
  ),
};
