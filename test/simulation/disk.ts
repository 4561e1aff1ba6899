/**
 * The service's database as one incarnation of it sees it. The rows are in memory and outlive the incarnation; what dies with it is the
 * right to touch them. A crash falls before a COMMIT, or after it with the answer lost; a full disk fails it.
 */
import type { Database } from "bun:sqlite";
import type { Kind } from "../../actors/order/state.ts";

/** The process died in the middle of a call. */
export class Crash extends Error {
  constructor() {
    super("The process died");
    this.name = "Crash";
  }
}

/** What SQLite says of a COMMIT that finds no room. */
export class DiskFull extends Error {
  readonly code = "SQLITE_FULL";
  readonly errno = 13;

  constructor() {
    super("database or disk is full");
    this.name = "SQLiteError";
  }
}

export interface DiskEvents {
  /** Whether the incarnation may still touch the rows. */
  alive(): boolean;
  /** A step into this kind is being written. */
  writing(kind: Kind): void;
  /** A COMMIT is about to be written. @throws Crash, DiskFull */
  beforeCommit(): void;
  /** It is durable. @throws Crash */
  afterCommit(): void;
}

/** @returns `db`, guarded: everything else behaves as it is. */
export function guardedDisk(db: Database, events: DiskEvents): Database {
  const guard = () => {
    if (!events.alive()) throw new Crash();
  };
  const commit = (sql: string) => {
    const statement = db.prepare(sql);
    return {
      run() {
        guard();
        events.beforeCommit();
        statement.run();
        events.afterCommit();
      },
    };
  };
  /** The journal's two statements that write an order; the kind is among their values. */
  const step = (sql: string, kindAt: number) => {
    const statement = db.prepare(sql);
    return {
      run(...values: never[]) {
        events.writing(values[kindAt] as unknown as Kind);
        return statement.run(...values);
      },
    };
  };
  const guarded = {
    prepare(sql: string) {
      guard();
      if (sql === "COMMIT") return commit(sql);
      if (sql.startsWith("INSERT INTO orders")) return step(sql, 6);
      if (sql.startsWith("UPDATE orders SET seq")) return step(sql, 1);
      return db.prepare(sql);
    },
    query(sql: string) {
      guard();
      return db.query(sql);
    },
    run(sql: string, ...bindings: never[]) {
      guard();
      return db.run(sql, ...bindings);
    },
    transaction(work: (...args: never[]) => unknown) {
      guard();
      return db.transaction(work);
    },
    get inTransaction() {
      return db.inTransaction;
    },
    // Belongs to the run, which goes on.
    close() {},
  };
  return guarded as unknown as Database;
}
