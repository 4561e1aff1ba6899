/** The call that a service of this kind answers most: a paid order, asked with its credential, while nothing has happened. */
import { issueL402Macaroon } from "@getalby/lightning-tools/402/l402";
import { ALBY_SECRET } from "../alby.ts";
import { buy, type Held, until } from "../customer.ts";
import { floorOf, sampleOf } from "../floors.ts";
import { get, type Peers, type Product, startPeers, startProduct, UNPACED } from "../product.ts";
import { type Row, ratios } from "../report.ts";
import { type Extent, inTurn } from "../rounds.ts";

/** Orders that are polled in rotation, each with its own credential. */
const ORDERS = 100;
const READY_MS = 120_000;
const AIM_P99_MS = 5;

/** Buys numbers until `count` orders wait for their SMS. @throws Error when that takes two minutes */
export async function waitingOrders(product: Product, peers: Peers, count: number): Promise<Held[]> {
  const giveUp = performance.now() + READY_MS;
  const waiting = async (): Promise<Held> => {
    const one = await buy(product, peers, { service: "tg" });
    await until(product, one, ({ status }) => status === "waiting_for_sms", 10);
    return one;
  };
  const held: Held[] = [];
  while (held.length < count) {
    if (performance.now() > giveUp) throw new Error(`Only ${held.length} orders wait after ${READY_MS} ms`);
    held.push(...(await Promise.all(Array.from({ length: Math.min(8, count - held.length) }, waiting))));
  }
  return held;
}

export async function poll(extent: Extent): Promise<Row> {
  const peers = await startPeers();
  const product = await startProduct(peers, { env: UNPACED });
  const held = await waitingOrders(product, peers, ORDERS);
  const requests = held.map(({ orderId, authorization }) => get(`/v2/l402/order/${orderId}`, { authorization }));
  const first = held[0] as Held;
  const answer = await sampleOf(`${product.origin}/v2/l402/order/${first.orderId}`, {
    headers: { authorization: first.authorization },
  });
  const route = "/v2/l402/order/:id";
  const [elysia, duties, bun, alby, express] = await Promise.all([
    floorOf("elysia", { ...answer, route }),
    floorOf("duties", { ...answer, route }),
    floorOf("bun", { ...answer, route }),
    floorOf("alby", { ...answer, route }),
    floorOf("alby-express", { ...answer, route }),
  ]);
  const albyRequests = await Promise.all(
    held.map(async ({ orderId, preimage, paymentHash }) => {
      const token = await issueL402Macaroon(ALBY_SECRET, paymentHash, { orderId });
      return get(`/v2/l402/order/${orderId}`, { authorization: `L402 ${token}:${preimage}` });
    }),
  );
  const target = { requests, status: 200 };
  const servers = await inTurn(
    [
      { ...target, name: "l402-numbers", process: product, port: product.port },
      { ...target, ...elysia, name: "bare Elysia" },
      { ...target, ...duties, name: "bare Elysia with the same duties" },
      { ...target, ...bun, name: "bare Bun.serve" },
      { ...target, ...alby, name: "lightning-tools on Bun.serve", requests: albyRequests },
      { ...target, ...express, name: "lightning-tools on Express", requests: albyRequests },
    ],
    extent,
  );
  await Promise.all(
    [product, peers, ...[elysia, duties, bun, alby, express].map(({ process }) => process)].map((one) => one.stop()),
  );
  return {
    id: "poll",
    work: "Authenticated poll, GET /v2/l402/order/:id",
    servers,
    figures: [
      ...ratios(servers, { "bare Elysia": 0.9, "bare Bun.serve": 0.8 }),
      { name: "p99", value: servers[0]?.p99 ?? 0, unit: "ms", aim: { atMost: AIM_P99_MS } },
    ],
  };
}
