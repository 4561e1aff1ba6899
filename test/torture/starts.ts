/** Starts that must be refused: files that cannot be written to are named, nothing else is said, and nothing is left behind. */
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnServer } from "../support/spawn.ts";
import type { TownOptions } from "./town.ts";

const REFUSED_WITHIN_MS = 10_000;

interface Locked {
  readonly what: string;
  /** Files and their folder ("") that turn read-only. */
  readonly files: readonly string[];
  readonly names: string;
}

const LOCKED: readonly Locked[] = [
  { what: "a database that can only be read", files: ["orders.sqlite"], names: "orders.sqlite" },
  { what: "a lock that can only be read", files: ["lock.sqlite"], names: "lock.sqlite" },
  { what: "a folder that can only be read", files: [""], names: "lock.sqlite" },
];

/**
 * Starts that cannot write are refused, and say which file it is. Root may write to everything, so the service is run as nobody then.
 * @returns the violations.
 */
export async function startReadOnly(
  options: TownOptions & { readonly out: (line: string) => void },
): Promise<readonly string[]> {
  const { out } = options;
  const violations: string[] = [];
  const isRoot = process.getuid?.() === 0;
  if (isRoot && Bun.which("setpriv") === null) {
    out("read-only    skipped: root may write to everything, and there is no setpriv to be somebody else");
    return [];
  }
  const dir = mkdtempSync(join(tmpdir(), "l402-read-only-"));
  try {
    const program = join(dir, "program");
    copyFileSync(options.command[0] ?? "", program);
    chmodSync(program, 0o755);
    chmodSync(dir, 0o777);
    const nobody = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    const data = join(dir, "data");
    const start = async (): Promise<{ readonly code: number | null; readonly output: string }> => {
      const server = spawnServer({ command: [...nobody, program], dataDir: data, cwd: dir });
      const listening = await server.listening();
      if (listening) server.signal("SIGTERM");
      const code = await server.endedWithin(REFUSED_WITHIN_MS);
      return { code: listening ? (code ?? 0) : code, output: server.output() };
    };
    const first = await start();
    if (first.code !== 0) throw new Error(`The service does not start as nobody: ${first.output}`);
    for (const { what, files, names } of LOCKED) {
      const paths = files.map((file) => join(data, file));
      const modes = paths.map((path) => (path === data ? [0o555, 0o700] : [0o444, 0o644]) as [number, number]);
      paths.forEach((path, index) => {
        chmodSync(path, modes[index]?.[0] ?? 0);
      });
      const { code, output } = await start();
      paths.forEach((path, index) => {
        chmodSync(path, modes[index]?.[1] ?? 0);
      });
      const said = output.trim();
      if (code !== 1 || !said.includes(names) || said.includes("\n"))
        violations.push(`${what}: exit code ${code}: ${said}`);
    }
    const last = await start();
    if (last.code !== 0) violations.push(`writable again, it does not start: ${last.output}`);
    out(`starts       refused with the file's name: ${LOCKED.map(({ what }) => what).join(", ")}`);
  } catch (error) {
    violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    for (const name of readdirSync(dir)) chmodSync(join(dir, name), 0o755);
    rmSync(dir, { recursive: true, force: true });
  }
  for (const violation of violations) console.error(`VIOLATION ${violation}`);
  return violations;
}
