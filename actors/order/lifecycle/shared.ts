/** Cells that are the same in several kinds. */
import type { CommandOf } from "../commands.ts";
import { type Row, type Rule, type Step, stays } from "../decision.ts";

/**
 * A cell that nothing leads to: what it would take is not under way here, or comes only from a state that it cannot have been in. The
 * search of interleavings (test/simulation/interleavings.ts) fails if it finds a way after all.
 */
export const never = (why: string): Rule<never> & Rule => stays(`never happens: ${why}`);

/** Already paid: repeated settlements, proofs and sweeps change nothing (invariant 10). */
export const alreadyPaid = {
  Settled: stays("stays: already paid"),
  PreimageShown: stays("stays: already paid"),
  SurelyUnpaid: stays("stays: already paid"),
  NodeAnswered: stays("stays: already paid"),
} satisfies Partial<Row>;

const smsAfterEnd: Rule<CommandOf<"Looked">> = {
  does: "an SMS seen now is reported to a person, never shown",
  run: (step, { answer }) => {
    if (answer.kind === "seen" && answer.messages.some((message) => !step.order.messageIds.includes(message.id))) {
      step.attention("sms_after_end");
    }
  },
};

/** No message is there: nothing to read, and no parent of a reactivation. */
export const noMessage = {
  CodeRead: never("no code is there to be read"),
  FinishAsked: never("only a number that has its code can be reactivated"),
} satisfies Partial<Row>;

export const noCancelRuns = { CancelAnswered: never("no cancel is under way") } satisfies Partial<Row>;
export const noFinishRuns = { FinishAnswered: never("no finish is under way") } satisfies Partial<Row>;

/** No number was had yet: nobody can say anything about one. */
export const numberNotYet = {
  ...noMessage,
  ...noCancelRuns,
  ...noFinishRuns,
  Hinted: never("no number was had yet"),
  Looked: { ...smsAfterEnd, does: "never happens: no number was had yet; an SMS all the same is reported to a person" },
} satisfies Partial<Row>;

/** The number is gone, and no SMS came: one that turns up now is audited, never shown. */
export const numberGone = {
  ...noMessage,
  ...noCancelRuns,
  ...noFinishRuns,
  Hinted: stays("stays: no number is held"),
  Looked: smsAfterEnd,
} satisfies Partial<Row>;

export const noRefundRuns = {
  RefundAnswered: never("no refund is under way"),
  RefundSearched: never("no refund is looked for"),
} satisfies Partial<Row>;

/** A buy that was abandoned as unknown may still be found: its number goes back, the customer was served otherwise. */
export const looseBuy = {
  BuyAnswered: {
    does: "never happens: each buy is answered once, while it is under way; a number all the same is reported to a person",
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
  BuySearched: never("no buy is looked for"),
  ReleaseAnswered: never("no loose activation was found"),
} satisfies Partial<Row>;

export const noticeHanded = { NoticeHanded: stays("stays: the notice is with the queue") } satisfies Partial<Row>;
export const noNotice = { NoticeHanded: never("a notice goes out with the first code") } satisfies Partial<Row>;

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
