/** The macaroon master keys, from configuration or from a file of their own: never from the database or its backup. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { World } from "../actors/runtime/world.ts";
import { newRootKeyText, parseRootKeys, type RootKeys } from "./l402/keys.ts";

const FILE = "root.key";

/** @throws Error, without the key, when the text is not a key. */
export function loadRootKeys(world: World, dataDir: string, configured: string | null): RootKeys {
  const parsed = parseRootKeys(configured ?? keyFile(world, join(dataDir, FILE)));
  if (!parsed.ok) throw new Error(`ROOT_KEY: ${parsed.problem}`);
  return parsed.keys;
}

/** The keys as they are, for commands beside a server; null when none were made yet. @throws Error, without the key */
export function existingRootKeys(dataDir: string, configured: string | null): RootKeys | null {
  const path = join(dataDir, FILE);
  if (configured === null && !existsSync(path)) return null;
  const parsed = parseRootKeys(configured ?? readFileSync(path, "utf8").trim());
  if (!parsed.ok) throw new Error(`ROOT_KEY: ${parsed.problem}`);
  return parsed.keys;
}

function keyFile(world: World, path: string): string {
  if (existsSync(path)) return readFileSync(path, "utf8").trim();
  const text = newRootKeyText(world);
  // Synced and renamed into place: a power cut leaves no half key, and none that is gone after credentials were made with it.
  writeFileSync(`${path}.new`, `${text}\n`, { mode: 0o600, flush: true });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
  syncDirectory(dirname(path));
  return text;
}

function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
