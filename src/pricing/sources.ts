/**
 * Where the BTC/USD price comes from: CoinGecko, Coinbase, Kraken and mempool.space, each by its public REST answer.
 * Every defect of an answer (lost, refused, not JSON, an error list under HTTP 200, zero, -1, another currency) is
 * "no quote"; a source never throws.
 */
import type { Millis, World } from "../../actors/runtime/world.ts";
import { call } from "../wire.ts";
import { parseUsdPerBtc, type UsdCentsPerBtc } from "./units.ts";

export type SourceName = "coingecko" | "coinbase" | "kraken" | "mempool";

/** What one source says a bitcoin costs. */
export interface Quote {
  readonly source: SourceName;
  readonly cents: UsdCentsPerBtc;
  /** The source's own time where it tells one, else when we asked. */
  readonly at: Millis;
}

/** Why a source gave no quote that counts. `stale` and `outlier` are said by the rate book, not by the source. */
export type NoQuoteReason = "unreachable" | "refused" | "malformed" | "stale" | "outlier";

export interface NoQuote {
  readonly source: SourceName;
  readonly reason: NoQuoteReason;
}

export interface PriceSource {
  readonly name: SourceName;
  /** Asks once. Never throws. */
  quote(world: World): Promise<Quote | NoQuote>;
}

export interface SourceOptions {
  /** Base URL that the source's own path is appended to; default is the public one. */
  readonly baseUrl?: string;
  /** Limit for one call, ms. Default 10 s. */
  readonly timeoutMs?: number;
}

export interface CoinGeckoOptions extends SourceOptions {
  /** A demo key goes to the public host, a pro key to the pro host; each has its own header. */
  readonly key?: { readonly plan: "demo" | "pro"; readonly value: string };
}

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;

/** CoinGecko API v3, `/simple/price`: `{"bitcoin":{"usd":67187.34,"last_updated_at":1711356300}}`. */
export function coinGecko(options: CoinGeckoOptions = {}): PriceSource {
  const { key } = options;
  const host = key?.plan === "pro" ? "https://pro-api.coingecko.com" : "https://api.coingecko.com";
  return source("coingecko", host, options, {
    path: "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&include_last_updated_at=true&precision=2",
    headers: key ? { [key.plan === "pro" ? "x-cg-pro-api-key" : "x-cg-demo-api-key"]: key.value } : {},
    read(body) {
      const bitcoin = field(body, "bitcoin");
      return { price: field(bitcoin, "usd"), at: unixSeconds(field(bitcoin, "last_updated_at")) };
    },
  });
}

/** Coinbase API v2, spot price: `{"data":{"amount":"63450.00","base":"BTC","currency":"USD"}}`. */
export function coinbase(options: SourceOptions = {}): PriceSource {
  return source("coinbase", "https://api.coinbase.com", options, {
    path: "/v2/prices/BTC-USD/spot",
    headers: {},
    read(body) {
      const data = field(body, "data");
      const isOurs = field(data, "base") === "BTC" && field(data, "currency") === "USD";
      return { price: isOurs ? field(data, "amount") : null, at: null };
    },
  });
}

/** Kraken REST, `Ticker`: `{"error":[],"result":{"XXBTZUSD":{"c":["63450.10000","0.001"]}}}`, last trade in `c`. */
export function kraken(options: SourceOptions = {}): PriceSource {
  return source("kraken", "https://api.kraken.com", options, {
    path: "/0/public/Ticker?pair=XBTUSD",
    headers: {},
    read(body) {
      // Errors come with HTTP 200, sometimes beside a result.
      const errors = field(body, "error");
      if (!Array.isArray(errors) || errors.length > 0) return { price: null, at: null };
      const lastTrade = field(field(field(body, "result"), "XXBTZUSD"), "c");
      return { price: Array.isArray(lastTrade) ? lastTrade[0] : null, at: null };
    },
  });
}

/** mempool.space, `/api/v1/prices`: `{"time":1703252411,"USD":43753}`; -1 means that its own feeds are down. */
export function mempoolSpace(options: SourceOptions = {}): PriceSource {
  return source("mempool", "https://mempool.space", options, {
    path: "/api/v1/prices",
    headers: {},
    read: (body) => ({ price: field(body, "USD"), at: unixSeconds(field(body, "time")) }),
  });
}

interface Dialect {
  readonly path: string;
  readonly headers: Record<string, string>;
  /** `at` is null when the source tells no time. */
  read(body: unknown): { readonly price: unknown; readonly at: Millis | null };
}

function source(name: SourceName, publicHost: string, options: SourceOptions, dialect: Dialect): PriceSource {
  const url = (options.baseUrl ?? publicHost).replace(/\/$/, "") + dialect.path;
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const none = (reason: NoQuoteReason): NoQuote => ({ source: name, reason });
  return {
    name,
    async quote(world) {
      const askedAt = world.now();
      const headers = { accept: "application/json", ...dialect.headers };
      const answer = await call(world, { url, headers, timeoutMs, maxBytes: MAX_BYTES }).catch(() => null);
      if (!answer) return none("unreachable");
      if (answer.status !== 200) return none("refused");
      const { price, at } = dialect.read(parseJson(answer.text));
      const cents = parseUsdPerBtc(price);
      return cents === null ? none("malformed") : { source: name, cents, at: at ?? askedAt };
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function unixSeconds(value: unknown): Millis | null {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && Number.isSafeInteger(value * 1000)
    ? value * 1000
    : null;
}
