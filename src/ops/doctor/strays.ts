/** Rows that belong to no order, or to one that is gone; and the buried orders that late money must find. */
import type { Database } from "bun:sqlite";
import { withSharedHash } from "../../../actors/runtime/payment-hashes.ts";
import { parseOrder } from "../../../actors/runtime/texts.ts";
import { snapshot } from "./database.ts";
import type { Check, Findings } from "./report.ts";

const MAX_STRAYS = 100;
const TOMBSTONES_PER_PAGE = 500;

/** Distinct owners by their index (a loose index scan), so that the bodies of a large table are not read again. */
const ownersIn = (table: string): string => `
  WITH RECURSIVE owners(id) AS (
    SELECT min(order_id) FROM ${table}
    UNION ALL
    SELECT (SELECT min(order_id) FROM ${table} WHERE ${table}.order_id > owners.id) FROM owners WHERE owners.id IS NOT NULL
  )
  SELECT id FROM owners WHERE id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.id = owners.id)
  LIMIT ${MAX_STRAYS}`;

const TABLES: readonly (readonly [table: string, check: Check])[] = [
  ["events", "journal"],
  ["postings", "ledger"],
  ["effects", "effects"],
  ["messages", "messages"],
  ["quarantine", "quarantine"],
];

export function checkStrays(db: Database, findings: Findings): void {
  for (const [table, check] of TABLES) {
    for (const { id } of db.query<{ id: string }, []>(ownersIn(table)).all()) {
      findings.add(check, id, `Rows in "${table}" belong to no order`);
    }
  }
  // A lapsed order may be buried before its idempotency key is forgotten.
  const claims = db.query<{ order_id: string; kind: string }, []>(
    `SELECT DISTINCT order_id, kind FROM claims
     WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.id = claims.order_id)
       AND NOT EXISTS (SELECT 1 FROM tombstones WHERE tombstones.order_id = claims.order_id)
     LIMIT ${MAX_STRAYS}`,
  );
  for (const { order_id, kind } of claims.all()) findings.add("claims", order_id, `A "${kind}" claim has no order`);
}

/** A payment for one of two such orders would be booked on either, or on none. */
export function checkSharedHashes(db: Database, findings: Findings): void {
  for (const id of withSharedHash(db))
    findings.add("claims", id, "Another order has its payment hash, or one that begins alike");
}

/** @returns how many orders are buried. */
export function checkTombstones(db: Database, findings: Findings): number {
  const page = db.prepare<{ payment_hash: string; order_id: string; state: string }, [string, number]>(
    "SELECT payment_hash, order_id, state FROM tombstones WHERE payment_hash > ? ORDER BY payment_hash LIMIT ?",
  );
  let last = "";
  let buried = 0;
  for (;;) {
    const rows = snapshot(db, () => page.all(last, TOMBSTONES_PER_PAGE));
    for (const { payment_hash, order_id, state } of rows) {
      buried++;
      if (!isBuried(state, order_id, payment_hash)) findings.add("tombstones", order_id, "Its order cannot be revived");
    }
    const end = rows.at(-1);
    if (!end || rows.length < TOMBSTONES_PER_PAGE) return buried;
    last = end.payment_hash;
  }
}

function isBuried(state: string, orderId: string, paymentHash: string): boolean {
  try {
    const order = parseOrder(state);
    return order.id === orderId && order.terms.paymentHash === paymentHash && order.state.kind === "lapsed";
  } catch {
    return false;
  }
}
