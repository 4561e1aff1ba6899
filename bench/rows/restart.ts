/**
 * How long a start of the executable takes, and what memory it needs, when so many orders wait for their SMS; the first poll of an order that
 * sleeps; and what became of the deadlines that fell due while it was down, or do so as it starts.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { build } from "../../scripts/build.ts";
import { scratch } from "../processes.ts";
import { newFolder, type Peers, startPeers, startProduct, UNPACED } from "../product.ts";
import type { Figure, Row } from "../report.ts";
import { copyOrder } from "../seed.ts";
import { quantile, spread } from "../statistics.ts";
import { waitingOrders } from "./poll.ts";

/** Seconds to the first 200, by orders. */
const AIMS: Readonly<Record<number, number>> = { 10000: 0.25, 100000: 0.4, 1000000: 1 };
const AIM_FIRST_POLL_MS = 1;
const AIMS_RSS_MB: Readonly<Record<number, number>> = { 100000: 200, 1000000: 300 };
/** Deadlines of each sort. */
const DUE = 300;
const DUE_BEFORE_MS = 60_000;
/** From here on one every 10 ms. */
const DUE_AFTER_MS = 1_000;
const EVERY_MS = 10;
const WATCHED_MS = 6_000;
const MB = 2 ** 20;
const SLEEPERS = 20;
const GIVE_UP_MS = 120_000;

/** The first 200 of `/readyz`, ms after `began`. */
async function ready(origin: string, began: number): Promise<number> {
  for (;;) {
    const response = await fetch(`${origin}/readyz`);
    await response.arrayBuffer();
    const ms = performance.now() - began;
    if (response.ok) return ms;
    if (ms > GIVE_UP_MS) throw new Error(`Not ready after ${GIVE_UP_MS} ms`);
    await Bun.sleep(2);
  }
}

interface Fell {
  readonly id: string;
  readonly due: number;
}

/** Adds deadlines to the live orders, starts, and asks the audit when each was acted on. */
async function deadlines(peers: Peers, dataDir: string, executable: string, from: string): Promise<Figure[]> {
  const now = Date.now();
  copyOrder(dataDir, { from, count: DUE, due: { first: now - DUE_BEFORE_MS, everyMs: EVERY_MS } });
  copyOrder(dataDir, { from, count: DUE, due: { first: now + DUE_AFTER_MS, everyMs: EVERY_MS } });
  const path = join(dataDir, "orders.sqlite");
  const before = new Database(path, { readonly: true });
  const fell = before
    .query<Fell, [number]>("SELECT id, due FROM orders WHERE due < ?")
    .all(now + DUE_AFTER_MS + DUE * EVERY_MS);
  before.close();
  const startedAt = Date.now();
  const product = await startProduct(peers, { dataDir, executable });
  await Bun.sleep(WATCHED_MS);
  await product.stop();
  const after = new Database(path, { readonly: true });
  const acted = after.query<{ at: number | null }, [string, number]>(
    "SELECT min(at) AS at FROM events WHERE order_id = ? AND at >= ?",
  );
  const seen = fell.map(({ id, due }) => ({ due, at: acted.get(id, startedAt)?.at ?? null }));
  after.close();
  const lateness = (some: (due: number) => boolean, since: (due: number) => number): number[] =>
    seen.flatMap(({ due, at }) => (at !== null && some(due) ? [at - since(due)] : [])).sort((a, b) => a - b);
  const down = lateness(
    (due) => due < startedAt,
    () => startedAt,
  );
  const up = lateness(
    (due) => due >= startedAt,
    (due) => due,
  );
  const missed = seen.filter(({ at }) => at === null).length;
  return [
    { name: `${fell.length} deadlines around a start: missed`, value: missed, unit: "", aim: { atMost: 0 } },
    { name: "due while down: the last one, after the start", value: quantile(down, 1), unit: "ms" },
    { name: "due after the start: late, p99", value: quantile(up, 0.99), unit: "ms" },
  ];
}

export async function restart(sizes: readonly number[]): Promise<Row> {
  const executable = await build(scratch("l402-numbers"));
  const peers = await startPeers();
  const dataDir = newFolder();
  const first = await startProduct(peers, { dataDir, executable, env: UNPACED });
  const held = await waitingOrders(first, peers, SLEEPERS);
  await first.stop();
  const figures: Figure[] = [];
  const starts: [number, number][] = [];
  const memory: [number, number][] = [];
  let stored = SLEEPERS;
  for (const size of sizes) {
    if (size > stored) copyOrder(dataDir, { from: held[0]?.orderId ?? "", count: size - stored });
    stored = Math.max(size, stored);
    const began = performance.now();
    const product = await startProduct(peers, { dataDir, executable });
    const ms = await ready(product.origin, began);
    const cpu = product.cpuMs();
    const rss = product.rss() / MB;
    const polls: number[] = [];
    for (const { orderId, authorization } of held) {
      const asked = performance.now();
      const response = await fetch(`${product.origin}/v2/l402/order/${orderId}`, { headers: { authorization } });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`A stored order was answered with ${response.status}`);
      polls.push(performance.now() - asked);
    }
    await product.stop();
    const name = `${size.toLocaleString("en-US")} live orders:`;
    const atMost = AIMS[size];
    const mostMb = AIMS_RSS_MB[size];
    const poll = spread(polls);
    figures.push(
      {
        name: `${name} start to first 200`,
        value: ms / 1_000,
        unit: "s",
        ...(atMost !== undefined && { aim: { atMost } }),
      },
      { name: `${name} processor time of the start`, value: cpu / 1_000, unit: "s" },
      {
        name: `${name} memory when ready`,
        value: rss,
        unit: "MB",
        ...(mostMb !== undefined && { aim: { atMost: mostMb } }),
      },
      {
        name: `${name} first poll of a sleeping one`,
        value: poll.median,
        unit: "ms",
        range: [poll.min, poll.max],
        aim: { atMost: AIM_FIRST_POLL_MS },
      },
    );
    starts.push([size, ms]);
    memory.push([size, rss]);
  }
  figures.push(...(await deadlines(peers, dataDir, executable, held[0]?.orderId ?? "")));
  await peers.stop();
  return {
    id: "restart",
    work: "Start of the executable with so many live orders",
    figures,
    plot: {
      file: "restart.svg",
      title: "Start and memory by live orders",
      x: "live orders",
      y: "ms and MB",
      series: [
        { name: "start to first 200, ms", points: starts },
        { name: "memory when ready, MB", points: memory },
      ],
    },
  };
}
