/**
 * Memory under mixed work at a moderate pace: polls, challenges that nobody pays, whole lives, bad credentials, the catalog. What the
 * process holds is read every second after a warm-up; the figure is the slope of that. An hour of it: `--only=memory --minutes=60`.
 *
 * Caches that are bounded must be full before they are flat: residency is set so that they are within the warm-up, and times are short, so that
 * orders lapse, end and are erased while it is measured.
 */
import { join } from "node:path";
import { live } from "../customer.ts";
import { COUNTER, type LoadJob, type LoadResult } from "../load.ts";
import { result, scratch } from "../processes.ts";
import { get, post, startPeers, startProduct } from "../product.ts";
import type { Row } from "../report.ts";
import { slope } from "../statistics.ts";
import { waitingOrders } from "./poll.ts";

const AIM_MB_PER_HOUR = 1;
const MB = 2 ** 20;
const REQUESTS_PER_SECOND = 200;
const LIVES_PER_SECOND = 2;
const POLLED = 20;
const HOUR_S = 3_600;
/** Of the measured time, before it: the caches fill. */
const WARM_UP = 0.25;

const SHORT_LIVES = {
  MAX_RESIDENTS: "1000",
  CODE_GRACE_SECONDS: "1",
  ERASE_AFTER_MINUTES: "1",
  INVOICE_EXPIRY_SECONDS: "60",
};

export async function memory({ seconds }: { readonly seconds: number }): Promise<Row> {
  const peers = await startPeers();
  const product = await startProduct(peers, { env: SHORT_LIVES });
  const held = await waitingOrders(product, peers, POLLED);
  const body = `{"service":"tg","country":"auto","note":"${COUNTER}"}`;
  const polls = held.map(({ orderId, authorization }) => get(`/v2/l402/order/${orderId}`, { authorization }));
  const bad = held.map(({ orderId, authorization }) =>
    get(`/v2/l402/order/${orderId}`, { authorization: `${authorization.slice(0, -8)}${COUNTER.slice(1)}` }),
  );
  // Of 16 requests ten are polls, three bad credentials, two the catalog, one a challenge.
  const requests = held.flatMap((_, n) => [
    ...Array.from({ length: 10 }, (_, k) => polls[(n + k) % POLLED] as string),
    ...Array.from({ length: 3 }, (_, k) => bad[(n + k) % POLLED] as string),
    get("/v2/l402/catalog?service=tg"),
    get("/v2/l402/services"),
    post("/v2/l402/order", body, body.length),
  ]);
  const requestsFile = join(scratch, "mixed-requests.json");
  await Bun.write(requestsFile, JSON.stringify(requests));
  const whole = seconds * (1 + WARM_UP);
  const job: LoadJob = {
    port: product.port,
    connections: 16,
    seconds: whole,
    requestsFile,
    from: 0,
    perSecond: REQUESTS_PER_SECOND,
  };
  const load = result<LoadResult>([join(import.meta.dir, "..", "load.ts"), JSON.stringify(job)]);
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1_000;
  let lives = 0;
  const living = new Set<Promise<void>>();
  const points: [number, number][] = [];
  for (let n = 1; elapsed() < whole; n++) {
    for (let k = 0; k < LIVES_PER_SECOND; k++) {
      const life = live(product, peers, { service: "tg" }, 200).then((served) => {
        if (served) lives++;
      });
      living.add(life);
      void life.finally(() => living.delete(life));
    }
    await Bun.sleep(Math.max(0, began + n * 1_000 - performance.now()));
    if (elapsed() > seconds * WARM_UP) points.push([elapsed(), product.rss() / MB]);
  }
  const { perSecond } = await load;
  await Promise.all(living);
  await Promise.all([product.stop(), peers.stop()]);
  const { value, low, high } = slope(points);
  const [first, last] = [points[0]?.[1] ?? 0, points.at(-1)?.[1] ?? 0];
  return {
    id: "memory",
    work: "Memory under mixed work: polls, challenges, lives, bad credentials, catalog",
    figures: [
      {
        name: "slope after the warm-up, with 95 % confidence",
        value: value * HOUR_S,
        unit: "MB/h",
        range: [low * HOUR_S, high * HOUR_S],
        aim: { atMost: AIM_MB_PER_HOUR },
      },
      { name: "measured for", value: seconds / 60, unit: "min" },
      { name: "memory at its begin", value: first, unit: "MB" },
      { name: "memory at its end", value: last, unit: "MB" },
      { name: "requests beside lives", value: perSecond, unit: "/s" },
      { name: "lives", value: lives / whole, unit: "/s" },
    ],
    plot: {
      file: "memory.svg",
      title: "Memory under mixed work",
      x: "s",
      y: "MB",
      series: [{ name: "resident memory, MB", points }],
    },
  };
}
