/**
 * The grid: every fault in every stage of an order's life in which it can happen. A standard run must have met every cell, and says which it
 * has not.
 */
import { ACTIONS, type Action, stagesOf } from "./calls.ts";
import { callFaults, peerOf, WORLD_FAULTS, type WorldFault } from "./faults.ts";
import { KINDS, type Stage } from "./stages.ts";

/** "stage fault". */
export type Cell = string;

const callsTo = (peer: string | null): readonly Stage[] =>
  stagesOf((Object.keys(ACTIONS) as Action[]).filter((action) => peer === null || peerOf(action) === peer));

/** What each misfortune of the world can meet: the orders that are there, those that are written, or those that a call is made for. */
const WORLD: Readonly<Record<WorldFault, readonly Stage[]>> = {
  crash_before_commit: KINDS,
  crash_after_commit: KINDS,
  crash_before_call: callsTo(null),
  crash_after_call: callsTo(null),
  crash_idle: KINDS,
  disk_full: KINDS,
  clock_forward: KINDS,
  clock_back: KINDS,
  node_down: callsTo("node"),
  provider_down: callsTo("provider"),
  restart: KINDS,
};

/** Every cell that can be met. */
export const GRID: ReadonlySet<Cell> = cellsOf();

function cellsOf(): ReadonlySet<Cell> {
  const cells = new Set<Cell>();
  for (const [fault, actions] of callFaults()) for (const stage of stagesOf(actions)) cells.add(`${stage} ${fault}`);
  for (const fault of WORLD_FAULTS) for (const stage of WORLD[fault]) cells.add(`${stage} ${fault}`);
  return cells;
}
