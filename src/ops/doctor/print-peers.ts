/** What the comparison with node and provider found, as text and for JSON. */
import { iso } from "../../../actors/runtime/world.ts";
import { DIFFERENCES, type Difference } from "../peers/compare.ts";
import type { PeersReport } from "../peers/report.ts";
import { MAX_KEPT } from "./report.ts";

const MAX_SHOWN = 20;

/** Nothing differs, nothing was left undone, no order is in doubt, and the node may pay refunds. */
export const agrees = ({ comparison, doubts, repaired, paused, rights }: PeersReport): boolean =>
  comparison.differences.length === 0 &&
  doubts.length === 0 &&
  !paused &&
  rights.ok &&
  (repaired?.failed.length ?? 0) === 0;

export function peersText({ since, payments, comparison, doubts, repaired, paused, rights }: PeersReport): string[] {
  const { differences, strangers } = comparison;
  const lines = [
    `Node and provider, since ${iso(since)}`,
    ...(payments ? [] : [`  ${UNLISTED}`]),
    ...(differences.length === 0 ? ["  They agree with our books"] : byKind(differences)),
    ...section("  In doubt: nothing is bought or paid for", doubts, ({ orderId, words }) => [
      `    ${orderId}  ${words}`,
    ]),
    ...section("  Of no order of ours; leave it alone unless you know that it is", strangers, ({ what, id, words }) => [
      `    ${what}  ${id}  ${words}`,
    ]),
    ...section("  Repaired", repaired?.done ?? [], (words) => [`    ${words}`]),
    ...section("  Not repaired", repaired?.failed ?? [], (words) => [`    ${words}`]),
  ];
  if (!rights.ok) lines.push(`  BAD receive_only: ${rights.reason}`, "      Refunds wait until it can pay");
  if (repaired?.pauseOver) lines.push("  The restored books were compared: money moves again at the next start");
  if (paused) {
    lines.push("  These books come from a backup. Money stays paused: stop the server and run doctor --peers --repair");
  }
  return [...lines, ""];
}

const UNLISTED =
  "The node cannot list its payments, nor what invoices were made for: only refunds that our books know were asked about";

function byKind(differences: readonly Difference[]): string[] {
  return Object.entries(DIFFERENCES).flatMap(([kind, advice]) => {
    const found = differences.filter((difference) => difference.kind === kind);
    if (found.length === 0) return [];
    return [
      ...section(`  BAD ${kind}`, found, ({ orderId, words }) => [
        `    ${orderId === null ? "" : `${orderId}  `}${words}`,
      ]),
      `      ${advice}`,
    ];
  });
}

function section<T>(title: string, rows: readonly T[], lines: (row: T) => string[]): string[] {
  if (rows.length === 0) return [];
  const left = rows.length - MAX_SHOWN;
  const more = left > 0 ? [`    and ${left} more (--json lists up to ${MAX_KEPT})`] : [];
  return [`${title}: ${rows.length}`, ...rows.slice(0, MAX_SHOWN).flatMap(lines), ...more];
}

/** `repair` says whether one exists. */
export function peersJson(report: PeersReport): object {
  const { since, payments, comparison, doubts, repaired, paused, rights } = report;
  const { differences, strangers } = comparison;
  return {
    since: iso(since),
    agrees: agrees(report),
    paymentsCompared: payments,
    paused,
    mayPay: rights,
    differences: {
      total: differences.length,
      list: differences.slice(0, MAX_KEPT).map(({ repair, ...facts }) => ({ ...facts, repair: repair !== null })),
    },
    doubts: { total: doubts.length, list: doubts.slice(0, MAX_KEPT) },
    strangers: { total: strangers.length, list: strangers.slice(0, MAX_KEPT) },
    repaired,
  };
}
