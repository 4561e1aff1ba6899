/** Every invariant of docs/architecture.md by its number. A number without a check refuses to run. */
import * as engine from "./engine.ts";
import { type Invariant, type InvariantNumber, MOMENTS } from "./invariant.ts";
import * as money from "./money.ts";
import * as privacy from "./privacy.ts";
import * as provider from "./provider.ts";

export const INVARIANTS: Readonly<Record<InvariantNumber, Invariant>> = {
  1: money.nodesWord,
  2: money.oneRefund,
  3: money.noRefundOfTheServed,
  4: money.numberIsGone,
  5: money.everyPaidOrderEnds,
  6: money.everySat,
  7: money.refundInvoice,
  8: money.frozenPrice,
  9: money.lateMoney,
  10: money.settledOnce,
  11: provider.oneOwner,
  12: provider.boughtIsFound,
  13: provider.oneSmsOnce,
  14: privacy.ownOrderOnly,
  15: privacy.nothingLeaks,
  16: privacy.erasedIsGone,
  17: privacy.alikeToStrangers,
  18: engine.tableOnly,
  19: engine.replays,
  20: engine.oneHostOneDeadline,
  21: engine.bounded,
  22: engine.durableFirst,
};

const TOTAL = 22;

/** Those with something to say at a moment. */
export function checksAt<M extends (typeof MOMENTS)[number]>(moment: M): readonly NonNullable<Invariant[M]>[] {
  return Object.values(INVARIANTS).flatMap((invariant) => invariant[moment] ?? []);
}

/** @throws Error when a number has no check. */
export function requireAll(invariants: Readonly<Record<number, Invariant>>): void {
  for (let number = 1; number <= TOTAL; number++) {
    const invariant = invariants[number];
    if (!invariant || !MOMENTS.some((moment) => invariant[moment])) throw new Error(`Invariant ${number} has no check`);
  }
}

requireAll(INVARIANTS);
