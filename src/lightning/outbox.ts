/**
 * Requests to pay that were made ready, kept until it is known what became of them. Where a request may reach its wallet long
 * after it was sent, only the same request may be sent again: so it is stored before it goes out, and outlives the process.
 */
import type { Millis } from "../../actors/runtime/world.ts";
import type { PaymentHash } from "./port.ts";

export interface KeptRequest {
  /** As it goes over the wire; empty once it was answered and is not acted on (again), while the payment may be out. */
  readonly text: string;
  readonly sentAt: Millis;
}

export interface Outbox {
  /** Durable when it resolves. A later request for the same hash takes the place of the one before. */
  put(hash: PaymentHash, request: KeptRequest): Promise<void>;
  get(hash: PaymentHash): KeptRequest | null;
  /** It is known what became of it. */
  drop(hash: PaymentHash): Promise<void>;
}

/** For a process that pays nothing, and tests: forgotten with the process. */
export class MemoryOutbox implements Outbox {
  readonly #requests = new Map<PaymentHash, KeptRequest>();

  async put(hash: PaymentHash, request: KeptRequest): Promise<void> {
    this.#requests.set(hash, request);
  }

  get(hash: PaymentHash): KeptRequest | null {
    return this.#requests.get(hash) ?? null;
  }

  async drop(hash: PaymentHash): Promise<void> {
    this.#requests.delete(hash);
  }
}

/** The outbox of a node that is made before there is a database. */
export class LateOutbox implements Outbox {
  behind: Outbox = new MemoryOutbox();

  put(hash: PaymentHash, request: KeptRequest): Promise<void> {
    return this.behind.put(hash, request);
  }

  get(hash: PaymentHash): KeptRequest | null {
    return this.behind.get(hash);
  }

  drop(hash: PaymentHash): Promise<void> {
    return this.behind.drop(hash);
  }
}
