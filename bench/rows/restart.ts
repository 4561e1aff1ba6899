/** How long a start of the executable takes, and what memory it needs, when so many orders wait for their SMS; and the first poll of an order that sleeps. */
import { build } from "../../scripts/build.ts";
import { scratch } from "../processes.ts";
import { newFolder, startPeers, startProduct } from "../product.ts";
import type { Figure, Row } from "../report.ts";
import { copyOrder } from "../seed.ts";
import { spread } from "../statistics.ts";
import { waitingOrders } from "./poll.ts";

/** Seconds to the first 200, by orders. */
const AIMS: Readonly<Record<number, number>> = { 10000: 0.25, 100000: 0.4, 1000000: 1 };
const AIM_FIRST_POLL_MS = 1;
const AIM_RSS_MB = 200;
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

export async function restart(sizes: readonly number[]): Promise<Row> {
  const executable = await build(scratch("l402-numbers"));
  const peers = await startPeers();
  const dataDir = newFolder();
  const first = await startProduct(peers, { dataDir, executable });
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
        ...(size === 100_000 && { aim: { atMost: AIM_RSS_MB } }),
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
