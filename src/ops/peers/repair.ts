/**
 * Repairs what is safe, while nobody serves: what a peer proves is told to its order, what nobody can tell puts the order in doubt. When all
 * that was found is one or the other, books that come from a backup count as compared.
 */
import { Quarantined } from "../../../actors/runtime/actor.ts";
import type { LightningNode } from "../../lightning/port.ts";
import type { NumberProvider } from "../../provider/port.ts";
import { OurBooks } from "./books.ts";
import { type Comparison, compare, type Difference, type Repair } from "./compare.ts";
import { type Doubt, doubts } from "./doubts.ts";
import type { Evidence } from "./evidence.ts";
import type { Workbench } from "./workbench.ts";

export interface Repaired {
  /** What is left when all was repaired that can be. */
  readonly comparison: Comparison;
  readonly doubts: readonly Doubt[];
  /** Each in words. */
  readonly done: readonly string[];
  readonly failed: readonly string[];
  /** These books came from a backup, and their pause is over. */
  readonly pauseOver: boolean;
}

/** One repair makes another possible: a settlement, then the refund of it. */
const MAX_ROUNDS = 4;

export async function repair(
  evidence: Evidence,
  bench: Workbench,
  peers: { readonly node: LightningNode; readonly provider: NumberProvider },
): Promise<Repaired> {
  const books = new OurBooks(bench.journal.db);
  const loss = books.loss();
  const tried = new Set<string>();
  const cancelled = new Set<string>();
  const done: string[] = [];
  const failed: string[] = [];
  const look = async (): Promise<Comparison> => {
    const { differences, strangers } = await compare(evidence, books, peers.node, false);
    const isLeft = ({ repair }: Difference) => repair?.kind !== "cancel" || !cancelled.has(repair.activationId);
    return { differences: differences.filter(isLeft), strangers };
  };

  const quiet = new Quiet();
  let comparison = await look();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const open = comparison.differences.filter((difference) => difference.repair && !tried.has(keyOf(difference)));
    if (open.length === 0) break;
    for (const difference of open) {
      tried.add(keyOf(difference));
      const words = [difference.kind, difference.orderId, difference.words].filter((word) => word !== null).join("  ");
      const problem = difference.repair && (await perform(difference.repair, bench, peers.provider, quiet));
      if (problem !== null) failed.push(`${words} (${problem})`);
      else done.push(words);
      if (problem === null && difference.repair?.kind === "cancel") cancelled.add(difference.repair.activationId);
    }
    comparison = await look();
  }

  const doubtful = doubts(evidence, books, loss, comparison);
  const marked = new Set(doubtful.map(({ orderId }) => orderId));
  // Read to the end before anything is written.
  for (const { id, doubtSince } of [...books.unsettled()]) {
    const isDoubted = doubtSince !== undefined;
    if (marked.has(id) === isDoubted) continue;
    const finding = { kind: isDoubted ? "doubt_over" : "doubt" } as const;
    const problem = await quiet.run(() => bench.tell(id, { type: "Reconciled", finding }));
    const words = `${isDoubted ? "doubt over" : "in doubt"}  ${id}`;
    if (problem === null) done.push(words);
    else failed.push(`${words} (${problem})`);
  }
  const pauseOver = loss?.matchedAt === null && !quiet.lost;
  if (pauseOver) await bench.matched(loss.takenAt);
  return { comparison, doubts: doubtful, done, failed, pauseOver };
}

const keyOf = ({ kind, orderId, words }: Difference): string => `${kind} ${orderId} ${words}`;

/** @returns why it did not work, or null. */
async function perform(
  repair: Repair,
  bench: Workbench,
  provider: NumberProvider,
  quiet: Quiet,
): Promise<string | null> {
  switch (repair.kind) {
    case "settle":
      return quiet.run(() => bench.settled(repair.settlement));
    case "tell":
      return quiet.run(() => bench.tell(repair.orderId, repair.command));
    case "cancel": {
      const outcome = await provider.cancel(repair.activationId);
      return outcome.kind === "cancelled" ? null : `the provider says ${outcome.kind.replace("_", " ")}`;
    }
  }
}

/** Telling orders without stopping at one that does not hear. Only the names of errors are told: their texts may quote what it holds. */
class Quiet {
  /** Something that an order had to hear is not in its journal: money must not move on. One that was set aside does not move by itself. */
  lost = false;

  async run(tell: () => Promise<void>): Promise<string | null> {
    try {
      await tell();
      return null;
    } catch (error) {
      if (error instanceof Quarantined) return "the order was set aside";
      this.lost = true;
      return error instanceof Error ? error.name : "unknown error";
    }
  }
}
