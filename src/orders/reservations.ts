/**
 * What open and running orders may still cost: provider balance for numbers not bought yet, and outbound liquidity for refunds that may
 * come. Beyond either, sales stop before an invoice exists. Begins with the sums that the journal keeps, and goes on step by step.
 */
import { type Stake, stakeOf } from "../../actors/order/stake.ts";
import type { Order } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import type { StakeSum } from "../../actors/runtime/store.ts";
import { Holders, NOTHING, type Owner } from "./holders.ts";

export class Reservations {
  #microUsd = 0;
  #sats = 0;
  #unpaid = 0;
  #held = 0;
  /** Whose the unpaid orders are, as far as this process opened them. */
  readonly holders = new Holders();
  /** Those that an earlier process opened. The network around their clients is not known, so they never give way. */
  readonly #inherited = new Holders();

  /** @param sums of the orders that this process finds. */
  constructor(sums: readonly StakeSum[]) {
    for (const sum of sums) this.#add(sum, sum.orders, 1);
  }

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
    this.#inherited.add(id, { client, network: "" }, { ...NOTHING, count: 1 }, 0);
  }

  /** Says whose unpaid order this is; in the turn in which it was committed, so that it can have moved no further. */
  attribute(order: Order, owner: Owner): void {
    const stake = stakeOf(order);
    if (stake?.kind !== "unpaid") return;
    const { microUsd, sats } = stake;
    this.holders.add(order.id, owner, { count: 1, microUsd, sats }, order.terms.createdAt);
  }

  /** A step was committed; `before` is null for an order that opens. */
  follow(order: Order, before: Order | null): void {
    const was = before && stakeOf(before);
    const is = stakeOf(order);
    if (was) this.#add(was, 1, -1);
    if (is) this.#add(is, 1, 1);
    if (is?.kind === "unpaid") return;
    this.holders.remove(order.id);
    this.#inherited.remove(order.id);
  }

  #add({ kind, microUsd, sats, heldSats }: Stake, orders: number, sign: 1 | -1): void {
    this.#microUsd += sign * microUsd;
    this.#sats += sign * sats;
    this.#held += sign * heldSats;
    if (kind === "unpaid") this.#unpaid += sign * orders;
  }
}
