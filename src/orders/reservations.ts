/**
 * What open and running orders may still cost: provider balance for numbers not bought yet, and outbound liquidity for refunds that may
 * come. Beyond either, sales stop before an invoice exists. Derived from the orders, so it is rebuilt at start.
 */
import type { Order } from "../../actors/order/state.ts";
import { isRefundable, type OrderId } from "../../actors/order/terms.ts";
import { Holders, NOTHING as NO_AMOUNTS, type Owner } from "./holders.ts";

interface Reserved {
  readonly microUsd: number;
  readonly sats: number;
  /** 1 while the order waits for its payment. */
  readonly unpaid: 0 | 1;
  /** Sats of a refund that is out, or may be: its receiver can hold them, and channel space, for days. */
  readonly held: number;
}

const NOTHING: Reserved = { microUsd: 0, sats: 0, unpaid: 0, held: 0 };

export class Reservations {
  readonly #byOrder = new Map<string, Reserved>();
  #microUsd = 0;
  #sats = 0;
  #unpaid = 0;
  #held = 0;
  /** Whose the unpaid orders are, as far as this process opened them. */
  readonly holders = new Holders();
  /** Those that an earlier process opened. The network around their clients is not known, so they never give way. */
  readonly #inherited = new Holders();

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

  /** Sats of refunds that are out, or may be. */
  get heldSats(): number {
    return this.#held;
  }

  /** Unpaid orders of a client, whichever process opened them. Kept here because counting rows takes longer the more there are. */
  unpaidOf(client: string): number {
    return this.holders.ofClient(client).count + this.#inherited.ofClient(client).count;
  }

  /** Says whose unpaid order of an earlier process this is. */
  inherit(id: OrderId, client: string): void {
    this.#inherited.add(id, { client, network: "" }, { ...NO_AMOUNTS, count: 1 }, 0);
  }

  /** Says whose unpaid order this is. */
  attribute(order: Order, owner: Owner): void {
    const reserved = this.#byOrder.get(order.id);
    if (reserved?.unpaid !== 1) return;
    const { microUsd, sats } = reserved;
    this.holders.add(order.id, owner, { count: 1, microUsd, sats }, order.terms.createdAt);
  }

  /** Takes over an order's present state. */
  follow(order: Order): void {
    const before = this.#byOrder.get(order.id) ?? NOTHING;
    const now = reservedFor(order);
    this.#microUsd += now.microUsd - before.microUsd;
    this.#sats += now.sats - before.sats;
    this.#unpaid += now.unpaid - before.unpaid;
    this.#held += now.held - before.held;
    if (now.unpaid === 0) {
      this.holders.remove(order.id);
      this.#inherited.remove(order.id);
    }
    if (now.microUsd === 0 && now.sats === 0 && now.unpaid === 0 && now.held === 0) this.#byOrder.delete(order.id);
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
    held: kind === "refundUnknown" ? owed : 0,
  };
}
