/** A digest of what outlives the process: our rows that decide what comes next, and the books of both peers. */
import type { Database } from "bun:sqlite";

/** What only repeats the time, or is read by nobody but people, is left out: rates, marks of when something was written. */
const OURS = [
  "SELECT id, seq FROM orders ORDER BY id",
  "SELECT key FROM effects ORDER BY key",
  "SELECT key FROM intents ORDER BY key",
  "SELECT kind, value FROM claims ORDER BY kind, value",
  "SELECT order_id, id FROM messages ORDER BY order_id, id",
  "SELECT activation_id FROM hints ORDER BY activation_id",
  "SELECT name, value FROM cursors ORDER BY name",
  "SELECT order_id FROM quarantine ORDER BY order_id",
  "SELECT payment_hash FROM tombstones ORDER BY payment_hash",
];
const THEIRS = [
  "SELECT id, status, endedAt FROM provider_activations ORDER BY id",
  "SELECT id FROM provider_messages ORDER BY id",
  "SELECT hash, state FROM ln_invoices ORDER BY hash",
  "SELECT hash, status FROM ln_payments ORDER BY hash",
];

export function durableDigest(ours: Database, theirs: Database): string {
  const rows = (db: Database, queries: readonly string[]) => queries.map((sql) => db.query(sql).values());
  return Bun.hash(JSON.stringify([rows(ours, OURS), rows(theirs, THEIRS)])).toString(36);
}
