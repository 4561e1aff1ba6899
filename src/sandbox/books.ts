/**
 * The peers' own books: one SQLite file that outlives a restart, apart from the service's database, because the
 * service may only learn what its peers know by asking them.
 */
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Millis } from "../../actors/runtime/world.ts";

const FILE = "sandbox.sqlite";

/** Opens (or starts) the books in `dataDir`. A killed process loses nothing; losing power may cost the last steps. */
export function openBooks(dataDir: string): Database {
  mkdirSync(dataDir, { recursive: true });
  const books = new Database(join(dataDir, FILE), { create: true, strict: true });
  books.run("PRAGMA busy_timeout = 5000");
  books.run("PRAGMA journal_mode = WAL");
  books.run("PRAGMA synchronous = NORMAL");
  books.run("PRAGMA foreign_keys = ON");
  books.run(
    "CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), offset_ms INTEGER NOT NULL) STRICT",
  );
  return books;
}

/** How far the clock of earlier runs was moved ahead, in ms; 0 when the books are new. */
export function storedOffset(books: Database): Millis {
  const row = books.query<{ offset_ms: number }, []>("SELECT offset_ms FROM clock WHERE id = 1").get();
  return row?.offset_ms ?? 0;
}

/**
 * The stored clock offset of `dataDir` in ms, for `new RealWorld(offset)` before anything else starts: a restarted
 * sandbox goes on at the time its orders and invoices know.
 */
export function readClockOffset(dataDir: string): Millis {
  if (!existsSync(join(dataDir, FILE))) return 0;
  const books = openBooks(dataDir);
  try {
    return storedOffset(books);
  } finally {
    books.close();
  }
}
