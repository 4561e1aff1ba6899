/** How the provider sees us: the success of the last day's numbers, and what is not sold because of it. */
import type { Database } from "bun:sqlite";
import type { Millis } from "../../../actors/runtime/world.ts";
import { type BanRules, Guard } from "../../provider/guard.ts";
import { ACCOUNT, type Pair, type Tally, TrackRecord } from "../../provider/record.ts";

export interface AccountStanding {
  /** Numbers of the last 24 hours, and those that got an SMS. */
  readonly day: Tally;
  readonly allPaused: boolean;
  /** At most 100, most numbers first. */
  readonly paused: readonly (Pair & Tally)[];
  /** Pairs that the provider itself does not sell us. */
  readonly barred: readonly (Pair & { readonly until: Millis })[];
}

const DAY = 86_400_000;
const MAX_PAIRS = 100;

export function accountStanding(db: Database, now: Millis, rules: BanRules): AccountStanding {
  const record = new TrackRecord(db);
  const guard = new Guard({ world: { now: () => now }, record, rules, onTurn: () => {} });
  return {
    day: record.tally(ACCOUNT, now - DAY),
    allPaused: guard.pausesAll(),
    paused: guard.pausedPairs(MAX_PAIRS),
    barred: record.bars(now).slice(0, MAX_PAIRS),
  };
}
