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
  const reader = new TraceReader();
  for (const line of trace.split("\n")) reader.take(line);
  return reader;
}

type File = "log" | "database";

class TraceReader implements TraceSummary {
  answers = 0;
  writes = 0;
  syncs = 0;
  readonly violations: string[] = [];
  #lines = 0;
  /** Written to since its last sync. */
  readonly #dirty: Record<File, boolean> = { log: false, database: false };
  /** Syncs under way, by thread. */
  readonly #syncing = new Map<string, File>();

  take(line: string): void {
    this.#lines++;
    const resumed = /^(\d+) +<\.\.\. (?:fsync|fdatasync) resumed>(.*)$/.exec(line);
    if (resumed) {
      const [, thread = "", rest = ""] = resumed;
      const file = this.#syncing.get(thread);
      this.#syncing.delete(thread);
      if (file) this.#synced(file, rest);
      return;
    }
    const call = /^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$/.exec(line);
    if (!call) return;
    const [, thread = "", name = "", path = "", rest = ""] = call;
    const file = path.endsWith("/orders.sqlite-wal") ? "log" : path.endsWith("/orders.sqlite") ? "database" : null;
    if (name === "fsync" || name === "fdatasync") {
      if (file && rest.endsWith("<unfinished ...>")) this.#syncing.set(thread, file);
      else if (file) this.#synced(file, rest);
    } else if (file === "log") {
      this.#log(name, rest);
    } else if (file === "database") {
      if (this.#dirty.log) this.#fail("a page went into the database before its log was safe");
      this.#dirty.database = true;
    } else if (/"HTTP\/1\.1 \d/.test(rest)) {
      this.answers++;
      if (this.#dirty.log) this.#fail("an answer was sent before its commit was synced");
    }
  }

  #log(name: string, rest: string): void {
    this.writes++;
    const anew = name === "ftruncate" || /, 32, 0(?:\)| <unfinished)/.test(rest);
    if (anew && this.#dirty.database) this.#fail("a log began anew before the database was safe");
    // Cut to nothing, it holds nothing that could be lost.
    this.#dirty.log = name !== "ftruncate";
  }

  #synced(file: File, rest: string): void {
    if (rest.endsWith("= 0")) this.#dirty[file] = false;
    if (file === "log") this.syncs++;
  }

  #fail(what: string): void {
    this.violations.push(`${what} (system call ${this.#lines})`);
  }
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
