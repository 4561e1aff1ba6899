/** Reading the journal: orders, effects, messages, claims. Writing is `journal.ts`, except for small bookkeeping rows. */
import type { Database, Statement } from "bun:sqlite";
import type { Effect } from "../order/effects.ts";
import type { OrderEvent } from "../order/events.ts";
import { type Stake, stakeOf } from "../order/stake.ts";
import type { Kind, Order } from "../order/state.ts";
import type { OrderId } from "../order/terms.ts";
import { parseEvent, parseOrder, readableOrder, STATE } from "./texts.ts";
import type { Millis } from "./world.ts";

export interface StoredMessage {
  readonly id: string;
  readonly code: string | null;
  readonly text: string | null;
  readonly sender: string | null;
  readonly receivedAt: Millis | null;
  readonly storedAt: Millis;
}

export interface LedgerSum {
  readonly account: string;
  readonly unit: string;
  readonly amount: number;
}

type State = { state: string };

/** Kept by the journal in the commit of each step. */
export interface StakeSum extends Stake {
  readonly orders: number;
}

/** Kinds of orders that want messages. */
export const WATCHED_KINDS: readonly Kind[] = ["waiting", "delivered", "renting"];
/** In the words of the partial index, which serves no others. */
export const WATCHED = `(${WATCHED_KINDS.map((kind) => `kind = '${kind}'`).join(" OR ")})`;

/** What the orders that are not over come to, by kind, as the journal keeps it. */
export function keptStakes(db: Database): StakeSum[] {
  return db
    .query<StakeSum, []>("SELECT kind, orders, micro_usd AS microUsd, sats, held_sats AS heldSats FROM stakes")
    .all();
}

/** The same from the orders themselves: reads each that is not over. Rows that make no sense are left out. */
export function countedStakes(db: Database): StakeSum[] {
  const sums = new Map<Kind, StakeSum>();
  const rows = db.prepare<State, []>(`SELECT ${STATE} FROM orders WHERE kind NOT IN ('lapsed', 'done')`);
  for (const { state } of rows.iterate()) {
    const stake = readableStake(state);
    if (!stake) continue;
    const { kind, microUsd, sats, heldSats } = stake;
    const sum = sums.get(kind) ?? { kind, orders: 0, microUsd: 0, sats: 0, heldSats: 0 };
    sums.set(kind, {
      kind,
      orders: sum.orders + 1,
      microUsd: sum.microUsd + microUsd,
      sats: sum.sats + sats,
      heldSats: sum.heldSats + heldSats,
    });
  }
  return [...sums.values()];
}

function readableStake(state: string): Stake | null {
  try {
    return stakeOf(parseOrder(state));
  } catch {
    return null;
  }
}

const ENDED_AS = "iif(json_valid(state), state ->> '$.state.as', NULL)";
/** Of a client's orders, in the words of the indexes `orders_given_back` and `orders_served`: SQLite reads these only for the same words. */
export const GIVEN_BACK = `(kind = 'closing' OR kind = 'resolving' OR kind = 'refunding' OR kind = 'refundUnknown' OR kind = 'refundStuck'
  OR (kind = 'done' AND ${ENDED_AS} = 'refunded'))`;
export const SERVED = `kind = 'done' AND ${ENDED_AS} <> 'refunded'`;

export class Store {
  readonly db: Database;
  readonly #byId: Statement<State, [string]>;
  readonly #byActivation: Statement<{ id: OrderId }, [string]>;
  readonly #due: Statement<{ id: OrderId }, [number, number]>;
  readonly #nextDue: Statement<{ due: number }, []>;
  readonly #pausedSinceAfter: Statement<{ id: OrderId }, [number]>;
  readonly #watchedAfter: Statement<{ activationId: string }, [string, number]>;
  readonly #watcher: Statement<{ id: OrderId }, [string]>;
  readonly #messages: Statement<StoredMessage, [string]>;
  readonly #givenBackBy: Statement<{ n: number }, [string, number, number]>;
  readonly #servedTo: Statement<{ n: number }, [string, number, number]>;
  readonly #quarantined: Statement<{ one: number }, [string]>;
  readonly #claim: Statement<{ order_id: OrderId; detail: string | null; at: number }, [string, string]>;

  constructor(db: Database) {
    this.db = db;
    this.#byId = db.prepare(`SELECT ${STATE} FROM orders WHERE id = ?`);
    this.#byActivation = db.prepare("SELECT id FROM orders WHERE activation_id = ? ORDER BY rowid DESC LIMIT 1");
    this.#due = db.prepare("SELECT id FROM orders WHERE due <= ? ORDER BY due LIMIT ?");
    this.#nextDue = db.prepare("SELECT due FROM orders WHERE due IS NOT NULL ORDER BY due LIMIT 1");
    this.#pausedSinceAfter = db.prepare(
      `SELECT id FROM orders WHERE due > ?1 AND iif(json_valid(state), state ->> '$.state.step', NULL) = 'pausing'
       AND (SELECT at FROM events WHERE order_id = orders.id AND seq = orders.seq) > ?1`,
    );
    this.#watchedAfter = db.prepare(
      `SELECT activation_id AS activationId FROM orders WHERE ${WATCHED} AND activation_id > ? ORDER BY activation_id LIMIT ?`,
    );
    this.#watcher = db.prepare(`SELECT id FROM orders WHERE ${WATCHED} AND activation_id = ?`);
    this.#messages = db.prepare(
      "SELECT id, code, text, sender, received_at AS receivedAt, stored_at AS storedAt FROM messages WHERE order_id = ? ORDER BY n",
    );
    const ofClient = (how: string) =>
      `SELECT count(*) AS n FROM (SELECT 1 FROM orders WHERE opened_by = ? AND created_at BETWEEN ? AND ? AND opened_by IS NOT NULL AND ${how} LIMIT 1000)`;
    this.#givenBackBy = db.prepare(ofClient(GIVEN_BACK));
    this.#servedTo = db.prepare(ofClient(SERVED));
    this.#quarantined = db.prepare("SELECT 1 AS one FROM quarantine WHERE order_id = ?");
    this.#claim = db.prepare("SELECT order_id, detail, at FROM claims WHERE kind = ? AND value = ?");
  }

  /** @throws Error for a text that is no order's, or another one's: what is told this one would happen to that one. */
  order(id: string): Order | null {
    const row = this.#byId.get(id);
    if (!row) return null;
    const order = parseOrder(row.state);
    if (order.id !== id) throw new Error("The text of an order is another one's");
    return order;
  }

  /** The last order that had this number: rows lie as orders opened, and so do those of one number in the index. */
  idByActivation(activationId: string): OrderId | null {
    return this.#byActivation.get(activationId)?.id ?? null;
  }

  /** Ids of orders whose deadline passed, earliest first. */
  due(now: Millis, limit: number): OrderId[] {
    return this.#due.all(now, limit).map((row) => row.id);
  }

  nextDue(): Millis | null {
    return this.#nextDue.get()?.due ?? null;
  }

  /** Orders whose pause began after `time`. Reads every order with a later deadline: only for when the clock was set back. */
  pausedSinceAfter(time: Millis): OrderId[] {
    return this.#pausedSinceAfter.all(time).map((row) => row.id);
  }

  /** When the last event was written, by the clock of then. */
  lastEventAt(): Millis | null {
    return this.db.query<{ at: number }, []>("SELECT at FROM events ORDER BY rowid DESC LIMIT 1").get()?.at ?? null;
  }

  /** Messages of an order, in the order in which they were stored. */
  messages(id: string): StoredMessage[] {
    return this.#messages.all(id);
  }

  claimOwner(kind: string, value: string): { orderId: OrderId; detail: string | null; at: Millis } | null {
    const row = this.#claim.get(kind, value);
    return row && { orderId: row.order_id, detail: row.detail, at: row.at };
  }

  /** Effects that were committed and did not come back, with their orders. */
  unfinishedEffects(): { orderId: OrderId; effect: Effect }[] {
    const rows = this.db.query<{ order_id: OrderId; body: string }, []>("SELECT order_id, body FROM effects").all();
    return rows.map((row) => ({ orderId: row.order_id, effect: JSON.parse(row.body) as Effect }));
  }

  /** What the orders that are not over come to, by kind. */
  stakes(): StakeSum[] {
    return keptStakes(this.db);
  }

  /** Orders whose buy may be under way, one after the other. Rows that make no sense are left out. */
  *beingBought(): Generator<Order> {
    const rows = this.db.query<State, []>("SELECT state FROM orders WHERE kind IN ('buying', 'buyUnknown')");
    for (const { state } of rows.iterate()) {
      const order = readableOrder(state);
      if (order) yield order;
    }
  }

  /** Activations whose orders want messages, in order of their ids. */
  watchedAfter(activationId: string, limit: number): string[] {
    return this.#watchedAfter.all(activationId, limit).map((row) => row.activationId);
  }

  /** The order that wants the messages of this activation. */
  watcherOf(activationId: string): OrderId | null {
    return this.#watcher.get(activationId)?.id ?? null;
  }

  kindOf(id: string): Kind | null {
    return this.db.query<{ kind: Kind }, [string]>("SELECT kind FROM orders WHERE id = ?").get(id)?.kind ?? null;
  }

  countByKind(): Record<string, number> {
    const rows = this.db
      .query<{ kind: string; n: number }, []>("SELECT kind, count(*) AS n FROM orders GROUP BY kind")
      .all();
    return Object.fromEntries(rows.map((row) => [row.kind, row.n]));
  }

  /** Open invoices whose expiry passed before `time`, oldest first, without the first `skip`; of each what its row says, readable or not. */
  expiredUnpaid(time: Millis, limit: number, skip = 0): { id: OrderId; paymentHash: string }[] {
    return this.db
      .query<{ id: OrderId; paymentHash: string }, [number, number, number]>(
        `SELECT id, payment_hash AS paymentHash FROM orders WHERE kind = 'unpaid' AND invoice_expires_at < ?
         AND NOT EXISTS (SELECT 1 FROM quarantine WHERE order_id = id) ORDER BY invoice_expires_at LIMIT ? OFFSET ?`,
      )
      .all(time, limit, skip);
  }

  /** When the next open invoice that the sweep can close expires. */
  nextUnpaidExpiry(): Millis | null {
    const row = this.db
      .query<{ at: number }, []>(
        `SELECT invoice_expires_at AS at FROM orders WHERE kind = 'unpaid'
         AND NOT EXISTS (SELECT 1 FROM quarantine WHERE order_id = id) ORDER BY invoice_expires_at LIMIT 1`,
      )
      .get();
    return row?.at ?? null;
  }

  /** Every open invoice of which it is known whose it is. */
  unpaidOwners(): { id: OrderId; openedBy: string }[] {
    return this.db
      .query<{ id: OrderId; openedBy: string }, []>(
        "SELECT id, opened_by AS openedBy FROM orders WHERE kind = 'unpaid' AND opened_by IS NOT NULL",
      )
      .all();
  }

  /**
   * How many of the orders that one client opened from `since` to `until` were given back without an SMS; of very many, the first thousand.
   * What a clock that has been set back calls the future is not lately.
   */
  givenBackBy(openedBy: string, since: Millis, until: Millis): number {
    return this.#givenBackBy.get(openedBy, since, until)?.n ?? 0;
  }

  /** The same of orders that are over and were not given back. */
  servedTo(openedBy: string, since: Millis, until: Millis): number {
    return this.#servedTo.get(openedBy, since, until)?.n ?? 0;
  }

  events(id: string): OrderEvent[] {
    const rows = this.db
      .query<{ body: string }, [string]>("SELECT body FROM events WHERE order_id = ? ORDER BY seq")
      .all(id);
    return rows.map((row) => parseEvent(row.body));
  }

  quarantined(): { orderId: OrderId; since: Millis; reason: string }[] {
    return this.db
      .query<{ orderId: OrderId; since: number; reason: string }, []>(
        "SELECT order_id AS orderId, since, reason FROM quarantine ORDER BY since",
      )
      .all();
  }

  isQuarantined(id: string): boolean {
    return this.#quarantined.get(id) !== null;
  }

  ledger(): LedgerSum[] {
    return this.db
      .query<LedgerSum, []>("SELECT account, unit, sum(amount) AS amount FROM postings GROUP BY account, unit")
      .all();
  }

  cursor(name: string): string | null {
    return (
      this.db.query<{ value: string }, [string]>("SELECT value FROM cursors WHERE name = ?").get(name)?.value ?? null
    );
  }

  meta(key: string): string | null {
    return this.db.query<{ value: string }, [string]>("SELECT value FROM meta WHERE key = ?").get(key)?.value ?? null;
  }

  setMeta(key: string, value: string): void {
    this.db.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key, value]);
  }
}
