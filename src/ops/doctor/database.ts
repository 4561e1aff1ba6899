/**
 * The database as the doctor sees it: opened read-only beside a running server, without its lock (readers of a WAL database
 * block nobody: sqlite.org/wal.html, "Concurrency"). Read transactions are short, because a long one would keep the server's
 * log from being truncated.
 */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { META_BACKUP, SCHEMA_VERSION } from "../../../actors/runtime/schema.ts";
import type { Binding } from "../../binding.ts";

export type Opened =
  | { readonly ok: true; readonly db: Database; readonly path: string }
  | { readonly ok: false; readonly problem: string };

/** Opens `DATA_DIR/orders.sqlite`; never creates, migrates or writes. */
export const openReadOnly = (dataDir: string, wanted?: Wanted): Opened =>
  openFileReadOnly(join(dataDir, "orders.sqlite"), wanted);

export interface Wanted {
  /** One of an older schema will do. */
  readonly older: boolean;
}

/** Opens a database of ours wherever it lies: a backup, for one. */
export function openFileReadOnly(path: string, { older }: Wanted = { older: false }): Opened {
  if (!existsSync(path)) return { ok: false, problem: `No database at "${path}"` };
  let db: Database | null = null;
  try {
    db = new Database(path, { readonly: true, strict: true });
    db.run("PRAGMA query_only = ON");
    db.run("PRAGMA busy_timeout = 5000");
    db.run("PRAGMA temp_store = MEMORY");
    const found = db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
    if (found === SCHEMA_VERSION || (older && found > 0 && found < SCHEMA_VERSION)) return { ok: true, db, path };
    db.close();
    const known = `this program knows ${SCHEMA_VERSION}`;
    return {
      ok: false,
      problem:
        found < SCHEMA_VERSION
          ? `Database has schema ${found}, ${known}: start the server on it, or restore it if it is a backup, which brings it up to date`
          : `Database has schema ${found}, ${known}: use the program that wrote it`,
    };
  } catch (error) {
    db?.close();
    return { ok: false, problem: `Database "${path}" cannot be read: ${sqliteCode(error)}` };
  }
}

/** Runs `read` on one consistent snapshot. */
export function snapshot<T>(db: Database, read: () => T): T {
  return db.transaction(read).deferred();
}

/** What the database is bound to, or null before the first boot was complete. */
export function bindingOf(db: Database): Binding | null {
  const row = db.query<{ value: string }, []>("SELECT value FROM meta WHERE key = 'binding'").get();
  return row && (JSON.parse(row.value) as Binding);
}

/** When the backup that this database is was made, ISO-8601; null when it is none. */
export function backupTime(db: Database): string | null {
  const row = db.query<{ value: string }, [string]>("SELECT value FROM meta WHERE key = ?").get(META_BACKUP);
  return row && (JSON.parse(row.value) as { takenAt: string }).takenAt;
}

/** The error's SQLite code, which quotes no content; a bug's name otherwise. */
export function sqliteCode(error: unknown): string {
  if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_")) return String(error.code);
  return error instanceof Error ? error.name : "unknown error";
}

export const isSqliteError = (error: unknown): boolean => sqliteCode(error).startsWith("SQLITE_");
