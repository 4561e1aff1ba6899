/**
 * Four public sources of the BTC/USD price, each in its own form (CoinGecko `/simple/price`, Coinbase `/v2/prices`,
 * Kraken `Ticker`, mempool.space `/api/v1/prices`). They agree on about 67,187 USD with the small differences real
 * sources have, and stay there, so that a sandbox quote can be recomputed by hand.
 */
import type { World } from "../../actors/runtime/world.ts";
import { ConnectionReset, type Fault, type Faults, hang } from "./faults.ts";

/** Actions of the peer "prices". */
export const PRICE_ACTIONS = ["coingecko", "coinbase", "kraken", "mempool"] as const;
/** `stale` shows only where the source gives a time of its own: CoinGecko and mempool.space. */
export const PRICE_FAULTS = ["http500", "http429", "garbled", "stale", "zero", "outlier", "hang", "reset"] as const;

type Source = (typeof PRICE_ACTIONS)[number];

const USD: Readonly<Record<Source, number>> = {
  coingecko: 67_187.34,
  coinbase: 67_190.12,
  kraken: 67_183.5,
  mempool: 67_187,
};

const PATHS: Readonly<Record<string, Source>> = {
  "/prices/coingecko/api/v3/simple/price": "coingecko",
  "/prices/coinbase/v2/prices/BTC-USD/spot": "coinbase",
  "/prices/kraken/0/public/Ticker": "kraken",
  "/prices/mempool/api/v1/prices": "mempool",
};

const STALE_SECONDS = 2 * 60 * 60;
const OUTLIER = 1.2;

export class PricePeer {
  readonly #world: World;
  readonly #faults: Faults;

  constructor(of: { world: World; faults: Faults }) {
    this.#world = of.world;
    this.#faults = of.faults;
  }

  /** @throws ConnectionReset on the fault `reset`; rejects when the caller gives up on `hang`. */
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const source = PATHS[url.pathname];
    if (source === undefined || request.method !== "GET") return json({ error: "Not Found" }, 404);
    const fault = this.#faults.take("prices", source);
    if (fault?.fault === "hang") return hang(request.signal);
    if (fault?.fault === "reset") throw new ConnectionReset();
    if (fault?.fault === "http500") return new Response("Internal Server Error", { status: 500 });
    if (fault?.fault === "http429") return tooMany();
    const body = this.#body(source, url.searchParams, fault);
    return fault?.fault === "garbled" ? text(JSON.stringify(body).slice(0, -7)) : json(body);
  }

  #body(source: Source, query: URLSearchParams, fault: Fault | null): unknown {
    const usd = fault?.fault === "zero" ? 0 : USD[source] * (fault?.fault === "outlier" ? OUTLIER : 1);
    const time = Math.floor(this.#world.now() / 1000) - (fault?.fault === "stale" ? STALE_SECONDS : 0);
    if (source === "coingecko") return coingecko(query, usd, time);
    if (source === "coinbase") return { data: { amount: usd.toFixed(2), base: "BTC", currency: "USD" } };
    if (source === "kraken") return kraken(query, usd);
    return mempool(Math.round(usd), time);
  }
}

/** An unknown coin or currency is left out of the answer, not refused. */
function coingecko(query: URLSearchParams, usd: number, time: number): unknown {
  if (!query.get("ids")) return { error: "Missing parameter ids" };
  if (!query.get("vs_currencies")) return { error: "Missing parameter vs_currencies" };
  if (!query.get("ids")?.split(",").includes("bitcoin")) return {};
  const digits = /^\d{1,2}$/.test(query.get("precision") ?? "") ? Number(query.get("precision")) : 2;
  const price = query.get("vs_currencies")?.split(",").includes("usd") ? { usd: Number(usd.toFixed(digits)) } : {};
  const updated = query.get("include_last_updated_at") === "true" ? { last_updated_at: time } : {};
  return { bitcoin: { ...price, ...updated } };
}

/** Kraken answers 200 even when it answers an error. */
function kraken(query: URLSearchParams, usd: number): unknown {
  if (!["XBTUSD", "XXBTZUSD"].includes(query.get("pair") ?? "")) return { error: ["EQuery:Unknown asset pair"] };
  const price = usd.toFixed(5);
  const ticker = {
    a: [(usd * 1.00001).toFixed(5), "1", "1.000"],
    b: [(usd * 0.99999).toFixed(5), "1", "1.000"],
    c: [price, "0.00100000"],
    v: ["812.10442091", "1703.62270118"],
    p: [price, price],
    t: [21_042, 43_377],
    l: [price, price],
    h: [price, price],
    o: price,
  };
  return { error: [], result: { XXBTZUSD: ticker } };
}

function mempool(usd: number, time: number): unknown {
  const at = (rate: number) => Math.round(usd * rate);
  return { time, USD: usd, EUR: at(0.92), GBP: at(0.79), CAD: at(1.36), CHF: at(0.9), AUD: at(1.53), JPY: at(151) };
}

function tooMany(): Response {
  const status = { error_code: 429, error_message: "You've exceeded the Rate Limit." };
  return json({ status }, 429, { "retry-after": "60" });
}

function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers });
}

function text(body: string): Response {
  return new Response(body, { headers: { "content-type": "application/json; charset=utf-8" } });
}
