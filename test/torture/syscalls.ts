/**
 * The order of the process's own system calls, seen by strace: no answer is written to a socket while the log holds writes that were not
 * synced (invariant 22), no page goes into the database before the log that holds it is safe, and no log begins anew before the database is.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Town, type TownOptions } from "./town.ts";

export interface TraceSummary {
  /** HTTP answers that were sent. */
  readonly answers: number;
  /** Writes to the log. */
  readonly writes: number;
  /** Syncs of the log that returned. */
  readonly syncs: number;
  readonly violations: readonly string[];
}

const CALLS = "pwrite64,pwritev,ftruncate,fsync,fdatasync,write,writev,sendto,sendmsg";
const LOAD_MS = 2_500;

/** Reads what `strace -f -y` wrote. Lines stand in the order in which the calls began or ended. */
export function readTrace(trace: string): TraceSummary {
  const dirty = { log: false, database: false };
  const violations: string[] = [];
  let answers = 0;
  let writes = 0;
  let syncs = 0;
  /** Syncs under way, by thread. */
  const syncing = new Map<string, keyof typeof dirty>();
  trace.split("\n").forEach((line, index) => {
    const fail = (what: string) => violations.push(`${what} (system call ${index + 1})`);
    const resumed = /^(\d+) +<\.\.\. (?:fsync|fdatasync) resumed>.*= (-?\d+)/.exec(line);
    if (resumed) {
      const file = syncing.get(resumed[1] ?? "");
      if (file && resumed[2] === "0") dirty[file] = false;
      syncs += file === "log" ? 1 : 0;
      return;
    }
    const call = /^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$/.exec(line);
    if (!call) return;
    const [, thread = "", name = "", path = "", rest = ""] = call;
    const file = path.endsWith("/orders.sqlite-wal") ? "log" : path.endsWith("/orders.sqlite") ? "database" : null;
    if (name === "fsync" || name === "fdatasync") {
      if (!file) return;
      if (rest.endsWith("<unfinished ...>")) return void syncing.set(thread, file);
      if (rest.endsWith("= 0")) dirty[file] = false;
      syncs += file === "log" ? 1 : 0;
    } else if (file === "log") {
      const anew = name === "ftruncate" || /, 32, 0(?:\)| <unfinished)/.test(rest);
      if (anew && dirty.database) fail("a log began anew before the database was safe");
      // Cut to nothing, it holds nothing that could be lost.
      dirty.log = name !== "ftruncate";
      writes++;
    } else if (file === "database") {
      if (dirty.log) fail("a page went into the database before its log was safe");
      dirty.database = true;
    } else if (/"HTTP\/1\.1 \d/.test(rest)) {
      answers++;
      if (dirty.log) fail("an answer was sent before its commit was synced");
    }
  });
  return { answers, writes, syncs, violations };
}

/** Why the calls cannot be watched here, or null. */
export function cannotTrace(): string | null {
  if (Bun.which("strace") === null) return "strace is not installed";
  const { exitCode } = Bun.spawnSync(["strace", "-D", "-f", "-o", "/dev/null", "true"]);
  return exitCode === 0 ? null : "strace may not trace here";
}

/** Customers buy from the executable under strace. @returns the violations. */
export async function watchSyscalls(
  options: TownOptions & { readonly out: (line: string) => void },
): Promise<readonly string[]> {
  const why = cannotTrace();
  if (why !== null) {
    options.out(`syncs        skipped: ${why}`);
    return [];
  }
  const dir = mkdtempSync(join(tmpdir(), "l402-trace-"));
  const file = join(dir, "trace");
  // -D: the server stays our child, and gets our signals.
  const strace = ["strace", "-D", "-f", "-y", "-s", "32", "-e", "signal=none", "-e", `trace=${CALLS}`, "-o", file];
  const town = await Town.open({ ...options, command: [...strace, ...options.command], customers: 4 });
  try {
    await town.victim.start();
    town.load();
    await Bun.sleep(LOAD_MS);
    // Erasure copies the log into the database, and empties it.
    await town.paused(() => town.clock.advance(310));
    await Bun.sleep(LOAD_MS / 2);
    await town.unload();
    await town.victim.terminate();
    const { answers, writes, syncs, violations } = readTrace(existsSync(file) ? readFileSync(file, "latin1") : "");
    for (const violation of violations.slice(0, 10)) town.complain(violation);
    if (answers === 0 || syncs === 0) town.complain("no answer or no sync was seen");
    options.out(
      `syncs        ${answers} answers, none while one of ${writes} writes to the log waited for one of ${syncs} syncs`,
    );
  } catch (error) {
    town.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await town.close();
    rmSync(dir, { recursive: true, force: true });
  }
  return town.violations;
}
