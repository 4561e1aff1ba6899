/**
 * Standard output as the log's destination. Lines of a few milliseconds leave in one `write`: under load one for each line costs more
 * than the request it tells of. A `kill -9` can take the last of them with it; a crash or an exit cannot, and lines that matter do
 * not wait (`flush`). The books are the journal, not the log.
 */
import pino from "pino";

export interface LogDestination {
  /** One or more complete lines. */
  write(text: string): void;
  /** Writes what waits. */
  flush?(): void;
}

/** In characters; what waits longer than this is written at once. */
const MOST_WAITING = 64 * 1024;
/** How long a line may wait for others; real time, whatever a sandbox's clock does. */
export const LOG_WAITS_MS = 10;

/** @param later runs what it is given after `LOG_WAITS_MS` of real time */
export function standardOutput(later: (run: () => void) => void): LogDestination {
  const output = pino.destination({ dest: 1, sync: true });
  const gathered = gather(output, later);
  process.on("exit", gathered.flush);
  return gathered;
}

/** Hands lines on together. */
export function gather(output: { write(text: string): unknown }, later: (run: () => void) => void) {
  let lines = "";
  const flush = () => {
    if (lines === "") return;
    const text = lines;
    lines = "";
    output.write(text);
  };
  return {
    write(text: string): void {
      if (lines === "") later(flush);
      lines += text;
      if (lines.length >= MOST_WAITING) flush();
    },
    flush,
  };
}
