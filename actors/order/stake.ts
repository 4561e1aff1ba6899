/**
 * What an order may still cost us, by which sales are bounded: the provider's balance for a number that is not bought yet, and sats for a
 * refund that may come. The journal keeps the sums by kind with every step, so that a start need not read every order.
 */
import type { Kind, Order } from "./state.ts";
import { isRefundable } from "./terms.ts";

export interface Stake {
  readonly kind: Kind;
  /** µUSD that the provider's balance must cover. */
  readonly microUsd: number;
  /** Sats that our channels must be able to send. */
  readonly sats: number;
  /** Sats of a refund that is out, or may be: its receiver can hold them, and channel space, for days. */
  readonly heldSats: number;
}

/** Null once it is over. */
export function stakeOf({ state: { kind }, terms, owedMsats }: Order): Stake | null {
  if (kind === "lapsed" || kind === "done") return null;
  const isUnbought = kind === "unpaid" || kind === "buying" || kind === "buyUnknown";
  const owed = kind === "unpaid" ? terms.priceSats : Math.floor(owedMsats / 1000);
  return {
    kind,
    microUsd: isUnbought ? terms.good.maxCost : 0,
    sats: isRefundable(terms.good) ? owed : 0,
    heldSats: kind === "refundUnknown" ? owed : 0,
  };
}

/** Whether a step between them moves no sum. */
export const sameStake = (a: Stake | null, b: Stake | null): boolean =>
  a?.kind === b?.kind && a?.microUsd === b?.microUsd && a?.sats === b?.sats && a?.heldSats === b?.heldSats;
