/**
 * Which order the invoice of a payment hash is for, and that no two orders have one. Hashes are random, so that an index of them has another page for
 * nearly each order. Orders that nobody has paid are known in memory, and come into the index with the step in which they are paid or lapse
 * (ADR 35). Their rows are the truth: a start reads which of them the index lacks.
 */
import type { Database, Statement } from "bun:sqlite";
import type { Order } from "../order/state.ts";
import type { OrderId } from "../order/terms.ts";
import { INDEXED_ALIKE } from "./schema.ts";

export const isUnpaid = ({ state }: Order): boolean => state.kind === "unpaid";

/** As much of a hash as the index holds. */
const beginning = (hash: string): string => hash.slice(0, 16).toLowerCase();

export class PaymentHashes {
  /** Orders that the index lacks, by the beginning of their hash. */
  readonly #unindexed: Map<string, OrderId>;
  /** Of the group that is being written. */
  #entered: string[] = [];
  #left: string[] = [];
  readonly #has: Statement<{ one: number }, [string, string]>;
  readonly #indexed: Statement<{ id: OrderId }, [string]>;
  readonly #alike: Statement<{ one: number }, [string]>;

  /** On an open database of the present schema. Orders that open later are known if it hears of them. */
  constructor(db: Database) {
    const unindexed = db.query<{ id: OrderId; hash: string }, []>(
      "SELECT id, payment_hash AS hash FROM orders WHERE kind = 'unpaid' AND unindexed IS NOT NULL",
    );
    this.#unindexed = new Map(unindexed.all().map(({ id, hash }) => [beginning(hash), id]));
    this.#has = db.prepare("SELECT 1 AS one FROM orders WHERE id = ? AND payment_hash = ?");
    this.#indexed = db.prepare(`SELECT id FROM orders WHERE ${INDEXED_ALIKE} AND payment_hash = ?1`);
    this.#alike = db.prepare(`SELECT 1 AS one FROM orders WHERE ${INDEXED_ALIKE}`);
  }

  /** The order that the invoice of this hash is for, or null. */
  idOf(hash: string): OrderId | null {
    const id = this.#unindexed.get(beginning(hash));
    if (id !== undefined && this.#has.get(id, hash) !== null) return id;
    return this.#indexed.get(hash)?.id ?? null;
  }

  /** Whether an order has this hash, or one that begins alike: the index could not take both. */
  isTaken(hash: string): boolean {
    return this.#unindexed.has(beginning(hash)) || this.#alike.get(hash) !== null;
  }

  /** Takes note of a step that is written; it counts from `keep` on. */
  add(before: Order | null, order: Order): void {
    const [was, is] = [before !== null && isUnpaid(before), isUnpaid(order)];
    if (was === is) return;
    const key = beginning(order.terms.paymentHash);
    if (was) {
      this.#left.push(key);
    } else {
      this.#unindexed.set(key, order.id);
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

  #forgetGroup(): void {
    this.#entered = [];
    this.#left = [];
  }
}
