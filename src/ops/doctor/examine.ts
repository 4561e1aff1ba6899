/** The whole examination: the file, every order, what belongs to none, the books. Reads only, in bounded memory. */
import type { Database } from "bun:sqlite";
import type { Order } from "../../../actors/order/state.ts";
import { parseOrder } from "../../../actors/runtime/texts.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import type { Binding } from "../../binding.ts";
import type { BanRules } from "../../provider/guard.ts";
import { type AccountStanding, accountStanding } from "./account.ts";
import { backupTime, bindingOf, isSqliteError, sqliteCode } from "./database.ts";
import { type Dossier, everyOrder, type PostingSum } from "./dossier.ts";
import { checkLedger, checkMoney } from "./money-checks.ts";
import {
  checkClaims,
  checkColumns,
  checkDeadline,
  checkEffects,
  checkJournal,
  checkMessages,
  type Report,
} from "./order-checks.ts";
import { Findings } from "./report.ts";
import { checkStakes } from "./stakes.ts";
import { checkSharedHashes, checkStrays, checkTombstones } from "./strays.ts";
import { WaitingList } from "./waiting.ts";

export interface Examination {
  readonly binding: Binding | null;
  /** When this copy was made, ISO-8601; null for a database in use. */
  readonly backupOf: string | null;
  readonly orders: number;
  readonly byKind: Readonly<Record<string, number>>;
  readonly events: number;
  readonly tombstones: number;
  readonly ledger: readonly PostingSum[];
  readonly findings: Findings;
  readonly waiting: WaitingList;
  /** Null when it cannot be read. */
  readonly account: AccountStanding | null;
  /** The integrity check was left out. */
  readonly quick: boolean;
}

export interface ExamineOptions {
  readonly db: Database;
  readonly now: Millis;
  readonly quick: boolean;
  readonly rules: BanRules;
  /** Told now and then how far it is. */
  readonly progress: (line: string) => void;
}

const PROGRESS_EVERY = 50_000;
const MAX_INTEGRITY_ROWS = 100;

export function examine({ db, now, quick, rules, progress }: ExamineOptions): Examination {
  const findings = new Findings();
  const waiting = new WaitingList(now);
  const binding = bindingOf(db);
  const backupOf = backupTime(db);
  const expected = db.query<{ n: number }, []>("SELECT count(*) AS n FROM orders").get()?.n ?? 0;
  const large = expected >= PROGRESS_EVERY;
  const byKind: Record<string, number> = {};
  let orders = 0;
  let events = 0;
  let tombstones = 0;
  let ledger: PostingSum[] = [];
  let account: AccountStanding | null = null;
  const part = (run: () => void) => surviving(run, findings);

  part(() => {
    if (quick) return;
    if (large) progress("Checking the file");
    checkFile(db, findings);
  });
  part(() =>
    everyOrder(db, (dossier) => {
      orders++;
      events += dossier.replayed.events;
      byKind[dossier.row.kind] = (byKind[dossier.row.kind] ?? 0) + 1;
      examineOrder(dossier, binding, findings, waiting);
      if (large && orders % PROGRESS_EVERY === 0) progress(`${count(orders)} of ${count(expected)} orders examined`);
    }),
  );
  if (large) progress("Adding up the ledger");
  part(() => checkStakes(db, (check, problem) => findings.add(check, null, problem)));
  part(() => checkStrays(db, findings));
  part(() => checkSharedHashes(db, findings));
  part(() => {
    tombstones = checkTombstones(db, findings);
  });
  part(() => {
    ledger = checkLedger(db, (check, problem) => findings.add(check, null, problem));
  });
  part(() => {
    account = accountStanding(db, now, rules);
  });
  return { binding, backupOf, orders, byKind, events, tombstones, ledger, findings, waiting, account, quick };
}

/** A page that cannot be read is a finding; what else can be read is still examined. */
function surviving(run: () => void, findings: Findings): void {
  try {
    run();
  } catch (error) {
    if (!isSqliteError(error)) throw error;
    findings.add("file", null, `Reading stopped: ${sqliteCode(error)}`);
  }
}

function checkFile(db: Database, findings: Findings): void {
  const rows = db.query<{ integrity_check: string }, []>(`PRAGMA integrity_check(${MAX_INTEGRITY_ROWS})`).all();
  for (const { integrity_check: line } of rows) if (line !== "ok") findings.add("file", null, line);
}

function examineOrder(dossier: Dossier, binding: Binding | null, findings: Findings, waiting: WaitingList): void {
  const { id, state } = dossier.row;
  const report: Report = (check, problem) => findings.add(check, id, problem);
  if (dossier.quarantined) report("quarantine", "Set aside after repeated crashes");
  let order: Order;
  try {
    order = parseOrder(state);
  } catch {
    return report("journal", "The stored state cannot be read");
  }
  try {
    if (binding && order.terms.node !== binding.nodePubkey) report("binding", "Its invoice was made by another node");
    checkJournal(dossier, order, report);
    checkColumns(dossier, order, report);
    checkDeadline(order, report);
    checkEffects(dossier, order, report);
    checkMessages(dossier, order, report);
    checkClaims(dossier, order, report);
    checkMoney(dossier, order, report);
    waiting.take(order, dossier);
  } catch (error) {
    // A state of the wrong shape breaks whatever reads it first; the other orders are still examined.
    if (isSqliteError(error)) throw error;
    report("journal", `The stored state is not an order (${error instanceof Error ? error.name : "unknown error"})`);
  }
}

export const count = (value: number): string => value.toLocaleString("en-US");
