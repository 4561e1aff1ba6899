/** Many orders in a database, copied from a real one by SQL: each with its own id, payment hash and activation, as alive as the first. */
import { Database } from "bun:sqlite";
import { join } from "node:path";

/** Copies of the order `from` until there are `count` orders more; the server must be stopped. */
export function copyOrder(dataDir: string, from: string, count: number): void {
  const db = new Database(join(dataDir, "orders.sqlite"), { strict: true });
  db.run("PRAGMA journal_mode = WAL");
  // Seeding is not what is measured.
  db.run("PRAGMA synchronous = OFF");
  db.run(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
     INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at, due, activation_id, ended_at, attention_since, opened_by)
     SELECT id, seq, kind, json_set(state, '$.id', id, '$.terms.paymentHash', hash, '$.state.number.activationId', activation),
       hash, created_at, invoice_expires_at, due, activation, ended_at, attention_since, opened_by
     FROM (SELECT lower(hex(randomblob(16))) AS id, lower(hex(randomblob(32))) AS hash, 'copy-' || n AS activation,
       orders.seq, kind, state, created_at, invoice_expires_at, due, ended_at, attention_since, opened_by
       FROM numbers, orders WHERE orders.id = ?1)`,
    [from, count],
  );
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}
