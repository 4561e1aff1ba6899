/**
 * Run after run, each with a seed of its own, until enough orders were lived. Later runs are steered to the cells of the grid that are still
 * missing. Nothing grows with the number of orders but the counts.
 */
import type { NodeKind } from "../../src/node.ts";
import { Chance } from "./chance.ts";
import { type Cell, GRID } from "./coverage.ts";
import { type LifeReport, live } from "./life.ts";
import { type Failure, failureOf, type Replay } from "./shrink.ts";

type Counts = Record<string, number>;

export interface Tally {
  runs: number;
  /** Orders that were paid, and came to an end. */
  orders: number;
  crashes: number;
  /** Seeds that were lived a second time, with the same trace. */
  twice: number;
  faults: Counts;
  cells: Counts;
  kinds: Counts;
  outcomes: Counts;
}

export interface SessionOptions {
  readonly seed: number;
  /** Seeds go up by this: that of each process is its own. */
  readonly step: number;
  readonly faults: number;
  readonly customers: number;
  /** What the node speaks. */
  readonly node: NodeKind;
  /** Every so many seeds are lived twice. */
  readonly twiceEvery: number;
  readonly isOver: (tally: Tally) => boolean;
  readonly onRun: (tally: Tally) => void;
}

/** How many cells one run aims at: with all of them, nobody would live to see the later stages. */
const AIMS = 40;

export const emptyTally = (): Tally => ({
  runs: 0,
  orders: 0,
  crashes: 0,
  twice: 0,
  faults: {},
  cells: {},
  kinds: {},
  outcomes: {},
});

export function addTo(tally: Tally, { runs, orders, crashes, twice, faults, cells, kinds, outcomes }: Tally): void {
  tally.runs += runs;
  tally.orders += orders;
  tally.crashes += crashes;
  tally.twice += twice;
  for (const [to, from] of [
    [tally.faults, faults],
    [tally.cells, cells],
    [tally.kinds, kinds],
    [tally.outcomes, outcomes],
  ] as const) {
    for (const [key, n] of Object.entries(from)) to[key] = (to[key] ?? 0) + n;
  }
}

export const missingFrom = (cells: Counts): Cell[] => [...GRID].filter((cell) => cells[cell] === undefined);

/** @returns the tally, and how a run failed: then that was the last. */
export async function session(
  options: SessionOptions,
): Promise<[Tally, (Failure & { readonly replay: Replay }) | null]> {
  const { step, faults, customers, node, twiceEvery, isOver, onRun } = options;
  const tally = emptyTally();
  let { seed } = options;
  while (!isOver(tally)) {
    const replay: Replay = {
      seed,
      customers,
      faults,
      node,
      ...(tally.runs > 0 && faults > 0 && { wanted: aims(tally, seed) }),
    };
    try {
      const report = await live(replay);
      if (tally.runs % twiceEvery === 0) {
        const { trace } = await live(replay);
        if (trace !== report.trace) throw new Error("The same seed gave another trace");
        tally.twice++;
      }
      addTo(tally, { ...report, runs: 1, twice: 0 } satisfies Tally & Partial<LifeReport>);
    } catch (error) {
      const failure = await failureOf(replay);
      return [tally, { error: error as Error, story: failure?.story ?? [], replay }];
    }
    seed = (seed + step) >>> 0;
    onRun(tally);
  }
  return [tally, null];
}

/** Some of what is missing; every other run goes as it goes, or the fair ways would be too little lived. */
function aims({ runs, cells }: Tally, seed: number): readonly Cell[] {
  const missing = missingFrom(cells);
  if (missing.length === 0 || runs % 4 === 0) return [];
  const chance = new Chance(seed ^ 0x61696d73);
  return missing
    .map((cell) => [chance.next(), cell] as const)
    .sort(([a], [b]) => a - b)
    .slice(0, AIMS)
    .map(([, cell]) => cell);
}
