/**
 * A database that counts its commits and, when asked, keeps every statement that it runs, so that bare bun:sqlite can write the very same
 * rows afterwards, in the same transactions: the floor under whatever wrote them first.
 */
import { Database, type SQLQueryBindings, type Statement } from "bun:sqlite";
import { configure, migrate } from "../actors/runtime/schema.ts";

type Values = readonly SQLQueryBindings[];
export type Written = readonly (readonly [sql: string, values: Values])[];

/** They are part of how steps share a transaction, not of the rows. */
const SAVEPOINT = /^(?:SAVEPOINT|RELEASE|ROLLBACK TO)/;

export class RecordedDatabase extends Database {
  commits = 0;
  readonly #written: [string, Values][] | null;
  readonly #seen = new WeakSet<Statement>();

  /** @param records whether statements are kept; that takes time and memory. */
  constructor(path: string, { records }: { readonly records: boolean }) {
    super(path, { create: true, strict: true });
    this.#written = records ? [] : null;
  }

  /** Everything since the last call. */
  takeWritten(): Written {
    return this.#written?.splice(0) ?? [];
  }

  override prepare<Row, Params extends SQLQueryBindings | SQLQueryBindings[]>(
    sql: string,
    params?: Params,
  ): ReturnType<typeof Database.prototype.prepare<Row, Params>> {
    return this.#watched(sql, super.prepare<Row, Params>(sql, params));
  }

  override query<Row, Params extends SQLQueryBindings | SQLQueryBindings[]>(
    sql: string,
  ): ReturnType<typeof Database.prototype.query<Row, Params>> {
    return this.#watched(sql, super.query<Row, Params>(sql));
  }

  /** The statement itself, with a `run` that takes note. */
  #watched<S extends Statement>(sql: string, statement: S): S {
    if ((sql !== "COMMIT" && this.#written === null) || this.#seen.has(statement)) return statement;
    this.#seen.add(statement);
    const run = statement.run.bind(statement);
    statement.run = (...values) => {
      const changes = run(...values);
      if (sql === "COMMIT") this.commits++;
      this.#written?.push([sql, values as Values]);
      return changes;
    };
    return statement;
  }

  /** Statements that are not prepared, outside a transaction, commit by themselves. */
  override run(...[sql, ...values]: Parameters<Database["run"]>): ReturnType<Database["run"]> {
    const changes = super.run(sql, ...values);
    if (!this.inTransaction && changes.changes > 0) this.commits++;
    this.#written?.push([sql, values.flat() as Values]);
    return changes;
  }
}

/** Runs what was recorded since the schema was there. @returns how long `measured` took, microseconds of processor time. */
export function replay(path: string, before: Written, measured: Written): number {
  const db = new Database(path, { create: true, strict: true });
  configure(db);
  migrate(db);
  const prepared = new Map<string, ReturnType<Database["prepare"]>>();
  const write = (written: Written) => {
    for (const [sql, values] of written) {
      if (SAVEPOINT.test(sql)) continue;
      let statement = prepared.get(sql);
      if (!statement) {
        statement = db.prepare(sql);
        prepared.set(sql, statement);
      }
      statement.run(...values);
    }
  };
  write(before);
  const started = process.cpuUsage();
  write(measured);
  const { user, system } = process.cpuUsage(started);
  db.close();
  return user + system;
}
