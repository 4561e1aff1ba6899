/**
 * Every crash point of small fixed scenarios: each is lived once to number the points, then once per point with a failure exactly there, a
 * restart from what was durable, and a life to the end. All invariants are checked on the way, the books of both sides at the end, and
 * how it may end at all.
 *
 *   bun run simulate:crashes [--extent=short|wide|full|every] [--scenario=refund] [--plan='dies 43, dies 5'] [--down=2]
 */
import { commandLine } from "../support/command-line.ts";
import { forbidImpossibleCells } from "./exhaustive/cells.ts";
import { again, EXTENTS, type Extent, type ExtentName, isLate, type Trial, trials } from "./exhaustive/plans.ts";
import { type Play, type Played, play } from "./exhaustive/play.ts";
import type { Failure, Planned, Point } from "./exhaustive/points.ts";
import { type Scenario, SECOND } from "./exhaustive/scenario.ts";
import { SCENARIOS } from "./exhaustive/scenarios.ts";
import { shard, shards } from "./shards.ts";

const { values, whole, refuse } = commandLine(import.meta.path, {
  extent: { type: "string", default: "short" },
  scenario: { type: "string", default: "" },
  plan: { type: "string" },
  down: { type: "string", default: "2" },
  jobs: { type: "string", default: "2" },
  shard: { type: "string" },
});

const extent: Extent | undefined = EXTENTS[values.extent as ExtentName];
const wanted = SCENARIOS.filter(({ name, short }) =>
  values.scenario === "" ? extent?.all || short : name.includes(values.scenario),
);

interface Tally {
  scenarios: number;
  points: number;
  runs: number;
  orders: number;
  failures: Partial<Record<Failure, number>>;
}

const tally: Tally = { scenarios: 0, points: 0, runs: 0, orders: 0, failures: {} };
const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1_000).toFixed(1);

/** Lives one trial. Whatever is wrong ends everything, with the way to see it again. */
function attempt(scenario: Scenario, trial: Trial, how: Partial<Play> = {}): Played {
  tally.runs++;
  const failed = (reason: string): never => {
    console.error(`\n${scenario.name}: ${reason}`);
    console.error(`after ${tally.runs} runs, ${tally.orders} orders, ${seconds()} s`);
    console.error(story(scenario, trial));
    const plan = trial.plan.map(({ failure, nth }) => `${failure} ${nth}`).join(", ");
    const again = `--scenario='${scenario.name}' --plan='${plan}' --down=${trial.downMs / SECOND}`;
    console.error(`replay: bun run simulate:crashes ${again}`);
    process.exit(1);
  };
  try {
    const played = play(scenario, { ...trial, ...how });
    const ends = isLate(trial) ? scenario.endsLate : scenario.ends;
    if (!ends.includes(played.ends)) failed(`Invariant 5: ended as "${played.ends}", not as ${ends.join(" or ")}`);
    if (!played.isPlayed) failed("the planned failure did not come: the same run passed other points");
    tally.orders += played.orders;
    for (const { failure } of trial.plan) tally.failures[failure] = (tally.failures[failure] ?? 0) + 1;
    return played;
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

/** The last that happened before it failed. */
function story(scenario: Scenario, trial: Trial): string {
  const lines: string[] = [];
  try {
    play(scenario, { ...trial, tell: (line) => lines.push(line) });
  } catch {
    // Known already.
  }
  return lines.slice(-40).join("\n");
}

/** Once without a failure, which numbers the points. */
function plain(scenario: Scenario): readonly Point[] {
  const { passed } = attempt(scenario, { plan: [], downMs: 0 }, { digest: true, erase: true });
  const points = passed[0] ?? [];
  tally.scenarios++;
  tally.points += points.length;
  return points;
}

function explore(scenario: Scenario, points: readonly Point[], extent: Extent): void {
  const before = tally.runs;
  trials(scenario, points, extent).forEach((trial, turn) => {
    const [first] = trial.plan;
    const twice = extent.twice > 0 && first?.failure === "dies" && !isLate(trial);
    const { passed } = attempt(scenario, trial, { digest: twice });
    if (!first || !twice) return;
    for (const second of again(first, passed[1] ?? [], extent.twice, turn)) attempt(scenario, second);
  });
  const runs = String(tally.runs - before).padStart(5);
  console.log(`${scenario.name.padEnd(68)} ${String(points.length).padStart(5)} points, ${runs} failures`);
}

/** All without a failure first: most that is wrong shows at once. */
function exploreAll(scenarios: readonly Scenario[], extent: Extent): void {
  const numbered = scenarios.map((scenario) => [scenario, plain(scenario)] as const);
  for (const [scenario, points] of numbered) explore(scenario, points, extent);
}

function parsePlan(text: string): Planned[] {
  return text.split(",").map((part) => {
    const [, failure, nth] = /^\s*(dies|disk full|refused) (\d+)\s*$/.exec(part) ?? [];
    if (!failure) throw new Error('A plan reads like "dies 43, dies 5"');
    return { failure: failure as Failure, nth: Number(nth) };
  });
}

function report({ scenarios, points, runs, orders, failures }: Tally): void {
  const came = Object.entries(failures).map(([failure, n]) => `${n} × ${failure}`);
  console.log(
    `${scenarios} scenarios, ${points} crash points, ${runs} runs, ${orders} orders: ${came.join(", ") || "nothing failed"}; ${seconds()} s`,
  );
  console.log("0 violations");
}

if (wanted.length === 0 || !extent) {
  throw refuse(`--extent is one of ${Object.keys(EXTENTS).join(", ")}, --scenario a part of a scenario's name`);
}
forbidImpossibleCells();
if (values.plan !== undefined) {
  for (const scenario of wanted) {
    const trial = { plan: parsePlan(values.plan), downMs: whole("down") * SECOND };
    const { ends } = attempt(scenario, trial, { tell: console.log });
    console.log(`ended as "${ends}"`);
  }
} else if (values.shard !== undefined || wanted.length === 1) {
  exploreAll(shard(wanted, values.shard), extent);
  if (values.shard === undefined) report(tally);
  else console.log(JSON.stringify(tally));
} else {
  const tallies = (await shards(import.meta.path, whole("jobs"))) as unknown as Tally[];
  for (const { failures, ...counts } of tallies) {
    for (const [name, n] of Object.entries(counts) as [keyof typeof counts, number][]) tally[name] += n;
    for (const [failure, n] of Object.entries(failures) as [Failure, number][])
      tally.failures[failure] = (tally.failures[failure] ?? 0) + n;
  }
  report(tally);
}
