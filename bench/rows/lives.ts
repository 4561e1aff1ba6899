/**
 * Whole lives over HTTP: challenge, payment, number, SMS, code read. The customers, the node and the provider are of this machine too, and
 * take most of it; the service's own processor time a life stands beside the rate, which ends at the provider's limit of calls. And how long a code takes from the provider to its poll.
 */
import type { OrderView } from "../../src/orders/view.ts";
import { type Peers, type Product, startPeers, startProduct } from "../product.ts";
import type { Row } from "../report.ts";
import { quantile, spread } from "../statistics.ts";
import { waitingOrders } from "./poll.ts";

const AIM_LIVES = 500;
const AIM_SMS_MS = 20;
const CUSTOMERS = 16;
const CODE_WITHIN_MS = 30_000;

/** A port that is free now: the provider must know where to post before the service starts. */
function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  server.stop(true);
  return port ?? 0;
}

/** One life to its code. @returns how long the code took from the provider to the poll that carries it, ms. */
async function live(product: Product, peers: Peers): Promise<number> {
  const [held] = await waitingOrders(product, peers, 1);
  if (!held) throw new Error("No order");
  const read = async (): Promise<OrderView> => {
    const { authorization, orderId } = held;
    const response = await fetch(`${product.origin}/v2/l402/order/${orderId}`, { headers: { authorization } });
    return (await response.json()) as OrderView;
  };
  const { phoneNumber } = await read();
  const sent = performance.now();
  await peers.control("POST", "/sms", { phoneNumber, text: "Your code is 123456" });
  for (;;) {
    const { code } = await read();
    const ms = performance.now() - sent;
    if (code !== null) return ms;
    if (ms > CODE_WITHIN_MS) throw new Error(`No code after ${CODE_WITHIN_MS} ms`);
    await Bun.sleep(1);
  }
}

export async function lives({ count }: { readonly count: number }): Promise<Row> {
  const peers = await startPeers();
  const product = await startProduct(peers, { env: { PORT: String(freePort()) } });
  for (let n = 0; n < 4; n++) await Promise.all(Array.from({ length: 8 }, () => live(product, peers)));
  const cpuBefore = product.cpuMs();
  const began = performance.now();
  let begun = 0;
  const customer = async () => {
    while (begun < count) {
      begun++;
      await live(product, peers);
    }
  };
  await Promise.all(Array.from({ length: CUSTOMERS }, customer));
  const seconds = (performance.now() - began) / 1_000;
  const cpu = ((product.cpuMs() - cpuBefore) * 1_000) / count;
  // One after another: what a code takes on its way, not what it waits for others.
  const latencies: number[] = [];
  for (let n = 0; n < 40; n++) latencies.push(await live(product, peers));
  latencies.sort((a, b) => a - b);
  await Promise.all([product.stop(), peers.stop()]);
  const { median, min, max } = spread(latencies);
  return {
    id: "lives",
    work: "Whole lives over loopback HTTP: challenge, payment, number, SMS, code",
    figures: [
      { name: "lives", value: count / seconds, unit: "/s", aim: { atLeast: AIM_LIVES } },
      { name: "the service's processor time a life", value: cpu, unit: "us" },
      { name: "SMS at the provider to the poll with its code, median", value: median, unit: "ms", range: [min, max] },
      { name: "the same, p99", value: quantile(latencies, 0.99), unit: "ms", aim: { atMost: AIM_SMS_MS } },
    ],
  };
}
