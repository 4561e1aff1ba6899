/** Looks at node and provider for the doctor, and says what was found. */
import type { Database } from "bun:sqlite";
import type { Millis } from "../../../actors/runtime/world.ts";
import type { MayPay } from "../../lightning/port.ts";
import { OurBooks } from "./books.ts";
import { type Comparison, compare } from "./compare.ts";
import { type Doubt, doubts } from "./doubts.ts";
import { type DoctorPeers, type Evidence, gather } from "./evidence.ts";
import { type Repaired, repair } from "./repair.ts";
import type { Workbench } from "./workbench.ts";

export interface PeersReport {
  readonly since: Millis;
  /** Whether the node's payments were compared: not when it cannot list them. */
  readonly payments: boolean;
  readonly comparison: Comparison;
  /** Orders whose money must not move, whether they know it yet or not. */
  readonly doubts: readonly Doubt[];
  /** Null when nothing was to be repaired. */
  readonly repaired: Pick<Repaired, "done" | "failed" | "pauseOver"> | null;
  /** These books come from a backup and were not compared: money stays paused. */
  readonly paused: boolean;
  /** Whether the node would pay a refund at all. */
  readonly rights: MayPay;
}

const DAY = 86_400_000;
/** How long before the backup the comparison begins: what was under way then is in the lists. */
const BEFORE_BACKUP_MS = DAY;

/** From when on books are compared: `days` back, and from before the backup while any order waits because of it. */
export function comparedSince(books: OurBooks, now: Millis, days: number): Millis {
  const loss = books.loss();
  const usual = now - days * DAY;
  const matters = loss !== null && (loss.matchedAt === null || books.hasDoubts());
  return Math.max(0, matters ? Math.min(usual, loss.takenAt - BEFORE_BACKUP_MS) : usual);
}

/** @throws NodeUnavailable, ProviderUnavailable: nothing was compared then */
export async function lookAtPeers(db: Database, peers: DoctorPeers, days: number): Promise<PeersReport> {
  const books = new OurBooks(db);
  const rights = await peers.node.mayPay();
  const evidence = await gather(peers, comparedSince(books, peers.world.now(), days));
  const comparison = await compare(evidence, books, peers.node, true);
  const found = { comparison, doubts: doubts(evidence, books, books.loss(), comparison), repaired: null };
  return { ...found, rights, ...factsOf(evidence, books) };
}

/** @throws NodeUnavailable, ProviderUnavailable, JournalUnavailable: the pause stays then, and so does what was repaired before */
export async function repairWithPeers(bench: Workbench, peers: DoctorPeers, days: number): Promise<PeersReport> {
  const books = new OurBooks(bench.journal.db);
  const rights = await peers.node.mayPay();
  const evidence = await gather(peers, comparedSince(books, peers.world.now(), days));
  const { comparison, doubts, ...repaired } = await repair(evidence, bench, peers);
  return { comparison, doubts, repaired, rights, ...factsOf(evidence, books) };
}

function factsOf({ since, paid }: Evidence, books: OurBooks): Pick<PeersReport, "since" | "payments" | "paused"> {
  return { since, payments: paid !== null, paused: books.loss()?.matchedAt === null };
}
