/**
 * Who holds what with orders that nobody has paid. Such orders cost their owners nothing, so what they set aside is shared by networks
 * instead of first come, first served: when something runs short, whoever holds most gives way to whoever holds little.
 */
import type { Millis } from "../../actors/runtime/world.ts";

/** An address (IPv4, or IPv6 /64) and the network around it (IPv4 /24, IPv6 /48), both by pseudonym. */
export interface Owner {
  readonly client: string;
  readonly network: string;
}

/** A network may do and hold as much as so many clients. */
export const CLIENTS_OF_A_NETWORK = 8;

/** Orders, µUSD of the provider's balance, sats of our outbound liquidity. */
export interface Amounts {
  readonly count: number;
  readonly microUsd: number;
  readonly sats: number;
}
export type Resource = keyof Amounts;

export const NOTHING: Amounts = { count: 0, microUsd: 0, sats: 0 };

/** What wants to come in, and what is missing for it. */
export interface Wanted {
  readonly resource: Resource;
  readonly missing: number;
  readonly owner: Owner;
  readonly amount: number;
}

/** Time enough to pay. Among those who hold no more than the one who comes, only older orders give way. */
const FAIR_TURN_MS = 60_000;
/** Orders that give way to one newcomer; each costs the node two calls. */
const MAX_GIVING_WAY = 10;

interface Held extends Amounts, Owner {
  readonly since: Millis;
  /** It is being closed already. */
  leaving: boolean;
}

type Sum = { -readonly [resource in Resource]: number };

/** Who holds how much: changed in place, because an order enters and leaves several of these. */
export class Sums {
  readonly #clients = new Map<string, Sum>();
  readonly #networks = new Map<string, Sum>();
  readonly #total: Sum = { ...NOTHING };

  /** As it is now: not to be kept. So are the others. */
  get total(): Amounts {
    return this.#total;
  }

  ofClient(client: string): Amounts {
    return this.#clients.get(client) ?? NOTHING;
  }

  ofNetwork(network: string): Amounts {
    return this.#networks.get(network) ?? NOTHING;
  }

  move({ client, network }: Owner, amounts: Amounts, sign: 1 | -1): void {
    add(this.#total, amounts, sign);
    addTo(this.#clients, client, amounts, sign);
    addTo(this.#networks, network, amounts, sign);
  }

  /** Counts until the answer is called; once, however often it is. */
  hold(owner: Owner, amounts: Amounts): () => void {
    let held = true;
    this.move(owner, amounts, 1);
    return () => {
      if (held) this.move(owner, amounts, -1);
      held = false;
    };
  }
}

export class Holders {
  /** Oldest first. */
  readonly #orders = new Map<string, Held>();
  /** The same by network, for those that hold something. */
  readonly #networks = new Map<string, Set<string>>();
  readonly #sums = new Sums();
  readonly #leaving: Sum = { ...NOTHING };

  /** As it is now: not to be kept. So are the others. */
  get total(): Amounts {
    return this.#sums.total;
  }

  /** What is about to become free. */
  get leaving(): Amounts {
    return this.#leaving;
  }

  ofClient(client: string): Amounts {
    return this.#sums.ofClient(client);
  }

  ofNetwork(network: string): Amounts {
    return this.#sums.ofNetwork(network);
  }

  add(id: string, owner: Owner, amounts: Amounts, since: Millis): void {
    this.remove(id);
    const { client, network } = owner;
    this.#orders.set(id, { client, network, ...amounts, since, leaving: false });
    this.#sums.move(owner, amounts, 1);
    const orders = this.#networks.get(network);
    if (orders) orders.add(id);
    else this.#networks.set(network, new Set([id]));
  }

  remove(id: string): void {
    const held = this.#orders.get(id);
    if (!held) return;
    this.#mark(id, false);
    this.#orders.delete(id);
    this.#sums.move(held, held, -1);
    const orders = this.#networks.get(held.network);
    orders?.delete(id);
    if (orders?.size === 0) this.#networks.delete(held.network);
  }

  /**
   * The orders that give way so that `missing` becomes free, marked as leaving; null, and nothing marked, when too few can. First the
   * oldest of the network that holds most, as long as that is more than the newcomer's network would hold; then whatever had its turn.
   */
  giveWay({ resource, missing, owner, amount }: Wanted, now: Millis): string[] | null {
    const fair = this.ofNetwork(owner.network)[resource] + amount;
    const left = new Map<string, number>();
    const chosen = new Set<string>();
    for (let freed = 0; freed < missing; ) {
      const id =
        this.#heaviest(resource, owner.network, fair, left, chosen) ??
        this.#oldest(resource, owner.network, fair, now, left, chosen);
      const held = id === null ? undefined : this.#orders.get(id);
      if (id === null || !held || chosen.size === MAX_GIVING_WAY) return null;
      chosen.add(id);
      freed += held[resource];
      left.set(held.network, this.#left(held.network, resource, left) - held[resource]);
    }
    for (const id of chosen) this.#mark(id, true);
    return [...chosen];
  }

  /** It did not leave after all: the node would not close its invoice, or was not there to ask. */
  stays(id: string): void {
    this.#mark(id, false);
  }

  #mark(id: string, leaving: boolean): void {
    const held = this.#orders.get(id);
    if (!held || held.leaving === leaving) return;
    held.leaving = leaving;
    add(this.#leaving, held, leaving ? 1 : -1);
  }

  #left(network: string, resource: Resource, left: ReadonlyMap<string, number>): number {
    return left.get(network) ?? this.ofNetwork(network)[resource];
  }

  #heaviest(
    resource: Resource,
    own: string,
    fair: number,
    left: ReadonlyMap<string, number>,
    chosen: ReadonlySet<string>,
  ): string | null {
    let most = fair;
    let found: string | null = null;
    for (const [network, orders] of this.#networks) {
      const share = this.#left(network, resource, left);
      if (network === own || share <= most) continue;
      const id = this.#firstStaying(orders, resource, chosen);
      if (id !== null) [most, found] = [share, id];
    }
    return found;
  }

  #oldest(
    resource: Resource,
    own: string,
    fair: number,
    now: Millis,
    left: ReadonlyMap<string, number>,
    chosen: ReadonlySet<string>,
  ): string | null {
    for (const [id, held] of this.#orders) {
      if (now - held.since < FAIR_TURN_MS) return null;
      const share = this.#left(held.network, resource, left);
      if (held.network !== own && share >= fair && this.#mayLeave(id, resource, chosen)) return id;
    }
    return null;
  }

  #firstStaying(orders: ReadonlySet<string>, resource: Resource, chosen: ReadonlySet<string>): string | null {
    for (const id of orders) if (this.#mayLeave(id, resource, chosen)) return id;
    return null;
  }

  #mayLeave(id: string, resource: Resource, chosen: ReadonlySet<string>): boolean {
    const held = this.#orders.get(id);
    return held !== undefined && !held.leaving && held[resource] > 0 && !chosen.has(id);
  }
}

/** A sum that has come to nothing is forgotten. */
function addTo(sums: Map<string, Sum>, name: string, amounts: Amounts, sign: 1 | -1): void {
  const sum = sums.get(name) ?? { ...NOTHING };
  add(sum, amounts, sign);
  if (sum.count === 0 && sum.microUsd === 0 && sum.sats === 0) sums.delete(name);
  else sums.set(name, sum);
}

function add(to: Sum, { count, microUsd, sats }: Amounts, sign: 1 | -1): void {
  to.count += sign * count;
  to.microUsd += sign * microUsd;
  to.sats += sign * sats;
}
