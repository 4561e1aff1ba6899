/** The examination as text for a terminal, and as one JSON object for machines. */
import { iso, type Millis } from "../../../actors/runtime/world.ts";
import type { PeersReport } from "../peers/report.ts";
import { count, type Examination } from "./examine.ts";
import { agrees, peersJson, peersText } from "./print-peers.ts";
import { CHECKS, type Check, type Finding, MAX_KEPT } from "./report.ts";
import type { Waiting } from "./waiting.ts";

const MAX_SHOWN = 20;
const ACCOUNTS = ["received", "kept", "refunded", "fees", "owed", "unclaimed"] as const;
const COSTS = ["provider", "numbers", "loss"] as const;

export function examinationText(examination: Examination, now: Millis, peers: PeersReport | null = null): string[] {
  const { findings } = examination;
  return [
    `Doctor, ${iso(now)}`,
    describe(examination),
    "",
    ...checkLines(examination),
    ...findingLines(findings.kept, findings.total),
    "",
    ...ledgerLines(examination),
    "",
    ...accountLines(examination),
    ...(peers ? peersText(peers) : []),
    ...waitingLines(examination),
    "",
    conclusion(examination, peers),
  ];
}

function describe({ binding, backupOf, orders, events, tombstones, byKind }: Examination): string {
  const bound = binding ? `${binding.sandbox ? "sandbox" : "real money"}, network ${binding.network}` : "not yet bound";
  const kinds = Object.entries(byKind)
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, n]) => `${count(n)} ${kind}`)
    .join(", ");
  const size = `${plural(orders, "order")}, ${plural(events, "event")}, ${count(tombstones)} buried`;
  const what = backupOf === null ? "Database" : `Backup of ${backupOf}`;
  return `${what}: ${bound}; ${size}${kinds === "" ? "" : `\nOrders: ${kinds}`}`;
}

function checkLines({ findings, quick }: Examination): string[] {
  return Object.entries(CHECKS).map(([check, words]) => {
    const found = findings.count(check as Check);
    const mark = found > 0 ? "BAD " : check === "file" && quick ? "--  " : "ok  ";
    return `  ${mark}${check.padEnd(12)}${words}${found > 0 ? ` (${plural(found, "finding")})` : ""}`;
  });
}

function findingLines(kept: readonly Finding[], total: number): string[] {
  if (total === 0) return [];
  const lines = kept
    .slice(0, MAX_SHOWN)
    .map(({ check, orderId, problem }) => `  ${check.padEnd(12)}${orderId === null ? "" : `${orderId}  `}${problem}`);
  return ["", "Findings", ...lines, ...more(total - lines.length)];
}

function ledgerLines({ ledger }: Examination): string[] {
  const amount = (account: string): number => ledger.find((sum) => sum.account === account)?.amount ?? 0;
  // The sources are booked as negative, so that all sums are zero.
  const sats = ACCOUNTS.map(
    (name) => `  ${name.padEnd(12)}${satText(name === "received" ? -amount(name) : amount(name))}`,
  );
  const dollars = COSTS.map((name) => {
    const text = ((name === "provider" ? -amount(name) : amount(name)) / 1_000_000).toFixed(6);
    return `  ${name.padEnd(12)}${text.padStart(20)} USD`;
  });
  return ["Ledger: received = kept + refunded + fees + owed + unclaimed", ...sats, ...dollars];
}

function satText(msats: number): string {
  const absolute = Math.abs(msats);
  const whole = `${msats < 0 ? "-" : ""}${count(Math.floor(absolute / 1_000))}`;
  return `${`${whole}.${String(absolute % 1_000).padStart(3, "0")}`.padStart(20)} sat`;
}

function accountLines({ account }: Examination): string[] {
  if (!account) return [];
  const { day, allPaused, paused, barred } = account;
  const pairs = [
    ...paused.map((pair) => `  ${pair.service} in ${pair.country}: ${successText(pair)}; sales pause by themselves`),
    ...barred.map(
      ({ service, country, until }) => `  ${service} in ${country}: barred by the provider until ${iso(until)}`,
    ),
  ];
  const all = allPaused ? "  All sales of numbers pause: too few of the account's numbers get an SMS" : [];
  const shown = pairs.slice(0, MAX_SHOWN);
  return [`Numbers of 24 hours: ${successText(day)}`, all, ...shown, ...more(pairs.length - shown.length), ""].flat();
}

const successText = ({ bought, delivered }: { bought: number; delivered: number }): string =>
  `${count(bought)} bought, ${count(delivered)} with an SMS`;

function waitingLines({ waiting }: Examination): string[] {
  const all = waiting.sorted();
  const notes = [
    waiting.overdue > 0 &&
      `${plural(waiting.overdue, "deadline")} passed over 10 minutes ago: normal while the server is stopped, else look at its log`,
    waiting.past > 0 && `${plural(waiting.past, "order")} ended with something to look at, over a week ago`,
    waiting.unclaimed > 0 && `${plural(waiting.unclaimed, "refund")} not claimed in time`,
  ].filter((note) => note !== false);
  return [
    `Waiting for you: ${count(waiting.operator)}`,
    ...people(all, "operator", waiting.operator),
    `Waiting for their customer: ${count(waiting.customer)}`,
    ...people(all, "customer", waiting.customer),
    ...notes.map((note) => `Note: ${note}`),
  ];
}

function people(all: readonly Waiting[], who: Waiting["for"], total: number): string[] {
  const shown = all.filter((entry) => entry.for === who).slice(0, MAX_SHOWN);
  const lines = shown.flatMap(({ orderId, status, reason, since, owedMsats, advice }) => [
    `  ${orderId}  ${status}  ${reason}${since === null ? "" : `  since ${iso(since)}`}  owed ${satText(owedMsats).trim()}`,
    `      ${advice}`,
  ]);
  return [...lines, ...more(total - shown.length)];
}

const plural = (n: number, one: string): string => `${count(n)} ${one}${n === 1 ? "" : "s"}`;

const more = (left: number): string[] =>
  left > 0 ? [`  and ${count(left)} more (--json lists up to ${count(MAX_KEPT)})`] : [];

function conclusion({ findings, waiting }: Examination, peers: PeersReport | null): string {
  const sound = findings.total === 0 ? "The books are sound" : plural(findings.total, "finding");
  const books = peers && !agrees(peers) ? `${sound}; look at what node and provider say` : sound;
  return waiting.operator === 0 ? `${books}.` : `${books}; waiting for you: ${count(waiting.operator)}.`;
}

export function examinationJson(examination: Examination, now: Millis, peers: PeersReport | null = null): string {
  const { binding, backupOf, orders, byKind, events, tombstones, ledger, findings, waiting, account, quick } =
    examination;
  const { operator, customer, past, unclaimed, overdue } = waiting;
  return JSON.stringify({
    checkedAt: iso(now),
    clean: isClean(examination) && (peers === null || agrees(peers)),
    backupOf,
    binding: binding && { network: binding.network, sandbox: binding.sandbox },
    orders,
    byKind,
    events,
    tombstones,
    ledger,
    checks: Object.fromEntries(
      Object.keys(CHECKS).map((check) => [check, check === "file" && quick ? null : findings.count(check as Check)]),
    ),
    account: account && {
      ...account,
      barred: account.barred.map((pair) => ({ ...pair, until: iso(pair.until) })),
    },
    findings: { total: findings.total, list: findings.kept },
    ...(peers && { peers: peersJson(peers) }),
    waiting: {
      operator,
      customer,
      past,
      unclaimed,
      overdue,
      list: waiting.sorted().map((entry) => ({ ...entry, since: entry.since === null ? null : iso(entry.since) })),
    },
  });
}

/** Sound, and nothing waits for the operator. What waits for a customer is in order. */
export const isClean = ({ findings, waiting }: Examination): boolean => findings.total === 0 && waiting.operator === 0;
