/**
 * How our numbers did at the provider, which bans an account whose numbers bring no SMS: a tally by service, country and hour, written in
 * the same transaction as the step that it counts. It survives restarts, holds two days, and is read by the guard.
 */
import type { Database } from "bun:sqlite";
import type { OrderEvent } from "../../actors/order/events.ts";
import { type HeldNumber, numberOf, type Order } from "../../actors/order/state.ts";
import type { Millis } from "../../actors/runtime/world.ts";

const HOUR = 3_600_000;
/** Longer than any window that the guard looks at. */
const KEPT_HOURS = 48;

/** A service in a country. */
export interface Pair {
  readonly service: string;
  readonly country: number;
}

/** All pairs together; no service is called that. */
export const ACCOUNT: Pair = { service: "*", country: 0 };

export interface Tally {
  /** Numbers bought. */
  readonly bought: number;
  /** Those of them that got an SMS. */
  readonly delivered: number;
}

/** The newest number of a pair. */
export interface Newest {
  readonly at: Millis;
  readonly delivered: boolean;
}

export const hourOf = (time: Millis): number => Math.floor(time / HOUR);

/** Counts what a step did; a `Companion` of the journal. Rentals are not judged by their SMS. */
export function countOutcomes(db: Database, order: Order, events: readonly OrderEvent[]): void {
  const { good } = order.terms;
  if (good.type === "rent-number") return;
  for (const event of events) {
    if (event.type === "NumberBought" || event.type === "LooseFound") countBought(db, good, event.number);
    else if (event.type === "MessagesReceived" && event.first) countDelivered(db, good, numberOf(order));
  }
}

function countBought(db: Database, pair: Pair, { activationId, boughtAt }: HeldNumber): void {
  for (const { service, country } of [pair, ACCOUNT]) {
    db.query(
      `INSERT INTO pair_hours VALUES (?, ?, ?, 1, 0)
       ON CONFLICT (service, country, hour) DO UPDATE SET bought = bought + 1`,
    ).run(service, country, hourOf(boughtAt));
    db.query(
      `INSERT INTO pairs (service, country, last_at, last_activation) VALUES (?, ?, ?, ?) ON CONFLICT (service, country)
       DO UPDATE SET last_at = excluded.last_at, last_activation = excluded.last_activation, last_delivered = 0`,
    ).run(service, country, boughtAt, activationId);
  }
}

/** Counted in the hour of the buy, so that a window never holds the SMS without its number. */
function countDelivered(db: Database, pair: Pair, number: HeldNumber | null): void {
  if (!number) return;
  for (const { service, country } of [pair, ACCOUNT]) {
    db.query(
      `INSERT INTO pair_hours VALUES (?, ?, ?, 0, 1)
       ON CONFLICT (service, country, hour) DO UPDATE SET delivered = delivered + 1`,
    ).run(service, country, hourOf(number.boughtAt));
    db.query("UPDATE pairs SET last_delivered = 1 WHERE service = ? AND country = ? AND last_activation = ?").run(
      service,
      country,
      number.activationId,
    );
  }
}

/** Rows of which nobody asks any more. */
export function dropOldOutcomes(db: Database, now: Millis): void {
  db.run("DELETE FROM pair_hours WHERE hour < ?", [hourOf(now) - KEPT_HOURS]);
  db.run("DELETE FROM pairs WHERE coalesce(last_at, 0) < ? AND barred_until < ?", [now - KEPT_HOURS * HOUR, now]);
}

interface HourRow extends Tally {
  readonly hour: number;
}

/** Reads the record; every question is a look at a few rows of an index. */
export class TrackRecord {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Numbers bought in the hour of `since` or later. */
  tally({ service, country }: Pair, since: Millis): Tally {
    const rows = this.#db
      .query<HourRow, [string, number, number]>(
        "SELECT hour, bought, delivered FROM pair_hours WHERE service = ? AND country = ? AND hour >= ?",
      )
      .all(service, country, hourOf(since));
    return rows.reduce<Tally>(
      (sum, row) => ({ bought: sum.bought + row.bought, delivered: sum.delivered + row.delivered }),
      { bought: 0, delivered: 0 },
    );
  }

  /** Pairs of which at least `least` numbers were bought since then, most first, without the account as a whole. */
  busiest(since: Millis, least: number, limit: number): (Pair & Tally)[] {
    return this.#db
      .query<Pair & Tally, [number, string, number, number]>(
        `SELECT service, country, sum(bought) AS bought, sum(delivered) AS delivered FROM pair_hours
         WHERE hour >= ? AND service <> ? GROUP BY service, country HAVING sum(bought) >= ? ORDER BY 3 DESC LIMIT ?`,
      )
      .all(hourOf(since), ACCOUNT.service, least, limit);
  }

  newest({ service, country }: Pair): Newest | null {
    const row = this.#db
      .query<{ last_at: number | null; last_delivered: number }, [string, number]>(
        "SELECT last_at, last_delivered FROM pairs WHERE service = ? AND country = ?",
      )
      .get(service, country);
    return row === null || row.last_at === null ? null : { at: row.last_at, delivered: row.last_delivered === 1 };
  }

  /** Pairs that the provider does not sell us at `now`, and until when. */
  bars(now: Millis): (Pair & { readonly until: Millis })[] {
    return this.#db
      .query<Pair & { until: number }, [number]>(
        "SELECT service, country, barred_until AS until FROM pairs WHERE barred_until > ?",
      )
      .all(now);
  }
}

/** Remembers that the provider sells us none of this pair until then. */
export function writeBar(db: Database, { service, country }: Pair, until: Millis): void {
  db.query(
    `INSERT INTO pairs (service, country, barred_until) VALUES (?, ?, ?)
     ON CONFLICT (service, country) DO UPDATE SET barred_until = excluded.barred_until`,
  ).run(service, country, until);
}
