/** Files that must be whole or not there, private, and never written over. */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const PRIVATE = 0o600;
const CHUNK = 1024 * 1024;

/** Makes an empty file that only we may read. @throws ErrnoException EEXIST when there is one already */
export function createPrivate(path: string): void {
  closeSync(openSync(path, "wx", PRIVATE));
}

/** Writes a new file that survives a power cut. @throws ErrnoException EEXIST when there is one already */
export function writePrivate(path: string, text: string): void {
  const file = openSync(path, "wx", PRIVATE);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** What is in the file and in its directory's list survives a power cut. */
export function sync(path: string): void {
  for (const part of [path, dirname(path)]) {
    const file = openSync(part, "r");
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}

/** SHA-256 of a file of any size, lower-case hex. */
export function digestOf(path: string): string {
  const hash = createHash("sha256");
  forEachChunk(path, (chunk) => hash.update(chunk));
  return hash.digest("hex");
}

/** Copies into a new private file, and syncs it. @throws ErrnoException EEXIST when there is one already */
export function copyPrivate(from: string, to: string): void {
  const file = openSync(to, "wx", PRIVATE);
  try {
    forEachChunk(from, (chunk) => {
      for (let written = 0; written < chunk.length; ) written += writeSync(file, chunk, written);
    });
    fsyncSync(file);
  } catch (error) {
    rmSync(to, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

function forEachChunk(path: string, take: (chunk: Uint8Array) => void): void {
  const file = openSync(path, "r");
  const buffer = new Uint8Array(CHUNK);
  try {
    for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) take(buffer.subarray(0, read));
  } finally {
    closeSync(file);
  }
}
