/**
 * How long a code is on its way: from the moment it reaches the provider to the poll that carries it, over the provider's webhook, while
 * others poll two thousand times a second. The pace of calls to the provider is the one that it allows.
 */
import { join } from "node:path";
import { type Held, read, receive } from "../customer.ts";
import type { LoadJob, LoadResult } from "../load.ts";
import { result, scratch } from "../processes.ts";
import {
  get,
  newFolder,
  type Peers,
  type Product,
  startPeers,
  startProduct,
  UNPACED,
  withWebhook,
} from "../product.ts";
import type { Row } from "../report.ts";
import { quantile, spread } from "../statistics.ts";
import { waitingOrders } from "./poll.ts";

const AIM_P99_MS = 20;
const POLLS_PER_SECOND = 2_000;
const CONNECTIONS = 64;
/** Orders that are polled by the others. */
const POLLED = 50;
const CODES_PER_SECOND = 10;
const CODE_WITHIN_MS = 30_000;
const SETTLED_MS = 1_000;

/** An SMS for one order. @returns ms until the answer to a poll carried its code, the polls one after another. */
async function onItsWay(product: Product, peers: Peers, held: Held): Promise<number> {
  const { phoneNumber } = await read(product, held);
  const sent = performance.now();
  const delivered = receive(peers, phoneNumber);
  for (;;) {
    const { code } = await read(product, held);
    const ms = performance.now() - sent;
    if (code !== null) {
      await delivered;
      return ms;
    }
    if (ms > CODE_WITHIN_MS) throw new Error(`No code after ${CODE_WITHIN_MS} ms`);
    await Bun.sleep(1);
  }
}

/** @param codes how many in each round */
export async function webhook({ codes, rounds }: { readonly codes: number; readonly rounds: number }): Promise<Row> {
  const all = codes * rounds;
  const peers = await startPeers();
  const dataDir = newFolder();
  const buying = await startProduct(peers, { dataDir, env: UNPACED });
  const held = await waitingOrders(buying, peers, POLLED + all);
  await buying.stop();
  const product = await startProduct(peers, { dataDir, env: withWebhook() });
  const polls = held.splice(0, POLLED).map(({ orderId, authorization }) => {
    return get(`/v2/l402/order/${orderId}`, { authorization });
  });
  const requestsFile = scratch("webhook-polls.json");
  await Bun.write(requestsFile, JSON.stringify(polls));
  const job: LoadJob = {
    port: product.port,
    connections: CONNECTIONS,
    seconds: (SETTLED_MS + (all * 1_000) / CODES_PER_SECOND) / 1_000,
    requestsFile,
    from: 0,
    perSecond: POLLS_PER_SECOND,
  };
  const cpuBefore = product.cpuMs();
  const load = result<LoadResult>([join(import.meta.dir, "..", "load.ts"), JSON.stringify(job)]);
  await Bun.sleep(SETTLED_MS);
  const begun = performance.now();
  const times: number[] = [];
  for (const [n, one] of held.entries()) {
    // At moments that have nothing to do with the pace of anything else.
    const at = begun + ((n + Math.random()) * 1_000) / CODES_PER_SECOND;
    await Bun.sleep(Math.max(0, at - performance.now()));
    times.push(await onItsWay(product, peers, one));
  }
  const { perSecond, p99, seconds, statuses } = await load;
  const cpu = (product.cpuMs() - cpuBefore) / seconds / 10;
  await Promise.all([product.stop(), peers.stop()]);
  if (Object.keys(statuses).join() !== "200") throw new Error(`Polls were answered ${JSON.stringify(statuses)}`);
  const p99s = Array.from({ length: rounds }, (_, round) => {
    const ofRound = times.slice(round * codes, (round + 1) * codes).sort((a, b) => a - b);
    return quantile(ofRound, 0.99);
  });
  times.sort((a, b) => a - b);
  const { median, min, max } = spread(times);
  const p99OfRounds = spread(p99s);
  return {
    id: "webhook",
    work: `A code from the provider's webhook to the poll that carries it, under ${POLLS_PER_SECOND.toLocaleString("en-US")} polls a second`,
    figures: [
      { name: `${all} codes, median`, value: median, unit: "ms", range: [min, max] },
      {
        name: `p99 of each ${codes}`,
        value: p99OfRounds.median,
        unit: "ms",
        range: [p99OfRounds.min, p99OfRounds.max],
        aim: { atMost: AIM_P99_MS },
      },
      { name: "the others' polls", value: perSecond, unit: "/s" },
      { name: "the others' polls, p99", value: p99, unit: "ms" },
      { name: "the service's processor time", value: cpu, unit: "%" },
    ],
    plot: {
      file: "webhook.svg",
      title: "A code from the provider to its poll, by percentile",
      x: "percentile",
      y: "ms",
      series: [
        {
          name: `with ${POLLS_PER_SECOND.toLocaleString("en-US")} other polls a second`,
          points: [10, 25, 50, 75, 90, 95, 99].map((q) => [q, quantile(times, q / 100)] as const),
        },
      ],
    },
  };
}
