/** Token buckets per client and per network, in bounded memory. */
import type { Millis } from "../../actors/runtime/world.ts";
import { CLIENTS_OF_A_NETWORK } from "../orders/holders.ts";
import type { Client } from "./client-address.ts";
import type { Rate } from "./config.ts";

interface Bucket {
  tokens: number;
  /** When `tokens` was true. */
  at: Millis;
}

/** About 2 MB. Who is forgotten starts with a full bucket again, which harms nobody else. */
const MAX_BUCKETS = 20_000;

export class TokenBuckets {
  readonly #rate: Rate;
  readonly #most: number;
  /** Least recently used first. */
  readonly #buckets = new Map<string, Bucket>();

  /** @throws RangeError unless the rate is more than 0 and the burst at least 1. */
  constructor(rate: Rate, most = MAX_BUCKETS) {
    if (!(rate.perMinute > 0 && rate.burst >= 1))
      throw new RangeError("A rate needs more than 0 per minute and burst 1");
    this.#rate = rate;
    this.#most = most;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token. 0 when there was one, else the whole seconds until there is one, rounded up. */
  take(client: string, now: Millis): number {
    const { perMinute, burst } = this.#rate;
    const perMs = perMinute / 60_000;
    const bucket = this.#buckets.get(client) ?? { tokens: burst, at: now };
    // A clock that stepped back gives nothing, and takes nothing.
    bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, now - bucket.at) * perMs);
    bucket.at = now;
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    if (this.#buckets.size > this.#most) this.#forgetOldest();
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1000));
    bucket.tokens -= 1;
    return 0;
  }

  /** Puts back a token that turned out not to be needed. */
  giveBack(client: string): void {
    const bucket = this.#buckets.get(client);
    if (bucket) bucket.tokens = Math.min(this.#rate.burst, bucket.tokens + 1);
  }

  #forgetOldest(): void {
    const oldest = this.#buckets.keys().next();
    if (!oldest.done) this.#buckets.delete(oldest.value);
  }
}

/** What a client may do, and all clients of its network together: whoever has one address has more of them nearby. */
export class Allowance {
  readonly #clients: TokenBuckets;
  readonly #networks: TokenBuckets;

  /** @throws RangeError as `TokenBuckets`. */
  constructor({ perMinute, burst }: Rate) {
    this.#clients = new TokenBuckets({ perMinute, burst });
    this.#networks = new TokenBuckets({
      perMinute: perMinute * CLIENTS_OF_A_NETWORK,
      burst: burst * CLIENTS_OF_A_NETWORK,
    });
  }

  /** Takes one token, as `TokenBuckets.take`. What a client is refused takes nothing from its network. */
  take({ bucket, network }: Pick<Client, "bucket" | "network">, now: Millis): number {
    return this.#clients.take(bucket, now) || this.#networks.take(network, now);
  }
}
