/** What the lost books knew, held against what was done after them: nothing a second time, and nothing for somebody else. */
import type { Database } from "bun:sqlite";
import type { Order } from "../../actors/order/state.ts";
import { parseOrder, STATE } from "../../actors/runtime/texts.ts";
import { examine } from "../../src/ops/doctor/examine.ts";
import { OurBooks } from "../../src/ops/peers/books.ts";
import type { Decision } from "../../src/ops/peers/decide.ts";
import { DEFAULT_BAN_RULES } from "../../src/provider/guard.ts";

export class Oracle {
  readonly #lost: Database;
  readonly #restored: Database;
  /** The books of node, wallet and provider. */
  readonly #peers: Database;

  constructor(lost: Database, restored: Database, peers: Database) {
    this.#lost = lost;
    this.#restored = restored;
    this.#peers = peers;
  }

  /** What the lost books, and the wallet, know of an order that the restored ones doubt. */
  truth(orderId: string): Decision {
    const lost = orderOf(this.#lost, orderId);
    const paid = this.#refundsOf(orderId).at(0);
    if (paid !== undefined) return { kind: "paid", paymentHash: paid };
    if (lost && (lost.messageIds.length > 0 || lost.state.kind === "renting")) return { kind: "served" };
    const number = lost && numbersOf(this.#lost, orderId).at(-1);
    if (number && !orderHas(this.#restored, orderId, number)) return { kind: "bought", activationId: number };
    return { kind: "release" };
  }

  /** Hashes of the payments that the node made for this order, by either books. */
  #refundsOf(orderId: string): string[] {
    const hashes = [this.#lost, this.#restored].flatMap((db) => claimsOf(db, orderId));
    return [...new Set(hashes)].filter((hash) => {
      const row = this.#peers.query("SELECT 1 FROM ln_payments WHERE hash = ? AND status = 'SUCCEEDED'").get(hash);
      return row !== null;
    });
  }

  /** @returns how many orders there were, and how many of them only the lost books knew. */
  audit(now: number, say: (violation: string) => void): { readonly orders: number; readonly unknown: number } {
    const ids = (db: Database) =>
      db
        .query<{ id: string }, []>("SELECT id FROM orders")
        .all()
        .map(({ id }) => id);
    const all = new Set([...ids(this.#lost), ...ids(this.#restored)]);
    const owners = new Map<string, string>();
    let unknown = 0;
    for (const id of all) {
      const lost = orderOf(this.#lost, id);
      const order = orderOf(this.#restored, id);
      if (!order) unknown++;
      const refunds = this.#refundsOf(id);
      if (refunds.length > 1) say(`Invariant 2: ${id} was refunded ${refunds.length} times`);
      const served = (lost?.messageIds.length ?? 0) > 0 || (order?.messageIds.length ?? 0) > 0;
      if (served && refunds.length > 0) say(`Invariant 3: ${id} got its SMS and its money back`);
      const numbers = [this.#lost, this.#restored].flatMap((db) => numbersOf(db, id));
      const charged = [...new Set(numbers)].filter((number) => this.#isCharged(number));
      if (charged.length > 1) say(`Invariant 11: ${id} had ${charged.length} numbers that were charged`);
      for (const number of new Set(numbers)) {
        const owner = owners.get(number);
        if (owner !== undefined) say(`Invariant 11: activation ${number} was that of ${owner} and of ${id}`);
        owners.set(number, id);
      }
      if (order && !rests(order)) say(`Invariant 5: ${id} is ${order.state.kind}, and moves no more`);
      if (order?.doubtSince !== undefined) say(`${id} is still in doubt`);
    }
    const { findings } = examine({
      db: this.#restored,
      now,
      quick: true,
      rules: DEFAULT_BAN_RULES,
      progress: () => {},
    });
    for (const { check, orderId, problem } of findings.kept) say(`doctor: ${check}: ${orderId} ${problem}`);
    return { orders: all.size, unknown };
  }

  #isCharged(activationId: string): boolean {
    const row = this.#peers
      .query<{ status: number }, [number]>("SELECT status FROM provider_activations WHERE id = ?")
      .get(Number(activationId));
    return row?.status === CHARGED;
  }
}

/** The provider's word for success. */
const CHARGED = 6;

function orderOf(db: Database, id: string): Order | null {
  const row = db.query<{ state: string }, [string]>(`SELECT ${STATE} FROM orders WHERE id = ?`).get(id);
  return row && parseOrder(row.state);
}

const claimsOf = (db: Database, id: string): string[] =>
  db
    .query<{ value: string }, [string]>("SELECT value FROM claims WHERE kind = 'refund_hash' AND order_id = ?")
    .all(id)
    .map(({ value }) => value);

const orderHas = (db: Database, id: string, number: string): boolean => numbersOf(db, id).includes(number);

const numbersOf = (db: Database, id: string): string[] =>
  new OurBooks(db).numbersOf(id).map(({ activationId }) => activationId);

/** Over, waits for its customer's destination, or visibly for a person while its receiver holds the refund. */
function rests({ state: { kind }, attention }: Order): boolean {
  if (kind === "refundUnknown") return attention !== null;
  return kind === "done" || kind === "refundStuck" || kind === "lapsed" || kind === "unpaid";
}
