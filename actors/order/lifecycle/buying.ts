/** Paid, number not there yet: `buying`, and `buyUnknown` when the answer to a buy was lost. */
import type { CommandOf } from "../commands.ts";
import { type Row, type Rule, type Step, stays } from "../decision.ts";
import { buyNext, numberBought, overdue, paymentOf, WATCHDOG, withoutNumber } from "../moves.ts";
import { isRefundable } from "../terms.ts";
import { noAddressRuns, noLink, takeAddress } from "./ladder.ts";
import { reconciledBuying } from "./reconciled.ts";
import {
  alreadyPaid,
  cancelNotAllowed,
  noBuyRuns,
  noNotice,
  noRefundRuns,
  numberNotYet,
  takeDestination,
} from "./shared.ts";

const SECOND = 1_000;
const SEARCH_PAUSE_MS = 10 * SECOND;
/** While the provider has trouble of its own (rate limit, a block of 10 s), trying at this pace is enough. */
const TROUBLE_PAUSE_MS = 11 * SECOND;

const cancel: Rule<CommandOf<"CancelAsked">> = {
  does: "before 3 minutes CANCEL_TOO_SOON; then remembered: no more buys, a number that comes is closed at once",
  run: (step) => {
    if (!isRefundable(step.order.terms.good)) return cancelNotAllowed.run(step, { type: "CancelAsked" });
    const from = paymentOf(step).settledAt + step.policy.cancelAfterMs;
    if (step.now < from) return step.refuse("CANCEL_TOO_SOON", from);
    if (step.order.cancelAskedAt !== null) return;
    step.emit({ type: "CancelAsked" });
    const { state } = step.order;
    if (state.kind === "buying" && state.step === "pausing") withoutNumber(step);
  },
};

function refused(step: Step, attempt: number, answer: { reason: string; retry: "soon" | "later" | "never" }): void {
  const { buyBy } = paymentOf(step);
  const pause = answer.retry === "soon" ? 2 ** attempt * SECOND : TROUBLE_PAUSE_MS;
  const triesLeft = answer.retry === "later" || attempt < step.policy.buyAttempts;
  const due = step.now + pause;
  step.emit({ type: "BuyRefused", attempt, reason: answer.reason, due });
  const again = answer.retry !== "never" && triesLeft && due < buyBy && step.order.cancelAskedAt === null;
  if (!again) withoutNumber(step);
}

const bought: Rule<CommandOf<"BuyAnswered">> = {
  does: "number -> `waiting` or `renting`; surely none -> next attempt, or refund; answer lost -> `buyUnknown`",
  run: (step, { attempt, answer }) => {
    const buying = step.state("buying");
    if (attempt !== buying.attempt || buying.step !== "asking") return;
    if (answer.kind === "bought") return numberBought(step, answer.number);
    if (answer.kind === "refused") return refused(step, attempt, answer);
    step.emit({ type: "BuyLost", attempt, reason: answer.reason, due: step.now + WATCHDOG.ask });
    search(step);
  },
};

function search(step: Step): void {
  const { attempt } = step.state("buyUnknown");
  const { good } = step.order.terms;
  step.effects.push({ kind: "findBuy", key: step.key("findBuy"), attempt, good, last: false });
}

/** Time is up and nobody knows: the customer gets the money, the possible activation is searched once more. */
function abandon(step: Step): void {
  const { attempt } = step.state("buyUnknown");
  const { good } = step.order.terms;
  step.emit({ type: "BuyAbandoned", attempt });
  step.attention("loose_activation");
  step.effects.push({ kind: "findBuy", key: step.key("findBuy"), attempt, good, last: true });
  withoutNumber(step);
}

export const buying: Row = {
  ...noAddressRuns,
  ...noLink,
  AddressGiven: takeAddress,
  ...alreadyPaid,
  ...numberNotYet,
  ...noRefundRuns,
  ...noBuyRuns,
  ...noNotice,
  BuyAnswered: bought,
  CancelAsked: cancel,
  DestinationGiven: takeDestination,
  Due: {
    does: "pausing: next attempt, or refund when the window closed; asking: a person is told, the answer is awaited",
    run: (step) => {
      const { step: at, attempt } = step.state("buying");
      if (at === "asking") overdue(step, "buy_overdue");
      else buyNext(step, attempt + 1);
    },
  },
  Reconciled: reconciledBuying,
  EffectInterrupted: stays("-> `buyUnknown`: a buy whose answer was lost is searched, never repeated"),
  ClaimRefused: stays("refused: the refund invoice belongs to another order"),
};

export const buyUnknown: Row = {
  ...buying,
  BuyAnswered: noBuyRuns.BuyAnswered,
  BuySearched: {
    does: "found -> adopted; surely absent -> next attempt; unsure -> searched again until the window closes, then refund",
    run: (step, { attempt, answer }) => {
      if (attempt !== step.state("buyUnknown").attempt) return;
      if (answer.kind === "found") return numberBought(step, answer.number);
      const { buyBy } = paymentOf(step);
      if (answer.kind === "absent") {
        step.emit({ type: "BuyRefused", attempt, reason: "absent", due: step.now });
        return buyNext(step, attempt + 1);
      }
      if (step.now >= buyBy) return abandon(step);
      step.emit({ type: "BuySearchPaused", reason: answer.reason, due: Math.min(step.now + SEARCH_PAUSE_MS, buyBy) });
    },
  },
  Due: {
    does: "pausing: searches again, or gives up when the window closed; asking: a person is told",
    run: (step) => {
      if (step.state("buyUnknown").step === "asking") return overdue(step, "buy_search_overdue");
      if (step.now >= paymentOf(step).buyBy) return abandon(step);
      step.emit({ type: "BuySearchResumed", due: step.now + WATCHDOG.ask });
      search(step);
    },
  },
  EffectInterrupted: stays("searched again"),
};
