/** What makes two moments behave alike from here on: the state without clock times, which limits have passed, what is under way. */
import { deadline } from "../../../actors/order/state.ts";
import { limits, type Moment } from "./model.ts";

const few = (count: number, most: number): number => Math.min(count, most);

/** Counts that a rule compares with something, up to where it stops caring. */
const CAPS: Readonly<Record<string, number>> = { attempt: 5, saidEnded: 3 };
const TELL_A_PERSON_AFTER_TRIES = 20;

export function likeness({ life, orphans, sweeping }: Moment): string {
  const { order, now, pending } = life;
  const { state, payment, destination: to, loose, refund, attention } = order;
  const facts: unknown[] = [];
  for (const [name, value] of Object.entries(state)) {
    if (typeof value === "number") {
      const cap = CAPS[name];
      if (cap !== undefined) facts.push(few(value, cap));
      else if (name === "tries") facts.push(value >= TELL_A_PERSON_AFTER_TRIES);
    } else if (typeof value !== "object" || value === null) facts.push(value);
  }
  const due = deadline(order);
  return JSON.stringify([
    facts,
    limits(order).map((time) => time <= now),
    due === null ? null : due <= now,
    payment && [payment.late, payment.receivedMsats],
    to?.claimed,
    order.refundAddress ?? null,
    order.withdrawLink != null,
    few((order.addressAttempts ?? 0) - (order.addressBase ?? 0), 2),
    loose && [loose.found !== null],
    refund !== null,
    few(order.refundAttempts, 2),
    few(order.messageIds.length, 2),
    order.codeReceivedAt !== null,
    order.codeReadAt !== null,
    order.cancelAskedAt !== null,
    order.provenAt !== null,
    order.owedMsats,
    attention?.reason,
    [...pending.values()].map((effect) => effect.kind + (orphans.has(effect.key) ? "!" : "")).sort(),
    sweeping,
  ]);
}
