/**
 * Whoever only reads prices, however much, delays nobody who paid: the adapter, the catalog and the stock behind one request budget,
 * against a server that counts.
 */
import { afterAll, expect, test } from "bun:test";
import { SHIPPED_COUNTRIES } from "../../src/catalog/countries.ts";
import { Catalog } from "../../src/catalog/offers.ts";
import { SHIPPED_SERVICES } from "../../src/catalog/services.ts";
import { isProblem } from "../../src/orders/problem.ts";
import type { Rate } from "../../src/pricing/rate.ts";
import { readCents } from "../../src/pricing/units.ts";
import type { NumberProvider } from "../../src/provider/port.ts";
import { Stock } from "../../src/provider/stock.ts";
import { adapterFor, PURCHASE, type Route, serve, stopServers, usd } from "./herosms/fake.ts";

afterAll(stopServers);

/** What waits at the end is sent at 10 a second, in real time. */
const TIMEOUT_MS = 30_000;

const CODES = SHIPPED_SERVICES.rows.map(({ code }) => code);

/** Sells every service in country 6. */
const everything: Record<string, Route> = {
  "v1/activations/offers/sms": (params) =>
    JSON.stringify({
      data: { [params.get("services") ?? ""]: { 6: { counts: { physical: 9 }, map: { "0.2400": 9 } } } },
    }),
  getPrices: JSON.stringify({ 6: Object.fromEntries(CODES.map((code) => [code, { cost: 0.24, count: 9 }])) }),
  serviceCountRent: '"{}"',
  getActiveActivations: '{"status":"success","data":[]}',
  getNumberV2: PURCHASE,
  getAllSms: '{"data":[]}',
  getStatus: "STATUS_WAIT_CODE",
  setStatus: "ACCESS_CANCEL",
  reactivateOptions: '{"data":{"options":[{"price":0.2,"duration":{"unit":"hour","value":2}}]}}',
};

function service() {
  const { baseUrl, actions } = serve(everything);
  const { world, provider } = adapterFor(baseUrl);
  const cents = readCents(6_700_000);
  if (cents === null) throw new Error("No rate");
  const rate: Rate = { cents, at: world.now(), sources: ["kraken"] };
  const catalog = new Catalog({
    world,
    provider,
    names: {
      countries: SHIPPED_COUNTRIES,
      services: SHIPPED_SERVICES,
      blockedServices: new Set(),
      blockedCountries: new Set(),
    },
    rates: { current: () => rate },
    multiplier: { numerator: 3n, denominator: 2n },
    priceRule: "rule",
  });
  return { provider, actions, catalog, stock: new Stock(world, provider) };
}

/** Without a share of its own it would wait for a minute. */
const MOMENTS_MS = 4_000;

/** All that one paid order asks for, in turn; how long it took, in ms. */
async function paidOrder(provider: NumberProvider): Promise<number> {
  const began = performance.now();
  expect(await provider.active()).toEqual([]);
  expect(await provider.buyActivation({ service: "vk", country: 6, maxCost: usd(20) })).toMatchObject({
    kind: "bought",
  });
  expect(await provider.look("635468024")).toEqual({ standing: "open", messages: [] });
  expect(await provider.cancel("635468024")).toEqual({ kind: "cancelled" });
  return performance.now() - began;
}

test(
  "600 readers of different services at once delay a paid order by moments only",
  async () => {
    const { provider, catalog, actions } = service();
    const began = performance.now();
    let refused = 0;
    let shown = 0;
    const readers = CODES.slice(100, 700).map(async (service) => {
      const page = await catalog.page({ country: null, service, type: null });
      if (isProblem(page)) refused++;
      else shown++;
    });
    await Bun.sleep(0);
    expect(await paidOrder(provider)).toBeLessThan(MOMENTS_MS);
    await Promise.all(readers);
    const seconds = (performance.now() - began) / 1_000;
    expect(seconds).toBeLessThan(15);
    expect(refused).toBeGreaterThan(500);
    expect(shown + refused).toBe(600);
    expect(actions().length).toBeLessThan(20 + 10 * seconds);
  },
  TIMEOUT_MS,
);

test(
  "nor do 600 orders that nobody pays, which go before readers",
  async () => {
    const { provider, catalog, stock, actions } = service();
    const reading = CODES.slice(800, 900).map((service) =>
      catalog.page({ country: null, service, type: "rent-number" }),
    );
    await Bun.sleep(0);
    const asking = Promise.allSettled([
      ...CODES.slice(100, 400).map((service) => stock.sms(service, 6)),
      ...CODES.slice(100, 400).map((_, index) => provider.reactivationOffer(String(index))),
    ]);
    expect(await paidOrder(provider)).toBeLessThan(MOMENTS_MS);
    const answers = await asking;
    expect(answers.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(20);
    // The readers came first, but most of them still wait.
    expect(actions().filter((action) => action === "serviceCountRent").length).toBeLessThan(12);
    await Promise.all(reading);
  },
  TIMEOUT_MS,
);
