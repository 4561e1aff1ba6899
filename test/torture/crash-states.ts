/**
 * What a power cut may leave of a database and its log. Bytes of the log up to the last sync are there; of what was written since, every
 * sector may be there, missing, or garbage, in any order. During a checkpoint the same holds of the database, while the log is whole.
 */
import type { Chance } from "../simulation/chance.ts";
import { committed, endOf, pageOf, WAL_HEADER, type Wal } from "./wal.ts";

export interface CrashState {
  readonly kind: (typeof KINDS)[number];
  readonly database: Uint8Array;
  readonly wal: Uint8Array;
  /** Frames whose sync had returned: every commit among them must be there. */
  readonly synced: number;
}

export const KINDS = ["frame boundary", "any byte", "torn tail", "stale tail", "flipped tail", "checkpoint"] as const;

const SECTORS = [512, 4_096] as const;

export interface Amounts {
  /** States of each kind beside the frame boundaries, of which each is one. */
  readonly each: number;
}

/** `database` is the file as it was when the log was empty. */
export function* crashStates(database: Uint8Array, wal: Wal, chance: Chance, { each }: Amounts): Generator<CrashState> {
  const { bytes, frames } = wal;
  for (let count = 0; count <= frames.length; count++) {
    yield { kind: "frame boundary", database, wal: bytes.slice(0, endOf(wal, count)), synced: committed(wal, count) };
  }
  for (let n = 0; n < each; n++) {
    const cut = chance.below(bytes.length + 1);
    const whole = Math.max(0, Math.floor((cut - WAL_HEADER) / wal.frameSize));
    yield { kind: "any byte", database, wal: bytes.slice(0, cut), synced: committed(wal, whole) };
    const synced = committed(wal, chance.below(frames.length));
    yield { kind: "torn tail", database, wal: torn(wal, synced, chance), synced };
    yield { kind: "stale tail", database, wal: stale(wal, synced, chance), synced };
    yield { kind: "flipped tail", database, wal: flipped(wal, synced, chance), synced };
    const whole2 = committed(wal, frames.length);
    yield { kind: "checkpoint", database: halfCopied(database, wal, chance), wal: bytes.slice(), synced: whole2 };
  }
}

/** The frames of the next commits were being written: each sector made it or not. */
function torn(wal: Wal, synced: number, chance: Chance): Uint8Array {
  const from = endOf(wal, synced);
  const until = endOf(wal, committed(wal, Math.min(wal.frames.length, synced + 1 + chance.below(24))));
  const out = wal.bytes.slice(0, Math.max(from, until) + (chance.hits(0.3) ? 4_096 * chance.below(8) : 0));
  spoil(out, from, chance);
  return out;
}

/** Zeroes or garbles some of the sectors after `from`; the one that holds `from` keeps what was synced. */
function spoil(out: Uint8Array, from: number, chance: Chance): void {
  const sector = chance.one(SECTORS);
  const odds = chance.one([0.1, 0.5, 0.9]);
  for (let at = Math.floor(from / sector) * sector; at < out.length; at += sector) {
    if (!chance.hits(odds)) continue;
    const part = out.subarray(Math.max(at, from), at + sector);
    if (chance.hits(0.7)) part.fill(0);
    else part.set(chance.bytes(part.length));
  }
}

/** Behind the synced frames lies what an earlier, longer log left there: whole frames, with other salts. */
function stale(wal: Wal, synced: number, chance: Chance): Uint8Array {
  const out = wal.bytes.slice();
  const salt = chance.bytes(8);
  for (let count = synced; count < wal.frames.length; count++) out.set(salt, endOf(wal, count) + 8);
  return out;
}

function flipped(wal: Wal, synced: number, chance: Chance): Uint8Array {
  const from = endOf(wal, synced);
  const out = wal.bytes.slice();
  if (out.length === from) return out;
  // In the next frame, so that whatever follows it, although whole, must not count.
  const at = from + chance.below(Math.min(wal.frameSize, out.length - from));
  out[at] = (out[at] ?? 0) ^ (1 << chance.below(8));
  return out;
}

/** A checkpoint was copying pages into the database: each sector of each made it or not. */
function halfCopied(database: Uint8Array, wal: Wal, chance: Chance): Uint8Array {
  const { pageSize, frames } = wal;
  const newest = new Map(frames.map(({ page }, frame) => [page, frame]));
  const pages = [...newest].filter(() => chance.hits(0.6));
  const length = Math.max(database.length, ...pages.map(([page]) => page * pageSize));
  const out = new Uint8Array(length);
  out.set(database);
  for (const [page, frame] of pages) {
    const to = (page - 1) * pageSize;
    const before = out.slice(to, to + pageSize);
    out.set(pageOf(wal, frame), to);
    if (!chance.hits(0.3)) continue;
    // A torn page; what did not make it is as before.
    const sector = chance.one(SECTORS);
    for (let at = 0; at < pageSize; at += sector)
      if (chance.hits(0.5)) out.set(before.subarray(at, at + sector), to + at);
  }
  return out;
}
