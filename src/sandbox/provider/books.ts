/**
 * The provider's own books: account, activations, messages and stock taken. Written through on every step, so that a new
 * process continues where the last one stopped. Money is integer micro-USD, times are milliseconds since 1970.
 */
import type { Database } from "bun:sqlite";
import { type MicroUsd, microUsd } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { SCHEMA } from "./schema.ts";

/** `activationStatus` on the wire. */
export const STATUS = { received: 2, resend: 3, waiting: 4, finished: 6, cancelled: 8, refunded: 10 } as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];
/** `subtype` on the wire: 1 a number for one service, 2 a number for hours. */
export const SUBTYPE = { activation: 1, rental: 2 } as const;
export type Subtype = (typeof SUBTYPE)[keyof typeof SUBTYPE];

export interface NewActivation {
  readonly phone: string;
  readonly service: string;
  readonly country: number;
  readonly operator: string;
  readonly cost: MicroUsd;
  readonly subtype: Subtype;
  /** Price of the stock tier it was taken from (0 for rentals); null when it took none (reactivations). */
  readonly tier: number | null;
  readonly boughtAt: Millis;
  readonly endsAt: Millis;
}

export interface Activation extends NewActivation {
  readonly id: number;
  readonly status: Status;
  /** Null while it is active. */
  readonly endedAt: Millis | null;
}

export interface NewMessage {
  readonly activationId: number;
  readonly phoneFrom: string;
  /** Null when no code was found in the text. */
  readonly code: string | null;
  readonly text: string;
  readonly receivedAt: Millis;
}

export interface Message extends NewMessage {
  readonly id: number;
  /** 1 once the customer has read it over the API. */
  readonly seen: number;
}

/** What happens by itself at a time: an SMS that arrives, an activation that runs out. */
export interface Due {
  readonly id: number;
  readonly at: Millis;
}

export interface Page {
  readonly offset: number;
  readonly limit: number;
}

const START_BALANCE = 100_000 * 1_000_000;
const FIRST_ACTIVATION = 900_000_001;
const FIRST_MESSAGE = 3_416_693_217;

export class Books {
  readonly db: Database;
  readonly #transaction: (step: () => void) => void;
  /** What is due next is asked before and after every call: remembered until something changes it; undefined is unknown. */
  #nextSms: Due | null | undefined;
  #nextEnd: Due | null | undefined;
  /** How active activations are listed, by id: written anew only when something about one changed. */
  readonly #listed = new Map<number, string>();

  constructor(db: Database) {
    this.db = db;
    this.#transaction = db.transaction((step: () => void) => step());
    db.run(SCHEMA);
    db.run("INSERT OR IGNORE INTO provider_account (id, balance) VALUES (1, ?)", [START_BALANCE]);
  }

  /** Runs `step` in one transaction: all of it is in the books, or nothing. */
  atomically<T>(step: () => T): T {
    let result: { readonly value: T } | null = null;
    try {
      this.#transaction(() => {
        result = { value: step() };
      });
    } catch (error) {
      this.#nextSms = undefined;
      this.#nextEnd = undefined;
      this.#listed.clear();
      throw error;
    }
    return (result as unknown as { readonly value: T }).value;
  }

  /** The SMS that arrives by itself next. */
  nextSms(): Due | null {
    if (this.#nextSms === undefined) {
      const sql =
        "SELECT activationId AS id, dueAt AS at FROM provider_pending_sms ORDER BY dueAt, activationId LIMIT 1";
      this.#nextSms = this.db.query<Due, []>(sql).get();
    }
    return this.#nextSms;
  }

  planSms(id: number, at: Millis): void {
    this.#nextSms = undefined;
    this.db.query("INSERT INTO provider_pending_sms VALUES (?, ?)").run(id, at);
  }

  forgetSms(id: number): void {
    this.#nextSms = undefined;
    this.db.query("DELETE FROM provider_pending_sms WHERE activationId = ?").run(id);
  }

  /** The activation that runs out next. */
  nextEnd(): Due | null {
    if (this.#nextEnd === undefined) {
      const sql = "SELECT id, endsAt AS at FROM provider_activations WHERE endedAt IS NULL ORDER BY endsAt, id LIMIT 1";
      this.#nextEnd = this.db.query<Due, []>(sql).get();
    }
    return this.#nextEnd;
  }

  balance(): MicroUsd {
    const row = this.db.query<{ balance: number }, []>("SELECT balance FROM provider_account").get();
    return microUsd(row?.balance ?? 0);
  }

  /** @returns false, with nothing changed, when the balance does not cover it. */
  charge(cost: MicroUsd): boolean {
    const { changes } = this.db
      .query("UPDATE provider_account SET balance = balance - ?1 WHERE balance >= ?1")
      .run(cost);
    return changes === 1;
  }

  credit(amount: MicroUsd): void {
    this.db.query("UPDATE provider_account SET balance = balance + ?").run(amount);
  }

  addActivation(made: NewActivation): Activation {
    this.#nextEnd = undefined;
    const id = this.#nextId("provider_activations", FIRST_ACTIVATION);
    this.db
      .query("INSERT INTO provider_activations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)")
      .run(
        id,
        made.phone,
        made.service,
        made.country,
        made.operator,
        made.cost,
        made.subtype,
        made.tier,
        STATUS.waiting,
        made.boughtAt,
        made.endsAt,
      );
    return { ...made, id, status: STATUS.waiting, endedAt: null };
  }

  activation(id: number): Activation | null {
    return this.db.query<Activation, [number]>("SELECT * FROM provider_activations WHERE id = ?").get(id);
  }

  /** The active one with this number; digits without "+". */
  activeByPhone(phone: string): Activation | null {
    return this.db
      .query<Activation, [string]>("SELECT * FROM provider_activations WHERE phone = ? AND endedAt IS NULL")
      .get(phone);
  }

  /** Newest first. */
  active({ offset, limit }: Page): Activation[] {
    return this.db
      .query<Activation, [number, number]>(
        "SELECT * FROM provider_activations WHERE endedAt IS NULL ORDER BY id DESC LIMIT ? OFFSET ?",
      )
      .all(limit, offset);
  }

  /** The same as `write` puts each of them, newest first. A long list is asked for every few seconds, and little of it changes. */
  listed({ offset, limit }: Page, write: (activation: Activation) => string): string[] {
    const ids = this.db
      .query<{ id: number }, [number, number]>(
        "SELECT id FROM provider_activations WHERE endedAt IS NULL ORDER BY id DESC LIMIT ? OFFSET ?",
      )
      .values(limit, offset) as [number][];
    return ids.map(([id]) => {
      const known = this.#listed.get(id);
      if (known !== undefined) return known;
      const text = write(this.activation(id) as Activation);
      this.#listed.set(id, text);
      return text;
    });
  }

  activeCount(): number {
    return this.#count("SELECT count(*) AS n FROM provider_activations WHERE endedAt IS NULL");
  }

  /** Ended ones that were bought within [from, to], newest first. */
  ended(from: Millis, to: Millis, { offset, limit }: Page): Activation[] {
    return this.db
      .query<Activation, [number, number, number, number]>(
        "SELECT * FROM provider_activations WHERE endedAt IS NOT NULL AND boughtAt BETWEEN ? AND ? ORDER BY id DESC LIMIT ? OFFSET ?",
      )
      .all(from, to, limit, offset);
  }

  /** How many ended within the window, how many of them with a code, and what those cost. */
  endedTotals(from: Millis, to: Millis): { total: number; successCount: number; sum: number } {
    const row = this.db
      .query<{ total: number; successCount: number; sum: number }, [number, number]>(
        `SELECT count(*) AS total, count(*) FILTER (WHERE status = 6) AS successCount,
         coalesce(sum(cost) FILTER (WHERE status = 6), 0) AS sum
         FROM provider_activations WHERE endedAt IS NOT NULL AND boughtAt BETWEEN ? AND ?`,
      )
      .get(from, to);
    return row ?? { total: 0, successCount: 0, sum: 0 };
  }

  /** Every activation ever with its number of messages, newest first, at most `limit`. */
  all(limit: number): (Activation & { readonly messages: number })[] {
    return this.db
      .query<Activation & { readonly messages: number }, [number]>(
        `SELECT a.*, (SELECT count(*) FROM provider_messages AS m WHERE m.activationId = a.id) AS messages
         FROM provider_activations AS a ORDER BY a.id DESC LIMIT ?`,
      )
      .all(limit);
  }

  setStatus(id: number, status: Status): void {
    this.#listed.delete(id);
    this.db.query("UPDATE provider_activations SET status = ? WHERE id = ?").run(status, id);
  }

  setEnd(id: number, endsAt: Millis, cost: MicroUsd): void {
    this.#nextEnd = undefined;
    this.#listed.delete(id);
    this.db.query("UPDATE provider_activations SET endsAt = ?, cost = ? WHERE id = ?").run(endsAt, cost, id);
  }

  markEnded(id: number, status: Status, at: Millis): void {
    this.#nextEnd = undefined;
    this.#listed.delete(id);
    this.db.query("UPDATE provider_activations SET status = ?, endedAt = ? WHERE id = ?").run(status, at, id);
    this.forgetSms(id);
  }

  addMessage(made: NewMessage): Message {
    this.#listed.delete(made.activationId);
    const id = this.#nextId("provider_messages", FIRST_MESSAGE);
    this.db
      .query("INSERT INTO provider_messages VALUES (?, ?, ?, ?, ?, ?, 0)")
      .run(id, made.activationId, made.phoneFrom, made.code, made.text, made.receivedAt);
    return { ...made, id, seen: 0 };
  }

  /** Messages of an activation whose status is known; one that waits has none. */
  messagesOf({ id, status }: Activation): Message[] {
    return status === STATUS.waiting ? [] : this.messages(id);
  }

  /** Newest first. */
  messages(activationId: number): Message[] {
    return this.db
      .query<Message, [number]>("SELECT * FROM provider_messages WHERE activationId = ? ORDER BY id DESC")
      .all(activationId);
  }

  markSeen(activationId: number): void {
    this.db.query("UPDATE provider_messages SET seen = 1 WHERE activationId = ? AND seen = 0").run(activationId);
  }

  taken(country: number, service: string, tier: number): number {
    const row = this.db
      .query<{ count: number }, [number, string, number]>(
        "SELECT count FROM provider_taken WHERE country = ? AND service = ? AND tier = ?",
      )
      .get(country, service, tier);
    return row?.count ?? 0;
  }

  /** Everything taken: "country/service" -> tier -> count. */
  allTaken(): Map<string, Map<number, number>> {
    const pairs = new Map<string, Map<number, number>>();
    const rows = this.db
      .query<{ country: number; service: string; tier: number; count: number }, []>("SELECT * FROM provider_taken")
      .all();
    for (const { country, service, tier, count } of rows) {
      const pair = `${country}/${service}`;
      const tiers = pairs.get(pair) ?? new Map<number, number>();
      pairs.set(pair, tiers.set(tier, count));
    }
    return pairs;
  }

  /** Takes one number out of stock (`by` 1) or puts one back (`by` -1). */
  take(country: number, service: string, tier: number, by: 1 | -1): void {
    this.db
      .query(
        `INSERT INTO provider_taken VALUES (?1, ?2, ?3, max(?4, 0))
         ON CONFLICT DO UPDATE SET count = max(count + ?4, 0)`,
      )
      .run(country, service, tier, by);
  }

  #nextId(table: "provider_activations" | "provider_messages", first: number): number {
    return Math.max(this.#count(`SELECT coalesce(max(id), 0) AS n FROM ${table}`) + 1, first);
  }

  #count(sql: string): number {
    return this.db.query<{ n: number }, []>(sql).get()?.n ?? 0;
  }
}
