/** Whether a new order may be opened at all: limits per client and in all, and peers that answer. Checked before an invoice exists. */
import type { Sats } from "../../actors/order/money.ts";
import type { Order } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import { isRefundable } from "../../actors/order/terms.ts";
import type { Store } from "../../actors/runtime/store.ts";
import type { NodeStanding } from "../lightning/standing.ts";
import type { ProviderStanding } from "../provider/standing.ts";
import { type Problem, problem } from "./problem.ts";
import type { Reservations } from "./reservations.ts";

export interface AdmissionLimits {
  readonly maxUnpaidPerClient: number;
  readonly maxUnpaid: number;
}

export interface Gates {
  readonly store: Store;
  readonly provider: ProviderStanding;
  readonly node: NodeStanding;
  readonly reservations: Reservations;
  readonly limits: AdmissionLimits;
  /** Why no sale is made at all, e.g. while draining; null when open. */
  readonly closed: () => string | null;
}

export const temporarily = (message: string, retryAfterSeconds = 30): Problem =>
  problem("TEMPORARILY_UNAVAILABLE", message, { retryAfterSeconds });

/** Unpaid orders cost nothing: those of one client may set aside one part in so many of the provider's balance. */
const CLIENT_SHARE = 10;

/**
 * The door to new orders. What is let in counts at once, before its row exists, so that a burst cannot pass together where each
 * alone would.
 */
export class Admission {
  readonly #gates: Gates;
  /** Orders that are being opened, by client. */
  readonly #opening = new Map<string, number>();
  #openingInAll = 0;
  /** What they will reserve once they are open: of the provider's balance by client and in all, and of our liquidity. */
  readonly #microUsdOf = new Map<string, number>();
  #microUsd = 0;
  #sats = 0;

  constructor(gates: Gates) {
    this.#gates = gates;
  }

  /** The order exists: until it is paid, what it reserves counts for its client. */
  opened(order: Order, client: string): void {
    this.#gates.reservations.attribute(order, client);
  }

  /** Lets one more order of this client be opened, until `leave` is called; or says why not. */
  enter(client: string): Problem | null {
    const { store, reservations, limits, closed } = this.#gates;
    const reason = closed();
    if (reason !== null) return temporarily(reason, 10);
    const opening = this.#opening.get(client) ?? 0;
    if (store.countUnpaid(client) + opening >= limits.maxUnpaidPerClient) {
      return problem("RATE_LIMITED", "Too many unpaid orders from this address", {
        suggestion: "Pay one, or wait until they expire",
        retryAfterSeconds: 60,
      });
    }
    if (reservations.unpaid + this.#openingInAll >= limits.maxUnpaid)
      return temporarily("Too many unpaid orders are open", 60);
    this.#opening.set(client, opening + 1);
    this.#openingInAll++;
    return null;
  }

  leave(client: string): void {
    this.#openingInAll--;
    const opening = (this.#opening.get(client) ?? 0) - 1;
    if (opening > 0) this.#opening.set(client, opening);
    else this.#opening.delete(client);
  }

  /** Peers must answer before a price is promised. */
  peers(): Problem | null {
    const { provider, node } = this.#gates;
    if (!node.ok) return temporarily("The Lightning node is not ready");
    if (!provider.ok) return temporarily("The number provider is not ready");
    return null;
  }

  /** The node just failed to make an invoice: nothing is sold until it answers again. */
  nodeFailed(): void {
    this.#gates.node.failed();
  }

  /** Sets aside the money that this order may need, beside what the others may need; call the answer when its row exists. */
  reserve(client: string, good: Good, priceSats: Sats): Problem | (() => void) {
    const { provider, node, reservations } = this.#gates;
    const microUsd = good.maxCost;
    const refund = isRefundable(good) ? priceSats : 0;
    if (provider.balance === null || reservations.microUsd + this.#microUsd + microUsd > provider.balance) {
      return temporarily("The provider account cannot cover more orders right now", 60);
    }
    const opening = this.#microUsdOf.get(client) ?? 0;
    const mine = reservations.unpaidMicroUsd(client) + opening;
    if (mine > 0 && (mine + microUsd) * CLIENT_SHARE > provider.balance) {
      return problem("RATE_LIMITED", "The unpaid orders from this address are worth too much", {
        suggestion: "Pay one, or wait until they expire",
        retryAfterSeconds: 60,
      });
    }
    const refunds = reservations.sats + this.#sats + refund;
    if (refund > 0 && (node.outboundSats === null || refunds > node.outboundSats)) {
      return temporarily("The node cannot cover more refunds right now", 60);
    }
    this.#microUsdOf.set(client, opening + microUsd);
    this.#microUsd += microUsd;
    this.#sats += refund;
    return () => {
      const left = (this.#microUsdOf.get(client) ?? 0) - microUsd;
      if (left > 0) this.#microUsdOf.set(client, left);
      else this.#microUsdOf.delete(client);
      this.#microUsd -= microUsd;
      this.#sats -= refund;
    };
  }
}
