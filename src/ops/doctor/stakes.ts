/** What orders may still cost, by kind: the journal keeps the sums step by step, and a start believes them. */
import type { Database } from "bun:sqlite";
import { countedStakes, keptStakes, type StakeSum } from "../../../actors/runtime/store.ts";
import { snapshot } from "./database.ts";
import type { Report } from "./order-checks.ts";

const SUMS = ["orders", "microUsd", "sats", "heldSats"] as const;

/** Both on one snapshot: a server may be writing. */
export function checkStakes(db: Database, report: Report): void {
  const [kept, counted] = snapshot(db, () => [byKind(keptStakes(db)), byKind(countedStakes(db))] as const);
  for (const kind of new Set([...kept.keys(), ...counted.keys()])) {
    for (const sum of SUMS) {
      const [is, should] = [kept.get(kind)?.[sum] ?? 0, counted.get(kind)?.[sum] ?? 0];
      if (is !== should) report("stakes", `"${kind}" is kept with ${is} ${sum}, its orders come to ${should}`);
    }
  }
}

const byKind = (sums: readonly StakeSum[]): ReadonlyMap<string, StakeSum> =>
  new Map(sums.map((sum) => [sum.kind, sum]));
