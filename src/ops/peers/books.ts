/** What our own database says, asked by what node and provider call things. Works on a database that is only read, too. */
import type { Database } from "bun:sqlite";
import type { Order } from "../../../actors/order/state.ts";
import { PaymentHashes } from "../../../actors/runtime/payment-hashes.ts";
import { META_BACKUP, META_RESTORED } from "../../../actors/runtime/schema.ts";
import { parseEvent, readableOrder, STATE } from "../../../actors/runtime/texts.ts";
import type { Millis } from "../../../actors/runtime/world.ts";

/** A number that an order had, as its events tell. */
export interface BookedNumber {
  readonly activationId: string;
  readonly boughtAt: Millis;
  /** `kept`: charged, as far as we know. */
  readonly end: "kept" | "refunded" | "written_off";
}

/** That these books are a copy of that time; what happened until `matchedAt` (null: until now) they know from others alone. */
export interface Loss {
  readonly takenAt: Millis;
  readonly matchedAt: Millis | null;
}

type Row = { readonly state: string };

const PAGE = 500;
const REFUNDING = "'RefundStarted', 'RefundStuck', 'AddressAsked', 'Ended', 'Scrubbed'";

/** Rows that make no sense are left out: the examination of the database itself names them. */
export class OurBooks {
  readonly db: Database;
  /** From the first question on: every order that a peer knew of by then is found. */
  #hashes: PaymentHashes | null = null;

  constructor(db: Database) {
    this.db = db;
  }

  /** When these books were lost, if they were. */
  loss(): Loss | null {
    const time = (key: string, path: string): Millis | null =>
      this.db
        .query<{ at: number }, [string, string]>(
          "SELECT CAST(round(unixepoch(value ->> ?2, 'subsec') * 1000) AS INTEGER) AS at FROM meta WHERE key = ?1",
        )
        .get(key, path)?.at ?? null;
    const lost = time(META_BACKUP, "$.takenAt");
    const before = time(META_RESTORED, "$.takenAt");
    if (lost === null)
      return before === null ? null : { takenAt: before, matchedAt: time(META_RESTORED, "$.matchedAt") };
    // Orders may be in doubt since an earlier loss.
    return { takenAt: before !== null && this.hasDoubts() ? Math.min(lost, before) : lost, matchedAt: null };
  }

  hasDoubts(): boolean {
    return (
      this.db
        .query("SELECT 1 FROM orders WHERE iif(json_valid(state), state ->> '$.doubtSince', NULL) IS NOT NULL LIMIT 1")
        .get() !== null
    );
  }

  byId(id: string): Order | null {
    return this.#one(`SELECT ${STATE} FROM orders WHERE id = ?`, id);
  }

  byPaymentHash(hash: string): Order | null {
    this.#hashes ??= new PaymentHashes(this.db);
    const id = this.#hashes.idOf(hash);
    return id === null ? this.#one("SELECT state FROM tombstones WHERE payment_hash = ?", hash) : this.byId(id);
  }

  /** The order for which a refund hash is claimed. */
  byRefundHash(hash: string): Order | null {
    return this.#one(
      "SELECT state FROM orders WHERE id = (SELECT order_id FROM claims WHERE kind = 'refund_hash' AND value = ?)",
      hash,
    );
  }

  byActivation(activationId: string): Order | null {
    return this.#one("SELECT state FROM orders WHERE activation_id = ? ORDER BY rowid DESC LIMIT 1", activationId);
  }

  /** Paid orders that are not over, or ended at `since` or later, one after the other in the order of their ids. */
  paidSince(since: Millis): Generator<Order> {
    return this.#each(`coalesce(ended_at, 1e15) >= ${Math.floor(since)}`);
  }

  /** Paid orders that still may buy, pay or give back something, and those in doubt. */
  unsettled(): Generator<Order> {
    return this.#each(
      `(kind <> 'done' OR iif(json_valid(state),
        state ->> '$.state.as' = 'failed' OR state ->> '$.loose' IS NOT NULL OR state ->> '$.doubtSince' IS NOT NULL, FALSE))`,
    );
  }

  /** Every number an order had, oldest first; none of an order that was scrubbed. */
  numbersOf(orderId: string): BookedNumber[] {
    const rows = this.db
      .query<{ body: string }, [string]>(
        `SELECT body FROM events WHERE order_id = ? AND type IN ('NumberBought', 'NumberEnded', 'LooseFound', 'LooseSettled') ORDER BY seq`,
      )
      .all(orderId);
    const numbers: BookedNumber[] = [];
    for (const event of rows.map(({ body }) => parseEvent(body))) {
      if (event.type === "NumberBought" || event.type === "LooseFound") {
        const { activationId, boughtAt } = event.number;
        numbers.push({ activationId, boughtAt, end: "kept" });
      } else if (event.type === "NumberEnded" || event.type === "LooseSettled") {
        const last = numbers.pop();
        if (last) numbers.push({ ...last, end: event.refunded ? "refunded" : "written_off" });
      }
    }
    return numbers;
  }

  /** Whether it was known by then what became of the purchase: a number, or that there is none. */
  hadBought(orderId: string, by: Millis): boolean {
    return this.#happened(orderId, by, `'NumberBought', ${REFUNDING}`);
  }

  /** Whether it was decided by then that the customer gets the money back, or is owed it. */
  wasRefunding(orderId: string, by: Millis): boolean {
    return this.#happened(orderId, by, REFUNDING);
  }

  #happened(orderId: string, by: Millis, types: string): boolean {
    const found = this.db.query(`SELECT 1 FROM events WHERE order_id = ? AND at <= ? AND type IN (${types}) LIMIT 1`);
    return found.get(orderId, by) !== null;
  }

  *#each(condition: string): Generator<Order> {
    const page = this.db.prepare<Row & { id: string }, [string]>(
      `SELECT id, state FROM orders WHERE id > ? AND kind NOT IN ('unpaid', 'lapsed') AND ${condition} ORDER BY id LIMIT ${PAGE}`,
    );
    for (let last = "", rows = page.all(last); rows.length > 0; rows = page.all(last)) {
      for (const { state } of rows) {
        const order = readableOrder(state);
        if (order) yield order;
      }
      last = rows.at(-1)?.id ?? "";
    }
  }

  #one(sql: string, value: string): Order | null {
    const row = this.db.query<Row, [string]>(sql).get(value);
    return row && readableOrder(row.state);
  }
}
