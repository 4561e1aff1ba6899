/** Over. Only a failed sale that gave nothing for its money still takes a refund destination. */
import { type Row, type Step, stays } from "../decision.ts";
import { recordMessages, startRefund } from "../moves.ts";
import { isRefundable } from "../terms.ts";
import { addressOver, issueLink, payToAddress, useLink } from "./ladder.ts";
import { reconciledDone } from "./reconciled.ts";
import { alreadyPaid, claimDestination, looseBuy, never, noRefundRuns, noticeHanded, numberGone } from "./shared.ts";

const waits = (step: Step): boolean => step.state("done").as === "failed" && step.order.owedMsats >= 1000;

export const done: Row = {
  ...addressOver,
  ...alreadyPaid,
  ...numberGone,
  ...noRefundRuns,
  ...looseBuy,
  ...noticeHanded,
  CancelAsked: {
    does: "refunded: accepted, nothing to do; completed: CANCEL_SMS_RECEIVED; other types CANCEL_NOT_ALLOWED",
    run: (step) => {
      if (!isRefundable(step.order.terms.good)) return step.refuse("CANCEL_NOT_ALLOWED");
      if (step.state("done").as === "completed") step.refuse("CANCEL_SMS_RECEIVED");
    },
  },
  Looked: {
    does: "completed: an answer that came late still brings its messages; else an SMS seen now is only reported to a person",
    run: (step, command) => {
      if (step.state("done").as !== "completed") return numberGone.Looked.run(step, command);
      if (command.answer.kind === "seen") recordMessages(step, command.answer.messages);
    },
  },
  CancelAnswered: stays("stays: a cancel that crossed the SMS; the number ended all the same"),
  FinishAsked: stays("stays: already finished"),
  CodeRead: {
    does: "remembered, when read only now",
    run: (step) => {
      if (step.order.codeReadAt === null) step.emit({ type: "CodeRead", due: step.now });
    },
  },
  DestinationGiven: {
    does: "failed with sats owed: claimed and paid; else REFUND_NOT_PENDING",
    run: (step, { destination }) => {
      if (!waits(step)) return step.refuse("REFUND_NOT_PENDING");
      claimDestination(step, destination);
      startRefund(step);
    },
  },
  AddressGiven: {
    does: "failed with sats owed: asked for an invoice; else REFUND_NOT_PENDING",
    run: (step, { address }) => {
      if (waits(step)) payToAddress(step, address);
      else step.refuse("REFUND_NOT_PENDING");
    },
  },
  LinkAsked: {
    does: "failed with sats owed: a link is issued, and replaces the one before; else REFUND_NOT_PENDING",
    run: (step, command) => {
      if (waits(step)) issueLink(step, command);
      else step.refuse("REFUND_NOT_PENDING");
    },
  },
  LinkUsed: {
    does: "failed with sats owed, and with the secret of the link that is out: claimed and paid; else REFUND_NOT_PENDING",
    run: (step, command) => {
      if (waits(step)) useLink(step, command);
      else step.refuse("REFUND_NOT_PENDING");
    },
  },
  Due: never("no deadline"),
  Reconciled: reconciledDone,
  EffectInterrupted: stays(
    "a loose activation is looked for or given back again; all else belongs to a step that is over",
  ),
  ClaimRefused: stays("refused: the refund invoice belongs to another order"),
};
