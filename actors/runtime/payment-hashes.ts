/**
 * Which order the invoice of a payment hash is for, and that no two orders have one. Hashes are random, so that an index of them has another page for
 * nearly each order. Orders that nobody has paid are known in memory, and come into the index with the step in which they are paid or lapse
 * (ADR 35). Their rows are the truth: a start reads which of them the index lacks.
 */
import type { Database, Statement } from "bun:sqlite";
import { isUnpaid, type Order } from "../order/state.ts";
import type { OrderId } from "../order/terms.ts";
import { INDEXED_ALIKE } from "./schema.ts";

/** As much of a hash as the index holds. */
const beginning = (hash: string): string => hash.slice(0, 16).toLowerCase();

interface Owner {
  readonly id: OrderId;
  readonly hash: string;
}

const unindexedIn = (db: Database): Owner[] =>
  db
    .query<Owner, []>("SELECT id, payment_hash AS hash FROM orders WHERE kind = 'unpaid' AND unindexed IS NOT NULL")
    .all();

const indexedAlike = (db: Database): Statement<Owner, [string]> =>
  db.prepare(`SELECT id, payment_hash AS hash FROM orders WHERE ${INDEXED_ALIKE}`);

/** Orders that the index lacks and could not take: their hash is another one's as well, or begins alike. There must be none. */
export function withSharedHash(db: Database): OrderId[] {
  const indexed = indexedAlike(db);
  const seen = new Set<string>();
  const isShared = ({ hash }: Owner): boolean => {
    const key = beginning(hash);
    const shared = seen.has(key) || indexed.get(hash) !== null;
    seen.add(key);
    return shared;
  };
  return unindexedIn(db)
    .filter(isShared)
    .map(({ id }) => id);
}

export class PaymentHashes {
  /** Orders that the index lacks, by the beginning of their hash. */
  readonly #unindexed: Map<string, Owner>;
  /** Of the group that is being written. */
  #entered: string[] = [];
  #left: string[] = [];
  readonly #indexed: Statement<Owner, [string]>;

  /** On an open database of the present schema. Orders that open later are known if it hears of them. */
  constructor(db: Database) {
    this.#unindexed = new Map(unindexedIn(db).map((owner) => [beginning(owner.hash), owner]));
    this.#indexed = indexedAlike(db);
  }

  /** The order that the invoice of this hash is for, or null. */
  idOf(hash: string): OrderId | null {
    const owner = this.#alike(hash);
    return owner?.hash === hash ? owner.id : null;
  }

  /** Whether an order has this hash, or one that begins alike: the index could not take both. */
  isTaken(hash: string): boolean {
    return this.#alike(hash) !== null;
  }

  /** Takes note of a step that is written; it counts from `keep` on. */
  add(before: Order | null, order: Order): void {
    const was = before !== null && isUnpaid(before);
    if (was === isUnpaid(order)) return;
    const key = beginning(order.terms.paymentHash);
    if (was) {
      this.#left.push(key);
    } else {
      this.#unindexed.set(key, { id: order.id, hash: order.terms.paymentHash });
      this.#entered.push(key);
    }
  }

  /** The group is durable. */
  keep(): void {
    for (const key of this.#left) this.#unindexed.delete(key);
    this.#forgetGroup();
  }

  /** Nothing of the group happened. */
  undo(): void {
    for (const key of this.#entered) this.#unindexed.delete(key);
    this.#forgetGroup();
  }

  #alike(hash: string): Owner | null {
    return this.#unindexed.get(beginning(hash)) ?? this.#indexed.get(hash);
  }

  #forgetGroup(): void {
    this.#entered = [];
    this.#left = [];
  }
}
