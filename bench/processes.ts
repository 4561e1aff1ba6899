/** Processes of a measurement: started, asked for what they used, and ended. Their output goes to a file, as a service manager would take it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcomeOf } from "../test/support/spawn.ts";

export interface Running {
  readonly pid: number;
  /** Processor time that it used so far, all threads, ms. */
  cpuMs(): number;
  /** Resident memory now, bytes. */
  rss(): number;
  output(): string;
  /** Asks it to end and waits. */
  stop(): Promise<void>;
}

const STARTS_WITHIN_MS = 60_000;
const STOPS_WITHIN_MS = 15_000;
/** Linux counts processor time in hundredths of a second, whatever the kernel's own tick (proc(5), "stat"). */
const TICK_MS = 10;

/** Folder of everything that a run writes. Made when it is needed: most processes of a measurement only read. */
let folder: string | null = null;
const running = new Set<Running>();

/** Path of a file or folder of this run, which goes at its end. */
export function scratch(name: string): string {
  folder ??= mkdtempSync(join(tmpdir(), "l402-bench-"));
  return join(folder, name);
}

/** Ends what still runs and removes what was written. */
export async function cleanUp(): Promise<void> {
  await Promise.all([...running].map((one) => one.stop()));
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
  folder = null;
}

/** A run that is interrupted leaves nothing behind either. */
export function cleanUpWhenInterrupted(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void cleanUp().finally(() => process.exit(1)));
  }
}

/** What the kernel says of a process; @throws Error where there is no /proc */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name before the last parenthesis may hold anything; fields 14 and 15 are user and system time.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function rssOf(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kb ?? 0) * 1024;
}

let files = 0;

/** Starts `bun <args>`, or another program, and waits for the line that `ready` finds; its match is what the caller learns from it. */
export async function start(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  ready: RegExp,
  program = process.execPath,
): Promise<Running & { readonly found: RegExpExecArray }> {
  const path = scratch(`output-${files++}`);
  const child = Bun.spawn([program, ...args], {
    cwd: join(import.meta.dir, ".."),
    env: { PATH: process.env.PATH ?? "", ...env },
    stdin: "ignore",
    stdout: Bun.file(path),
    stderr: Bun.file(`${path}.err`),
  });
  const read = (file: string): string => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return "";
    }
  };
  const one: Running = {
    pid: child.pid,
    cpuMs: () => cpuOf(child.pid),
    rss: () => rssOf(child.pid),
    output: () => read(path) + read(`${path}.err`),
    async stop() {
      running.delete(one);
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), STOPS_WITHIN_MS);
      await child.exited;
      clearTimeout(late);
    },
  };
  running.add(one);
  const giveUp = performance.now() + STARTS_WITHIN_MS;
  for (;;) {
    const found = ready.exec(read(path));
    if (found) return { ...one, found };
    if (child.exitCode !== null || performance.now() > giveUp) {
      await one.stop();
      throw new Error(`${program} ${args.join(" ")} did not start:\n${one.output().slice(-2_000)}`);
    }
    await Bun.sleep(2);
  }
}

/** Runs `bun <args>` to its end. @returns the JSON of its last line. @throws Error when it failed */
export async function result<T>(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<T> {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: join(import.meta.dir, ".."),
    env: { PATH: process.env.PATH ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { out, err, code } = await outcomeOf(child);
  if (code !== 0) throw new Error(`bun ${args.join(" ").slice(0, 200)} failed:\n${(out + err).slice(-2_000)}`);
  return JSON.parse(out.trim().split("\n").at(-1) ?? "") as T;
}
