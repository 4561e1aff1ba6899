/**
 * `backup`: a copy of the database while the server runs, without SMS texts and keys, with a manifest beside it that is written last:
 * a copy without one is not finished. Exit codes: 0 done, 2 could not.
 */
import { existsSync, rmSync, statfsSync, statSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { iso, type Millis } from "../../actors/runtime/world.ts";
import type { Binding } from "../binding.ts";
import { VERSION } from "../version.ts";
import { copyDatabase } from "./backup/copy.ts";
import { createPrivate, digestOf, sizeOf, sync, writePrivate } from "./backup/files.ts";
import { type Manifest, manifestPath } from "./backup/manifest.ts";
import { isSqliteError, sqliteCode } from "./doctor/database.ts";

export interface BackupOptions {
  readonly dataDir: string;
  readonly now: Millis;
  /** Prints one line, or several at once. */
  readonly out: (line: string) => void;
}

export const BACKUP_USAGE = `Usage: backup DESTINATION

  A file that does not exist yet, or a directory: then the file in it is named by the time. Its manifest lies beside it. SMS texts and
  keys are not in it; phone numbers, invoices and books are: keep it encrypted. The server may run meanwhile.

Exit code: 0 done, 2 could not`;

/** Room for the manifest and for what the server writes meanwhile. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** @returns the exit code. */
export function runBackup(args: readonly string[], options: BackupOptions): number {
  const { now, out } = options;
  const path = readDestination(args);
  if (path === null) {
    out(BACKUP_USAGE);
    return 2;
  }
  const source = join(resolve(options.dataDir), "orders.sqlite");
  const target = targetOf(path, now);
  const problem = obstacle(source, target);
  if (problem !== null) {
    out(problem);
    return 2;
  }
  beKind();
  try {
    const manifest = make(source, target, now);
    out(`Backup "${target}": ${manifest.orders} orders, ${manifest.bytes} bytes, SHA-256 ${manifest.sha256}`);
    return 0;
  } catch (error) {
    out(`No backup was made: ${sayWhy(error)}`);
    return 2;
  }
}

/** Removes what it began when it cannot finish. */
function make(source: string, target: string, now: Millis): Manifest {
  createPrivate(target);
  try {
    const { schema, binding, settleCursor, orders, newestAt } = copyDatabase(source, target, { takenAt: iso(now) });
    sync(target);
    const bound = binding === null ? null : (JSON.parse(binding) as Binding);
    const manifest: Manifest = {
      format: 1,
      program: VERSION,
      schema,
      takenAt: iso(now),
      newestAt: newestAt === null ? null : iso(newestAt),
      network: bound?.network ?? null,
      nodePubkey: bound?.nodePubkey ?? null,
      providerAccount: bound?.providerAccount ?? null,
      sandbox: bound?.sandbox ?? null,
      settleCursor,
      orders,
      bytes: sizeOf(target),
      sha256: digestOf(target),
    };
    writePrivate(manifestPath(target), `${JSON.stringify(manifest, null, 2)}\n`);
    sync(manifestPath(target));
    return manifest;
  } catch (error) {
    rmSync(target, { force: true });
    throw error;
  }
}

function targetOf(destination: string, now: Millis): string {
  const path = resolve(destination);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  return join(path, `l402-numbers-${iso(now).slice(0, 19).replaceAll(":", "")}Z.sqlite`);
}

/** Why it cannot be done, found out before anything is written; null when it may work. */
function obstacle(source: string, target: string): string | null {
  if (!existsSync(source)) return `No database at "${source}"`;
  for (const path of [target, manifestPath(target)]) {
    if (existsSync(path)) return `"${path}" exists; nothing is written over`;
  }
  if (!existsSync(dirname(target))) return `No directory "${dirname(target)}"`;
  const { bavail, bsize } = statfsSync(dirname(target));
  const needed = sizeOf(source) + sizeOf(`${source}-wal`) + SPARE_BYTES;
  return bavail * bsize < needed ? `Not enough space in "${dirname(target)}": ${needed} bytes are needed` : null;
}

/** The server comes first. A system that does not allow it is no reason to fail. */
function beKind(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW);
  } catch {}
}

function sayWhy(error: unknown): string {
  if (isSqliteError(error)) return sqliteCode(error);
  return error instanceof Error ? error.message : "unknown error";
}

/** Null for arguments that make no sense. */
function readDestination(args: readonly string[]): string | null {
  try {
    const [path, ...rest] = parseArgs({ args: [...args], allowPositionals: true, options: {} }).positionals;
    return path === undefined || path === "" || rest.length > 0 ? null : path;
  } catch {
    return null;
  }
}
