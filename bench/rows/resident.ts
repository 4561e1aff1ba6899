/**
 * What orders in memory cost: bytes for each that waits for its SMS, with its deadline, and what the whole program holds with so many
 * awake, or with far more stored than it keeps awake.
 */
import { newFolder, type Peers, startPeers, startProduct } from "../product.ts";
import type { Figure, Row } from "../report.ts";
import type { Holds } from "../resident-server.ts";
import { copyOrder } from "../seed.ts";
import { waitingOrders } from "./poll.ts";

const AIM_BYTES = 700;
const AIM_AWAKE_MB = 200;
const AIM_STORED_MB = 300;
const MB = 2 ** 20;
/** Woken before the first look: code is compiled, and SQLite's cache of pages is full. */
const FIRST = 12_000;
/** Of many stored ones so many are woken: more than are kept awake. */
const WOKEN = 150_000;

/** Starts the service on the orders of `dataDir`, and hands over how to wake some of them. */
async function withEngine<T>(
  peers: Peers,
  dataDir: string,
  env: Readonly<Record<string, string>>,
  work: (wake: (count: number) => Promise<Holds>) => Promise<T>,
): Promise<T> {
  const product = await startProduct(peers, { dataDir, env, entry: ["bench/resident-server.ts"] });
  const engine = /^Engine +(\S+)/m.exec(product.output())?.[1];
  if (engine === undefined) throw new Error("The server did not say where its engine is reached");
  const wake = async (count: number) =>
    (await (await fetch(`${engine}/${count}`, { method: "POST", timeout: false })).json()) as Holds;
  const found = await work(wake);
  await product.stop();
  return found;
}

/**
 * @param awake so many are kept in memory.
 * @param stored so many wait in the database, with residency at its default.
 */
export async function resident({ awake, stored }: { readonly awake: number; readonly stored: number }): Promise<Row> {
  const peers = await startPeers();
  const dataDir = newFolder();
  const first = await startProduct(peers, { dataDir });
  const [held] = await waitingOrders(first, peers, 1);
  await first.stop();
  const from = held?.orderId ?? "";
  copyOrder(dataDir, { from, count: awake + FIRST });
  const [before, after] = await withEngine(peers, dataDir, { MAX_RESIDENTS: "10000000" }, async (wake) => [
    await wake(FIRST),
    await wake(awake - FIRST),
  ]);
  const each = (what: "heap" | "rss") => (after[what] - before[what]) / (after.residents - before.residents);
  const figures: Figure[] = [
    { name: "an order in memory, resident memory", value: each("rss"), unit: "bytes", aim: { atMost: AIM_BYTES } },
    { name: "an order in memory, JavaScript heap", value: each("heap"), unit: "bytes" },
    {
      name: `the program with ${after.residents.toLocaleString("en-US")} in memory`,
      value: after.rss / MB,
      unit: "MB",
      ...(awake === 100_000 && { aim: { atMost: AIM_AWAKE_MB } }),
    },
  ];
  if (stored > awake + FIRST) {
    copyOrder(dataDir, { from, count: stored - awake - FIRST });
    const bounded = await withEngine(peers, dataDir, {}, (wake) => wake(WOKEN));
    figures.push({
      name: `the program with ${stored.toLocaleString("en-US")} waiting, after ${WOKEN.toLocaleString("en-US")} of them were woken`,
      value: bounded.rss / MB,
      unit: "MB",
      ...(stored >= 1_000_000 && { aim: { atMost: AIM_STORED_MB } }),
    });
    figures.push({ name: "of which it keeps in memory", value: bounded.residents, unit: "" });
  }
  await peers.stop();
  return { id: "resident", work: "Memory of orders that wait for their SMS", figures };
}
