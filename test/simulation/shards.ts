/**
 * Work divided among processes: a command starts itself several times with `--shard=1/2`, `--shard=2/2`. Each prints as it goes and ends
 * with one line of JSON, which is its result; the first that fails ends the others.
 */
import { availableParallelism } from "node:os";

/** The part of `all` that is this process's; all of it without a shard. */
export function shard<T>(all: readonly T[], of: string | undefined): readonly T[] {
  if (of === undefined) return all;
  const [nth = 1, parts = 1] = of.split("/").map(Number);
  return all.filter((_, index) => index % parts === nth - 1);
}

/** Runs the command's own arguments in at most `jobs` processes. Ends this one when one of them fails. @returns their results. */
export async function shards(script: string, jobs: number): Promise<unknown[]> {
  const parts = Math.max(1, Math.min(jobs, availableParallelism()));
  const children = Array.from({ length: parts }, (_, index) =>
    Bun.spawn([process.execPath, script, ...process.argv.slice(2), `--shard=${index + 1}/${parts}`], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    }),
  );
  const stop = () => {
    for (const child of children) child.kill();
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  return Promise.all(
    children.map(async (child) => {
      let last = "";
      for await (const line of linesOf(child.stdout)) {
        if (last) console.log(last);
        last = line;
      }
      if ((await child.exited) === 0) return JSON.parse(last) as unknown;
      if (last) console.log(last);
      stop();
      process.exit(1);
    }),
  );
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest) yield rest;
}
