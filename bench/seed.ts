/** Many orders in a database, copied from a real one by SQL: each with its own id, payment hash and activation, as alive as the first. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { stakeOf } from "../actors/order/stake.ts";
import { upcast } from "../actors/runtime/store.ts";

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
  addStakes(db, from, count);
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
}

/** What the journal would have added for the copies. */
function addStakes(db: Database, from: string, count: number): void {
  const row = db.query<{ state: string }, [string]>("SELECT state FROM orders WHERE id = ?").get(from);
  const stake = row && stakeOf(upcast(row.state));
  if (!stake) return;
  const { kind, microUsd, sats, heldSats } = stake;
  db.run(
    `UPDATE stakes SET orders = orders + ?2, micro_usd = micro_usd + ?2 * ?3, sats = sats + ?2 * ?4, held_sats = held_sats + ?2 * ?5
     WHERE kind = ?1`,
    [kind, count, microUsd, sats, heldSats],
  );
}
