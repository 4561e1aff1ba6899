/**
 * The write-ahead log as bytes (sqlite.org/fileformat2.html, section 4; sqlite.org/walformat.html, section 2.1): which frames a commit
 * ends, and how far the log of a running process is. For cutting it where a power cut may.
 */
import { closeSync, openSync, readSync } from "node:fs";

export const WAL_HEADER = 32;
const FRAME_HEADER = 24;
const MAGIC = 0x377f0682;

export interface Wal {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly pageSize: number;
  /** Bytes per frame, its header included. */
  readonly frameSize: number;
  readonly frames: readonly Frame[];
}

export interface Frame {
  /** Page number in the database, from 1. */
  readonly page: number;
  /** This frame ends a commit: it becomes visible, and with it all before it. */
  readonly commit: boolean;
}

/** Reads a log up to its last valid frame; what follows is an older log or torn. @throws Error when its header makes no sense */
export function readWal(file: Uint8Array): Wal {
  const bytes = Uint8Array.from(file);
  const view = new DataView(bytes.buffer);
  const magic = view.getUint32(0);
  if ((magic & ~1) !== MAGIC) throw new Error("Not a write-ahead log");
  const littleEndian = (magic & 1) === 0;
  const pageSize = view.getUint32(8);
  const frameSize = FRAME_HEADER + pageSize;
  const salts = [view.getUint32(16), view.getUint32(20)] as const;
  let sum = checksum(view, 0, 24, [0, 0], littleEndian);
  const frames: Frame[] = [];
  for (let at = WAL_HEADER; at + frameSize <= bytes.length; at += frameSize) {
    if (view.getUint32(at + 8) !== salts[0] || view.getUint32(at + 12) !== salts[1]) break;
    sum = checksum(view, at, 8, sum, littleEndian);
    sum = checksum(view, at + FRAME_HEADER, pageSize, sum, littleEndian);
    if (view.getUint32(at + 16) !== sum[0] || view.getUint32(at + 20) !== sum[1]) break;
    frames.push({ page: view.getUint32(at), commit: view.getUint32(at + 4) !== 0 });
  }
  return { bytes: bytes.slice(0, WAL_HEADER + frames.length * frameSize), pageSize, frameSize, frames };
}

/** Where the first `frames` frames end. */
export const endOf = ({ frameSize }: Wal, frames: number): number => WAL_HEADER + frames * frameSize;

/** The page that a frame carries. */
export function pageOf(wal: Wal, frame: number): Uint8Array {
  const from = endOf(wal, frame) + FRAME_HEADER;
  return wal.bytes.subarray(from, from + wal.pageSize);
}

/** Frames up to and with the last commit among the first `frames`. */
export function committed({ frames }: Wal, upTo: number): number {
  for (let count = Math.min(upTo, frames.length); count > 0; count--) if (frames[count - 1]?.commit) return count;
  return 0;
}

function checksum(
  view: DataView,
  from: number,
  length: number,
  [s0, s1]: readonly [number, number],
  littleEndian: boolean,
): readonly [number, number] {
  let [a, b] = [s0, s1];
  for (let at = from; at < from + length; at += 8) {
    a = (a + view.getUint32(at, littleEndian) + b) >>> 0;
    b = (b + view.getUint32(at + 4, littleEndian) + a) >>> 0;
  }
  return [a, b];
}

export interface WalPosition {
  /** Another one after the log began anew. */
  readonly generation: string;
  /** Frames up to and with the last commit; all of them were synced before this was written. */
  readonly frames: number;
  /** Frames that a checkpoint has copied into the database. */
  readonly copied: number;
}

/** Reads the position of a log from its `-shm` file (walformat.html, section 2.1), in the byte order of this machine. */
export class WalIndex {
  readonly #path: string;
  readonly #head = Buffer.alloc(104);

  constructor(databasePath: string) {
    this.#path = `${databasePath}-shm`;
  }

  /** Null while there is none, or while it is being written. */
  read(): WalPosition | null {
    let fd: number;
    try {
      fd = openSync(this.#path, "r");
    } catch {
      return null;
    }
    try {
      if (readSync(fd, this.#head, 0, 104, 0) < 104) return null;
    } finally {
      closeSync(fd);
    }
    // Written twice, so that a reader notices when it came in between.
    const head = this.#head;
    if (head.compare(head, 48, 96, 0, 48) !== 0 || head[12] !== 1) return null;
    return {
      generation: head.toString("hex", 32, 40),
      frames: head.readUInt32LE(16),
      copied: head.readUInt32LE(96),
    };
  }
}
