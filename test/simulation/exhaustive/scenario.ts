/** A small fixed life, or a few that meet: what the customers do, what goes wrong by itself, and how it may end. */
import type { Stage } from "./stage.ts";

export interface Scenario {
  readonly name: string;
  /** Belongs to the short form. */
  readonly short?: true;
  /** How the paid orders may end, oldest first, when the process is away for seconds. */
  readonly ends: readonly string[];
  /** The same when it is away for so long that deadlines pass without it. */
  readonly endsLate: readonly string[];
  /** Settings that differ from the defaults. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the customers do; resolves when they are done. */
  readonly play: (stage: Stage) => Promise<unknown>;
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
