/** The macaroon master keys, from configuration or from a file of their own: never from the database or its backup. */
import { chmodSync, closeSync, fsyncSync, lstatSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { World } from "../actors/runtime/world.ts";
import { UnusableFile } from "./database.ts";
import { newRootKeyText, parseRootKeys, type RootKeys } from "./l402/keys.ts";

const FILE = "root.key";

/**
 * @param made hears of it when there was no key yet, and one was made.
 * @throws UnusableFile, or Error, without the key, when the text is not a key.
 */
export function loadRootKeys(world: World, dataDir: string, configured: string | null, made = () => {}): RootKeys {
  if (configured !== null) return parsed(configured);
  const path = join(dataDir, FILE);
  return keysIn(path) ?? make(world, path, made);
}

/** The keys as they are, for commands beside a server; null when none were made yet. @throws as `loadRootKeys` */
export function existingRootKeys(dataDir: string, configured: string | null): RootKeys | null {
  return configured === null ? keysIn(join(dataDir, FILE)) : parsed(configured);
}

function parsed(text: string): RootKeys {
  const result = parseRootKeys(text);
  if (!result.ok) throw new Error(`ROOT_KEY: ${result.problem}`);
  return result.keys;
}

/** Null only when nothing at all is there: a link whose disk is not mounted is not replaced by a key that locks every customer out. */
function keysIn(path: string): RootKeys | null {
  if (!lstatSync(path, { throwIfNoEntry: false })) return null;
  const result = parseRootKeys(textOf(path));
  if (!result.ok) throw new UnusableFile(path, result.problem, null);
  return result.keys;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new UnusableFile(path, error instanceof Error ? error.message : String(error), error);
  }
}

function make(world: World, path: string, made: () => void): RootKeys {
  const text = newRootKeyText(world);
  // Synced and renamed into place: a power cut leaves no half key, and none that is gone after credentials were made with it.
  writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600, flush: true });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
  syncDirectory(dirname(path));
  made();
  return parsed(text);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
