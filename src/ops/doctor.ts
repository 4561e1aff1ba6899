/**
 * `doctor`: are the books sound, and who waits for whom? It reads the database beside a running server and changes nothing, but with
 * `--repair` and for what a person decides, while the server is stopped. `doctor find` shows one order for support, without its
 * secrets. Exit codes: 0 clean, found or done; 1 findings, something that waits for the operator, not found or refused; 2 could not run.
 */
import type { Millis, World } from "../../actors/runtime/world.ts";
import { type Binding, checkNode, WrongBinding } from "../binding.ts";
import { UnusableFile } from "../database.ts";
import { boundNode } from "../lightning/bound.ts";
import { NodeUnavailable } from "../lightning/port.ts";
import { AlreadyRunning } from "../lock.ts";
import { type BanRules, DEFAULT_BAN_RULES } from "../provider/guard.ts";
import { ProviderUnavailable } from "../provider/port.ts";
import { DOCTOR_USAGE, readArguments, type Wanted } from "./doctor/arguments.ts";
import { bindingOf, isSqliteError, openFileReadOnly, openReadOnly, sqliteCode } from "./doctor/database.ts";
import { examine } from "./doctor/examine.ts";
import { find, foundText, readSearch, UnreadableOrder } from "./doctor/find.ts";
import { examinationJson, examinationText, isClean } from "./doctor/print.ts";
import { agrees } from "./doctor/print-peers.ts";
import { type Decided, decideByHand } from "./peers/decide.ts";
import type { DoctorPeers } from "./peers/evidence.ts";
import { lookAtPeers, type PeersReport, repairWithPeers } from "./peers/report.ts";
import { Workbench } from "./peers/workbench.ts";

export interface OpenPeers extends DoctorPeers {
  close(): Promise<void>;
}

export interface DoctorOptions {
  readonly dataDir: string;
  readonly now: Millis;
  /** For what a person decides about an order. */
  readonly world?: World;
  /** When the provider bans. */
  readonly rules?: BanRules;
  /** Node and provider as they are configured. @throws Error that says why they cannot be reached */
  readonly peers?: () => Promise<OpenPeers>;
  /** Prints one line, or several at once. */
  readonly out: (line: string) => void;
}

/** Said instead of a result, in words for a person. */
class Problem extends Error {}

/** @returns the exit code. */
export async function runDoctor(args: readonly string[], options: DoctorOptions): Promise<number> {
  const wanted = readArguments(args);
  if (wanted === null) {
    options.out(DOCTOR_USAGE);
    return 2;
  }
  try {
    if (wanted.decide) return await decide(wanted.decide, wanted, options);
    return wanted.find === null ? await examineAll(wanted, options) : findOne(wanted.find, wanted, options);
  } catch (error) {
    const problem = problemOf(error);
    options.out(wanted.json ? JSON.stringify({ problem }) : problem);
    return 2;
  }
}

/** @throws what is no problem of the operator's, but a bug */
function problemOf(error: unknown): string {
  if (isSqliteError(error)) return `The database cannot be read: ${sqliteCode(error)}`;
  if (error instanceof AlreadyRunning) return "A server uses this database: stop it first, then run this again";
  if (error instanceof NodeUnavailable || error instanceof ProviderUnavailable) {
    return `${error.message}. The comparison is not finished: run it again when the peer answers`;
  }
  if (error instanceof UnreadableOrder) return `${error.message}. \`doctor\` says what is wrong`;
  if (error instanceof Problem || error instanceof WrongBinding || error instanceof UnusableFile) return error.message;
  throw error;
}

function open({ file }: Wanted, { dataDir }: DoctorOptions) {
  const opened = file === null ? openReadOnly(dataDir) : openFileReadOnly(file);
  if (!opened.ok) throw new Problem(opened.problem);
  return opened.db;
}

function findOne(words: string, wanted: Wanted, options: DoctorOptions): number {
  const search = readSearch(words);
  if (search.kind === "unknown") throw new Problem("Not an order id, payment hash, invoice or activation id");
  const db = open(wanted, options);
  try {
    const found = find(db, search);
    if (wanted.json) options.out(JSON.stringify(found));
    else options.out(found ? foundText(found).join("\n") : "No such order. Lapsed ones are forgotten after a month");
    return found ? 0 : 1;
  } finally {
    db.close();
  }
}

async function examineAll(wanted: Wanted, options: DoctorOptions): Promise<number> {
  const { json, quick } = wanted;
  const { out, rules = DEFAULT_BAN_RULES } = options;
  const found = wanted.peers && (await compareWithPeers(wanted, wanted.peers, options));
  const now = found?.now ?? options.now;
  const db = open(wanted, options);
  try {
    const examination = examine({ db, now, quick, rules, progress: json ? () => {} : out });
    const peers = found?.report ?? null;
    out(json ? examinationJson(examination, now, peers) : examinationText(examination, now, peers).join("\n"));
    return isClean(examination) && (peers === null || agrees(peers)) ? 0 : 1;
  } finally {
    db.close();
  }
}

async function compareWithPeers(
  wanted: Wanted,
  { days, repair }: { readonly days: number; readonly repair: boolean },
  options: DoctorOptions,
): Promise<{ readonly report: PeersReport; readonly now: Millis }> {
  const db = open(wanted, options);
  try {
    return await withPeers(bindingOf(db), options, async (peers) => {
      const now = peers.world.now();
      if (!repair) return { report: await lookAtPeers(db, peers, days), now };
      const bench = Workbench.open(options.dataDir, peers.world);
      try {
        return { report: await repairWithPeers(bench, peers, days), now };
      } finally {
        await bench.close();
      }
    });
  } finally {
    db.close();
  }
}

/** @throws Problem, WrongBinding: other peers' word about our books proves nothing */
async function withPeers<T>(
  bound: Binding | null,
  { peers: connect }: DoctorOptions,
  run: (peers: DoctorPeers) => Promise<T>,
): Promise<T> {
  if (!bound) throw new Problem("This database is not yet bound to a node: there is nothing to compare");
  if (!connect) throw new Problem("No node and provider are configured here");
  const { close, ...peers } = await connect().catch((error) => {
    throw new Problem(error instanceof Error ? error.message : "Node and provider cannot be reached");
  });
  try {
    if (peers.provider.accountFingerprint() !== bound.providerAccount) throw new WrongBinding("provider account");
    checkNode(await peers.node.info(), bound);
    const isOurs = (info: Parameters<typeof checkNode>[0]) => isBoundTo(info, bound);
    return await run({ ...peers, node: boundNode(peers.node, bound.nodePubkey, isOurs) });
  } finally {
    await close();
  }
}

function isBoundTo(info: Parameters<typeof checkNode>[0], bound: Binding): boolean {
  return info.pubkey === bound.nodePubkey && info.network === bound.network;
}

async function decide(
  { orderId, decision }: NonNullable<Wanted["decide"]>,
  wanted: Wanted,
  options: DoctorOptions,
): Promise<number> {
  const db = open(wanted, options);
  const bound = bindingOf(db);
  db.close();
  const at = async (world: World, peers: DoctorPeers | null): Promise<Decided> => {
    const bench = Workbench.open(options.dataDir, world);
    try {
      return await decideByHand(bench, orderId, decision, peers);
    } finally {
      await bench.close();
    }
  };
  if (!options.world) throw new Problem("No clock is given");
  const told =
    decision.kind === "paid" || decision.kind === "bought"
      ? await withPeers(bound, options, (peers) => at(peers.world, peers))
      : await at(options.world, null);
  options.out(wanted.json ? JSON.stringify(told) : told.words);
  return told.ok ? 0 : 1;
}
