/** The SMS is there: `delivered`, and `finishing` while the number is given back to the provider. */

import type { CommandOf } from "../commands.ts";
import type { Row, Rule, Step } from "../decision.ts";
import { stays } from "../decision.ts";
import { askForMessages, end, lookDone, lookNow, overdue, recordMessages, startFinishing, WATCHDOG } from "../moves.ts";
import type { HeldNumber } from "../state.ts";
import { addressRefused, noAddressRuns, noLink } from "./ladder.ts";
import { reconciledSold } from "./reconciled.ts";
import {
  alreadyPaid,
  destinationRefused,
  never,
  noBuyRuns,
  noFinishRuns,
  noRefundRuns,
  noticeHanded,
} from "./shared.ts";

const SECOND = 1_000;
const MAX_PAUSE_MS = 60 * SECOND;
/** Long after the provider would have ended the number by itself, nothing is left to finish. */
const GIVE_UP_AFTER_END_MS = 60 * 60 * SECOND;
/**
 * Looks before that, a quarter of an hour of them: after an outage the first one comes that late, and a look under which the process
 * died counts like a lost answer although the provider may be well.
 */
const GIVE_UP_AFTER_TRIES = 20;

const smsReceived: Rule<CommandOf<"CancelAsked">> = {
  does: "refused: CANCEL_SMS_RECEIVED",
  run: (step) => {
    step.refuse(step.order.terms.good.type === "receive-sms" ? "CANCEL_SMS_RECEIVED" : "CANCEL_NOT_ALLOWED");
  },
};

/** The number ended by itself; whether it was charged decides only our own books. */
function complete(step: Step, number: HeldNumber, providerRefunded: boolean): void {
  if (providerRefunded) step.emit({ type: "NumberEnded", cost: number.cost, refunded: true });
  end(step, "completed");
}

export const delivered: Row = {
  ...noAddressRuns,
  ...noLink,
  AddressGiven: addressRefused,
  ...alreadyPaid,
  ...noFinishRuns,
  ...noRefundRuns,
  ...noBuyRuns,
  ...noticeHanded,
  Hinted: { does: "looks for more messages", run: lookNow },
  Looked: {
    does: "stores more messages; ended at the provider -> `done completed`",
    run: (step, { answer }) => {
      if (answer.kind === "seen") {
        recordMessages(step, answer.messages);
        if (answer.standing === "finished" || answer.standing === "refunded") {
          return complete(step, step.state("delivered").number, answer.standing === "refunded");
        }
      }
      lookDone(step);
    },
  },
  CancelAnswered: {
    does: "the cancel crossed the SMS: a confirmed one ends the number, the customer keeps the code",
    run: (step, { answer }) => {
      if (answer.kind === "cancelled") complete(step, step.state("delivered").number, true);
      else if (answer.kind === "sms_arrived") recordMessages(step, answer.messages);
    },
  },
  CancelAsked: smsReceived,
  FinishAsked: { does: "-> `finishing` at once: the customer reactivates the number", run: startFinishing },
  CodeRead: {
    does: "the grace for more messages starts",
    run: (step) => {
      if (step.order.codeReadAt !== null) return;
      const { number } = step.state("delivered");
      const due = Math.min(step.now + step.policy.codeGraceMs, number.endsAt - step.policy.endMarginMs);
      step.emit({ type: "CodeRead", due: Math.max(due, step.now) });
    },
  },
  DestinationGiven: destinationRefused,
  Due: { does: "code read and grace passed, or the number nearly over -> `finishing`", run: startFinishing },
  Reconciled: reconciledSold,
  EffectInterrupted: stays("looks again"),
  ClaimRefused: never("nothing is claimed"),
};

function finish(step: Step): void {
  const { number } = step.state("finishing");
  step.emit({ type: "FinishingStep", step: "finishing", due: step.now + WATCHDOG.ask });
  step.effects.push({ kind: "finish", key: step.key("finish"), activationId: number.activationId });
}

function pause(step: Step): void {
  const { number, tries } = step.state("finishing");
  // The customer has the code and the provider ends the number by itself: nobody needs to wait for ever.
  if (step.now > number.endsAt + GIVE_UP_AFTER_END_MS && tries >= GIVE_UP_AFTER_TRIES) {
    step.emit({ type: "Ended", as: "completed" });
    return step.attention("finish_unconfirmed");
  }
  const wait = Math.min(2 ** Math.min(tries, 6) * SECOND, MAX_PAUSE_MS);
  step.emit({ type: "FinishingStep", step: "pausing", due: step.now + wait });
}

export const finishing: Row = {
  ...delivered,
  Hinted: stays("stays: looks anyway before it finishes"),
  Looked: {
    does: "stores the last messages, then finishes at the provider; ended there -> `done completed`",
    run: (step, { answer }) => {
      const { step: at, number } = step.state("finishing");
      if (answer.kind === "seen") recordMessages(step, answer.messages);
      if (at !== "looking") return;
      if (answer.kind === "unavailable") return pause(step);
      if (answer.standing === "open") return finish(step);
      complete(step, number, answer.standing === "refunded");
    },
  },
  FinishAnswered: {
    does: "finished -> `done completed`; another SMS -> stored, finished again; unclear -> looks again",
    run: (step, { answer }) => {
      const { number } = step.state("finishing");
      if (answer.kind === "finished") return complete(step, number, false);
      if (answer.kind === "not_active") return complete(step, number, false);
      if (answer.kind === "sms_arrived") recordMessages(step, answer.messages);
      pause(step);
    },
  },
  CancelAnswered: stays("stays: a cancel that crossed the SMS; finishing learns how it stands"),
  FinishAsked: stays("stays: being finished"),
  CodeRead: {
    does: "remembered",
    run: (step) => {
      if (step.order.codeReadAt === null) step.emit({ type: "CodeRead", due: step.now });
    },
  },
  Due: {
    does: "pausing: looks again; waiting for an answer: a person is told",
    run: (step) => {
      if (step.state("finishing").step !== "pausing") return overdue(step, "finish_overdue");
      step.emit({ type: "FinishingStep", step: "looking", due: step.now + WATCHDOG.ask });
      askForMessages(step);
    },
  },
};
