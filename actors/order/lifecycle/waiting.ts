/** A number waits for its SMS: `waiting`, and `closing` while it is being given back. */
import type { CommandOf, IncomingMessage, Standing } from "../commands.ts";
import { type Row, type Rule, type Step, stays } from "../decision.ts";
import {
  askForMessages,
  closedWithoutSms,
  lookDone,
  lookNow,
  overdue,
  paymentOf,
  recordMessages,
  startClosing,
  WATCHDOG,
} from "../moves.ts";
import type { StateOf } from "../state.ts";
import { isRefundable } from "../terms.ts";
import { addressRefused, noAddressRuns, noLink, takeAddress } from "./ladder.ts";
import { reconciledHolding } from "./reconciled.ts";
import {
  alreadyPaid,
  cancelNotAllowed,
  destinationRefused,
  noBuyRuns,
  noCancelRuns,
  noFinishRuns,
  noMessage,
  noNotice,
  noRefundRuns,
  takeDestination,
} from "./shared.ts";

const SECOND = 1_000;
/** An ended activation whose end the provider does not explain is asked about this often before its end is believed. */
const CONFIRMATIONS = 3;
const MAX_PAUSE_MS = 60 * SECOND;
/** A number that cannot be given back after so many looks needs a person; the looks go on. */
const TELL_A_PERSON_AFTER_TRIES = 20;

export const waiting: Row = {
  ...noAddressRuns,
  ...noLink,
  ...alreadyPaid,
  ...noMessage,
  ...noCancelRuns,
  ...noFinishRuns,
  ...noRefundRuns,
  ...noBuyRuns,
  ...noNotice,
  Hinted: { does: "looks at the provider's message list", run: lookNow },
  Looked: {
    does: "message -> `delivered`; ended at the provider -> `closing`; else waits on",
    run: (step, { answer }) => {
      if (answer.kind === "seen") {
        const again = step.state("waiting").looking === "again";
        if (recordMessages(step, answer.messages)) {
          // The poll does not repeat its hint: what it told of since is only found by looking once more.
          if (again) lookNow(step);
          return;
        }
        if (answer.standing !== "open") return startClosing(step, "provider_ended");
      }
      lookDone(step);
    },
  },
  CancelAsked: {
    does: "from 3 minutes after payment -> `closing`; before CANCEL_TOO_SOON; reactivation CANCEL_NOT_ALLOWED",
    run: (step) => {
      if (!isRefundable(step.order.terms.good)) return step.refuse("CANCEL_NOT_ALLOWED");
      const from = paymentOf(step).settledAt + step.policy.cancelAfterMs;
      if (step.now < from) return step.refuse("CANCEL_TOO_SOON", from);
      step.emit({ type: "CancelAsked" });
      startClosing(step, "customer");
    },
  },
  DestinationGiven: {
    does: "destination set, its hash claimed; a reactivation is not refunded any more: REFUND_NOT_PENDING",
    run: (step, command) => {
      const rule = isRefundable(step.order.terms.good) ? takeDestination : destinationRefused;
      rule.run(step, command);
    },
  },
  AddressGiven: {
    does: "address set; a reactivation is not refunded any more: REFUND_NOT_PENDING",
    run: (step, command) => {
      const rule = isRefundable(step.order.terms.good) ? takeAddress : addressRefused;
      rule.run(step, command);
    },
  },
  Due: { does: "20 minutes without an SMS -> `closing`", run: (step) => startClosing(step, "timeout") },
  Reconciled: reconciledHolding,
  EffectInterrupted: stays("looks again"),
  ClaimRefused: stays("refused: the refund invoice belongs to another order"),
};

type ClosingFacts = Partial<Pick<StateOf<"closing">, "tooLate" | "saidEnded">>;

function next(step: Step, to: StateOf<"closing">["step"], ms: number, facts: ClosingFacts = {}): void {
  const { tooLate, saidEnded } = step.state("closing");
  step.emit({ type: "ClosingStep", step: to, due: step.now + ms, tooLate, saidEnded, ...facts });
}

function pause(step: Step, ms: number, facts: ClosingFacts = {}, reason = "cancel_unconfirmed"): void {
  if (step.state("closing").tries >= TELL_A_PERSON_AFTER_TRIES) step.attention(reason);
  next(step, "pausing", ms, facts);
}

const backOff = (tries: number): number => Math.min(3 * SECOND * 2 ** Math.min(tries, 6), MAX_PAUSE_MS);
/** For contradictions that the next look usually clears up. */
const shortBackOff = (tries: number): number => Math.min(SECOND * 2 ** Math.min(tries - 1, 6), MAX_PAUSE_MS);

function look(step: Step): void {
  next(step, "looking", WATCHDOG.ask);
  askForMessages(step);
}

/** The provider seemed to have ended the number, and shows it open: the customer's time is not over. */
function isFalseAlarm(step: Step): boolean {
  const { why, tooLate } = step.state("closing");
  const asked = step.order.cancelAskedAt !== null;
  return why === "provider_ended" && !tooLate && !asked && step.now < paymentOf(step).smsBy;
}

/** The look before the cancel, and the look after a cancel whose answer settled nothing. */
function looked(step: Step, standing: Standing, messages: readonly IncomingMessage[]): void {
  if (recordMessages(step, messages)) return;
  const { number, tries, tooLate, saidEnded } = step.state("closing");
  switch (standing) {
    case "refunded":
      return closedWithoutSms(step, number, true);
    case "open": {
      if (tooLate) return closedWithoutSms(step, number, false);
      if (isFalseAlarm(step)) return step.emit({ type: "WaitingResumed", due: paymentOf(step).smsBy });
      const cancelFrom = number.boughtAt + step.policy.minActivationMs;
      if (step.now < cancelFrom) return pause(step, cancelFrom - step.now, { saidEnded: 0 });
      next(step, "cancelling", WATCHDOG.ask, { saidEnded: 0 });
      step.effects.push({ kind: "cancel", key: step.key("cancel"), activationId: number.activationId });
      return;
    }
    case "finished":
    case "ended":
    case "missing":
      // Ended there, charged or unexplained, and no message to be had: believed only when said repeatedly.
      if (saidEnded + 1 >= CONFIRMATIONS) return closedWithoutSms(step, number, false);
      return pause(step, backOff(tries), { saidEnded: saidEnded + 1 });
  }
}

const cancelled: Rule<CommandOf<"CancelAnswered">> = {
  does: "confirmed -> refund; an SMS came -> `delivered`; too early or unclear -> looks again",
  run: (step, { answer }) => {
    const { number, tries } = step.state("closing");
    switch (answer.kind) {
      case "cancelled":
        return closedWithoutSms(step, number, true);
      case "sms_arrived":
        if (!recordMessages(step, answer.messages)) pause(step, shortBackOff(tries));
        return;
      case "too_early": {
        // However long it claims, the number may end or get its SMS meanwhile: looked at again after our own minimum.
        const wait = Math.min(number.boughtAt + answer.minActivationMs - step.now, step.policy.minActivationMs);
        return pause(step, Math.max(wait, 5 * SECOND));
      }
      case "too_late":
        return pause(step, SECOND, { tooLate: true });
      case "not_active":
        return pause(step, shortBackOff(tries));
      case "unknown":
        return pause(step, backOff(tries));
    }
  },
};

export const closing: Row = {
  ...waiting,
  Hinted: stays("stays: looks anyway before it cancels"),
  Looked: {
    does: "message -> `delivered`; open -> cancels at the provider, or -> `waiting` when its end was a false alarm; ended there -> refund (reactivation: `done expired`)",
    run: (step, { answer }) => {
      const { step: at, tries } = step.state("closing");
      if (answer.kind === "seen" && (at === "looking" || answer.messages.length > 0)) {
        if (at === "looking") return looked(step, answer.standing, answer.messages);
        recordMessages(step, answer.messages);
      } else if (answer.kind === "unavailable" && at === "looking") {
        pause(step, backOff(tries), {}, "provider_unreachable");
      }
    },
  },
  CancelAnswered: cancelled,
  CancelAsked: {
    does: "accepted: already closing; reactivation CANCEL_NOT_ALLOWED",
    run: (step, command) => {
      if (!isRefundable(step.order.terms.good)) return cancelNotAllowed.run(step, command);
      if (step.order.cancelAskedAt === null) step.emit({ type: "CancelAsked" });
    },
  },
  Due: {
    does: "pausing: looks again; waiting for an answer: a person is told, the answer is awaited",
    run: (step) => {
      if (step.state("closing").step === "pausing") look(step);
      else overdue(step, "closing_overdue");
    },
  },
};
