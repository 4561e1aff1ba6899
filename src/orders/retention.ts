/**
 * What is no longer needed goes: SMS text a configured time after the end, rows of unpaid orders after a day, everything personal thirty
 * days after the end. Erased means gone from the file: `secure_delete` overwrites, and the WAL is truncated.
 */
import { evolve } from "../../actors/order/evolve.ts";
import type { Order } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import type { Journal } from "../../actors/runtime/journal.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import { eventText, orderText, readableOrder } from "../../actors/runtime/texts.ts";
import { type Cancel, type Millis, nextTick, type World } from "../../actors/runtime/world.ts";
import { dropOldOutcomes } from "../provider/record.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

export interface RetentionTimes {
  /** Codes and texts go this long after the later of completion and the activation's end. */
  readonly eraseMessagesMs: number;
  /** Lapsed orders become tombstones after this. */
  readonly buryLapsedMs: number;
  /** Tombstones go after this. */
  readonly tombstoneMs: number;
  /** Phone, invoices and client traces go this long after the end. */
  readonly scrubMs: number;
  readonly hintMs: number;
  readonly idempotencyMs: number;
}

export const DEFAULT_RETENTION: RetentionTimes = {
  eraseMessagesMs: 30 * MINUTE,
  buryLapsedMs: DAY,
  tombstoneMs: 30 * DAY,
  scrubMs: 30 * DAY,
  hintMs: DAY,
  idempotencyMs: 7 * DAY,
};

/** Rows that nobody paid for: beyond these the oldest go before their time. */
export interface RetentionLimits {
  /** Lapsed orders, about 2.7 kB each with their journal. */
  readonly lapsed: number;
  /** About 1.5 kB each. They are for late money, which an invoice that was cancelled at the node cannot bring. */
  readonly tombstones: number;
}

export const DEFAULT_RETENTION_LIMITS: RetentionLimits = { lapsed: 20_000, tombstones: 100_000 };

const EVERY_MS = 5 * MINUTE;
/** A flood of unpaid orders can fill a disk between two rounds. */
const TRIM_EVERY_MS = MINUTE;
const SLICE = 500;

export interface RetentionOptions {
  readonly world: World;
  readonly journal: Journal;
  readonly supervisor: Supervisor;
  readonly times: RetentionTimes;
  readonly limits?: RetentionLimits;
  readonly failed: (error: unknown) => void;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #limits: RetentionLimits;
  #timer: Cancel | null = null;
  #stopped = true;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_RETENTION_LIMITS;
  }

  start(): void {
    this.#stopped = false;
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.();
  }

  /** One round; the timer calls it, and so may a test. */
  async run(): Promise<void> {
    const { world, times, journal } = this.#options;
    const now = world.now();
    try {
      await this.#inSlices(() => this.#eraseMessages(now - times.eraseMessagesMs));
      await this.#trim(now);
      await this.#inSlices(() => this.#scrub(now - times.scrubMs));
      await this.#dropOldRows(now);
    } finally {
      // Every time, because a reader may have kept the last round from it; and whatever else went wrong.
      journal.truncateLog();
    }
  }

  /** What a flood of orders that nobody pays leaves behind. */
  async #trim(now: Millis): Promise<void> {
    await this.#inSlices(() => this.#buryLapsed(now));
    await this.#inSlices(() => this.#dropExcessTombstones());
  }

  /** Slices of one commit each, so that none blocks the event loop for long, until one is not full. */
  async #inSlices(change: () => number): Promise<void> {
    let changed: number;
    do {
      changed = 0;
      await this.#options.journal.note(() => {
        changed = change();
        return null;
      });
    } while (changed === SLICE);
  }

  #arm(): void {
    const { world, failed } = this.#options;
    if (this.#stopped) return;
    const at = nextTick(world.now(), TRIM_EVERY_MS);
    this.#timer = world.at(at, () => {
      (at % EVERY_MS === 0 ? this.run() : this.#trim(world.now())).catch(failed).finally(() => this.#arm());
    });
  }

  /** Starts from the messages, which are few, not from all orders that ever ended. */
  #eraseMessages(before: Millis): number {
    const { db } = this.#options.journal;
    const rows = db
      .query<{ id: string }, [number, number, number]>(
        // Until the activation's own end the customer may still come for the code. Of a row that makes no sense nobody can.
        `SELECT id FROM (SELECT DISTINCT order_id FROM messages) CROSS JOIN orders ON id = order_id
         WHERE kind = 'done' AND ended_at < ? AND coalesce(iif(json_valid(state), state ->> '$.state.number.endsAt', 0), 0) < ? LIMIT ?`,
      )
      .all(before, before, SLICE);
    for (const { id } of rows) db.run("DELETE FROM messages WHERE order_id = ?", [id]);
    return rows.length;
  }

  #buryLapsed(now: Millis): number {
    const { journal, times } = this.#options;
    const crowded = journal.db
      .query<{ at: number }, [number]>(
        "SELECT ended_at AS at FROM orders WHERE kind = 'lapsed' ORDER BY ended_at DESC LIMIT 1 OFFSET ?",
      )
      .get(this.#limits.lapsed);
    const before = Math.max(now - times.buryLapsedMs, (crowded?.at ?? 0) + 1);
    const rows = journal.db
      .query<{ state: string }, [number, number]>(
        // An effect under way would come back to nobody.
        `SELECT state FROM orders WHERE kind = 'lapsed' AND ended_at < ? AND attention_since IS NULL
         AND NOT EXISTS (SELECT 1 FROM effects WHERE order_id = id) LIMIT ?`,
      )
      .all(before, SLICE);
    const dead = this.#left(rows);
    for (const { order, state } of dead) {
      const { id, terms } = order;
      const until = now + times.tombstoneMs;
      journal.db.run("INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?, ?)", [terms.paymentHash, id, state, until]);
      journal.db.run("DELETE FROM orders WHERE id = ?", [id]);
      journal.db.run("DELETE FROM events WHERE order_id = ?", [id]);
      // Of an order that was paid the key stays: its owner must not be sold the same thing twice.
      journal.db.run("DELETE FROM claims WHERE kind = 'idempotency_key' AND order_id = ?", [id]);
    }
    return dead.length;
  }

  /** The oldest first. */
  #dropExcessTombstones(): number {
    const { db } = this.#options.journal;
    const { n } = db.query("SELECT count(*) AS n FROM tombstones").get() as { n: number };
    const excess = Math.min(n - this.#limits.tombstones, SLICE);
    if (excess <= 0) return 0;
    db.run(
      "DELETE FROM tombstones WHERE payment_hash IN (SELECT payment_hash FROM tombstones ORDER BY until LIMIT ?)",
      [excess],
    );
    return excess;
  }

  #scrub(before: Millis): number {
    const { journal, world } = this.#options;
    const { db } = journal;
    const rows = db
      .query<{ state: string }, [number, number]>(
        // What is still owed keeps its row as it is: its customer may come for it.
        `SELECT state FROM orders WHERE kind = 'done' AND opened_by IS NOT NULL AND ended_at < ?
         AND iif(json_valid(state), state ->> '$.owedMsats' < 1000, FALSE) AND NOT EXISTS (SELECT 1 FROM effects WHERE order_id = id) LIMIT ?`,
      )
      .all(before, SLICE);
    const due = this.#left(rows);
    for (const { order } of due) {
      const event = { type: "Scrubbed", order: scrubbed(order), at: world.now() } as const;
      const state = orderText(evolve(order, event));
      db.run("UPDATE orders SET state = ?, activation_id = NULL, opened_by = NULL WHERE id = ?", [state, order.id]);
      db.run("DELETE FROM events WHERE order_id = ?", [order.id]);
      db.run("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", [
        order.id,
        order.seq,
        event.at,
        order.v,
        event.type,
        eventText(event),
      ]);
    }
    return due.length;
  }

  /** Those whose rows may be changed now, because no actor is at work on them; the others' turn comes with a later round. */
  #left(rows: readonly { readonly state: string }[]): { readonly order: Order; readonly state: string }[] {
    return rows.flatMap(({ state }) => {
      const order = readableOrder(state);
      return order && this.#options.supervisor.evict(order.id) ? [{ order, state }] : [];
    });
  }

  async #dropOldRows(now: Millis): Promise<void> {
    const { journal, times } = this.#options;
    await journal.note((db) => {
      db.run("DELETE FROM tombstones WHERE until < ?", [now]);
      db.run("DELETE FROM hints WHERE at < ?", [now - times.hintMs]);
      // Long enough for an order that was found buying after the longest outage: a buy without an intent counts as never sent.
      db.run("DELETE FROM intents WHERE sent_at < ?", [now - times.scrubMs]);
      db.run("DELETE FROM outbox WHERE sent_at < ?", [now - times.scrubMs]);
      // The answer of most buys is taken within seconds; the intent of one that is still looked for is needed.
      db.run(
        `DELETE FROM intents WHERE sent_at < ?
         AND NOT EXISTS (SELECT 1 FROM effects WHERE order_id = substr(intents.key, 1, 32))
         AND EXISTS (SELECT 1 FROM orders WHERE id = substr(intents.key, 1, 32) AND kind NOT IN ('buying', 'buyUnknown'))`,
        [now - 3_600_000],
      );
      db.run("DELETE FROM claims WHERE kind = 'idempotency_key' AND at < ?", [now - times.idempotencyMs]);
      dropOldOutcomes(db, now);
      return null;
    });
  }
}

const scrubbedGood = (good: Good): Good =>
  good.type === "receive-sms-reactivate" ? { ...good, parentPhoneNumber: "" } : good;

/** The order without phone number, invoices and whatever else could name a person. Books and hashes stay. */
function scrubbed(order: Order): Order {
  const { state, terms, destination, loose } = order;
  return {
    ...order,
    loose: loose && { ...loose, found: null },
    terms: { ...terms, good: scrubbedGood(terms.good), invoice: "", notifyNpub: null, requestDigest: "" },
    destination: destination && { ...destination, invoice: "" },
    ...(order.refundAddress != null && { refundAddress: null }),
    state: state.kind === "done" ? { ...state, number: null } : state,
  };
}
