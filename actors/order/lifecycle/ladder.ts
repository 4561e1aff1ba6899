/**
 * The ways a refund can go beside the invoice that a customer names: an address that is asked for an invoice, and a link with which its holder
 * names one. One way is open at a time; another is taken only while no attempt can still succeed.
 */
import type { CommandOf } from "../commands.ts";
import { type Row, type Rule, type Step, stays } from "../decision.ts";
import { startRefund } from "../moves.ts";
import { claimDestination, never } from "./shared.ts";

/** Before a refund: for when there is no invoice then, or it cannot be used any more. */
export const takeAddress: Rule<CommandOf<"AddressGiven">> = {
  does: "address set, asked only if there is no usable invoice when the refund starts",
  run: (step, { address }) => {
    if (step.order.refundAddress !== address) step.emit({ type: "AddressSet", address, instead: false });
  },
};

/** Instead of whatever was named before, and at once. */
export function payToAddress(step: Step, address: string): void {
  // The same one given again may be asked as often as a new one.
  step.emit({ type: "AddressSet", address, instead: true });
  startRefund(step);
}

export const addressRefused: Rule<CommandOf<"AddressGiven">> = {
  does: "refused: REFUND_NOT_PENDING",
  run: (step) => step.refuse("REFUND_NOT_PENDING"),
};

const notNow = {
  does: "refused: REFUND_NOT_PENDING",
  run: (step: Step) => step.refuse("REFUND_NOT_PENDING"),
};

/** Where no refund waits for a destination. */
export const noLink = { LinkAsked: notNow, LinkUsed: notNow } satisfies Partial<Row>;

/** No address was asked yet. */
export const noAddressRuns = { AddressAnswered: never("no address is asked before the refund") } satisfies Partial<Row>;

/** An address may have been asked before another way was taken. */
export const addressOver = {
  AddressAnswered: stays("stays: another way was taken meanwhile"),
} satisfies Partial<Row>;

/** Issues a link, which replaces the one before. Whether the order waits for a destination is the row's to know. */
export const issueLink = (step: Step, { secretHash }: CommandOf<"LinkAsked">): void =>
  step.emit({ type: "LinkIssued", secretHash });

/** Pays to the invoice that the holder of the link names. The link is over with that, whatever becomes of the payment. */
export function useLink(step: Step, { secretHash, destination }: CommandOf<"LinkUsed">): void {
  if (step.order.withdrawLink?.secretHash !== secretHash) return step.refuse("REFUND_NOT_PENDING");
  claimDestination(step, destination);
  startRefund(step);
}
