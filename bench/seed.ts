/**
 * Many orders in a database, copied from a real one by SQL: each with its own id, payment hash,
 * activation, number and client, as alive as the first.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { stakeOf } from "../actors/order/stake.ts";
import { parseOrder } from "../actors/runtime/texts.ts";
import { openBooks } from "../src/sandbox/books.ts";

/** Activations of copies count from here: no id of the sandbox's is as high. */
const FIRST_ACTIVATION = 8_000_000_000;
/** With a country code that numbers of the sandbox do not have. */
const FIRST_PHONE = 999_000_000_000;

const NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count)";

export interface Copies {
  /** Id of the order that is copied. */
  readonly from: string;
  readonly count: number;
  /** When the deadline of each copy is due, ms since 1970: the first one, and the time to each next. Default: as the first order's. */
  readonly due?: { readonly first: number; readonly everyMs: number };
}

export interface CopiedNumbers {
  /** The activation that was copied. */
  readonly from: string;
  /** Of the first copy; the others count on from it. */
  readonly first: number;
  readonly count: number;
}

/** Adds copies of an order; the server must be stopped. @returns their numbers, for the provider's books */
export function copyOrder(dataDir: string, { from, count, due }: Copies): CopiedNumbers {
  const db = new Database(join(dataDir, "orders.sqlite"), { strict: true });
  // Seeding is not what is measured: gigabytes go to the file at once, not through a log, and what fits is kept at hand until then.
  for (const pragma of ["journal_mode = OFF", "synchronous = OFF", "cache_size = -500000"]) db.run(`PRAGMA ${pragma}`);
  const stored = db.query<{ n: number }, []>("SELECT max(rowid) AS n FROM orders").get()?.n ?? 0;
  const first = FIRST_ACTIVATION + stored;
  // MATERIALIZED: what is random would be drawn again for each place that it is put in.
  db.query(
    `${NUMBERS}, copies AS MATERIALIZED (
       SELECT n, printf('%012x', created_at - :count + n) || lower(hex(randomblob(10))) AS id, lower(hex(randomblob(32))) AS hash, CAST(:activation + n AS TEXT) AS activation,
         '+' || (:phone + n) AS phone FROM numbers, orders WHERE orders.id = :from)
     INSERT INTO orders (id, seq, kind, state, payment_hash, created_at, invoice_expires_at, due, activation_id, ended_at, attention_since, opened_by)
     SELECT copies.id, seq, kind,
       json_replace(state, '$.id', copies.id, '$.terms.paymentHash', hash, '$.state.number.activationId', activation,
         '$.state.number.phoneNumber', phone, '$.state.due', coalesce(:due + n * :every, due)),
       hash, created_at, invoice_expires_at, coalesce(:due + n * :every, due), iif(activation_id IS NULL, NULL, activation), ended_at,
       attention_since, substr(hash, 1, length(opened_by))
     FROM copies, orders WHERE orders.id = :from`,
  ).run({
    count,
    from,
    activation: first,
    phone: FIRST_PHONE + stored,
    due: due?.first ?? null,
    every: due?.everyMs ?? 0,
  });
  // One event each, as an order has that is over for a month; who opens the next one writes behind all of them.
  db.query(
    `INSERT INTO events SELECT copy.id, first.seq, at, v, type, replace(body, :from, copy.id)
     FROM orders AS copy, (SELECT * FROM events WHERE order_id = :from ORDER BY seq LIMIT 1) AS first WHERE copy.rowid > :stored`,
  ).run({ from, stored });
  addStakes(db, from, count);
  db.run("PRAGMA journal_mode = WAL");
  const activation = db
    .query<{ id: string }, [string]>("SELECT activation_id AS id FROM orders WHERE id = ?")
    .get(from);
  db.close();
  return { from: activation?.id ?? "", first, count };
}

/** What the journal would have added for the copies. */
function addStakes(db: Database, from: string, count: number): void {
  const row = db.query<{ state: string }, [string]>("SELECT state FROM orders WHERE id = ?").get(from);
  const stake = row && stakeOf(parseOrder(row.state));
  if (!stake) return;
  const { kind, microUsd, sats, heldSats } = stake;
  db.run(
    `UPDATE stakes SET orders = orders + ?2, micro_usd = micro_usd + ?2 * ?3, sats = sats + ?2 * ?4, held_sats = held_sats + ?2 * ?5
     WHERE kind = ?1`,
    [kind, count, microUsd, sats, heldSats],
  );
}

/** The same numbers in the books of the provider, whose peer may be running. */
export function copyActivation(peersDir: string, { from, first, count }: CopiedNumbers): void {
  const books = openBooks(peersDir);
  books
    .query(
      `${NUMBERS}
       INSERT INTO provider_activations
       SELECT :first + n, CAST(:phone + n AS TEXT), service, country, operator, cost, subtype, tier, status, boughtAt, endsAt, endedAt
       FROM numbers, provider_activations WHERE id = :from`,
    )
    .run({ count, from, first, phone: FIRST_PHONE + first - FIRST_ACTIVATION });
  books.close();
}
