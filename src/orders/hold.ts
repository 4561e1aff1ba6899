/**
 * When money stands still. All of it while the books come from a backup and were not compared with node and provider; that of one order while
 * nobody can tell what became of it. Reading, looking and asking go on (docs/adr/0031-money-pauses-after-a-restore.md).
 */
import { CONSEQUENTIAL, type Effect } from "../../actors/order/effects.ts";
import type { Order } from "../../actors/order/state.ts";
import { META_BACKUP } from "../../actors/runtime/schema.ts";
import type { Store } from "../../actors/runtime/store.ts";

export interface Hold {
  /** These books come from a backup, and what happened since is not known: no sale, and no money moves in this life. */
  readonly paused: boolean;
  /** Why nothing is sold because of it, for customers. */
  readonly closed: string | null;
  holds(effect: Effect, order: Pick<Order, "doubtSince">): boolean;
}

/** Read once: the mark goes only while nobody serves. */
export function holdOf(store: Pick<Store, "meta">): Hold {
  const paused = store.meta(META_BACKUP) !== null;
  return {
    paused,
    closed: paused ? "Sales are paused after a restore" : null,
    holds: ({ kind }, { doubtSince }) => CONSEQUENTIAL.has(kind) && (paused || doubtSince !== undefined),
  };
}
