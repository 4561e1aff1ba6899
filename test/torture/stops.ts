/**
 * Planned stops under load: SIGTERM drains and leaves no effect unanswered, a second one ends the process at once, and a second process on
 * the same data leaves the first unharmed.
 */
import { Database } from "bun:sqlite";
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
  const code = await second.endedWithin(REFUSED_WITHIN_MS);
  if (code !== 1 || !second.output().includes("Another server uses this DATA_DIR")) {
    complain(`a second process ended with code ${code}: ${second.output()}`);
  }
  const answer = await fetch(`http://127.0.0.1:${peers.port}/readyz`).catch(() => null);
  if (answer?.status !== 200) complain("a second process harmed the first");
}
