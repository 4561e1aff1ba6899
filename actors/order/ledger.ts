/**
 * Double entry: each event that moves money yields postings that sum to zero in each unit. Msats accounts satisfy
 * received = kept + refunded + fees + owed + unclaimed (invariant 6); µUSD accounts follow what the provider charged.
 */
import type { OrderEvent } from "./events.ts";
import type { Order } from "./state.ts";

export type Account =
  /** Msats that came in; negative, the source of all others. */
  | "received"
  /** Earned, less routing fees paid for refunds. */
  | "kept"
  | "refunded"
  | "fees"
  /** Received, and neither a good nor a refund given yet. */
  | "owed"
  /** Owed, and nobody named a destination within the claim window. */
  | "unclaimed"
  /** µUSD taken from the provider's balance; negative. */
  | "provider"
  /** µUSD spent on numbers that were sold. */
  | "numbers"
  /** µUSD spent without a sale. */
  | "loss";

export interface Posting {
  readonly account: Account;
  readonly unit: "msat" | "µUSD";
  readonly amount: number;
}

/** The postings of an event that is about to happen to `order` (its state before the event). */
export function ledgerOf(order: Order, event: OrderEvent): readonly Posting[] {
  switch (event.type) {
    case "PaymentSettled":
      return move("msat", "received", "owed", event.payment.receivedMsats);
    case "NumberBought": {
      const cost = move("µUSD", "provider", "numbers", event.number.cost - event.overQuote);
      const loss = move("µUSD", "provider", "loss", event.overQuote);
      const sold = order.terms.good.type === "rent-number" ? move("msat", "owed", "kept", order.owedMsats) : [];
      return [...cost, ...loss, ...sold];
    }
    case "LooseFound":
      return move("µUSD", "provider", "loss", event.number.cost);
    case "LooseSettled":
      return event.refunded ? move("µUSD", "loss", "provider", order.loose?.found?.cost ?? 0) : [];
    case "NumberEnded":
      return event.refunded ? giveBack(order, event.cost) : writeOff(order, event.cost);
    case "MessagesReceived":
      return event.first ? move("msat", "owed", "kept", order.owedMsats) : [];
    case "SaleKept":
      return move("msat", "owed", "kept", order.owedMsats);
    case "SaleReversed":
      return move("msat", "kept", "owed", order.payment?.receivedMsats ?? 0);
    case "RefundPaid": {
      const paid = event.amountSats * 1000;
      const dust = order.owedMsats - paid;
      return [
        ...move("msat", "owed", "refunded", paid),
        ...move("msat", "owed", "kept", dust),
        ...move("msat", "kept", "fees", event.feeMsats),
      ];
    }
    case "ClaimWindowClosed":
      return move("msat", "owed", "unclaimed", order.owedMsats);
    case "Ended":
      // A reactivation whose code never came is a sale of access: the money is earned.
      return event.as === "expired" ? move("msat", "owed", "kept", order.owedMsats) : [];
    default:
      return [];
  }
}

function move(unit: Posting["unit"], from: Account, to: Account, amount: number): Posting[] {
  if (amount === 0) return [];
  return [
    { account: from, unit, amount: -amount },
    { account: to, unit, amount },
  ];
}

const quoted = (order: Order, cost: number): number => Math.min(cost, order.terms.good.maxCost);

function giveBack(order: Order, cost: number): Posting[] {
  const sold = quoted(order, cost);
  return [...move("µUSD", "numbers", "provider", sold), ...move("µUSD", "loss", "provider", cost - sold)];
}

const writeOff = (order: Order, cost: number): Posting[] => move("µUSD", "numbers", "loss", quoted(order, cost));
