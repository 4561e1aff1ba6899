/**
 * What the provider is asked while ten thousand orders wait for their SMS, and how soon a code is found that no webhook told of: some of the
 * orders get theirs at moments of their own, and nobody reads them meanwhile, which would make the service look earlier.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { countCalls, mostInASecond } from "../counting.ts";
import { type Held, read, receive } from "../customer.ts";
import { newFolder, startPeers, startProduct, UNPACED } from "../product.ts";
import type { Row } from "../report.ts";
import { copyActivation, copyOrder } from "../seed.ts";
import { quantile, spread } from "../statistics.ts";
import { waitingOrders } from "./poll.ts";

const AIM_CALLS_PER_SECOND = 50;
const AIM_FOUND_S = 10;
const WAITING = 10_000;
const FOUND_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 10;

export interface ProviderOptions {
  /** How many get an SMS, an even number, evenly over so many seconds. */
  readonly codes: number;
  readonly seconds: number;
}

/** When an order has its SMS stored, ms since it was sent to its number. */
async function found(db: Database, orderId: string, sent: number): Promise<number> {
  const messages = db.query("SELECT 1 FROM messages WHERE order_id = ?");
  while (messages.get(orderId) === null) {
    if (performance.now() - sent > FOUND_WITHIN_MS) throw new Error(`No code after ${FOUND_WITHIN_MS} ms`);
    await Bun.sleep(LOOK_EVERY_MS);
  }
  return performance.now() - sent;
}

export async function provider({ codes, seconds }: ProviderOptions): Promise<Row> {
  const peers = await startPeers();
  const counted = countCalls(peers);
  const dataDir = newFolder();
  /** Buys some more, without waiting for the provider's pace. */
  const bought = async (count: number): Promise<readonly (Held & { readonly phoneNumber: string | null })[]> => {
    const buying = await startProduct(counted, { dataDir, env: UNPACED });
    const held = await waitingOrders(buying, peers, count);
    const all = await Promise.all(held.map(async (one) => ({ ...one, ...(await read(buying, one)) })));
    await buying.stop();
    return all;
  };
  // The provider's list shows the newest first: half of them stand at its end, and half at its begin.
  const oldest = await bought(codes / 2);
  copyActivation(peers.dataDir, copyOrder(dataDir, { from: oldest[0]?.orderId ?? "", count: WAITING - codes }));
  const newest = await bought(codes / 2);
  const held = oldest.flatMap((one, n) => [one, newest[n] ?? one]);

  const db = new Database(join(dataDir, "orders.sqlite"), { readonly: true });
  const product = await startProduct(counted, { dataDir });
  const callsBefore = counted.calls.length;
  const cpuBefore = product.cpuMs();
  const begun = performance.now();
  const searches = held.map(async (one, n) => {
    await Bun.sleep(((n + Math.random()) * seconds * 1_000) / codes);
    const sent = performance.now();
    await receive(peers, one.phoneNumber);
    return found(db, one.orderId, sent);
  });
  const times = (await Promise.all(searches)).map((ms) => ms / 1_000).sort((a, b) => a - b);
  const lasted = performance.now() - begun;
  const calls = counted.calls.slice(callsBefore);
  const cpu = (product.cpuMs() - cpuBefore) / lasted;
  db.close();
  await Promise.all([product.stop(), counted.stop(), peers.stop()]);
  const { median, min, max } = spread(times);
  return {
    id: "provider",
    work: `Calls to the provider while ${WAITING.toLocaleString("en-US")} orders wait, and codes without a webhook`,
    figures: [
      { name: "calls to the provider", value: (calls.length * 1_000) / lasted, unit: "/s" },
      {
        name: "the most in any second",
        value: mostInASecond(calls),
        unit: "",
        aim: { atMost: AIM_CALLS_PER_SECOND },
      },
      { name: `${codes} codes found after, median`, value: median, unit: "s", range: [min, max] },
      { name: "the same, p99", value: quantile(times, 0.99), unit: "s" },
      { name: "the same, the last", value: max, unit: "s", aim: { atMost: AIM_FOUND_S } },
      { name: "the service's processor time", value: cpu * 100, unit: "%" },
      { name: "measured for", value: lasted / 1_000, unit: "s" },
    ],
  };
}
