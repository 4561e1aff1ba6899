/** The examination at the end of a round: the file, every promise, every deadline, every book, and what the doctor says. */
import { Database } from "bun:sqlite";
import { dirname, join } from "node:path";
import type { OrderEvent } from "../../actors/order/events.ts";
import { status } from "../../actors/order/status.ts";
import { Store } from "../../actors/runtime/store.ts";
import { parseOrder, STATE } from "../../actors/runtime/texts.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { loadConfig } from "../../src/config.ts";
import { runDoctor } from "../../src/ops/doctor.ts";
import { createPeers, sandboxAddresses } from "../../src/peers.ts";
import { startSandbox } from "../../src/sandbox/server.ts";
import { compareBooks, type Totals } from "./books.ts";
import { checkDeadlines, type Deadlines } from "./deadlines.ts";
import type { Purchase } from "./heard.ts";
import { brokenPromises, statesOf } from "./histories.ts";
import type { Downtime } from "./victim.ts";

export interface AuditOptions {
  readonly dataDir: string;
  readonly booksFile: string;
  readonly purchases: readonly Purchase[];
  readonly downtimes: readonly Downtime[];
  /** The time of the sandbox. */
  readonly now: number;
}

export interface Audit {
  readonly violations: readonly string[];
  readonly totals: Totals;
  readonly deadlines: Deadlines;
  /** Orders by public word, buried ones left out. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Service and peers have ended. */
export async function audit({ dataDir, booksFile, purchases, downtimes, now }: AuditOptions): Promise<Audit> {
  const violations: string[] = [];
  const say = (violation: string) => void violations.push(violation);
  using db = new Database(join(dataDir, "orders.sqlite"), { readonly: true });
  using books = new Database(booksFile, { readonly: true });
  const store = new Store(db);
  for (const { integrity_check: line } of db.query<{ integrity_check: string }, []>("PRAGMA integrity_check").all()) {
    if (line !== "ok") say(`integrity check: ${line}`);
  }
  const orders = db
    .query<{ state: string }, []>(`SELECT ${STATE} FROM orders`)
    .all()
    .map(({ state }) => parseOrder(state));
  const histories = new Map(
    orders.map(({ id }) => {
      const events: readonly OrderEvent[] = store.events(id);
      return [id as string, { id, events, states: statesOf(events) }];
    }),
  );
  const buried = new Set(
    db
      .query<{ id: string }, []>("SELECT order_id AS id FROM tombstones")
      .all()
      .map(({ id }) => id),
  );
  for (const purchase of purchases) {
    const { events, states } = histories.get(purchase.orderId) ?? { events: [], states: [] };
    if (states.length === 0 && purchase.preimage === null && buried.has(purchase.orderId)) continue;
    for (const broken of brokenPromises(purchase, events, states)) say(`${purchase.orderId}: ${broken}`);
  }
  const deadlines = checkDeadlines(histories.values(), downtimes, now);
  violations.push(...deadlines.missed);
  const totals = compareBooks(db, books, orders, say);
  for (const { orderId, effect } of store.unfinishedEffects()) say(`${orderId}: ${effect.kind} never came back`);
  violations.push(...(await doctorSays(dataDir, now)));
  violations.push(...(await doctorSaysOfPeers(dataDir, dirname(booksFile), now)));
  const outcomes: Record<string, number> = {};
  for (const order of orders) outcomes[status(order)] = (outcomes[status(order)] ?? 0) + 1;
  return { violations, totals, deadlines, outcomes };
}

/** Findings, and what waits for the operator. */
export async function doctorSays(dataDir: string, now: number): Promise<string[]> {
  const lines: string[] = [];
  const code = await runDoctor(["--json"], { dataDir, now, out: (line) => lines.push(line) });
  if (code === 0) return [];
  const told = JSON.parse(lines.join("")) as {
    readonly problem?: string;
    readonly findings?: { readonly list: readonly { check: string; orderId: string | null; problem: string }[] };
    readonly waiting?: { readonly list: readonly { for: string; orderId: string; reason: string }[] };
  };
  const findings = told.findings?.list ?? [];
  const waiting = (told.waiting?.list ?? []).filter((entry) => entry.for === "operator");
  return [
    ...(told.problem === undefined ? [] : [`doctor: ${told.problem}`]),
    ...findings.map(({ check, orderId, problem }) => `doctor: ${check}: ${orderId ?? ""} ${problem}`),
    ...waiting.map(({ orderId, reason }) => `doctor: ${orderId} waits for the operator: ${reason}`),
  ];
}

/** What it finds when it asks node and provider, which are started again on their books: after all that happened, nothing may differ. */
async function doctorSaysOfPeers(dataDir: string, peersDir: string, now: number): Promise<string[]> {
  const loaded = loadConfig({});
  if (!loaded.ok) throw new Error(loaded.problems.join("; "));
  const world = new RealWorld(now - Date.now());
  const sandbox = await startSandbox({
    world,
    dataDir: peersDir,
    port: 0,
    hostname: "127.0.0.1",
    smsAfterMs: null,
    webhooks: () => [],
  });
  const { node, provider } = createPeers(world, loaded.config, sandboxAddresses(sandbox.url));
  const peers = async () => ({ world, node, provider, close: sandbox.stop });
  const lines: string[] = [];
  const args = ["--peers", "--quick", "--json", "--days", "30"];
  await runDoctor(args, { dataDir, now, peers, out: (line) => lines.push(line) });
  const told = JSON.parse(lines.join("")) as {
    readonly problem?: string;
    readonly peers?: {
      readonly differences: { readonly list: readonly { kind: string; orderId: string | null; words: string }[] };
      readonly doubts: { readonly list: readonly { orderId: string; words: string }[] };
      readonly strangers: { readonly list: readonly { what: string; id: string; words: string }[] };
    };
  };
  const { differences, doubts, strangers } = told.peers ?? {};
  return [
    ...(told.peers ? [] : [`doctor --peers: ${told.problem}`]),
    ...(differences?.list ?? []).map(({ kind, orderId, words }) => `doctor --peers: ${kind}: ${orderId} ${words}`),
    ...(doubts?.list ?? []).map(({ orderId, words }) => `doctor --peers: in doubt: ${orderId} ${words}`),
    ...(strangers?.list ?? []).map(({ what, id, words }) => `doctor --peers: nobody's ${what}: ${id} ${words}`),
  ];
}
