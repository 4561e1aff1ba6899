/**
 * Lives through orders under crashes, lost answers, lying peers and jumping clocks, and prints "0 violations" or the run that fails, made as
 * small as can be and kept in `regressions/`.
 *
 *   bun run simulate [--orders=2000] [--seed=N|commit] [--faults=none|low|normal|high] [--minutes=M] [--jobs=2] [--twice=1] [--grid] [--shrink=90]
 *   bun run simulate --node=cln        the same through the adapter of another node: lnd, cln, phoenixd, nwc
 *   bun run simulate --replay=test/simulation/regressions/NAME.json
 *   bun run simulate --regressions
 *
 * A million: --orders=1000000 --twice=20. --grid goes on until every cell of the grid was met. --twice=20 lives every 20th seed twice. A failing
 * run is made smaller for as many seconds as --shrink says; with 0 it is printed as it is, and not kept.
 */
import { mkdir, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { NODE_KINDS, type NodeKind } from "../../src/node.ts";
import { commandLine } from "../support/command-line.ts";
import { GRID } from "./coverage.ts";
import { addTo, emptyTally, missingFrom, session, type Tally } from "./session.ts";
import { shards } from "./shards.ts";
import { type Failure, failureOf, type Replay, shrink } from "./shrink.ts";
import { commitTurn } from "./turn.ts";

const { values, whole, refuse } = commandLine(import.meta.path, {
  orders: { type: "string", default: "2000" },
  seed: { type: "string" },
  faults: { type: "string", default: "normal" },
  node: { type: "string", default: "lnd" },
  minutes: { type: "string", default: "Infinity" },
  jobs: { type: "string", default: "2" },
  twice: { type: "string", default: "1" },
  grid: { type: "boolean", default: false },
  shrink: { type: "string", default: "90" },
  replay: { type: "string" },
  regressions: { type: "boolean", default: false },
  shard: { type: "string" },
});

const ROOT = join(import.meta.dir, "..", "..");
const KEPT = join(import.meta.dir, "regressions");
const LEVELS: Readonly<Record<string, number>> = { none: 0, low: 0.3, normal: 1, high: 3 };
const CUSTOMERS = 200;
/** Read at once: a run that failed after hours is no time to find out that it is no number. */
const SHRINK_S = whole("shrink");
const PROGRESS_MS = 5_000;
/** Lines of the story that are printed. */
const STORY = 40;

const started = performance.now();
const elapsed = (): number => (performance.now() - started) / 1_000;

async function main(): Promise<number> {
  if (values.replay !== undefined) return (await relive(values.replay)) ? 0 : 1;
  if (values.regressions) return reliveAll();
  const faults = LEVELS[values.faults];
  const [orders, minutes, jobs, twice] = [values.orders, values.minutes, values.jobs, values.twice].map(Number);
  const node = NODE_KINDS.find((kind) => kind === values.node);
  if (!node) {
    return refuse(`--node is one of ${NODE_KINDS.join(", ")}`);
  }
  if (
    faults === undefined ||
    !((orders ?? 0) > 0) ||
    !((minutes ?? 0) > 0) ||
    !((jobs ?? 0) > 0) ||
    !((twice ?? 0) > 0)
  ) {
    return refuse(`--faults is one of ${Object.keys(LEVELS).join(", ")}; the others are numbers above 0`);
  }
  if (values.seed === "commit") values.seed = String(commitTurn(ROOT));
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole("seed") >>> 0;
  if (values.shard === undefined && jobs !== 1) return together(seed, jobs ?? 1);
  return alone({ seed, faults, node, orders: orders ?? 0, minutes: minutes ?? 0, twice: twice ?? 1 });
}

/** Several processes, each with seeds of its own. */
async function together(seed: number, jobs: number): Promise<number> {
  console.log(`first seed ${seed}`);
  if (values.seed === undefined) process.argv.push(`--seed=${seed}`);
  const tally = emptyTally();
  for (const part of (await shards(import.meta.path, jobs)) as Tally[]) addTo(tally, part);
  report(tally);
  return 0;
}

interface Alone {
  readonly seed: number;
  readonly faults: number;
  readonly node: NodeKind;
  readonly orders: number;
  readonly minutes: number;
  readonly twice: number;
}

async function alone({ seed, faults, node, orders, minutes, twice }: Alone): Promise<number> {
  const [nth = 1, parts = 1] = (values.shard ?? "1/1").split("/").map(Number);
  const share = Math.ceil(orders / parts);
  let told = performance.now();
  const [tally, failure] = await session({
    seed: (seed + nth - 1) >>> 0,
    step: parts,
    faults,
    node,
    customers: CUSTOMERS,
    twiceEvery: twice,
    isOver: (soFar) =>
      elapsed() > minutes * 60 || (soFar.orders >= share && (!values.grid || missingFrom(soFar.cells).length === 0)),
    onRun: (soFar) => {
      if (process.stdout.isTTY) process.stdout.write(`\r${progress(soFar)}\u001b[K`);
      else if (performance.now() - told > PROGRESS_MS) {
        told = performance.now();
        console.log(progress(soFar));
      }
    },
  });
  if (failure) return broken(failure.replay, failure);
  if (process.stdout.isTTY) process.stdout.write("\n");
  if (values.shard !== undefined) console.log(JSON.stringify(tally));
  else report(tally);
  return 0;
}

function progress({ orders, crashes, cells, faults }: Tally): string {
  const all = GRID.size;
  const most = Object.entries(faults)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 4)
    .map(([fault, n]) => `${fault} ${n}`);
  return `${orders} orders, ${(orders / elapsed()).toFixed(0)}/s, ${crashes} crashes survived, ${all - missingFrom(cells).length}/${all} cells; ${most.join(", ")}`;
}

function report({ runs, orders, crashes, twice, faults, cells, kinds, outcomes }: Tally): void {
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([name, n]) => `${name} ${n}`)
      .join(", ");
  const missing = missingFrom(cells);
  console.log(`outcomes   ${list(outcomes)}`);
  console.log(`states     ${list(kinds)}`);
  console.log(`faults     ${list(faults)}`);
  console.log(
    `grid       ${GRID.size - missing.length} of ${GRID.size} cells of state x fault met${missing.length > 0 ? `; not met: ${missing.join(", ")}` : ""}`,
  );
  console.log(
    `${orders} paid orders in ${runs} runs, ${(orders / elapsed()).toFixed(0)}/s, ${crashes} crashes survived; ${twice} seeds lived twice, the same trace; ${elapsed().toFixed(1)} s`,
  );
  console.log("0 violations");
}

/** Prints the failure, makes it small and keeps it. */
async function broken(replay: Replay, failure: Failure): Promise<number> {
  console.error(`\nseed ${replay.seed} fails: ${failure.error.stack ?? failure.error.message}`);
  if (SHRINK_S === 0) return 1;
  console.error(`looking for a shorter way to it, ${SHRINK_S} s at most`);
  const [smallest, last] = await shrink(replay, failure, SHRINK_S * 1_000);
  const customers = smallest.customers - (smallest.without?.length ?? 0);
  console.error(`${customers} customers are left, ${last.story.length} steps; the last of them:`);
  console.error(last.story.slice(-STORY).join("\n"));
  await mkdir(KEPT, { recursive: true });
  const path = join(KEPT, `seed-${replay.seed}.json`);
  await Bun.write(path, `${JSON.stringify({ says: last.error.message, ...smallest }, null, 2)}\n`);
  console.error(`replay: bun run simulate --replay=${relative(ROOT, path)}`);
  return 1;
}

/** @returns whether nothing is violated any more. */
async function relive(path: string): Promise<boolean> {
  const { says, ...replay } = (await Bun.file(path).json()) as Replay & { readonly says: string };
  const failure = await failureOf(replay);
  if (!failure) return true;
  console.error(failure.story.slice(-STORY).join("\n"));
  console.error(`${relative(ROOT, path)} fails again (${says}): ${failure.error.stack ?? failure.error.message}`);
  return false;
}

async function reliveAll(): Promise<number> {
  const names = (await readdir(KEPT)).filter((name) => name.endsWith(".json")).sort();
  let failed = 0;
  for (const name of names) if (!(await relive(join(KEPT, name)))) failed++;
  console.log(`${names.length} regressions lived again in ${elapsed().toFixed(1)} s`);
  console.log(`${failed} violations`);
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
