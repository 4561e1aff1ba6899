/**
 * What the disk itself does to deadlines: bytes that are due at a fixed pace, written and synced by nobody but a loop. Virtual disks are
 * throttled, and stop for a quarter of a second when they were used for a while.
 */
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "./product.ts";

/** As long as a log that is moved every 1,000 pages. */
const FILE_BYTES = 4 * 2 ** 20;

/** Bytes that this process has handed to files and sockets so far (Linux, proc(5), `/proc/pid/io`). */
export const bytesWritten = (): number =>
  Number(/^wchar: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1] ?? 0);

/** How late each of `perSecond` * `seconds` parts of `bytes` was on the disk, in ms, ascending; what is due together shares one sync. */
export async function bareLateness(load: {
  readonly perSecond: number;
  readonly seconds: number;
  readonly bytes: number;
}): Promise<number[]> {
  const { perSecond, seconds, bytes } = load;
  const file = openSync(join(newFolder(), "bare"), "w");
  writeSync(file, Buffer.alloc(FILE_BYTES));
  fdatasyncSync(file);
  const late: number[] = [];
  const began = performance.now();
  const dueAt = (n: number) => began + (n * 1_000) / perSecond;
  let at = 0;
  while (late.length < perSecond * seconds) {
    await Bun.sleep(Math.max(0, Math.ceil(dueAt(late.length) - performance.now())));
    const due = Math.floor(((performance.now() - began) * perSecond) / 1_000) + 1 - late.length;
    const part = Buffer.alloc(Math.min(due * bytes, FILE_BYTES), 1);
    if (at + part.length > FILE_BYTES) at = 0;
    at += writeSync(file, part, 0, part.length, at);
    fdatasyncSync(file);
    const now = performance.now();
    for (let n = 0; n < due; n++) late.push(now - dueAt(late.length));
  }
  closeSync(file);
  return late.sort((a, b) => a - b);
}
