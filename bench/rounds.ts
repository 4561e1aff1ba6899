/** The same load on several servers in turn, several times: a machine that is busy for a while is busy for all of them. */
import { join } from "node:path";
import type { LoadJob, LoadResult } from "./load.ts";
import { type Running, result, scratch } from "./processes.ts";
import { type Spread, spread } from "./statistics.ts";

export interface Target {
  readonly name: string;
  readonly process: Pick<Running, "cpuMs">;
  readonly port: number;
  /** Whole requests as texts, see `LoadJob`. */
  readonly requests: readonly string[];
  /** The one status that counts as done. */
  readonly status: number;
}

export interface Measured {
  readonly name: string;
  readonly perSecond: Spread;
  /** Processor time of the server per request, microseconds. */
  readonly cpuMicros: Spread;
  /** Milliseconds, medians of the rounds. */
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
}

export interface Extent {
  readonly rounds: number;
  /** Seconds of the round before them, which is not counted: until its code is compiled, a server spends a fifth of its time on the compiler. */
  readonly warmUp: number;
  /** Of each server in each round. */
  readonly seconds: number;
  readonly connections: number;
}

/** @throws Error when a server answered anything but what it should: a refusal is quickly made. */
export async function inTurn(
  targets: readonly Target[],
  { rounds, warmUp, seconds, connections }: Extent,
): Promise<Measured[]> {
  const files = await Promise.all(
    targets.map(async ({ requests }, index) => {
      const file = scratch(`requests-${performance.now()}-${index}.json`);
      await Bun.write(file, JSON.stringify(requests));
      return file;
    }),
  );
  const seen = targets.map(() => [] as (LoadResult & { readonly cpu: number })[]);
  let from = 0;
  // The first round warms up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { name, process, port, status }] of targets.entries()) {
      const job: LoadJob = {
        port,
        connections,
        seconds: round === 0 ? warmUp : seconds,
        requestsFile: files[index] ?? "",
        from,
      };
      const before = process.cpuMs();
      const load = await result<LoadResult>([join(import.meta.dir, "load.ts"), JSON.stringify(job)]);
      const cpu = ((process.cpuMs() - before) * 1_000) / load.requests;
      from += load.requests + connections;
      const others = Object.keys(load.statuses).filter((found) => found !== String(status));
      if (others.length > 0) throw new Error(`${name} answered ${JSON.stringify(load.statuses)} instead of ${status}`);
      if (round > 0) seen[index]?.push({ ...load, cpu });
    }
  }
  return targets.map(({ name }, index) => {
    const loads = seen[index] ?? [];
    const median = (pick: (load: LoadResult) => number) => spread(loads.map(pick)).median;
    return {
      name,
      perSecond: spread(loads.map((load) => load.perSecond)),
      cpuMicros: spread(loads.map((load) => load.cpu)),
      p50: median((load) => load.p50),
      p90: median((load) => load.p90),
      p99: median((load) => load.p99),
      p999: median((load) => load.p999),
    };
  });
}
