import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { RealWorld } from "../../actors/runtime/world.ts";
import { Faults } from "../../src/sandbox/faults.ts";
import { PricePeer } from "../../src/sandbox/prices.ts";

const world = new RealWorld();
const faults = new Faults();
const peer = new PricePeer({ world, faults });
let server: ReturnType<typeof Bun.serve>;

beforeAll(() => {
  server = Bun.serve({ port: 0, development: false, fetch: (request) => peer.fetch(request) });
});
afterAll(() => server.stop(true));
beforeEach(() => faults.clear());

const COINGECKO =
  "/prices/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&include_last_updated_at=true&precision=2";
const COINBASE = "/prices/coinbase/v2/prices/BTC-USD/spot";
const KRAKEN = "/prices/kraken/0/public/Ticker?pair=XBTUSD";
const MEMPOOL = "/prices/mempool/api/v1/prices";

const get = (path: string, init?: RequestInit) => fetch(new URL(path, server.url), init);
interface Quote {
  bitcoin: { usd: number; last_updated_at: number };
  data: { amount: string };
  error: string[];
  result: { XXBTZUSD: { c: [string, string] } };
  time: number;
  USD: number;
}
const json = async (path: string) => (await (await get(path)).json()) as Quote;
const plan = (action: string, fault: string) => faults.plan({ peer: "prices", action, fault, detail: {} });
const seconds = () => Math.floor(world.now() / 1000);

describe("each source answers in its own form", () => {
  test("CoinGecko: a number and, when asked for, its time", async () => {
    const { bitcoin } = await json(COINGECKO);
    expect(bitcoin.usd).toBe(67_187.34);
    expect(seconds() - bitcoin.last_updated_at).toBeWithin(0, 3);
    const plain = "/prices/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd";
    expect((await json(plain)) as unknown).toEqual({ bitcoin: { usd: 67_187.34 } });
  });

  test("CoinGecko leaves out coins it does not know", async () => {
    expect((await json("/prices/coingecko/api/v3/simple/price?ids=nocoin&vs_currencies=usd")) as unknown).toEqual({});
  });

  test("Coinbase: a decimal string", async () => {
    expect((await json(COINBASE)) as unknown).toEqual({ data: { amount: "67190.12", base: "BTC", currency: "USD" } });
  });

  test("Kraken: the last trade as strings, and errors inside a 200", async () => {
    const { error, result } = await json(KRAKEN);
    expect(error).toEqual([]);
    expect(result.XXBTZUSD.c[0]).toBe("67183.50000");
    const wrong = await get("/prices/kraken/0/public/Ticker?pair=NOPE");
    expect(wrong.status).toBe(200);
    expect(await wrong.json()).toEqual({ error: ["EQuery:Unknown asset pair"] });
  });

  test("mempool.space: whole dollars with a time", async () => {
    const body = await json(MEMPOOL);
    expect(body.USD).toBe(67_187);
    expect(seconds() - body.time).toBeWithin(0, 3);
  });

  test("and all of them lie within a tenth of a percent", async () => {
    const prices = [
      (await json(COINGECKO)).bitcoin.usd,
      Number((await json(COINBASE)).data.amount),
      Number((await json(KRAKEN)).result.XXBTZUSD.c[0]),
      (await json(MEMPOOL)).USD,
    ];
    expect(Math.max(...prices) / Math.min(...prices)).toBeLessThan(1.001);
  });

  test("what no source serves is 404", async () => {
    expect((await get("/prices/coinbase/v2/prices/ETH-USD/spot")).status).toBe(404);
  });
});

describe("faults", () => {
  test("hit their own source only, as often as planned", async () => {
    plan("coinbase", "http500");
    expect((await get(KRAKEN)).status).toBe(200);
    expect((await get(COINBASE)).status).toBe(500);
    expect((await get(COINBASE)).status).toBe(200);
  });

  test("http429 says when to come back", async () => {
    plan("*", "http429");
    const response = await get(COINGECKO);
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("60");
  });

  test("garbled is a 200 that does not parse", async () => {
    for (const [action, path] of [
      ["coingecko", COINGECKO],
      ["coinbase", COINBASE],
      ["mempool", MEMPOOL],
    ] as const) {
      plan(action, "garbled");
      const response = await get(path);
      expect(response.status).toBe(200);
      await expect(response.json()).rejects.toThrow();
    }
  });

  test("stale is hours old where the source tells its time", async () => {
    plan("coingecko", "stale");
    expect(seconds() - (await json(COINGECKO)).bitcoin.last_updated_at).toBeGreaterThan(3_600);
    plan("mempool", "stale");
    expect(seconds() - (await json(MEMPOOL)).time).toBeGreaterThan(3_600);
  });

  test("zero and outlier are well-formed nonsense", async () => {
    plan("coingecko", "zero");
    expect((await json(COINGECKO)).bitcoin.usd).toBe(0);
    plan("coinbase", "outlier");
    expect(Number((await json(COINBASE)).data.amount) / 67_190.12).toBeCloseTo(1.2, 3);
  });

  test("hang answers nothing until the caller gives up", async () => {
    plan("kraken", "hang");
    await expect(get(KRAKEN, { signal: AbortSignal.timeout(30) })).rejects.toThrow();
  });
});
