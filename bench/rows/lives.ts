/**
 * Whole lives over HTTP: challenge, payment, number, SMS, code read, number given back. Once at the pace of calls that the provider allows
 * one account, which then is the bound, and once with that pace raised, so that the machine is. The customers, the node and the provider
 * are of this machine too: their processor time a life stands beside the service's own.
 */
import { buy, receive, until, type Wanted } from "../customer.ts";
import { type Peers, type Product, startPeers, startProduct, UNPACED, withWebhook } from "../product.ts";
import type { Row } from "../report.ts";

const AIM_LIVES = 500;
/** No grace for more messages: an order that is only waited for takes part in every list of what is active. */
const SETTINGS = { CODE_GRACE_SECONDS: "0", TRUSTED_PROXIES: "127.0.0.1" };
/** Pairs with enough numbers for a run, and as many lanes to buy in. */
const LEAST_STOCK = 5_000;
const MOST_SATS = 500;

interface Crowd {
  /** At a time, each one life after another. As many lives warm up. */
  readonly customers: number;
  /** Lives that are measured. */
  readonly count: number;
  /** First look for what takes a while (the end as long as the code), and the time between looks, ms. */
  readonly patience: { readonly number: number; readonly code: number; readonly again: number };
}

interface Lived {
  readonly perSecond: number;
  /** Processor time a life, microseconds. */
  readonly service: number;
  readonly peers: number;
  readonly customers: number;
}

async function pairsIn({ origin }: Product): Promise<Wanted[]> {
  const { countries } = (await (await fetch(`${origin}/v2/l402/catalog`)).json()) as {
    readonly countries: readonly {
      readonly id: number;
      readonly sms: readonly { readonly service: string; readonly priceSats: number; readonly stock: number }[];
    }[];
  };
  return countries.flatMap(({ id, sms }) =>
    sms
      .filter(({ stock, priceSats }) => stock >= LEAST_STOCK && priceSats <= MOST_SATS)
      .map(({ service }) => ({ service, country: id })),
  );
}

/** Half as long to one and a half times as long: customers who wait alike come in waves. */
const about = (ms: number): Promise<void> => Bun.sleep(ms * (0.5 + Math.random()));

/** From the challenge to the end, every customer at another address. */
async function live(product: Product, peers: Peers, wanted: Wanted, n: number, { patience }: Crowd): Promise<void> {
  const held = await buy(product, peers, wanted, `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`);
  await about(patience.number);
  const { phoneNumber } = await until(product, held, (order) => order.phoneNumber !== null, patience.again);
  await receive(peers, phoneNumber);
  await about(patience.code);
  await until(product, held, ({ code }) => code !== null, patience.again);
  await about(patience.code);
  await until(product, held, ({ status }) => status === "completed", patience.again);
}

async function crowded(env: Readonly<Record<string, string>>, crowd: Crowd): Promise<Lived> {
  const { customers, count, patience } = crowd;
  const peers = await startPeers();
  const product = await startProduct(peers, { env: { ...withWebhook(), ...SETTINGS, ...env } });
  const pairs = await pairsIn(product);
  const used = () => {
    const { user, system } = process.cpuUsage();
    return { at: performance.now(), service: product.cpuMs(), peers: peers.cpuMs(), own: (user + system) / 1_000 };
  };
  const marks: ReturnType<typeof used>[] = [];
  let begun = 0;
  let lived = 0;
  const customer = async () => {
    await about(patience.number);
    while (lived < customers + count) {
      const n = begun++;
      await live(product, peers, pairs[n % pairs.length] as Wanted, n, crowd);
      lived++;
      if (lived === customers || lived === customers + count) marks.push(used());
    }
  };
  await Promise.all(Array.from({ length: customers }, customer));
  await Promise.all([product.stop(), peers.stop()]);
  const [before, after] = marks;
  if (!before || !after) throw new Error("Not all lives were lived");
  const micros = (name: "service" | "peers" | "own") => ((after[name] - before[name]) * 1_000) / count;
  return {
    perSecond: (count * 1_000) / (after.at - before.at),
    service: micros("service"),
    peers: micros("peers"),
    customers: micros("own"),
  };
}

export async function lives({ quick }: { readonly quick: boolean }): Promise<Row> {
  const paced = await crowded(
    {},
    { customers: quick ? 8 : 16, count: quick ? 8 : 100, patience: { number: 300, code: 50, again: 100 } },
  );
  const free = await crowded(UNPACED, {
    customers: quick ? 200 : 700,
    count: quick ? 200 : 8_000,
    patience: { number: 700, code: 150, again: 200 },
  });
  return {
    id: "lives",
    work: "Whole lives over loopback HTTP: challenge, payment, number, SMS, code, completed",
    figures: [
      { name: "lives", value: free.perSecond, unit: "/s", aim: { atLeast: AIM_LIVES } },
      { name: "processor time a life, the service", value: free.service, unit: "us" },
      { name: "processor time a life, node and provider", value: free.peers, unit: "us" },
      { name: "processor time a life, the customers", value: free.customers, unit: "us" },
      { name: "lives at the pace of one provider account", value: paced.perSecond, unit: "/s" },
    ],
  };
}
