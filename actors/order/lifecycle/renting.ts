/** A rental runs: SMS keep arriving until its end. */
import type { Standing } from "../commands.ts";
import { type Row, type Step, stays } from "../decision.ts";
import { askForMessages, end, lookDone, lookNow, recordMessages } from "../moves.ts";
import { addressRefused, noAddressRuns, noLink } from "./ladder.ts";
import { reconciledSold } from "./reconciled.ts";
import {
  alreadyPaid,
  cancelNotAllowed,
  destinationRefused,
  never,
  noBuyRuns,
  noCancelRuns,
  noFinishRuns,
  noMessage,
  noRefundRuns,
  noticeHanded,
} from "./shared.ts";

/** After a look this close to the end nothing more is expected. */
const LAST_PAUSE_MS = 10_000;
/** A rental that ended early, charged or unexplained, is asked about this often before its end is believed. */
const CONFIRMATIONS = 3;
const DOUBT_PAUSE_MS = 60_000;

/** The rental ended early. Without a single message, the customer got nothing: the sats are owed. */
function endedEarly(step: Step, providerRefunded: boolean): void {
  const { number } = step.state("renting");
  const empty = step.order.messageIds.length === 0;
  if (empty || providerRefunded) step.emit({ type: "NumberEnded", cost: number.cost, refunded: providerRefunded });
  if (!empty || !providerRefunded) step.attention("rental_ended_early");
  if (!empty) return step.emit({ type: "Ended", as: "completed" });
  step.emit({ type: "SaleReversed" });
  end(step, "failed");
}

/** When the last looks begin. */
const lastLooksAt = (step: Step): number => step.state("renting").number.endsAt - step.policy.endMarginMs;

/** A look before the last ones: the rental should be open, and what else is said of it is believed only with proof or repeatedly. */
function standsEarly(step: Step, standing: Standing): void {
  const { saidEnded } = step.state("renting");
  if (standing === "refunded") return endedEarly(step, true);
  if (standing === "open") {
    if (saidEnded > 0) step.emit({ type: "RentalDoubted", saidEnded: 0, due: lastLooksAt(step) });
    return lookDone(step);
  }
  if (saidEnded + 1 >= CONFIRMATIONS) return endedEarly(step, false);
  // A hint that came meanwhile waits for the next look: answers in one breath would confirm nothing.
  step.emit({ type: "LookEnded" });
  const due = Math.min(step.now + DOUBT_PAUSE_MS, lastLooksAt(step));
  step.emit({ type: "RentalDoubted", saidEnded: saidEnded + 1, due });
}

/** Ends it, and asks once more: of what came unseen, in the last seconds or while the process was down, the history keeps the codes. */
function over(step: Step): void {
  if (step.state("renting").looking === "idle") askForMessages(step);
  end(step, "completed");
}

function nextLookAt(step: Step, left: number): number {
  if (step.now < lastLooksAt(step)) return Math.min(step.now + DOUBT_PAUSE_MS, lastLooksAt(step));
  return left > LAST_PAUSE_MS ? step.now + Math.ceil(left / 2) : step.state("renting").number.endsAt;
}

export const renting: Row = {
  ...noAddressRuns,
  ...noLink,
  AddressGiven: addressRefused,
  ...alreadyPaid,
  ...noMessage,
  ...noCancelRuns,
  ...noFinishRuns,
  ...noRefundRuns,
  ...noBuyRuns,
  ...noticeHanded,
  Hinted: {
    does: "looks at the provider's message list; in doubt about an early end it waits for the look that is due",
    run: (step) => {
      if (step.state("renting").saidEnded === 0) lookNow(step);
    },
  },
  Looked: {
    does: "stores new messages; ended early, proven by our money or said three times -> `done failed` with the sats owed when nothing had come, else `done completed`",
    run: (step, { answer }) => {
      if (answer.kind === "seen") {
        recordMessages(step, answer.messages);
        if (step.now < lastLooksAt(step)) return standsEarly(step, answer.standing);
      }
      lookDone(step);
    },
  },
  CancelAsked: cancelNotAllowed,
  CodeRead: {
    does: "remembered",
    run: (step) => {
      if (step.order.codeReadAt === null) step.emit({ type: "CodeRead", due: step.state("renting").due });
    },
  },
  DestinationGiven: destinationRefused,
  Due: {
    does: "in doubt about an early end: looks again; shortly before the end: last looks, ever closer to it, because texts cannot be read afterwards; at the end -> `done completed`, and a look at the codes that the history keeps",
    run: (step) => {
      const { number } = step.state("renting");
      const left = number.endsAt - step.now;
      if (left <= 0) return over(step);
      const due = nextLookAt(step, left);
      step.emit({ type: "RentalLookStarted", due });
      askForMessages(step);
    },
  },
  Reconciled: reconciledSold,
  EffectInterrupted: stays("looks again"),
  ClaimRefused: never("nothing is claimed"),
};
