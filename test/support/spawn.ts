/** A server process as an operator starts it: on free ports, with its own data directory, its output collected. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

export interface SpawnOptions {
  /** Default: this source tree on this Bun. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir: string;
  /** Default: the data directory, which is made then. */
  readonly cwd?: string;
}

export interface Addresses {
  /** Scheme, host and port of the API. */
  readonly origin: string;
  /** The sandbox's control surface; ends in `/sandbox`. */
  readonly sandbox: string;
}

export type SpawnedServer = ReturnType<typeof spawnServer>;

const READY_MS = 20_000;
const MAIN = join(import.meta.dir, "../../src/main.ts");

/** Everything that a process with piped output said, and how it ended. */
export async function outcomeOf(child: Bun.Subprocess<Bun.SpawnOptions.Writable, "pipe", "pipe">) {
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

/** Returns at once; `ready` says when it can be talked to. */
export function spawnServer({ command = [process.execPath, MAIN], env, dataDir, cwd }: SpawnOptions) {
  if (cwd === undefined) mkdirSync(dataDir, { recursive: true });
  const child = Bun.spawn([...command], {
    cwd: cwd ?? dataDir,
    env: {
      PATH: process.env.PATH ?? "",
      PORT: "0",
      SANDBOX_PORT: "0",
      DATA_DIR: dataDir,
      SANDBOX_SMS_AFTER_MS: "off",
      LOG_LEVEL: "info",
      LOG_FORMAT: "json",
      CREATE_PER_MINUTE: "100000",
      READ_PER_MINUTE: "1000000",
      MAX_UNPAID_PER_CLIENT: "100000",
      MAX_CANCELLED_PER_CLIENT: "100000",
      ...env,
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  let output = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) output += decoder.decode(chunk, { stream: true });
  };
  const drained = Promise.all([collect(child.stdout), collect(child.stderr)]);

  /** The line with peers of their own is not printed when others are used. */
  const addresses = (): Addresses | null => {
    const api = /^API +(\S+)/m.exec(output)?.[1];
    const own = /^Sandbox +(\S+)/m.exec(output)?.[1];
    const peers = env?.SANDBOX_URL === undefined ? own : `${env.SANDBOX_URL}/sandbox`;
    return api && peers ? { origin: new URL(api).origin, sandbox: peers } : null;
  };

  /** Resolves with the exit code once everything it said was read; null when a signal ended it. */
  const ended = async (): Promise<number | null> => {
    await child.exited;
    await drained;
    return child.signalCode === null ? child.exitCode : null;
  };

  return {
    pid: child.pid,
    output: () => output,

    /** Resolves once it listens, with null when it ended before that. */
    async listening(): Promise<Addresses | null> {
      const deadline = performance.now() + READY_MS;
      for (;;) {
        const found = addresses();
        if (found) return found;
        if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) return null;
        await Bun.sleep(3);
      }
    },
    signal: (name: NodeJS.Signals) => child.kill(name),
    ended,
    /** The same, but it is killed after `limitMs`. */
    async endedWithin(limitMs: number): Promise<number | null> {
      const late = setTimeout(() => child.kill("SIGKILL"), limitMs);
      const code = await ended();
      clearTimeout(late);
      return code;
    },
  };
}
