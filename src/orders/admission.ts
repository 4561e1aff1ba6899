/**
 * Whether a new order may be opened at all: limits per client, per network and in all, and peers that answer. Checked before an invoice
 * exists. An order that nobody has paid costs its owner nothing, so those who hold most of what is scarce give way to those who hold
 * little (docs/adr/0019-unpaid-orders-give-way.md).
 */
import type { Sats } from "../../actors/order/money.ts";
import type { Order } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import { isRefundable } from "../../actors/order/terms.ts";
import type { Millis, World } from "../../actors/runtime/world.ts";
import type { NodeStanding } from "../lightning/standing.ts";
import type { ProviderStanding } from "../provider/standing.ts";
import { type Amounts, CLIENTS_OF_A_NETWORK, NOTHING, type Owner, type Resource, Sums } from "./holders.ts";
import { type Problem, problem } from "./problem.ts";
import type { Reservations } from "./reservations.ts";

export interface AdmissionLimits {
  readonly maxUnpaidPerClient: number;
  readonly maxUnpaid: number;
}

export interface Gates {
  readonly world: Pick<World, "now">;
  readonly provider: Pick<ProviderStanding, "ok" | "balance">;
  readonly node: Pick<NodeStanding, "ok" | "outboundSats" | "failed">;
  readonly reservations: Reservations;
  readonly limits: AdmissionLimits;
  /** Why no sale is made at all, e.g. while draining; null when open. */
  readonly closed: () => string | null;
  /** Closes an unpaid order at the node; whether it is gone. Never rejects. */
  readonly close: (orderId: string) => Promise<boolean>;
  /** So many orders gave way. */
  readonly gaveWay: (count: number) => void;
}

export const temporarily = (message: string, retryAfterSeconds = 30): Problem =>
  problem("TEMPORARILY_UNAVAILABLE", message, { retryAfterSeconds });

/** One client's unpaid orders may set aside one part in so many of the provider's balance and of our liquidity. */
const CLIENT_SHARE = 10;
const ONE: Amounts = { ...NOTHING, count: 1 };
const SCARCE: Readonly<Record<Resource, Problem>> = {
  count: temporarily("Too many unpaid orders are open", 60),
  microUsd: temporarily("The provider account cannot cover more orders right now", 60),
  sats: temporarily("The node cannot cover more refunds right now", 60),
};

const limited = (message: string): Problem =>
  problem("RATE_LIMITED", message, { suggestion: "Pay one, or wait until they expire", retryAfterSeconds: 60 });

/**
 * The door to new orders. What is let in counts at once, before its row exists, so that a burst cannot pass together where each
 * alone would.
 */
export class Admission {
  readonly #gates: Gates;
  /** Orders that are being opened. */
  readonly #entered = new Sums();
  /** Those of them that have what they need, and what that is. */
  readonly #secured = new Sums();

  constructor(gates: Gates) {
    this.#gates = gates;
  }

  /** The order exists: until it is paid, what it reserves counts for its owner. */
  opened(order: Order, owner: Owner): void {
    this.#gates.reservations.attribute(order, owner);
  }

  /** Lets one more order of this owner be opened, until the answer is called; or says why not. */
  enter(owner: Owner): Problem | (() => void) {
    const { reservations, limits, closed } = this.#gates;
    const reason = closed();
    if (reason !== null) return temporarily(reason, 10);
    const { maxUnpaidPerClient, maxUnpaid } = limits;
    if (reservations.unpaidOf(owner.client) + this.#entered.ofClient(owner.client).count >= maxUnpaidPerClient) {
      return limited("Too many unpaid orders from this address");
    }
    const ofNetwork =
      reservations.holders.ofNetwork(owner.network).count + this.#entered.ofNetwork(owner.network).count;
    if (ofNetwork >= maxUnpaidPerClient * CLIENTS_OF_A_NETWORK) {
      return limited("Too many unpaid orders from addresses near yours");
    }
    if (this.#entered.total.count >= maxUnpaid) return SCARCE.count;
    return this.#entered.hold(owner, ONE);
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

  /**
   * Sets aside what this order may need, beside what the others may need; call the answer when its row exists. Orders of those who hold
   * more may be closed for it.
   */
  async reserve(owner: Owner, good: Good, priceSats: Sats): Promise<Problem | (() => void)> {
    const need = { count: 1, microUsd: good.maxCost, sats: isRefundable(good) ? priceSats : 0 };
    const tooMuch = this.#beyondShare(owner, need);
    if (tooMuch) return tooMuch;
    const leaving: string[] = [];
    for (let lack = this.#lack(need); lack; lack = this.#lack(need)) {
      const ids = this.#gates.reservations.holders.giveWay(
        { ...lack, owner, amount: need[lack.resource] },
        this.#now(),
      );
      if (!ids) {
        this.#stay(leaving);
        return SCARCE[lack.resource];
      }
      leaving.push(...ids);
    }
    // At once, so that nobody who comes meanwhile takes what is being made free for this one.
    const release = this.#secured.hold(owner, need);
    if (await this.#close(leaving)) return release;
    release();
    return SCARCE.count;
  }

  #beyondShare({ client }: Owner, need: Amounts): Problem | null {
    const { provider, node, reservations } = this.#gates;
    const beyond = (resource: "microUsd" | "sats", all: number | null): boolean => {
      const mine = reservations.holders.ofClient(client)[resource] + this.#secured.ofClient(client)[resource];
      // Where there is too little for this order alone, paying or waiting for the others would not help.
      return mine > 0 && all !== null && need[resource] <= all && (mine + need[resource]) * CLIENT_SHARE > all;
    };
    if (beyond("microUsd", provider.balance)) return limited("The unpaid orders from this address are worth too much");
    return need.sats > 0 && beyond("sats", node.outboundSats)
      ? limited("The unpaid orders from this address could need too much for refunds")
      : null;
  }

  /** What there is too little of, and how much is missing; null when everything suffices. What is leaving counts as gone. */
  #lack(need: Amounts): { readonly resource: Resource; readonly missing: number } | null {
    const { provider, node, reservations, limits } = this.#gates;
    const { leaving } = reservations.holders;
    const secured = this.#secured.total;
    const beyond = (resource: Resource, used: number, all: number) =>
      need[resource] === 0 ? 0 : used + secured[resource] - leaving[resource] + need[resource] - all;
    const missing: Amounts = {
      count: beyond("count", reservations.unpaid, limits.maxUnpaid),
      microUsd: beyond("microUsd", reservations.microUsd, provider.balance ?? 0),
      sats: beyond("sats", reservations.sats, node.outboundSats ?? 0),
    };
    const resource = (["count", "microUsd", "sats"] as const).find((name) => missing[name] > 0);
    return resource === undefined ? null : { resource, missing: missing[resource] };
  }

  /** Closes these orders at the node; false when one of them stays. */
  async #close(ids: readonly string[]): Promise<boolean> {
    if (ids.length === 0) return true;
    const gone = await Promise.all(ids.map(this.#gates.close));
    this.#stay(ids.filter((_, index) => !gone[index]));
    this.#gates.gaveWay(gone.filter(Boolean).length);
    return gone.every(Boolean);
  }

  #stay(ids: readonly string[]): void {
    for (const id of ids) this.#gates.reservations.holders.stays(id);
  }

  #now(): Millis {
    return this.#gates.world.now();
  }
}
