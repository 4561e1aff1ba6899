/** The refund's address is asked for an invoice. No money is out, so every other way may be taken instead. */
import { type Row, stays } from "../decision.ts";
import { overdue, startRefund } from "../moves.ts";
import { addressOver, noLink, payToAddress } from "./ladder.ts";
import { refunding } from "./refunding.ts";
import { claimDestination, noRefundRuns } from "./shared.ts";

const SECOND = 1_000;
const MAX_PAUSE_MS = 60 * 60 * SECOND;

export const resolving: Row = {
  ...refunding,
  ...noRefundRuns,
  ...addressOver,
  ...noLink,
  DestinationGiven: {
    does: "claimed and paid instead; an answer of the address is not waited for",
    run: (step, { destination }) => {
      claimDestination(step, destination);
      startRefund(step);
    },
  },
  AddressGiven: {
    does: "another one is asked instead; the same one again changes nothing",
    run: (step, { address }) => {
      if (step.order.refundAddress !== address) payToAddress(step, address);
    },
  },
  AddressAnswered: {
    does: "an invoice -> claimed and paid; none -> asks again with pauses up to an hour, 24 times at most, then `refundStuck`",
    run: (step, { attempt, answer }) => {
      const at = step.state("resolving");
      if (attempt !== at.attempt || at.step !== "asking") return;
      if (answer.kind === "invoice") {
        claimDestination(step, answer.destination);
        return startRefund(step);
      }
      if (answer.kind === "refused") step.emit({ type: "AddressRefused", attempt, reason: answer.reason });
      const tries = attempt - (step.order.addressBase ?? 0);
      const wait = Math.min(30 * SECOND * 2 ** Math.min(tries - 1, 8), MAX_PAUSE_MS);
      step.emit({ type: "AddressSilent", attempt, reason: answer.kind, due: step.now + wait });
    },
  },
  Due: {
    does: "pausing: asks again; asking: a person is told, the answer is awaited",
    run: (step) => {
      if (step.state("resolving").step === "asking") overdue(step, "address_overdue");
      else startRefund(step);
    },
  },
  EffectInterrupted: stays("asks again after a pause"),
  ClaimRefused: stays(
    "of an invoice that a customer named: refused; of one that the address gave: as if it had given none",
  ),
};
