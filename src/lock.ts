/**
 * One writer: an exclusive transaction held on a database of its own. The operating system lets go of it when the process dies, and
 * readers of the main database (backup, doctor) are not kept out.
 */
import { Database, SQLiteError } from "bun:sqlite";
import { join } from "node:path";
import { mustBeWritable, orUnusable } from "./database.ts";
import { giveToOwner } from "./owner.ts";

export class AlreadyRunning extends Error {
  constructor() {
    super("Another server uses this DATA_DIR");
    this.name = "AlreadyRunning";
  }
}

/** A lock whose owner forgot how to let go must not go with the garbage: a collected database closes itself. */
const held = new Set<Database>();

const isBusy = (error: unknown): boolean =>
  error instanceof SQLiteError && (error.code ?? "").startsWith("SQLITE_BUSY");

/** @throws AlreadyRunning, or UnusableFile for a directory that cannot be written to. @returns how to let go. */
export function lockDataDir(dataDir: string): () => void {
  const path = join(dataDir, "lock.sqlite");
  return orUnusable(path, () => lock(path));
}

function lock(path: string): () => void {
  const db = new Database(path, { create: true });
  try {
    // A command of root may have come first.
    giveToOwner(path);
    db.run("PRAGMA journal_mode = DELETE");
    db.run("PRAGMA busy_timeout = 0");
    db.run("BEGIN EXCLUSIVE");
    // Of a file that can only be read, SQLite takes no more than a shared lock, and says nothing.
    mustBeWritable(path);
  } catch (error) {
    db.close();
    throw isBusy(error) ? new AlreadyRunning() : error;
  }
  held.add(db);
  return () => {
    held.delete(db);
    db.close();
  };
}
