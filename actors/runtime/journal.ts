/**
 * The engine remembers: every step of every order goes through one group commit. Transitions that are ready in the same turn
 * of the event loop share one `synchronous=FULL` transaction; nobody hears of a step before its commit (invariant 22).
 */
import { Database } from "bun:sqlite";
import type { IncomingMessage } from "../order/commands.ts";
import type { Claim } from "../order/decision.ts";
import type { Effect } from "../order/effects.ts";
import type { OrderEvent } from "../order/events.ts";
import type { Posting } from "../order/ledger.ts";
import { deadline, isUnpaid, numberOf, type Order } from "../order/state.ts";
import { PaymentHashes } from "./payment-hashes.ts";
import { BUSY_TIMEOUT_MS, configure, migrate } from "./schema.ts";
import { StakeMoves } from "./stakes.ts";
import { Store } from "./store.ts";
import { eventText, rowText } from "./texts.ts";
import type { World } from "./world.ts";
import { type Writes, writesOf } from "./writes.ts";

/** One step of one order, and the rows that belong to it. */
export interface Transition {
  /** The committed state it was decided from; null for an order that opens. */
  readonly before: Order | null;
  readonly order: Order;
  readonly events: readonly OrderEvent[];
  readonly postings: readonly Posting[];
  readonly effects: readonly Effect[];
  readonly messages: readonly IncomingMessage[];
  readonly claims: readonly (Claim & { readonly detail?: string })[];
  /** Key of the effect whose result this step took. */
  readonly finished?: string;
  /** Bucket of the client that opened the order. */
  readonly openedBy?: string;
}

export type CommitResult =
  | { readonly kind: "committed" }
  /** Another order owns the claim; nothing of this transition was written. */
  | { readonly kind: "claim_lost"; readonly claim: Claim }
  /** This transition alone could not be written, for a reason of its own. */
  | { readonly kind: "refused"; readonly error: Error };

/** The COMMIT failed (disk full, I/O error): nothing of the group happened. */
export class JournalUnavailable extends Error {
  constructor(options?: ErrorOptions) {
    super("Journal unavailable: the commit failed", options);
    this.name = "JournalUnavailable";
  }
}

/** Rows that belong to no step of an order, but must be as durable: purchase intents, for one. Called again when what it wrote was undone. */
export type Note = (db: Database) => null;

/** Writes rows that follow from a step, in its own transaction: tallies, for one. Must not throw but for the database's reasons. */
export type Companion = (db: Database, order: Order, events: readonly OrderEvent[]) => void;

interface Waiting {
  readonly work: Transition | Note;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: JournalUnavailable) => void;
}

const COMMITTED = { kind: "committed" } as const;

/** Bounds one transaction, so that one commit never blocks the event loop for long. */
const MAX_GROUP = 512;

export class Journal {
  readonly db: Database;
  readonly store: Store;
  readonly hashes: PaymentHashes;
  readonly #world: World;
  /** Transitions decided and not yet committed. */
  #queue: Waiting[] = [];
  #scheduled = false;
  #release: (() => void) | null = null;
  #closed = false;
  readonly #companions: Companion[] = [];
  readonly #sql: Writes;
  /** Of the group that is being written. */
  readonly #stakes = new StakeMoves();

  /** Takes over an open database; `Journal.open` opens a file. @param upgrading as `told` of `migrate` */
  constructor(db: Database, world: World, upgrading?: (from: number) => void) {
    configure(db);
    migrate(db, upgrading);
    this.db = db;
    this.store = new Store(db);
    this.hashes = new PaymentHashes(db);
    this.#world = world;
    this.#sql = writesOf(db);
  }

  static open(path: string, world: World, upgrading?: (from: number) => void): Journal {
    return new Journal(new Database(path, { create: true, strict: true }), world, upgrading);
  }

  /** From now on `companion` writes along with every step. */
  accompany(companion: Companion): void {
    this.#companions.push(companion);
  }

  /** @throws JournalUnavailable (as a rejection) when the commit failed; then nothing of it happened. */
  commit(transition: Transition): Promise<CommitResult> {
    return this.#enqueue(transition);
  }

  /** Writes rows of another kind in the same group commit. @throws JournalUnavailable, or the write's own error */
  async note(write: Note): Promise<void> {
    const result = await this.#enqueue(write);
    if (result.kind === "refused") throw result.error;
  }

  #enqueue(work: Transition | Note): Promise<CommitResult> {
    if (this.#closed) return Promise.reject(new JournalUnavailable());
    return new Promise((resolve, reject) => {
      this.#queue.push({ work, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      this.#release ??= this.#world.hold("journal");
      this.#world.soon(() => this.#flush());
    });
  }

  /** Whether a write can be made durable right now. */
  writable(): boolean {
    try {
      this.store.setMeta("written_at", String(this.#world.now()));
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Moves everything into the main file and empties the log, so that erased text is gone from disk.
   * @returns false while a reader of another process still needs the log; it is not waited for, because that would stop the
   * event loop.
   */
  truncateLog(): boolean {
    this.db.run("PRAGMA busy_timeout = 0");
    try {
      const { busy } = this.db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number };
      return busy === 0;
    } finally {
      this.db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  }

  /** Writes what waits, and takes nothing afterwards: statements of a closed database fail silently. */
  close(): void {
    this.#closed = true;
    while (this.#queue.length > 0) this.#flush();
    this.db.close();
  }

  #flush(): void {
    this.#scheduled = false;
    const group = this.#queue.splice(0, MAX_GROUP);
    if (group.length > 0) this.#write(group);
    if (this.#queue.length > 0) {
      this.#scheduled = true;
      this.#world.soon(() => this.#flush());
    } else {
      this.#release?.();
      this.#release = null;
    }
  }

  #write(group: readonly Waiting[]): void {
    let results: CommitResult[];
    try {
      this.#begin();
      results = this.#writeTogether(group) ?? group.map(({ work }) => this.#writeApart(work));
      this.#writeStakes();
      this.#sql.commit.run();
    } catch (cause) {
      this.#rollBack();
      for (const { reject } of group) reject(new JournalUnavailable({ cause }));
      return;
    }
    this.hashes.keep();
    group.forEach(({ resolve }, index) => {
      resolve(results[index] as CommitResult);
    });
  }

  #begin(): void {
    this.#stakes.take();
    this.hashes.undo();
    this.#sql.begin.run();
  }

  /** A disk that failed the COMMIT may fail this as well; the next BEGIN then fails too, and nothing is acknowledged. */
  #rollBack(): void {
    this.hashes.undo();
    try {
      if (this.db.inTransaction) this.#sql.rollback.run();
    } catch {}
  }

  /**
   * Writes all as one. Null when one of them must be undone alone; then nothing is written yet. With a savepoint for each, SQLite would
   * copy every page that a step touches before it does, and mostly none is undone.
   */
  #writeTogether(group: readonly Waiting[]): CommitResult[] | null {
    try {
      if (group.every(({ work }) => this.#writeStep(work) === null)) return group.map(() => COMMITTED);
    } catch (error) {
      if (isEverybodys(error) || !this.db.inTransaction) throw error;
    }
    this.#sql.rollback.run();
    this.#begin();
    return null;
  }

  /** Writes one transition inside the group's transaction; a defect of its own undoes it alone. */
  #writeApart(work: Transition | Note): CommitResult {
    const sql = this.#sql;
    sql.savepoint.run();
    try {
      const lost = this.#writeStep(work);
      if (lost) sql.undo.run();
      sql.release.run();
      return lost ? { kind: "claim_lost", claim: lost } : COMMITTED;
    } catch (error) {
      // Out of space or a failing disk is everybody's trouble; a broken rule or an unwritable value is this transition's own.
      if (isEverybodys(error) || !this.db.inTransaction) throw error;
      sql.undo.run();
      sql.release.run();
      return { kind: "refused", error: error as Error };
    }
  }

  #writeStep(work: Transition | Note): Claim | null {
    return typeof work === "function" ? work(this.db) : this.#writeTransition(work);
  }

  #writeTransition(transition: Transition): Claim | null {
    const lost = this.#claim(transition);
    if (lost) return lost;
    this.#writeOrder(transition);
    this.#writeRows(transition);
    // Last, when nothing can undo this step alone any more.
    this.#stakes.add(transition.before, transition.order);
    this.hashes.add(transition.before, transition.order);
    return null;
  }

  #claim({ claims, order }: Transition): Claim | null {
    for (const claim of claims) {
      const { changes } = this.#sql.claim.run(
        claim.kind,
        claim.value,
        order.id,
        claim.detail ?? null,
        this.#world.now(),
      );
      if (changes === 0 && this.store.claimOwner(claim.kind, claim.value)?.orderId !== order.id) return claim;
    }
    return null;
  }

  #writeOrder({ before, order, openedBy }: Transition): void {
    const facts = [
      order.seq,
      order.state.kind,
      rowText(order),
      deadline(order),
      (numberOf(order) ?? order.loose?.found)?.activationId ?? null,
      order.endedAt,
      order.attention?.since ?? null,
    ] as const;
    if (before === null) {
      const { paymentHash, createdAt, invoiceExpiresAt } = order.terms;
      if (this.hashes.isTaken(paymentHash)) throw new HashTaken(order.id);
      const unindexed = isUnpaid(order) ? 1 : null;
      this.#sql.insert.run(order.id, paymentHash, createdAt, invoiceExpiresAt, openedBy ?? null, unindexed, ...facts);
    } else if (order !== before) {
      const write = isUnpaid(before) && !isUnpaid(order) ? this.#sql.leave : this.#sql.update;
      const { changes } = write.run(...facts, order.id, before.seq);
      if (changes !== 1) throw new OutOfStep(order.id);
    }
  }

  #writeStakes(): void {
    for (const { kind, orders, microUsd, sats, heldSats } of this.#stakes.take()) {
      this.#sql.stake.run(kind, orders, microUsd, sats, heldSats);
    }
  }

  #writeRows({ order, events, postings, effects, messages, finished }: Transition): void {
    const sql = this.#sql;
    const now = this.#world.now();
    let seq = order.seq - events.length;
    for (const event of events) sql.event.run(order.id, ++seq, event.at, order.v, event.type, eventText(event));
    for (const { account, unit, amount } of postings) sql.posting.run(order.id, order.seq, now, account, unit, amount);
    if (finished !== undefined) sql.finished.run(finished);
    for (const effect of effects) sql.effect.run(effect.key, order.id, JSON.stringify(effect));
    let n = order.messageIds.length - messages.length;
    for (const { id, code, text, from, receivedAt } of messages) {
      sql.message.run(order.id, id, ++n, code, text, from, receivedAt, now);
    }
    for (const companion of this.#companions) companion(this.db, order, events);
  }
}

/** The row moved under an actor: two hosts for one order, which must never be. */
export class OutOfStep extends Error {
  constructor(id: string) {
    super(`Order ${id} is not where its actor believes`);
    this.name = "OutOfStep";
  }
}

/** The node gave an invoice whose payment hash another order has, or one that begins alike: a payment would have two orders. */
export class HashTaken extends Error {
  constructor(id: string) {
    super(`The payment hash of order ${id} is another one's`);
    this.name = "HashTaken";
  }
}

/** SQLite's errors about the database as a whole, as opposed to those about one statement's values. */
const isEverybodys = (error: unknown): boolean =>
  error instanceof Error && "code" in error && /^SQLITE_(?!CONSTRAINT|TOOBIG|MISMATCH|RANGE)/.test(String(error.code));
