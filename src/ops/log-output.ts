/**
 * Standard output as the log's destination. The lines of one turn of the event loop leave in one `write`: under load one for each line
 * costs more than the request it tells of. A `kill -9` can take the lines of that one turn with it, a crash or an exit cannot, and
 * lines that matter do not wait (`flush`). The books are the journal, not the log.
 */
import pino from "pino";
import type { World } from "../../actors/runtime/world.ts";

export interface LogDestination {
  /** One or more complete lines. */
  write(text: string): void;
  /** Writes what waits. */
  flush?(): void;
}

/** In characters; what waits longer than this is written at once. */
const MOST_WAITING = 64 * 1024;

export function standardOutput(world: Pick<World, "soon">): LogDestination {
  const output = pino.destination({ dest: 1, sync: true });
  const waiting = linesOfATurn(world, output);
  process.on("exit", waiting.flush);
  return waiting;
}

/** Hands over to `output` once a turn. */
export function linesOfATurn(world: Pick<World, "soon">, output: { write(text: string): unknown }) {
  let lines = "";
  const flush = () => {
    if (lines === "") return;
    const text = lines;
    lines = "";
    output.write(text);
  };
  return {
    write(text: string): void {
      if (lines === "") world.soon(flush);
      lines += text;
      if (lines.length >= MOST_WAITING) flush();
    },
    flush,
  };
}
