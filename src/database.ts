/**
 * Opens the database of a data directory, and says plainly when it cannot be used: which file, and why. Files that can only be read are
 * refused, because SQLite would open them all the same. A full disk is not: it may be emptied while the service runs.
 */
import { SQLiteError } from "bun:sqlite";
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { Journal } from "../actors/runtime/journal.ts";
import { SCHEMA_VERSION } from "../actors/runtime/schema.ts";
import type { World } from "../actors/runtime/world.ts";

export class UnusableFile extends Error {
  constructor(path: string, reason: string, cause: unknown) {
    super(`Cannot use "${path}": ${reason}`, { cause });
    this.name = "UnusableFile";
  }
}

/** Said before an upgrade, which would look as if it hung. */
export const upgradeFrom = (schema: number): string =>
  `The database is brought up to date, from schema ${schema} to ${SCHEMA_VERSION}: with millions of orders this takes minutes`;

/** @param upgrading hears of the schema of an older database before that is brought up to date. @throws UnusableFile */
export function openJournal(dataDir: string, world: World, upgrading?: (from: number) => void): Journal {
  const path = join(dataDir, "orders.sqlite");
  // Before SQLite sees them: it would make a log as read-only as its database, and leave it there.
  for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) mustBeWritable(file);
  return orUnusable(path, () => Journal.open(path, world, upgrading));
}

/** @throws UnusableFile when permissions or the file system forbid writing to it. */
export function mustBeWritable(path: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new UnusableFile(path, "it cannot be written to", error);
  }
}

/** Runs `open`; what SQLite says against the file comes with its name. @throws UnusableFile, or what else `open` throws */
export function orUnusable<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw error instanceof SQLiteError ? new UnusableFile(path, error.message, error) : error;
  }
}
