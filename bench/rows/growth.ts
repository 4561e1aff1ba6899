/** What an order costs when a hundred times as many are stored: opening one and polling one, processor time, with 10,000 and 1,000,000 finished orders. */
import { cpSync } from "node:fs";
import { type Held, read, receive, until } from "../customer.ts";
import { COUNTER } from "../load.ts";
import { get, newFolder, type Peers, type Product, post, startPeers, startProduct, UNPACED } from "../product.ts";
import type { Row } from "../report.ts";
import { type Extent, inTurn, type Measured } from "../rounds.ts";
import { copyOrder } from "../seed.ts";
import { AIM_GROWTH, FEW } from "./journal.ts";
import { waitingOrders } from "./poll.ts";

const REAL = 20;

/** The service on a copy of `seed` with `count` orders, nearly all of them over. */
async function filled(peers: Peers, seed: string, over: Held, count: number): Promise<Product> {
  const dataDir = newFolder();
  cpSync(seed, dataDir, { recursive: true });
  copyOrder(dataDir, { from: over.orderId, count: count - REAL });
  return startProduct(peers, { dataDir });
}

/** @param many how many are stored in the larger database. */
export async function growth(extent: Extent, many: number): Promise<Row> {
  const peers = await startPeers();
  const seed = newFolder();
  const first = await startProduct(peers, { dataDir: seed, env: { ...UNPACED, CODE_GRACE_SECONDS: "1" } });
  const held = await waitingOrders(first, peers, REAL);
  const over = held[0] as Held;
  await ended(first, peers, over);
  await first.stop();
  const few = await filled(peers, seed, over, FEW);
  const large = await filled(peers, seed, over, many);
  const polls = held.slice(1).map(({ orderId, authorization }) => get(`/v2/l402/order/${orderId}`, { authorization }));
  const body = `{"service":"tg","country":"auto","note":"${COUNTER}"}`;
  const opens = [post("/v2/l402/order", body, body.length)];
  const turns = (requests: readonly string[], status: number): Promise<Measured[]> =>
    inTurn(
      [
        { name: `${FEW.toLocaleString("en-US")} stored`, process: few, port: few.port, requests, status },
        { name: `${many.toLocaleString("en-US")} stored`, process: large, port: large.port, requests, status },
      ],
      extent,
    );
  const polled = await turns(polls, 200);
  const opened = await turns(opens, 402);
  await Promise.all([few, large, peers].map((one) => one.stop()));
  const ratio = ([small, large]: readonly Measured[]) =>
    (large?.cpuMicros.median ?? 0) / (small?.cpuMicros.median ?? 1);
  const named = (what: string, measured: readonly Measured[]): Measured[] =>
    measured.map((one) => ({ ...one, name: `${what}, ${one.name}` }));
  return {
    id: "growth",
    work: `Cost of one order with ${many.toLocaleString("en-US")} stored, against ${FEW.toLocaleString("en-US")}`,
    servers: [...named("polls", polled), ...named("challenges", opened)],
    figures: [
      { name: "poll, processor time, ratio", value: ratio(polled), unit: "", aim: { atMost: AIM_GROWTH } },
      { name: "opening, processor time, ratio", value: ratio(opened), unit: "", aim: { atMost: AIM_GROWTH } },
    ],
  };
}

/** One order that is over, to copy: its SMS came, its code was read, and the time for more is past. */
async function ended(product: Product, peers: Peers, held: Held): Promise<void> {
  const { phoneNumber } = await read(product, held);
  await receive(peers, phoneNumber);
  await until(product, held, ({ status }) => status === "completed", 100);
}
