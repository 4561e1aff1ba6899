/** Everything the database says about one order, read on one snapshot; and the walk over all orders, page by page. */
import type { Database } from "bun:sqlite";
import { STATE } from "../../../actors/runtime/texts.ts";
import { snapshot } from "./database.ts";
import { type EventRow, type Replayed, replayRows } from "./replayed.ts";

export interface OrderRow {
  readonly id: string;
  readonly seq: number;
  readonly kind: string;
  readonly state: string;
  readonly payment_hash: string;
  readonly unindexed: number | null;
  readonly created_at: number;
  readonly invoice_expires_at: number;
  readonly due: number | null;
  readonly activation_id: string | null;
  readonly ended_at: number | null;
  readonly attention_since: number | null;
}

export interface PostingSum {
  readonly account: string;
  readonly unit: string;
  readonly amount: number;
}

export interface Dossier {
  readonly row: OrderRow;
  readonly replayed: Replayed;
  readonly postings: readonly PostingSum[];
  readonly effects: readonly { readonly key: string; readonly body: string }[];
  /** Ids of the messages that are stored. */
  readonly messages: readonly string[];
  readonly quarantined: boolean;
  /** The order that owns a refund hash. */
  readonly ownerOf: (refundHash: string) => string | null;
}

/** Orders read on one snapshot: a few milliseconds, so that the server's log can be truncated in between. */
const PAGE = 200;

const COLUMNS = `id, seq, kind, ${STATE}, payment_hash, unindexed, created_at, invoice_expires_at, due, activation_id, ended_at, attention_since`;

/**
 * Examines every order once, in order of their ids, however large the database. Orders that are opened meanwhile may be
 * missed; none is seen half.
 */
export function everyOrder(db: Database, examine: (dossier: Dossier) => void): void {
  const page = db.prepare<OrderRow, [string, number]>(`SELECT ${COLUMNS} FROM orders WHERE id > ? ORDER BY id LIMIT ?`);
  const read = dossiers(db);
  let last = "";
  for (;;) {
    const rows = snapshot(db, () => {
      const rows = page.all(last, PAGE);
      for (const row of rows) examine(read(row));
      return rows;
    });
    const end = rows.at(-1);
    if (!end || rows.length < PAGE) return;
    last = end.id;
  }
}

function dossiers(db: Database): (row: OrderRow) => Dossier {
  const events = db.prepare<EventRow, [string]>(
    "SELECT seq, at, v, type, body FROM events WHERE order_id = ? ORDER BY seq",
  );
  const postings = db.prepare<PostingSum, [string]>(
    "SELECT account, unit, sum(amount) AS amount FROM postings WHERE order_id = ? GROUP BY account, unit",
  );
  const effects = db.prepare<{ key: string; body: string }, [string]>(
    "SELECT key, body FROM effects WHERE order_id = ? ORDER BY key",
  );
  const messages = db.prepare<{ id: string }, [string]>("SELECT id FROM messages WHERE order_id = ? ORDER BY n");
  const quarantine = db.prepare<{ one: number }, [string]>("SELECT 1 AS one FROM quarantine WHERE order_id = ?");
  const claim = db.prepare<{ order_id: string }, [string]>(
    "SELECT order_id FROM claims WHERE kind = 'refund_hash' AND value = ?",
  );
  return (row) => ({
    row,
    replayed: replayRows(events.iterate(row.id)),
    postings: postings.all(row.id),
    effects: effects.all(row.id),
    messages: messages.all(row.id).map(({ id }) => id),
    quarantined: quarantine.get(row.id) !== null,
    ownerOf: (refundHash) => claim.get(refundHash)?.order_id ?? null,
  });
}
