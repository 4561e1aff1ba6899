/**
 * Every interleaving of one order's life: webhook, poll, customer, deadline, settlement, sweep, answers of every kind and crashes, in any
 * order, to a depth at which every cell of the lifecycle table was entered. Fails on a broken invariant (with the shortest trace), on a
 * cell that was not entered, on one that does something else than it says, and on one that "never happens" and did.
 *
 *   bun run simulate:interleavings [--depth=6] [--type=receive-sms]
 */
import { ORDER_TYPES } from "../../actors/order/terms.ts";
import { commandLine } from "../support/command-line.ts";
import { CELLS, faults, isNever } from "./interleavings/cells.ts";
import { Broken, type Found, Search } from "./interleavings/search.ts";

const { values, whole, refuse } = commandLine(import.meta.path, {
  depth: { type: "string", default: "6" },
  type: { type: "string" },
});
const depth = whole("depth");
const types = ORDER_TYPES.filter((type) => values.type === undefined || values.type === type);
if (!(depth >= 1 && depth <= 20) || types.length === 0) {
  refuse(`--depth is 1 to 20, --type one of ${ORDER_TYPES.join(", ")}`);
}

const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1_000).toFixed(1);

const searches: Search[] = [];

function search(): Found[] {
  return types.map((type) => {
    const search = new Search(type);
    searches.push(search);
    for (let round = 0; round < depth && !search.isOver; round++) search.deepen();
    const { found } = search;
    const more = search.isOver ? "nothing is left to try" : `depth ${depth}`;
    console.log(`${type.padEnd(22)} ${found.states} states, ${found.steps} steps, ${more}, ${seconds()} s`);
    return found;
  });
}

function report(found: readonly Found[]): void {
  const deepest = new Map<string, number>();
  for (const { entered } of found) {
    for (const [name, at] of entered) deepest.set(name, Math.min(at, deepest.get(name) ?? Number.POSITIVE_INFINITY));
  }
  const last = Math.max(...deepest.values());
  const never = CELLS.filter(({ kind, command }) => isNever(kind, command));
  const by: Record<string, number> = {};
  for (const { stepsBy } of found) for (const [who, n] of Object.entries(stepsBy)) by[who] = (by[who] ?? 0) + n;
  console.log(
    `steps by ${Object.entries(by)
      .map(([who, n]) => `${who} ${n}`)
      .join(", ")}`,
  );
  console.log(
    `${CELLS.length} cells: ${deepest.size} entered (the last at depth ${last}), ${never.length} never happen and did not`,
  );
}

try {
  const found = search();
  const wrong = [
    ...found.flatMap(({ unreached }) => unreached.map((place) => `not reached any more: ${place}`)),
    ...faults(found, types.length === ORDER_TYPES.length),
  ];
  report(found);
  if (wrong.length > 0) {
    console.error(`\nInvariant 18: the lifecycle table and the search disagree\n  ${wrong.join("\n  ")}`);
    process.exit(1);
  }
  console.log("0 violations");
} catch (error) {
  if (!(error instanceof Broken)) throw error;
  console.error(`\n${error.message}\n  ${error.trace.join("\n  ")}`);
  const states = searches.reduce((sum, { found }) => sum + found.states, 0);
  console.error(`after ${states} states, ${seconds()} s`);
  process.exit(1);
}
