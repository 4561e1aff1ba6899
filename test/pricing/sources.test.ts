import { afterAll, beforeEach, expect, test } from "bun:test";
import { RealWorld } from "../../actors/runtime/world.ts";
import { coinbase, coinGecko, kraken, mempoolSpace, type PriceSource } from "../../src/pricing/sources.ts";
import { usdCentsPerBtc } from "../../src/pricing/units.ts";

const world = new RealWorld();
let answer: (request: Request) => Response | Promise<Response> = () => new Response("not set");
let asked: { url: string; headers: Headers }[] = [];
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    asked.push({ url: request.url, headers: new Headers(request.headers) });
    return answer(request);
  },
});
const base = `http://127.0.0.1:${server.port}/prices/some`;
const json = (body: unknown, status = 200) => {
  answer = () => Response.json(body, { status });
};

beforeEach(() => {
  asked = [];
});
afterAll(() => server.stop(true));

test("CoinGecko: the price with its own time, from the documented path below the base URL", async () => {
  json({ bitcoin: { usd: 67187.34, last_updated_at: 1711356300 } });
  const quote = await coinGecko({ baseUrl: `${base}/` }).quote(world);
  expect(quote).toEqual({ source: "coingecko", cents: usdCentsPerBtc(6_718_734), at: 1711356300_000 });
  const url = new URL(asked[0]?.url ?? "");
  expect(url.pathname).toBe("/prices/some/api/v3/simple/price");
  expect(Object.fromEntries(url.searchParams)).toEqual({
    ids: "bitcoin",
    vs_currencies: "usd",
    include_last_updated_at: "true",
    precision: "2",
  });
});

test("CoinGecko: each kind of key goes into its own header and never into the URL", async () => {
  json({ bitcoin: { usd: 67187.34, last_updated_at: 1711356300 } });
  await coinGecko({ baseUrl: base }).quote(world);
  await coinGecko({ baseUrl: base, key: { plan: "demo", value: "CG-one" } }).quote(world);
  await coinGecko({ baseUrl: base, key: { plan: "pro", value: "CG-two" } }).quote(world);
  expect(asked.map((request) => request.headers.get("x-cg-demo-api-key"))).toEqual([null, "CG-one", null]);
  expect(asked.map((request) => request.headers.get("x-cg-pro-api-key"))).toEqual([null, null, "CG-two"]);
  expect(asked.some((request) => request.url.includes("CG-"))).toBe(false);
});

test("Coinbase: the spot amount, dated by when we asked", async () => {
  json({ data: { amount: "63450.07", base: "BTC", currency: "USD" } });
  const before = world.now();
  const quote = await coinbase({ baseUrl: base }).quote(world);
  expect(quote).toMatchObject({ source: "coinbase", cents: 6_345_007 });
  expect("at" in quote && quote.at >= before && quote.at <= world.now()).toBe(true);
  expect(new URL(asked[0]?.url ?? "").pathname).toBe("/prices/some/v2/prices/BTC-USD/spot");
});

test("Kraken: the last trade", async () => {
  json({ error: [], result: { XXBTZUSD: { a: ["1", "1"], c: ["63450.10000", "0.001"] } } });
  expect(await kraken({ baseUrl: base }).quote(world)).toMatchObject({ source: "kraken", cents: 6_345_010 });
  expect(asked[0]?.url).toEndWith("/prices/some/0/public/Ticker?pair=XBTUSD");
});

test("mempool.space: the USD price with its own time", async () => {
  json({ time: 1703252411, USD: 43753, EUR: 40545 });
  const quote = await mempoolSpace({ baseUrl: base }).quote(world);
  expect(quote).toEqual({ source: "mempool", cents: usdCentsPerBtc(4_375_300), at: 1703252411_000 });
  expect(asked[0]?.url).toEndWith("/prices/some/api/v1/prices");
});

const malformed: [string, PriceSource, unknown][] = [
  ["CoinGecko without bitcoin", coinGecko({ baseUrl: base }), {}],
  ["CoinGecko with null", coinGecko({ baseUrl: base }), { bitcoin: { usd: null, last_updated_at: 1711356300 } }],
  ["CoinGecko with 0", coinGecko({ baseUrl: base }), { bitcoin: { usd: 0, last_updated_at: 1711356300 } }],
  [
    "Coinbase in another currency",
    coinbase({ baseUrl: base }),
    { data: { amount: "1", base: "BTC", currency: "EUR" } },
  ],
  ["Coinbase with NaN", coinbase({ baseUrl: base }), { data: { amount: "NaN", base: "BTC", currency: "USD" } }],
  ["Kraken with an error under 200", kraken({ baseUrl: base }), { error: ["EGeneral:Too many requests"] }],
  [
    "Kraken with an error beside a result",
    kraken({ baseUrl: base }),
    { error: ["EService:Unavailable"], result: { XXBTZUSD: { c: ["63450.1", "1"] } } },
  ],
  ["Kraken without the pair", kraken({ baseUrl: base }), { error: [], result: {} }],
  ["mempool.space with -1", mempoolSpace({ baseUrl: base }), { time: 1703252411, USD: -1 }],
  ["mempool.space with a list", mempoolSpace({ baseUrl: base }), [1, 2, 3]],
];
for (const [name, source, body] of malformed) {
  test(`${name} is no quote`, async () => {
    json(body);
    expect(await source.quote(world)).toEqual({ source: source.name, reason: "malformed" });
  });
}

test("a time that makes no sense is replaced by when we asked", async () => {
  const before = world.now();
  // The last is a whole number of seconds, and none of milliseconds.
  for (const last_updated_at of ["soon", -1, 1.5, 1e15]) {
    json({ bitcoin: { usd: 67187.34, last_updated_at } });
    const quote = await coinGecko({ baseUrl: base }).quote(world);
    expect("at" in quote && quote.at >= before && quote.at <= world.now()).toBe(true);
  }
});

test("refusals, redirects, HTML, floods, hanging and dead servers are no quote", async () => {
  const source = coinGecko({ baseUrl: base, timeoutMs: 50 });
  json({ status: { error_code: 429 } }, 429);
  expect(await source.quote(world)).toEqual({ source: "coingecko", reason: "refused" });
  answer = () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } });
  expect(await source.quote(world)).toEqual({ source: "coingecko", reason: "refused" });
  answer = () => new Response("<html>rate limited</html>");
  expect(await source.quote(world)).toEqual({ source: "coingecko", reason: "malformed" });
  answer = () => new Response("9".repeat(100_000));
  expect(await source.quote(world)).toEqual({ source: "coingecko", reason: "unreachable" });
  answer = () => new Promise<Response>(() => {});
  expect(await source.quote(world)).toEqual({ source: "coingecko", reason: "unreachable" });
  const dead = kraken({ baseUrl: "http://127.0.0.1:1" });
  expect(await dead.quote(world)).toEqual({ source: "kraken", reason: "unreachable" });
});
