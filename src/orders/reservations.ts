/**
 * What open and running orders may still cost: provider balance for numbers not bought yet, and outbound liquidity for refunds that may
 * come. Beyond either, sales stop before an invoice exists. Derived from the orders, so it is rebuilt at start.
 */
import type { Order } from "../../actors/order/state.ts";
import { isRefundable } from "../../actors/order/terms.ts";

interface Reserved {
  readonly microUsd: number;
  readonly sats: number;
  /** 1 while the order waits for its payment. */
  readonly unpaid: 0 | 1;
}

const NOTHING: Reserved = { microUsd: 0, sats: 0, unpaid: 0 };

export class Reservations {
  readonly #byOrder = new Map<string, Reserved>();
  #microUsd = 0;
  #sats = 0;
  #unpaid = 0;
  /** Clients of unpaid orders, as far as this process opened them, and what their orders reserve. */
  readonly #clientOf = new Map<string, string>();
  readonly #unpaidOf = new Map<string, number>();

  /** Open invoices. */
  get unpaid(): number {
    return this.#unpaid;
  }

  /** µUSD that the provider's balance must cover. */
  get microUsd(): number {
    return this.#microUsd;
  }

  /** Sats that our channels must be able to send. */
  get sats(): number {
    return this.#sats;
  }

  /** µUSD that this client's unpaid orders reserve. */
  unpaidMicroUsd(client: string): number {
    return this.#unpaidOf.get(client) ?? 0;
  }

  /** Says whose unpaid order this is. */
  attribute(order: Order, client: string): void {
    if (this.#byOrder.get(order.id)?.unpaid !== 1) return;
    this.#clientOf.set(order.id, client);
    this.#unpaidOf.set(client, this.unpaidMicroUsd(client) + order.terms.good.maxCost);
  }

  #noLongerUnpaid(order: Order): void {
    const client = this.#clientOf.get(order.id);
    if (client === undefined) return;
    this.#clientOf.delete(order.id);
    const left = this.unpaidMicroUsd(client) - order.terms.good.maxCost;
    if (left > 0) this.#unpaidOf.set(client, left);
    else this.#unpaidOf.delete(client);
  }

  /** Takes over an order's present state. */
  follow(order: Order): void {
    const before = this.#byOrder.get(order.id) ?? NOTHING;
    const now = reservedFor(order);
    this.#microUsd += now.microUsd - before.microUsd;
    this.#sats += now.sats - before.sats;
    this.#unpaid += now.unpaid - before.unpaid;
    if (now.unpaid === 0) this.#noLongerUnpaid(order);
    if (now.microUsd === 0 && now.sats === 0 && now.unpaid === 0) this.#byOrder.delete(order.id);
    else this.#byOrder.set(order.id, now);
  }
}

function reservedFor({ state, terms, owedMsats }: Order): Reserved {
  const { kind } = state;
  const notBought = kind === "unpaid" || kind === "buying" || kind === "buyUnknown";
  const mayRefund = isRefundable(terms.good) && kind !== "lapsed" && kind !== "done";
  const owed = kind === "unpaid" ? terms.priceSats : Math.floor(owedMsats / 1000);
  return {
    microUsd: notBought ? terms.good.maxCost : 0,
    sats: mayRefund ? owed : 0,
    unpaid: kind === "unpaid" ? 1 : 0,
  };
}
