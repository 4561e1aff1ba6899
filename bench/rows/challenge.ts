/**
 * A purchase without a credential: the order durable, the 402. Each is a new order with an invoice of its own. Once with a call to a node
 * for each (LND's REST, on the other core), once with invoices that are at hand; both times signed before, so that signing is in no figure.
 */
import { RealWorld } from "../../actors/runtime/world.ts";
import { openBooks } from "../../src/sandbox/books.ts";
import { Books } from "../../src/sandbox/lightning/books.ts";
import type { ChallengeBody } from "../../test/support/server.ts";
import type { FloorAnswer } from "../floor.ts";
import { floorOf, sampleOf } from "../floors.ts";
import { signInvoices } from "../invoices.ts";
import { COUNTER } from "../load.ts";
import { type Running, start } from "../processes.ts";
import { type Peers, post, startPeers, startProduct } from "../product.ts";
import { type Figure, type Row, ratios } from "../report.ts";
import { type Extent, inTurn, type Measured } from "../rounds.ts";

const PATH = "/v2/l402/order";
const BODY = `{"service":"tg","country":"auto","note":"${COUNTER}"}`;
const TARGET = { requests: [post(PATH, BODY, BODY.length)], status: 402 };
const AIM_LND_PER_SECOND = 4_000;
const AIM_PER_SECOND = 12_000;
const AIM_OF_VOLATILE = 0.6;
const AIM_P99_MS = 20;
/** More than the service takes. */
const INVOICES_PER_SECOND = 20_000;

/** One challenge as it goes over the wire, and invoices like its own, enough for every round. */
async function prepared(
  peers: Peers,
  { rounds, warmUp, seconds }: Extent,
): Promise<{ readonly answer: Omit<FloorAnswer, "route">; readonly invoices: string }> {
  const product = await startProduct(peers);
  const answer = await sampleOf(`${product.origin}${PATH}`, { method: "POST", body: BODY });
  await product.stop();
  const { invoice } = JSON.parse(Buffer.from(answer.body, "base64").toString()) as ChallengeBody;
  const books = openBooks(peers.dataDir);
  const secretKey = new Books(books, new RealWorld()).secretKey("merchant");
  books.close();
  const most = INVOICES_PER_SECOND * (warmUp + rounds * seconds);
  return { answer, invoices: await signInvoices(most, invoice, secretKey) };
}

/** A node of its own for each server, so that the service gets every invoice once. */
async function startNode(invoices: string, { url }: Peers): Promise<Running & { readonly url: string }> {
  const node = await start(["bench/invoice-node.ts", invoices, url], {}, /^Node on port (\d+)/m);
  return { ...node, url: `http://127.0.0.1:${node.found[1]}` };
}

interface Aims {
  readonly perSecond: number;
  readonly p99?: number;
  /** Of a ratio, by the other server's name. */
  readonly ratios?: Readonly<Record<string, number>>;
}

function figures(servers: readonly Measured[], aims: Aims): Figure[] {
  const own = servers[0];
  return [
    { name: "rate", value: own?.perSecond.median ?? 0, unit: "/s", aim: { atLeast: aims.perSecond } },
    ...ratios(servers, aims.ratios ?? {}).slice(1),
    { name: "p99", value: own?.p99 ?? 0, unit: "ms", ...(aims.p99 !== undefined && { aim: { atMost: aims.p99 } }) },
  ];
}

export async function challenge(extent: Extent): Promise<Row> {
  const peers = await startPeers();
  const { answer, invoices } = await prepared(peers, extent);
  const [node, relayed] = await Promise.all([startNode(invoices, peers), startNode(invoices, peers)]);
  const product = await startProduct(node);
  const floor = { ...answer, route: PATH };
  const [relay, elysia, alby, express] = await Promise.all([
    floorOf("relay", floor, { BENCH_NODE: relayed.url }),
    floorOf("elysia", floor),
    floorOf("alby", floor),
    floorOf("alby-express", floor),
  ]);
  const servers = await inTurn(
    [
      { ...TARGET, name: "l402-numbers", process: product, port: product.port },
      { ...TARGET, ...relay, name: "bare Elysia with one fetch to the node" },
      { ...TARGET, ...elysia, name: "bare Elysia" },
      { ...TARGET, ...alby, name: "lightning-tools on Bun.serve, nothing stored, no node" },
      { ...TARGET, ...express, name: "lightning-tools on Express, nothing stored, no node" },
    ],
    extent,
  );
  await Promise.all(
    [product, node, relayed, peers, ...[relay, elysia, alby, express].map(({ process }) => process)].map((one) =>
      one.stop(),
    ),
  );
  const work = "402 challenge with the order durable, invoices from a loopback LND";
  return { id: "challenge", work, servers, figures: figures(servers, { perSecond: AIM_LND_PER_SECOND }) };
}

export async function presigned(extent: Extent): Promise<Row> {
  const peers = await startPeers();
  const { answer, invoices } = await prepared(peers, extent);
  const entry = ["bench/invoice-server.ts", invoices];
  const floor = { ...answer, route: PATH };
  const [durable, volatile, least, elysia] = await Promise.all([
    startProduct(peers, { entry }),
    startProduct(peers, { entry, env: { BENCH_SYNCHRONOUS: "OFF" } }),
    floorOf("stored", floor),
    floorOf("elysia", floor),
  ]);
  const servers = await inTurn(
    [
      { ...TARGET, name: "l402-numbers", process: durable, port: durable.port },
      { ...TARGET, name: "the same without durability", process: volatile, port: volatile.port },
      { ...TARGET, ...least, name: "bare Elysia that mints a macaroon and writes the same rows" },
      { ...TARGET, ...elysia, name: "bare Elysia" },
    ],
    extent,
  );
  await Promise.all([durable, volatile, peers, least.process, elysia.process].map((one) => one.stop()));
  const work = "402 challenge with the order durable, invoices at hand";
  const aims = {
    perSecond: AIM_PER_SECOND,
    p99: AIM_P99_MS,
    ratios: { "the same without durability": AIM_OF_VOLATILE },
  };
  return { id: "presigned", work, servers, figures: figures(servers, aims) };
}
