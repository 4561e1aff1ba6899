/** Cells that are the same in several kinds. */
import type { CommandOf } from "../commands.ts";
import { type Row, type Rule, type Step, stays } from "../decision.ts";

/** Answers that belong to a step which is over; harmless, because the answer that mattered was taken. */
const stale = stays("stays: a late answer of a step that is over");

/** Already paid: repeated settlements, proofs and sweeps change nothing (invariant 10). */
export const alreadyPaid = {
  Settled: stays("stays: already paid"),
  PreimageShown: stays("stays: already paid"),
  SurelyUnpaid: stays("stays: already paid"),
  NodeAnswered: stays("stays: already paid"),
} satisfies Partial<Row>;

/** No number is held: answers about one are stale. An SMS that turns up now is audited, never shown. */
export const noNumber = {
  Hinted: stays("stays: no number is held"),
  Looked: {
    does: "an SMS seen now is reported to a person, never shown",
    run: (step: Step, { answer }: CommandOf<"Looked">) => {
      if (answer.kind === "seen" && answer.messages.some((message) => !step.order.messageIds.includes(message.id))) {
        step.attention("sms_after_end");
      }
    },
  },
  CancelAnswered: stale,
  FinishAnswered: stale,
  CodeRead: stays("stays: no code to read, or read before"),
  FinishAsked: stays("stays: no code yet, or already finished"),
} satisfies Partial<Row>;

export const noRefundRuns = { RefundAnswered: stale, RefundSearched: stale } satisfies Partial<Row>;

/** A buy that was abandoned as unknown may still be found: its number goes back, the customer was served otherwise. */
export const looseBuy = {
  BuyAnswered: {
    does: "a number bought now is reported to a person",
    run: (step: Step, { answer }: CommandOf<"BuyAnswered">) => {
      if (answer.kind === "bought") step.attention("unexpected_number");
    },
  },
  BuySearched: {
    does: "a found loose activation is given back; a surely absent one is forgotten; else a person looks",
    run: (step: Step, { attempt, answer }: CommandOf<"BuySearched">) => {
      const { loose } = step.order;
      // Found once is enough: what is being given back is neither booked nor given back again.
      if (loose === null || loose.attempt !== attempt || loose.found !== null) return;
      if (answer.kind === "absent") {
        step.emit({ type: "LooseSettled", refunded: false });
        step.calm("loose_activation");
      } else if (answer.kind === "found") {
        step.emit({ type: "LooseFound", number: answer.number });
        step.effects.push({ kind: "release", key: step.key("release"), activationId: answer.number.activationId });
      } else {
        step.attention("loose_activation");
      }
    },
  },
  ReleaseAnswered: {
    does: "a released activation is booked; else a person looks",
    run: (step: Step, { answer }: CommandOf<"ReleaseAnswered">) => {
      if (step.order.loose?.found == null) return;
      if (answer.kind === "cancelled") {
        step.emit({ type: "LooseSettled", refunded: true });
        step.calm("loose_activation");
      } else {
        step.attention("loose_activation");
      }
    },
  },
} satisfies Partial<Row>;

export const noBuyRuns = {
  BuyAnswered: looseBuy.BuyAnswered,
  BuySearched: stale,
  ReleaseAnswered: stale,
} satisfies Partial<Row>;

export const noticeHanded = { NoticeHanded: stays("stays: the notice is with the queue") } satisfies Partial<Row>;

export const cancelNotAllowed: Rule<CommandOf<"CancelAsked">> = {
  does: "refused: CANCEL_NOT_ALLOWED",
  run: (step) => step.refuse("CANCEL_NOT_ALLOWED"),
};

/** Takes a destination for a refund that may come; money has arrived, so its hash is claimed now. */
export const takeDestination: Rule<CommandOf<"DestinationGiven">> = {
  does: "destination set, its hash claimed",
  run: (step, { destination }) => claimDestination(step, destination),
};

type Given = CommandOf<"DestinationGiven">["destination"];

/** The customer said the same again. */
export function isSameDestination(step: Step, { invoice, paymentHash, expiresAt }: Given): boolean {
  const known = step.order.destination;
  return known?.invoice === invoice && known.paymentHash === paymentHash && known.expiresAt === expiresAt;
}

export function claimDestination(step: Step, destination: Given): void {
  const known = step.order.destination;
  if (known?.claimed && isSameDestination(step, destination)) return;
  if (known?.paymentHash !== destination.paymentHash || !known.claimed) {
    step.claims.push({ kind: "refund_hash", value: destination.paymentHash });
  }
  step.emit({ type: "DestinationSet", destination: { ...destination, claimed: true } });
}

export const destinationRefused: Rule<CommandOf<"DestinationGiven">> = {
  does: "refused: REFUND_NOT_PENDING",
  run: (step) => step.refuse("REFUND_NOT_PENDING"),
};
