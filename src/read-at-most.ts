import { closeSync, openSync, readSync } from "node:fs";

/** The first `bytes` bytes of a file; a pipe or a device does not say how much it holds. @throws ErrnoException */
export function readAtMost(path: string, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  const file = openSync(path, "r");
  try {
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes; length += read)
      read = readSync(file, buffer, length, bytes - length, null);
    return buffer.subarray(0, length);
  } finally {
    closeSync(file);
  }
}
