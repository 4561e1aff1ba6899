/**
 * Whole lives in process, with peers that answer at once: what the engine and the journal can do when nobody is waited for. Beside them, bare
 * bun:sqlite writing the very rows of such lives, in the same transactions.
 */
import { join } from "node:path";
import type { InProcessJob, InProcessResult } from "../in-process.ts";
import { result } from "../processes.ts";
import { newFolder } from "../product.ts";
import type { Row } from "../report.ts";
import { spread } from "../statistics.ts";

const AIM_LIVES = 2_000;
const CUSTOMERS = 512;

function run(lives: number, floor: boolean): Promise<InProcessResult> {
  const job: InProcessJob = { folder: newFolder(), lives, customers: CUSTOMERS, floor };
  const bunArgs = process.env.BENCH_BUN_ARGS?.split(" ") ?? [];
  return result([...bunArgs, join(import.meta.dir, "..", "in-process.ts"), JSON.stringify(job)]);
}

export async function inProcess({ rounds, lives }: { readonly rounds: number; readonly lives: number }): Promise<Row> {
  const seen: InProcessResult[] = [];
  for (let round = 0; round < rounds; round++) seen.push(await run(lives, false));
  const { floorMicros } = await run(Math.min(lives, 4_000), true);
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
    ],
  };
}
