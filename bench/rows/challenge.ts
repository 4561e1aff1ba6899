/** A purchase without a credential: an invoice from the node, the order durable, the 402. Each is a new order. */
import { floorOf, sampleOf } from "../floors.ts";
import { COUNTER } from "../load.ts";
import { newFolder, post, startPeers, startProduct } from "../product.ts";
import { type Row, ratios } from "../report.ts";
import { type Extent, inTurn } from "../rounds.ts";

const PATH = "/v2/l402/order";
const AIM_PER_SECOND = 4_000;
const AIM_P99_MS = 20;

export async function challenge(extent: Extent): Promise<Row> {
  const peers = await startPeers();
  const product = await startProduct(peers, { dataDir: newFolder() });
  const body = `{"service":"tg","country":"auto","note":"${COUNTER}"}`;
  const answer = await sampleOf(`${product.origin}${PATH}`, { method: "POST", body });
  const [elysia, alby] = await Promise.all([
    floorOf("elysia", { ...answer, route: PATH }),
    floorOf("alby", { ...answer, route: PATH }),
  ]);
  const target = { requests: [post(PATH, body, body.length)], status: 402 };
  const nodeBefore = peers.cpuMs();
  const servers = await inTurn(
    [
      { ...target, name: "l402-numbers", process: product, port: product.port },
      { ...target, ...elysia, name: "bare Elysia" },
      { ...target, ...alby, name: "lightning-tools, nothing stored, no node" },
    ],
    extent,
  );
  const nodeMs = peers.cpuMs() - nodeBefore;
  await Promise.all([product, peers, elysia.process, alby.process].map((one) => one.stop()));
  const own = servers[0];
  const made = (own?.perSecond.median ?? 0) * (extent.rounds * extent.seconds + Math.min(1, extent.seconds));
  return {
    id: "challenge",
    work: "402 challenge with the order durable, invoices from a loopback LND",
    servers,
    figures: [
      { name: "rate", value: own?.perSecond.median ?? 0, unit: "/s", aim: { atLeast: AIM_PER_SECOND } },
      ...ratios(servers, {}).slice(1),
      { name: "p99", value: own?.p99 ?? 0, unit: "ms", aim: { atMost: AIM_P99_MS } },
      { name: "the loopback node's processor time an invoice, about", value: (nodeMs * 1_000) / made, unit: "us" },
    ],
  };
}
