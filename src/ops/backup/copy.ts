/**
 * A consistent copy of the database beside a running server: one read transaction, table by table, into a new file. SMS texts, codes and
 * senders are never written there, not even for a moment; everything else is copied as it is. SQLite copies whole tables in their
 * own order, so memory stays small whatever the size.
 */
import { constants, Database } from "bun:sqlite";
import { pathToFileURL } from "node:url";
import { META_BACKUP } from "../../../actors/runtime/schema.ts";

/** What is not copied of a table; the columns are left empty. Their rows stay: an order knows how many messages it has. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = { messages: ["code", "text", "sender"] };

const CACHE_KIB = 16_384;
const BUSY_TIMEOUT_MS = 10_000;

/** What a copy says of itself. */
export interface Mark {
  /** ISO-8601, by the clock of the machine that made it. */
  readonly takenAt: string;
}

export interface Copied {
  readonly schema: number;
  readonly binding: string | null;
  readonly settleCursor: string | null;
  readonly orders: number;
  /** Newest posting or order, ms; null in an empty database. */
  readonly newestAt: number | null;
}

interface SchemaRow {
  readonly type: "table" | "index";
  readonly name: string;
  readonly sql: string;
}

/**
 * Copies the database at `from` into the empty file `to`.
 * @throws SQLiteError, or Error when the copy is not sound
 */
export function copyDatabase(from: string, to: string, mark: Mark): Copied {
  const db = new Database(to, constants.SQLITE_OPEN_READWRITE | constants.SQLITE_OPEN_URI);
  try {
    // The file counts for nothing until its manifest is there: no journal beside it (Bun's SQLite takes OFF for DELETE), and one sync at the end.
    for (const pragma of ["journal_mode = MEMORY", "synchronous = OFF", `cache_size = -${CACHE_KIB}`])
      db.run(`PRAGMA ${pragma}`);
    db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    db.run(`ATTACH '${pathToFileURL(from).href.replaceAll("'", "''")}?mode=ro' AS source`);
    const copied = db.transaction(() => copyAll(db, mark)).deferred();
    db.run("DETACH source");
    const checks = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").all();
    if (checks[0]?.quick_check !== "ok") throw new Error("The copy is damaged");
    return copied;
  } finally {
    db.close();
  }
}

function copyAll(db: Database, mark: Mark): Copied {
  const parts = db
    .query<SchemaRow, []>(
      "SELECT type, name, sql FROM source.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type DESC",
    )
    .all();
  for (const { sql } of parts) db.run(sql);
  for (const { name } of parts.filter(({ type }) => type === "table")) copyTable(db, name);
  const number = (sql: string): number | null => db.query<{ n: number | null }, []>(sql).get()?.n ?? null;
  const text = (sql: string): string | null => db.query<{ value: string }, []>(sql).get()?.value ?? null;
  const schema = db.query<{ user_version: number }, []>("PRAGMA source.user_version").get()?.user_version ?? 0;
  db.run(`PRAGMA main.user_version = ${schema}`);
  // Whoever starts on this file must know what it is (docs/operating.md, "Restore").
  // A copy of a copy that was not compared keeps the earlier time: more is unknown since then.
  db.run("INSERT INTO main.meta VALUES (?, ?) ON CONFLICT DO NOTHING", [META_BACKUP, JSON.stringify(mark)]);
  return {
    schema,
    binding: text("SELECT value FROM main.meta WHERE key = 'binding'"),
    settleCursor: text("SELECT value FROM main.cursors WHERE name = 'settlements'"),
    orders: number("SELECT count(*) AS n FROM main.orders") ?? 0,
    newestAt: number(
      "SELECT max(at) AS n FROM (SELECT max(created_at) AS at FROM main.orders UNION ALL SELECT max(at) FROM main.postings)",
    ),
  };
}

/** With all columns SQLite copies page by page, indexes included; with some left empty, row by row. */
function copyTable(db: Database, table: string): void {
  const empty = LEFT_OUT[table];
  if (!empty) {
    db.run(`INSERT INTO main."${table}" SELECT * FROM source."${table}"`);
    return;
  }
  const columns = db.query<{ name: string }, [string]>("SELECT name FROM pragma_table_info(?, 'source')").all(table);
  const values = columns.map(({ name }) => (empty.includes(name) ? "NULL" : `"${name}"`));
  db.run(`INSERT INTO main."${table}" SELECT ${values.join(", ")} FROM source."${table}"`);
}
