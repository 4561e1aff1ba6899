/**
 * Whole lives in process, with peers that answer at once: what the engine and the journal can do when nobody is waited for. Beside them, bare
 * bun:sqlite writing the very rows of such lives, in the same transactions.
 */
import { join } from "node:path";
import { RealWorld } from "../../actors/runtime/world.ts";
import type { InProcessJob, InProcessResult } from "../in-process.ts";
import { result } from "../processes.ts";
import { newFolder } from "../product.ts";
import type { Row } from "../report.ts";
import { spread } from "../statistics.ts";
import { AIM_GROWTH, FEW, filled } from "./journal.ts";

const AIM_LIVES = 2_000;
const CUSTOMERS = 512;

let ids = 1;

function run(lives: number, { folder = newFolder(), floor = false } = {}): Promise<InProcessResult> {
  const job: InProcessJob = { folder, lives, firstId: ids, customers: CUSTOMERS, floor };
  ids += 2 * lives;
  const bunArgs = process.env.BENCH_BUN_ARGS?.split(" ") ?? [];
  return result([...bunArgs, join(import.meta.dir, "..", "in-process.ts"), JSON.stringify(job)]);
}

/** What a life costs with `stored` orders stored, in turn with `FEW`. */
async function growth(rounds: number, lives: number, stored: number): Promise<number[]> {
  const world = new RealWorld();
  const many = await filled(world, stored);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Each run stores its own orders as well: among a million they are few.
    const small = await run(lives, { folder: await filled(world, FEW) });
    const large = await run(lives, { folder: many });
    ratios.push(large.cpuMicros / small.cpuMicros);
  }
  return ratios;
}

/** @param stored how many orders the larger of two databases holds, for the growth of the cost. */
export async function inProcess({
  rounds,
  lives,
  stored,
}: {
  readonly rounds: number;
  readonly lives: number;
  readonly stored: number;
}): Promise<Row> {
  const seen: InProcessResult[] = [];
  for (let round = 0; round < rounds; round++) seen.push(await run(lives));
  const { floorMicros } = await run(Math.min(lives, 4_000), { floor: true });
  const grown = spread(await growth(rounds, lives, stored));
  const orders = (n: number) => n.toLocaleString("en-US");
  const rate = spread(seen.map(({ perSecond }) => perSecond));
  const cpu = spread(seen.map(({ cpuMicros }) => cpuMicros));
  const commits = spread(seen.map((one) => one.commits));
  return {
    id: "in-process",
    work: `Whole lives in process, ${CUSTOMERS} at once: create, pay, number, SMS, read, completed`,
    figures: [
      { name: "lives", value: rate.median, unit: "/s", range: [rate.min, rate.max], aim: { atLeast: AIM_LIVES } },
      { name: "processor time a life", value: cpu.median, unit: "us", range: [cpu.min, cpu.max] },
      { name: "bare bun:sqlite's processor time for its rows", value: floorMicros ?? Number.NaN, unit: "us" },
      {
        name: "commits a life, each with its fsync",
        value: commits.median,
        unit: "",
        range: [commits.min, commits.max],
      },
      {
        name: `processor time with ${orders(stored)} stored / with ${orders(FEW)}`,
        value: grown.median,
        unit: "",
        range: [grown.min, grown.max],
        aim: { atMost: AIM_GROWTH },
      },
    ],
  };
}
