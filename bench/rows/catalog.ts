/** What is on sale: whole, filtered to a country, and "nothing changed", against a server that does nothing but send the same bytes. */
import { floorOf, sampleOf } from "../floors.ts";
import { get, startPeers, startProduct } from "../product.ts";
import { type Figure, type Row, ratios } from "../report.ts";
import { type Extent, inTurn, type Measured } from "../rounds.ts";

const AIM = 0.7;
const GZIP = { "accept-encoding": "gzip" };

export async function catalog(extent: Extent): Promise<Row> {
  const peers = await startPeers();
  const product = await startProduct(peers);
  const forms = [
    { name: "whole", path: "/v2/l402/catalog" },
    { name: "of one country", path: "/v2/l402/catalog?country=GB" },
  ];
  const servers: Measured[] = [];
  const figures: Figure[] = [];
  for (const { name, path } of forms) {
    const answer = await sampleOf(`${product.origin}${path}`, { headers: GZIP });
    const [duties, floor] = await Promise.all([
      floorOf("duties", { ...answer, route: "/v2/l402/catalog" }),
      floorOf("bun", { ...answer, route: "/v2/l402/catalog" }),
    ]);
    const target = { requests: [get(path, GZIP)], status: 200 };
    const measured = await inTurn(
      [
        { ...target, name: "l402-numbers", process: product, port: product.port },
        { ...target, ...duties, name: "bare Elysia with the same duties" },
        { ...target, ...floor, name: "bare Bun.serve" },
      ],
      extent,
    );
    servers.push(...measured.map((server) => ({ ...server, name: `${server.name}, ${name}` })));
    const bytes = Buffer.from(answer.body, "base64").length;
    figures.push({ name: `${name}: compressed answer`, value: bytes / 1_024, unit: "KiB" });
    figures.push(
      ...ratios(measured, { "bare Bun.serve": AIM }).map((figure) => ({ ...figure, name: `${name}: ${figure.name}` })),
    );
    await Promise.all([duties.process.stop(), floor.process.stop()]);
  }
  await Promise.all([product.stop(), peers.stop()]);
  return { id: "catalog", work: "Catalog, GET /v2/l402/catalog", servers, figures };
}
