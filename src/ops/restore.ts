/**
 * `restore`: puts a backup in the place of the database. It is marked as what it is, so that the server that starts on it moves no money until
 * the doctor has compared it with node and provider. Exit codes: 0 done, 2 could not.
 */
import { Database } from "bun:sqlite";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { META_BACKUP, migrate, SCHEMA_VERSION } from "../../actors/runtime/schema.ts";
import { iso, type Millis } from "../../actors/runtime/world.ts";
import { upgradeFrom } from "../database.ts";
import { AlreadyRunning, lockDataDir } from "../lock.ts";
import { giveToOwner } from "../owner.ts";
import { copyPrivate, digestOf, sizeOf, sync } from "./backup/files.ts";
import { type Manifest, manifestPath, parseManifest } from "./backup/manifest.ts";
import { isSqliteError, openReadOnly, sqliteCode } from "./doctor/database.ts";

export interface RestoreOptions {
  readonly dataDir: string;
  readonly now: Millis;
  /** Prints one line, or several at once. */
  readonly out: (line: string) => void;
}

export const RESTORE_USAGE = `Usage: restore BACKUP [--replace]
       restore --mark TIME

  BACKUP     a file that backup made, with its manifest beside it
  --replace  when there is a database already: it is kept under another name, never written over
  --mark     the database in DATA_DIR is itself a copy of that time (a snapshot of the disk, a file copied by hand), in UTC:
             2026-01-31T03:00:00Z. Its money pauses as after a restore

  The server must be stopped. Afterwards run doctor --peers --repair; until then a server that is started serves what it knows, and moves no money

Exit code: 0 done, 2 could not`;

/** Room for what the server writes when it starts. */
const SPARE_BYTES = 16 * 1024 * 1024;
/** Of an older backup: itself, its tables beside those they replace, and the log of both. */
const COPIES_OF_UPGRADE = 4;

/** Ends of the names of files that belong to a database, and are taken for those of whatever takes its place. */
const BESIDE = ["-journal", "-wal", "-shm"] as const;

/** How long those may go on that read the database which is to be replaced. */
const READERS_MS = 2_000;

/** Said instead of a result. */
class Problem extends Error {}
/** Said as it is: "nothing was restored" would be wrong, the mark stands. */
class OnlyMarked extends Error {}

/** @returns the exit code. */
export function runRestore(args: readonly string[], options: RestoreOptions): number {
  const { dataDir, out } = options;
  const wanted = readArguments(args);
  if (wanted === null) {
    out(RESTORE_USAGE);
    return 2;
  }
  try {
    // Before anything is made: a mistaken command leaves nothing behind.
    const perform = wanted.mark === null ? restoring(wanted, options) : marking(wanted.mark, options);
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const unlock = lockDataDir(dataDir);
    try {
      out(perform());
      return 0;
    } finally {
      unlock();
    }
  } catch (error) {
    out(error instanceof OnlyMarked ? error.message : `Nothing was restored: ${problemOf(error)}`);
    return 2;
  }
}

function problemOf(error: unknown): string {
  if (error instanceof AlreadyRunning) return "a server uses this database: stop it first";
  if (isSqliteError(error)) return sqliteCode(error);
  return error instanceof Error ? error.message : "unknown error";
}

const databaseIn = (dataDir: string): string => join(resolve(dataDir), "orders.sqlite");

const NEXT = "Money is paused: nothing is sold, bought or refunded until doctor --peers --repair has run";

/** @returns what is done under the lock. @throws Problem */
function restoring({ path, replace }: Restoring, options: RestoreOptions): () => string {
  const backup = resolve(path);
  const manifest = checked(backup);
  return () => restore(backup, manifest, replace, options);
}

function restore(backup: string, manifest: Manifest, replace: boolean, { dataDir, now, out }: RestoreOptions): string {
  const target = databaseIn(dataDir);
  if (existsSync(target) && !replace) {
    throw new Problem(
      `there is a database at "${target}". If it can still be read, it knows more than any backup: keep it, or say --replace`,
    );
  }
  const { bavail, bsize } = statfsSync(resolve(dataDir));
  const copies = manifest.schema < SCHEMA_VERSION ? COPIES_OF_UPGRADE : 1;
  if (bavail * bsize < manifest.bytes * copies + SPARE_BYTES)
    throw new Problem(`not enough space in "${resolve(dataDir)}"`);
  const half = halfOf(target);
  removeHalf(half);
  copyPrivate(backup, half);
  try {
    if (digestOf(half) !== manifest.sha256) throw new Problem("the copy differs from the backup");
    markFile(half, manifest.takenAt);
    bringUpToDate(half, out);
    sync(half);
    giveToOwner(half);
    const aside = keepAside(target, now);
    renameSync(half, target);
    sync(target);
    const old =
      aside === null ? "" : `The database that was there is now "${aside}": it may hold SMS texts, remove it in time. `;
    return `Restored ${manifest.orders} orders as of ${manifest.takenAt}. ${old}${NEXT}`;
  } catch (error) {
    removeHalf(half);
    throw error;
  }
}

/** What a killed restore left is a copy of the books that nothing else looks after. The lock is held. */
export const removeUnfinished = (dataDir: string): void => removeHalf(halfOf(databaseIn(dataDir)));

const halfOf = (target: string): string => `${target}.restoring`;

/** With its journal: SQLite would play what a killed restore left of one into the next copy (SQLite, "Database File Format", 3). */
function removeHalf(half: string): void {
  for (const part of ["", ...BESIDE]) rmSync(half + part, { force: true });
}

/** @throws Problem unless the file is what its manifest says. */
function checked(backup: string): Manifest {
  if (!existsSync(backup)) throw new Problem(`no file "${backup}"`);
  const beside = manifestPath(backup);
  if (!existsSync(beside)) throw new Problem(`no manifest "${beside}": this backup was not finished`);
  const manifest = parseManifest(readFileSync(beside, "utf8"));
  if (!manifest) throw new Problem(`the manifest "${beside}" makes no sense`);
  if (manifest.schema > SCHEMA_VERSION) throw new Problem("the backup is of a newer program: use that one");
  if (sizeOf(backup) !== manifest.bytes || digestOf(backup) !== manifest.sha256) {
    throw new Problem("the backup is not the file that its manifest describes");
  }
  return manifest;
}

/**
 * Marks a database, before it is brought up to date, so that nothing interrupted leaves one that would move money. A backup carries its mark
 * already; of two the earlier one stands, because more is unknown since then.
 * @returns the one that stands.
 */
function markFile(file: string, takenAt: string): string {
  const db = new Database(file, { readwrite: true });
  try {
    const at = (value: string) => `unixepoch(${value} ->> '$.takenAt', 'subsec')`;
    db.run(
      `INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value
       WHERE coalesce(${at("excluded.value")} < ${at("meta.value")}, ${at("meta.value")} IS NULL)`,
      [META_BACKUP, JSON.stringify({ takenAt })],
    );
    const mark = "SELECT value ->> '$.takenAt' AS time FROM meta WHERE key = ?";
    return db.query<{ time: string }, [string]>(mark).get(META_BACKUP)?.time ?? takenAt;
  } finally {
    db.close();
  }
}

/** The doctor reads the present schema only. */
function bringUpToDate(file: string, out: RestoreOptions["out"]): void {
  const db = new Database(file, { readwrite: true });
  try {
    db.run("PRAGMA secure_delete = ON");
    migrate(db, (from) => out(upgradeFrom(from)));
  } finally {
    db.close();
  }
}

/**
 * Takes back what a full disk or a kill left half done: while there is a journal, the copy cannot be opened only to read. Any read that may
 * write does it. What is wrong beyond that is said by whoever opens it next.
 */
function takeBack(file: string): void {
  if (!existsSync(`${file}-journal`)) return;
  try {
    const db = new Database(file, { readwrite: true });
    try {
      db.run("SELECT 1 FROM sqlite_schema");
    } finally {
      db.close();
    }
  } catch (error) {
    if (!isSqliteError(error)) throw error;
  }
}

/**
 * Keeps what was there under another name, so that taking its place is one step: whenever the power fails, there is either database, whole.
 * @returns where it lies now, or null when there was none.
 */
function keepAside(target: string, now: Millis): string | null {
  if (!existsSync(target)) return null;
  const stamp = iso(now).slice(0, 19).replaceAll(":", "");
  const aside = target.replace(/\.sqlite$/, `.replaced-${stamp}Z.sqlite`);
  if (existsSync(aside)) throw new Problem(`"${aside}" exists`);
  foldLog(target);
  try {
    linkSync(target, aside);
  } catch {
    copyPrivate(target, aside);
    giveToOwner(aside);
  }
  // What is left of a log belongs to a file that could not be opened; the new one must not be taken for it.
  for (const part of BESIDE) if (existsSync(target + part)) renameSync(target + part, aside + part);
  return aside;
}

/**
 * Everything into the one file. One that cannot be opened stays as it is.
 * @throws Problem while somebody reads: a restore that is killed between two renames would leave the database there without its log.
 */
function foldLog(file: string): void {
  try {
    const db = new Database(file);
    try {
      db.run(`PRAGMA busy_timeout = ${READERS_MS}`);
      db.run("PRAGMA wal_checkpoint(TRUNCATE)");
      db.run("PRAGMA journal_mode = DELETE");
    } finally {
      db.close();
    }
  } catch (error) {
    if (sqliteCode(error).startsWith("SQLITE_BUSY")) {
      throw new Problem("another process reads the database (a doctor, a backup): run this again when it has ended");
    }
    if (!isSqliteError(error)) throw error;
  }
}

/** @returns what is done under the lock. @throws Problem */
function marking(time: string, options: RestoreOptions): () => string {
  const path = databaseIn(options.dataDir);
  if (!existsSync(path)) throw new Problem(`no database at "${path}"`);
  return () => mark(time, options);
}

function mark(time: string, { dataDir, now, out }: RestoreOptions): string {
  takeBack(databaseIn(dataDir));
  const opened = openReadOnly(dataDir, { older: true });
  if (!opened.ok) throw new Problem(opened.problem);
  try {
    const at = timeOf(opened.db, time);
    if (at === null) throw new Problem(`there is no time "${time}"`);
    // Everything that was lost would lie before it.
    if (at > now) throw new Problem(`"${time}" is to come: say when the copy was made, or an earlier time`);
  } finally {
    opened.db.close();
  }
  const marked = `The database is marked as a copy of ${markFile(opened.path, time)}`;
  try {
    bringUpToDate(opened.path, out);
  } catch (error) {
    takeBack(opened.path);
    throw new OnlyMarked(
      `${marked}, but not brought up to date: ${problemOf(error)}. ${NEXT}, and it cannot read this copy yet. ` +
        "If the disk is full, free three times the size of the database; then run restore --mark again",
    );
  }
  return `${marked}. ${NEXT}`;
}

/** As SQLite will read the mark; null for a time that no calendar has. A day that its month lacks would become one of the next. */
function timeOf(db: Database, time: string): Millis | null {
  const { at, day } = db
    .query<{ at: number | null; day: string | null }, [string]>(
      "SELECT unixepoch(?1, 'subsec') * 1000 AS at, date(?1, '+0 days') AS day",
    )
    .get(time) ?? { at: null, day: null };
  return day === time.slice(0, 10) ? at : null;
}

interface Restoring {
  readonly path: string;
  readonly replace: boolean;
}

/** Null for arguments that make no sense. */
function readArguments(args: readonly string[]): (Restoring & { readonly mark: string | null }) | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { mark: { type: "string" }, replace: { type: "boolean" } },
    });
    const [path, ...rest] = positionals;
    const { mark = null, replace = false } = values;
    if (mark !== null) {
      const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(mark);
      return isTime && path === undefined && !replace ? { path: "", replace, mark } : null;
    }
    return path === undefined || path === "" || rest.length > 0 ? null : { path, replace, mark };
  } catch {
    return null;
  }
}
