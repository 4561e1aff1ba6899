import { expect, test } from "bun:test";
import { RealWorld } from "../../actors/runtime/world.ts";
import { FirebaseRates } from "../../src/pricing/firebase.ts";
import { type Rate, RateBook, type RateBookOptions, type RateCache, type RateEvent } from "../../src/pricing/rate.ts";
import { coinbase, coinGecko, type PriceSource, type SourceName } from "../../src/pricing/sources.ts";
import { usdCentsPerBtc } from "../../src/pricing/units.ts";
import { fakeFirebase } from "./fake-firebase.ts";

const MINUTE = 60_000;

/** Sources whose prices are set by the test; null is a source that does not answer. */
class Market {
  readonly prices: Partial<Record<SourceName, number | null>> = {};
  asked = 0;

  source(name: SourceName): PriceSource {
    return {
      name,
      quote: async (world) => {
        this.asked++;
        const usd = this.prices[name];
        if (usd === null || usd === undefined) return { source: name, reason: "unreachable" };
        return { source: name, cents: usdCentsPerBtc(usd * 100), at: world.now() };
      },
    };
  }

  get sources(): PriceSource[] {
    return (["coingecko", "coinbase", "kraken"] as const).map((name) => this.source(name));
  }
}

class Memory implements RateCache {
  saved: Rate | null = null;
  load(): Rate | null {
    return this.saved;
  }
  save(rate: Rate): void {
    this.saved = rate;
  }
}

function setUp(options: Partial<RateBookOptions> = {}) {
  const world = new RealWorld();
  const market = new Market();
  const cache = new Memory();
  const events: RateEvent[] = [];
  const observe = (event: RateEvent) => void events.push(event);
  const book = new RateBook(world, { sources: market.sources, cache, observe, ...options });
  return { world, market, cache, events, book };
}

/** Lets promises and turns settle without waiting for real time. */
const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("has no rate before the first refresh, then the median, and saves it", async () => {
  const { market, cache, book, world } = setUp();
  Object.assign(market.prices, { coingecko: 60_300, coinbase: 60_000, kraken: 60_100 });
  expect(book.current()).toBeNull();
  expect(book.ageMs()).toBeNull();
  await book.start();
  expect(book.current()).toMatchObject({ cents: 6_010_000, sources: ["coingecko", "coinbase", "kraken"] });
  expect(cache.saved).toEqual(book.current());
  world.jump(world.now() + 7_000);
  expect(book.ageMs()).toBeGreaterThanOrEqual(7_000);
  book.stop();
});

test("refreshes every five minutes, and sooner after a refresh that brought nothing", async () => {
  const { market, book, world, events } = setUp();
  Object.assign(market.prices, { coingecko: 60_000, coinbase: 60_000 });
  await book.start();
  expect(market.asked).toBe(3);
  world.jump(world.now() + 5 * MINUTE - 1_000);
  await settle();
  expect(market.asked).toBe(3);
  Object.assign(market.prices, { coingecko: null, coinbase: null });
  world.jump(world.now() + 1_000);
  await settle();
  expect(market.asked).toBe(6);
  expect(events.at(-1)).toMatchObject({ kind: "kept" });
  Object.assign(market.prices, { coingecko: 61_000, coinbase: 61_000 });
  world.jump(world.now() + MINUTE);
  await settle();
  expect(book.current()?.cents).toBe(usdCentsPerBtc(6_100_000));
  book.stop();
  world.jump(world.now() + 60 * MINUTE);
  await settle();
  expect(market.asked).toBe(9);
});

test("sells by the last rate for an hour without sources, and no longer", async () => {
  const { market, book, world } = setUp();
  Object.assign(market.prices, { coingecko: 60_000, coinbase: 60_000 });
  await book.start();
  const { at } = book.current() ?? { at: Number.NaN };
  Object.assign(market.prices, { coingecko: null, coinbase: null });
  world.jump(at + 60 * MINUTE - 500);
  expect(book.current()?.cents).toBe(usdCentsPerBtc(6_000_000));
  world.jump(at + 60 * MINUTE + 1);
  expect(book.current()).toBeNull();
  expect(book.ageMs()).toBeGreaterThan(60 * MINUTE);
  book.stop();
});

test("a restart without network sells by the cached rate at once, but not by one that is too old", async () => {
  for (const [ageMinutes, isUsable] of [
    [59, true],
    [61, false],
  ] as const) {
    const { cache, book, world } = setUp();
    cache.saved = { cents: usdCentsPerBtc(6_000_000), at: world.now() - ageMinutes * MINUTE, sources: [] };
    const started = book.start();
    expect(book.current() !== null).toBe(isUsable);
    await started;
    expect(book.current() !== null).toBe(isUsable);
    book.stop();
  }
});

test("a cached rate that cannot be true is not used", async () => {
  for (const broken of [{ cents: 5 }, { cents: Number.NaN }, { at: Number.NaN }, { at: Date.now() + 3_600_000 }]) {
    const { cache, book, world } = setUp();
    const rate: Rate = { cents: usdCentsPerBtc(6_000_000), at: world.now(), sources: [] };
    cache.saved = { ...rate, ...broken } as Rate;
    await book.start();
    expect(book.current()).toBeNull();
    book.stop();
  }
});

test("a rate is not used when the clock was set back behind it", async () => {
  let now = 1_800_000_000_000;
  const world = new (class extends RealWorld {
    override now() {
      return now;
    }
  })();
  const market = new Market();
  Object.assign(market.prices, { coingecko: 60_000, coinbase: 60_000 });
  const book = new RateBook(world, { sources: market.sources, cache: new Memory() });
  await book.start();
  expect(book.current()).not.toBeNull();
  now -= 10 * MINUTE;
  expect(book.current()).toBeNull();
  book.stop();
});

test("a broken cache costs nothing but the memory over a restart", async () => {
  const fail = () => {
    throw new Error("disk is full");
  };
  const { market, book, events } = setUp({ cache: { load: fail, save: fail } });
  Object.assign(market.prices, { coingecko: 60_000, coinbase: 60_000 });
  await book.start();
  expect(book.current()).not.toBeNull();
  expect(events.map(({ kind }) => kind)).toEqual(["cache_failed", "cache_failed", "updated"]);
  book.stop();
});

test("reports which sources did not count, and why", async () => {
  const { market, book, events } = setUp();
  Object.assign(market.prices, { coingecko: 60_000, coinbase: 60_000, kraken: 90_000 });
  await book.start();
  expect(events).toMatchObject([{ kind: "updated", missing: [{ source: "kraken", reason: "outlier" }] }]);
  book.stop();
});

test("callers at the same time share one round of questions", async () => {
  const { market, book } = setUp();
  await Promise.all([book.refresh(), book.refresh(), book.refresh()]);
  expect(market.asked).toBe(3);
});

test("an answer that comes after stop changes nothing", async () => {
  const answers: (() => void)[] = [];
  const slow: PriceSource = {
    name: "coingecko",
    quote: (world) =>
      new Promise((resolve) => {
        const quote = { source: "coingecko", cents: usdCentsPerBtc(6_000_000), at: world.now() } as const;
        answers.push(() => resolve(quote));
      }),
  };
  const { book, cache, world } = setUp({ sources: [slow] });
  const started = book.start();
  await settle();
  book.stop();
  for (const answer of answers) answer();
  await started;
  expect(book.current()).toBeNull();
  expect(cache.saved).toBeNull();
  expect(world.nextDue()).toBeNull();
});

test("a rate book without sources is a mistake", () => {
  expect(() => setUp({ sources: [] })).toThrow(RangeError);
});

test("over real HTTP: sources are asked, the shared cache is offered the rate, and a later boot without sources reads it", async () => {
  const firebase = fakeFirebase();
  const prices = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      url.includes("/coingecko/")
        ? Response.json({ bitcoin: { usd: 60000.5, last_updated_at: Math.floor(Date.now() / 1000) } })
        : Response.json({ data: { amount: "60100.00", base: "BTC", currency: "USD" } }),
  });
  const base = `http://127.0.0.1:${prices.port}/prices`;
  const sources = [coinGecko({ baseUrl: `${base}/coingecko` }), coinbase({ baseUrl: `${base}/coinbase` })];
  const world = new RealWorld();
  const shared = new FirebaseRates(world, { baseUrl: firebase.baseUrl });
  const written = Promise.withResolvers<void>();
  const observe = (event: RateEvent) => {
    if (event.kind === "shared") written.resolve();
  };
  const first = new RateBook(world, { sources, shared, cache: new Memory(), observe });
  await first.start();
  await written.promise;
  expect(first.current()?.cents).toBe(usdCentsPerBtc(6_000_050));
  first.stop();
  await prices.stop(true);

  const second = new RateBook(world, { sources, shared, cache: new Memory() });
  await second.start();
  expect(second.current()).toEqual(first.current());
  second.stop();
  firebase.stop();
});

test("a fresh local cache does not ask the shared one", async () => {
  const firebase = fakeFirebase();
  const { cache, book, world } = setUp({ shared: new FirebaseRates(new RealWorld(), { baseUrl: firebase.baseUrl }) });
  cache.saved = { cents: usdCentsPerBtc(6_000_000), at: world.now() - MINUTE, sources: [] };
  await book.start();
  expect(firebase.requests).toHaveLength(0);
  book.stop();
  firebase.stop();
});

test("at boot the shared rate seconds CoinGecko; one that CoinGecko contradicts, or too old, sells nothing", async () => {
  const firebase = fakeFirebase();
  const bootWith = async (sharedUsd: number, ageMs: number, coingecko: number | null) => {
    const { market, book, world } = setUp({
      shared: new FirebaseRates(new RealWorld(), { baseUrl: firebase.baseUrl }),
    });
    firebase.value = JSON.stringify({ cents: sharedUsd * 100, at: world.now() - ageMs, sources: [] });
    market.prices.coingecko = coingecko;
    await book.start();
    const rate = book.current();
    book.stop();
    return rate && rate.cents / 100;
  };
  expect(await bootWith(60_500, MINUTE, 60_000)).toBe(60_000);
  expect(await bootWith(90_000, MINUTE, 60_000)).toBeNull();
  expect(await bootWith(60_500, 120 * MINUTE, 60_000)).toBeNull();
  expect(await bootWith(60_500, MINUTE, null)).toBe(60_500);
  firebase.stop();
});
