/**
 * Memory under mixed work at a fixed, moderate pace: polls, challenges that nobody pays, purchases to their end, rejected credentials, the
 * catalog. The figure is the slope of what the process holds after a warm-up, by least squares. An hour of it: `--only=memory --minutes=96`.
 *
 * Times are short, so that orders lapse, end and are erased while it is measured: otherwise it would be the number of live orders that grows.
 */
import { join } from "node:path";
import { type Held, live, read, receive, until } from "../customer.ts";
import { COUNTER, type LoadJob, type LoadResult } from "../load.ts";
import { result, scratch } from "../processes.ts";
import { get, type Peers, type Product, post, startPeers, startProduct } from "../product.ts";
import type { Row } from "../report.ts";
import { floors, type Slope, STRETCHES, slope, thinned } from "../statistics.ts";
import { waitingOrders } from "./poll.ts";

const AIM_MB_PER_HOUR = 1;
const MB = 2 ** 20;
const HOUR_S = 3_600;
const REQUESTS_PER_SECOND = 200;
const LIVES_PER_SECOND = 2;
const POLL_EVERY_MS = 200;
/** Orders that are polled while they wait. They are others every few minutes: one waits no longer than that. */
const POLLED = 20;
const SHIFT_S = 300;
const SAMPLE_MS = 500;
/**
 * What the service remembers by age is all there after so long: settlements that it handed over, for as long as the node's list that it
 * looks at reaches back (half an hour), and five minutes. What takes shorter than twice that is warm half way, which says little.
 */
const WARM_UP_S = 36 * 60;
const PLOTTED = 120;
/** The collector comes at least once in so many samples: a minute. */
const FLOOR_SAMPLES = 60_000 / SAMPLE_MS;

const SHORT_LIVES = { CODE_GRACE_SECONDS: "1", ERASE_AFTER_MINUTES: "1", INVOICE_EXPIRY_SECONDS: "60" };

/** Of 16 requests ten are polls, three rejected credentials, two the catalog, one a challenge. */
function mixOf(held: readonly Held[]): string[] {
  const body = `{"service":"tg","country":"auto","note":"${COUNTER}"}`;
  const pick = (texts: readonly string[], n: number) => texts[n % texts.length] as string;
  const ask = (authorization: string, { orderId }: Held) => get(`/v2/l402/order/${orderId}`, { authorization });
  const polls = held.map((one) => ask(one.authorization, one));
  const bad = held.map((one) => ask(`${one.authorization.slice(0, -8)}${COUNTER.slice(1)}`, one));
  return held.flatMap((_, n) => [
    ...Array.from({ length: 10 }, (_, k) => pick(polls, n + k)),
    ...Array.from({ length: 3 }, (_, k) => pick(bad, n + k)),
    get("/v2/l402/catalog?service=tg"),
    get("/v2/l402/services"),
    post("/v2/l402/order", body, body.length),
  ]);
}

/** Requests at their pace for `seconds`, about orders that wait meanwhile and get their SMS then. @returns how many were answered */
async function shift(product: Product, peers: Peers, seconds: number, from: number): Promise<number> {
  const held = await waitingOrders(product, peers, POLLED);
  const requestsFile = scratch("mixed-requests.json");
  await Bun.write(requestsFile, JSON.stringify(mixOf(held)));
  const pace = { connections: 16, perSecond: REQUESTS_PER_SECOND };
  const job: LoadJob = { ...pace, port: product.port, seconds, requestsFile, from };
  const { requests } = await result<LoadResult>([join(import.meta.dir, "..", "load.ts"), JSON.stringify(job)]);
  const end = async (one: Held) => {
    const { phoneNumber } = await read(product, one);
    await receive(peers, phoneNumber);
    await until(product, one, ({ code }) => code !== null, POLL_EVERY_MS);
  };
  // One that does not get there ends by its own deadlines.
  await Promise.allSettled(held.map(end));
  return requests;
}

async function shifts(product: Product, peers: Peers, endsAt: number): Promise<number> {
  let requests = 0;
  for (let left = endsAt - performance.now(); left > 0; left = endsAt - performance.now())
    requests += await shift(product, peers, Math.min(SHIFT_S, left / 1_000), requests);
  return requests;
}

/** Begins lives at their pace until `endsAt`, and waits for the last of them. */
async function lives(product: Product, peers: Peers, endsAt: number) {
  const count = { served: 0, others: 0 };
  const living = new Set<Promise<void>>();
  for (let due = performance.now(); due < endsAt; due += 1_000 / LIVES_PER_SECOND) {
    await Bun.sleep(Math.max(0, due - performance.now()));
    const life = live(product, peers, { service: "tg" }, POLL_EVERY_MS)
      .then(
        () => count.served++,
        () => count.others++,
      )
      .then(() => {
        living.delete(life);
      });
    living.add(life);
  }
  await Promise.all(living);
  return count;
}

async function watched(product: Product, endsAt: number): Promise<[number, number][]> {
  const began = performance.now();
  const samples: [number, number][] = [];
  while (performance.now() < endsAt) {
    samples.push([(performance.now() - began) / 1_000, product.rss() / MB]);
    await Bun.sleep(SAMPLE_MS);
  }
  return samples;
}

export async function memory({ seconds }: { readonly seconds: number }): Promise<Row> {
  const peers = await startPeers();
  const product = await startProduct(peers, { env: SHORT_LIVES });
  const cpuBefore = product.cpuMs();
  const endsAt = performance.now() + seconds * 1_000;
  const [samples, lived, requests] = await Promise.all([
    watched(product, endsAt),
    lives(product, peers, endsAt),
    shifts(product, peers, endsAt),
  ]);
  const busy = (product.cpuMs() - cpuBefore) / 1_000 / seconds;
  await Promise.all([product.stop(), peers.stop()]);
  const warmUp = Math.min(WARM_UP_S, seconds / 2);
  const from = samples.findIndex(([at]) => at >= warmUp);
  const measured = samples.slice(from);
  const perHour = ({ value, low, high }: Slope) => ({
    value: value * HOUR_S,
    unit: "MB/h",
    range: [low * HOUR_S, high * HOUR_S] as const,
  });
  const left = floors(measured, FLOOR_SAMPLES);
  const held = measured.map(([, mb]) => mb);
  const points = thinned(samples, PLOTTED).map(([at, mb]): [number, number] => [at / 60, mb]);
  const isWarm = ([minutes]: readonly [number, number]) => minutes * 60 >= warmUp;
  return {
    id: "memory",
    work: "Memory under mixed work: polls, challenges, purchases to their end, rejected credentials, catalog",
    figures: [
      {
        name: "slope after the warm-up, with 95 % confidence",
        ...perHour(slope(measured)),
        aim: { atMost: AIM_MB_PER_HOUR },
      },
      ...(left.length >= STRETCHES ? [{ name: "the same of the lowest of each minute", ...perHour(slope(left)) }] : []),
      {
        name: "memory after the warm-up",
        value: held.reduce((sum, mb) => sum + mb, 0) / held.length,
        unit: "MB",
        range: [Math.min(...held), Math.max(...held)],
      },
      { name: "measured for", value: (seconds - warmUp) / 60, unit: "min" },
      { name: "after a warm-up of", value: warmUp / 60, unit: "min" },
      { name: "requests", value: requests / seconds, unit: "/s" },
      { name: "purchases to their end", value: lived.served, unit: "" },
      { name: "purchases that got no number", value: lived.others, unit: "" },
      { name: "processor time of the server", value: busy * 100, unit: "% of a core" },
    ],
    plot: {
      file: "memory.svg",
      title: "Memory under mixed work",
      x: "min",
      y: "MB",
      linear: true,
      series: [
        { name: "warm-up", points: points.filter((point) => !isWarm(point)) },
        { name: "measured", points: points.filter(isWarm) },
      ],
    },
  };
}
