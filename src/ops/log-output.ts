/**
 * Standard output as the log's destination. Lines of a few milliseconds leave in one `write`: under load one for each line costs more
 * than the request it tells of. A `kill -9` can take the last of them with it; a crash or an exit cannot, and lines that matter do
 * not wait (`flush`). The books are the journal, not the log.
 */
import type { EventEmitter } from "node:events";
import pino from "pino";

export interface LogDestination {
  /** One or more complete lines. */
  write(text: string): void;
  /** Writes what waits. */
  flush?(): void;
}

interface Output {
  write(bytes: Buffer): unknown;
}

/** In bytes; what does not fit any more sends off what waits. */
const MOST_WAITING = 64 * 1024;
/** UTF-8 for one unit of UTF-16 (RFC 3629, section 3). */
const MOST_BYTES_OF_A_CHARACTER = 3;
/** How long a line may wait for others; real time, whatever a sandbox's clock does. */
export const LOG_WAITS_MS = 10;

/** While nothing can be written, the first lines are kept up to this: a disk that is full for hours must not fill the memory. */
const MOST_KEPT = 1024 * 1024;

/**
 * Never throws: the service does its work also when its log cannot be written, and says so on standard error.
 * @param later runs what it is given after `LOG_WAITS_MS` of real time
 */
export function standardOutput(later: (run: () => void) => void): LogDestination {
  // Of this mode the types know nothing.
  const settings = { dest: 1, sync: true, contentMode: "buffer", maxLength: MOST_KEPT } as const;
  const output = pino.destination(settings) as unknown as Output & Pick<EventEmitter, "on">;
  let failing = false;
  let lost = false;
  output.on("drop", () => {
    lost = true;
  });
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (!failing) console.error(`The log cannot be written: ${error.code ?? error.message}`);
    failing = true;
  });
  output.on("write", () => {
    if (failing) console.error(`The log is written again${lost ? "; lines are missing" : ""}`);
    failing = false;
    lost = false;
  });
  const gathered = gather(output, later);
  process.on("exit", gathered.flush);
  return gathered;
}

/** Hands lines on together. */
export function gather(output: Output, later: (run: () => void) => void) {
  // Encoded as they come: a text that grows by thousands of pieces costs more to put together at the end than the lines themselves.
  const waiting = Buffer.allocUnsafe(MOST_WAITING);
  let length = 0;
  const flush = () => {
    if (length === 0) return;
    // A copy, because the output may still hold it when it could not write.
    const bytes = Buffer.from(waiting.subarray(0, length));
    length = 0;
    output.write(bytes);
  };
  return {
    write(text: string): void {
      const most = text.length * MOST_BYTES_OF_A_CHARACTER;
      if (length + most > MOST_WAITING) flush();
      if (most > MOST_WAITING) {
        output.write(Buffer.from(text));
        return;
      }
      if (length === 0) later(flush);
      length += waiting.write(text, length);
    },
    flush,
  };
}
