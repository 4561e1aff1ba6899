/**
 * Opens the database of a data directory, and says plainly when it cannot be used: which file, and why. A database that can only be read
 * is refused, because SQLite would open it all the same; a full disk is not, because it may be emptied while the service runs.
 */
import { SQLiteError } from "bun:sqlite";
import { join } from "node:path";
import { Journal } from "../actors/runtime/journal.ts";
import type { World } from "../actors/runtime/world.ts";

export class UnusableFile extends Error {
  constructor(path: string, cause: SQLiteError) {
    super(`Cannot use "${path}": ${cause.message}`, { cause });
    this.name = "UnusableFile";
  }
}

/** @throws UnusableFile */
export function openJournal(dataDir: string, world: World): Journal {
  const path = join(dataDir, "orders.sqlite");
  return orUnusable(path, () => {
    const journal = Journal.open(path, world);
    try {
      journal.store.setMeta("opened_at", String(world.now()));
    } catch (error) {
      if (!isReadOnly(error)) return journal;
      journal.close();
      throw error;
    }
    return journal;
  });
}

/** Runs `open`; what SQLite says against the file comes with its name. @throws UnusableFile, or what else `open` throws */
export function orUnusable<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw error instanceof SQLiteError ? new UnusableFile(path, error) : error;
  }
}

const isReadOnly = (error: unknown): boolean =>
  error instanceof SQLiteError && (error.code ?? "").startsWith("SQLITE_READONLY");
