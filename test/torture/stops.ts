/**
 * Planned stops under load, and starts that must be refused: SIGTERM drains and leaves no effect unanswered, a second one ends the process
 * at once, a second process leaves the first unharmed, and files that cannot be written to are named.
 */
import { Database } from "bun:sqlite";
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../support/raw.ts";
import { spawnServer } from "../support/spawn.ts";
import { Town, type TownOptions } from "./town.ts";

export interface StopsOptions extends TownOptions {
  readonly rounds: number;
  readonly out: (line: string) => void;
}

const LIFE_MS = 900;
/** A container is killed this long after it was asked to stop. */
const CONTAINER_MS = 10_000;
const AT_ONCE_MS = 1_000;
const REFUSED_WITHIN_MS = 10_000;

/** @returns the violations. */
export async function stopUnderLoad(options: StopsOptions): Promise<readonly string[]> {
  const { out } = options;
  const town = await Town.open(options);
  const { victim } = town;
  let slowestMs = 0;
  try {
    await victim.start();
    town.load();
    for (let round = 0; round < options.rounds; round++) {
      await Bun.sleep(LIFE_MS);
      const { code, ms } = await victim.terminate();
      slowestMs = Math.max(slowestMs, ms);
      if (code !== 0) town.complain(`SIGTERM: exit code ${code}`);
      if (ms > CONTAINER_MS) town.complain(`SIGTERM: it took ${Math.round(ms)} ms`);
      for (const kind of openEffects(town.dataDir))
        town.complain(`SIGTERM: the answer to "${kind}" was not waited for`);
      await victim.start();
    }
    await Bun.sleep(LIFE_MS);
    await secondProcess(town);
    const impatient = await victim.terminate({ afterMs: 20 });
    if (impatient.ms > AT_ONCE_MS) town.complain(`a second SIGTERM: it took ${Math.round(impatient.ms)} ms`);
    await victim.start();
    const stuckMs = await stopWhileStuck(town);
    await victim.start();
    await Bun.sleep(LIFE_MS);
    await town.settle();
    out(
      `stops        ${options.rounds} x SIGTERM under load: exit code 0 within ${Math.round(slowestMs)} ms, no effect unanswered`,
    );
    out(
      `stops        a second SIGTERM: ended after ${Math.round(impatient.ms)} ms, with code ${impatient.code}; books agree`,
    );
    out(
      `stops        while the provider hangs and a client never ends its request: exit code 0 after ${Math.round(stuckMs)} ms`,
    );
    out("starts       a second process on the same data was refused; the first was not harmed");
  } catch (error) {
    town.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await town.close();
  }
  return town.violations;
}

/** The worst that may hold up a stop: peers that do not answer, and a client that does not say what it wants. */
async function stopWhileStuck(town: Town): Promise<number> {
  const { victim, peers, complain } = town;
  await Bun.sleep(LIFE_MS);
  await peers.fault("provider", "*", "hang", 400);
  const client = await connect(`http://127.0.0.1:${peers.port}`);
  client.send("POST /v2/l402/order HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  await Bun.sleep(LIFE_MS);
  const { code, ms } = await victim.terminate();
  client.close();
  await peers.control("DELETE", "/faults");
  if (code !== 0) complain(`SIGTERM while the provider hangs: exit code ${code}`);
  if (ms > CONTAINER_MS) complain(`SIGTERM while the provider hangs: it took ${Math.round(ms)} ms`);
  return ms;
}

function openEffects(dataDir: string): string[] {
  using db = new Database(join(dataDir, "orders.sqlite"), { readonly: true });
  return db
    .query<{ kind: string }, []>("SELECT body ->> '$.kind' AS kind FROM effects")
    .all()
    .map(({ kind }) => kind);
}

async function secondProcess({ victim, peers, complain }: Town): Promise<void> {
  const { dataDir } = victim;
  const second = spawnServer({ command: victim.command, dataDir, env: { SANDBOX_URL: peers.url } });
  const code = await endedWithin(second, REFUSED_WITHIN_MS);
  if (code !== 1 || !second.output().includes("Another server uses this DATA_DIR")) {
    complain(`a second process ended with code ${code}: ${second.output()}`);
  }
  const answer = await fetch(`http://127.0.0.1:${peers.port}/readyz`).catch(() => null);
  if (answer?.status !== 200) complain("a second process harmed the first");
}

async function endedWithin(server: ReturnType<typeof spawnServer>, limitMs: number): Promise<number | null> {
  const late = setTimeout(() => server.signal("SIGKILL"), limitMs);
  const code = await server.ended();
  clearTimeout(late);
  return code;
}

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
      const code = await endedWithin(server, REFUSED_WITHIN_MS);
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
