import type { Database } from "bun:sqlite";

/** Makes of a present database what the program wrote whose schema was 11: its orders with a constraint in place of an index. */
export function rewindToSchema11(db: Database): void {
  const indexes = db
    .query<{ sql: string }, []>(
      "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'orders' AND sql IS NOT NULL AND name <> 'orders_payment'",
    )
    .all();
  db.run(
    `CREATE TABLE older (
      id TEXT PRIMARY KEY, seq INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, payment_hash TEXT NOT NULL UNIQUE,
      created_at INTEGER NOT NULL, invoice_expires_at INTEGER NOT NULL, due INTEGER, activation_id TEXT, ended_at INTEGER,
      attention_since INTEGER, opened_by TEXT
    ) STRICT;
    INSERT INTO older SELECT id, seq, kind, state, payment_hash, created_at, invoice_expires_at, due, activation_id, ended_at, attention_since,
      opened_by FROM orders; DROP TABLE orders; ALTER TABLE older RENAME TO orders;
    ${indexes.map(({ sql }) => sql).join(";")}; PRAGMA user_version = 11`,
  );
}
