/** Every statement that the journal writes with, prepared once. */
import type { Database, Statement } from "bun:sqlite";

// biome-ignore lint/suspicious/noExplicitAny: bound values differ per statement; STRICT tables check them.
type Write = Statement<unknown, any[]>;

export type Writes = ReturnType<typeof writesOf>;

/** The statements on an open database of the present schema. */
export function writesOf(db: Database) {
  const write = (sql: string): Write => db.prepare(sql);
  // The last number stays known after it was given back: only so is it never taken for another order's.
  const update = (more: string): Write =>
    write(
      `UPDATE orders SET seq = ?, kind = ?, state = ?, due = ?, activation_id = coalesce(?, activation_id), ended_at = ?,
       attention_since = ?${more} WHERE id = ? AND seq = ?`,
    );
  return {
    begin: write("BEGIN IMMEDIATE"),
    commit: write("COMMIT"),
    rollback: write("ROLLBACK"),
    savepoint: write("SAVEPOINT step"),
    undo: write("ROLLBACK TO step"),
    release: write("RELEASE step"),
    insert: write(
      `INSERT INTO orders (id, payment_hash, created_at, invoice_expires_at, opened_by, unindexed, seq, kind, state, due, activation_id, ended_at, attention_since)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    update: update(""),
    /** The same for an order that was unpaid and no longer is. */
    leave: update(", unindexed = NULL"),
    stake: write(
      `INSERT INTO stakes VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind) DO UPDATE SET orders = orders + excluded.orders,
       micro_usd = micro_usd + excluded.micro_usd, sats = sats + excluded.sats, held_sats = held_sats + excluded.held_sats`,
    ),
    event: write("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"),
    posting: write("INSERT INTO postings VALUES (?, ?, ?, ?, ?, ?)"),
    finished: write("DELETE FROM effects WHERE key = ?"),
    effect: write("INSERT INTO effects VALUES (?, ?, ?)"),
    message: write("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
    claim: write(
      "INSERT INTO claims (kind, value, order_id, detail, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    ),
  };
}
