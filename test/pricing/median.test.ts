import { expect, test } from "bun:test";
import fc from "fast-check";
import { decideRate, MAX_QUOTE_AGE_MS, type Rate } from "../../src/pricing/median.ts";
import type { Quote, SourceName } from "../../src/pricing/sources.ts";
import { usdCentsPerBtc } from "../../src/pricing/units.ts";

const NOW = 1_800_000_000_000;
const quote = (source: SourceName, usd: number, ageMs = 0): Quote => ({
  source,
  cents: usdCentsPerBtc(usd * 100),
  at: NOW - ageMs,
});
const last = (usd: number): Rate => ({ cents: usdCentsPerBtc(usd * 100), at: NOW - 60_000, sources: ["coinbase"] });

test("the rate is the median of the sources that agree, dated by the oldest of them", () => {
  const quotes = [quote("coingecko", 60_300, 120_000), quote("coinbase", 60_000), quote("kraken", 60_100, 1_000)];
  expect(decideRate(quotes, null, 3, NOW)).toEqual({
    rate: { cents: usdCentsPerBtc(6_010_000), at: NOW - 120_000, sources: ["coingecko", "coinbase", "kraken"] },
    rejected: [],
  });
});

test("a source more than 5 % from the median does not count", () => {
  const quotes = [quote("coingecko", 66_000), quote("coinbase", 60_000), quote("kraken", 60_200)];
  expect(decideRate(quotes, null, 3, NOW)).toEqual({
    rate: { cents: usdCentsPerBtc(6_000_000), at: NOW, sources: ["coinbase", "kraken"] },
    rejected: [{ source: "coingecko", reason: "outlier" }],
  });
});

test("5 % is the limit, exactly", () => {
  expect(decideRate([quote("coinbase", 60_000), quote("kraken", 63_000)], null, 2, NOW).rate?.cents).toBe(
    usdCentsPerBtc(6_000_000),
  );
  expect(decideRate([quote("coinbase", 60_000), quote("kraken", 63_000.01)], null, 2, NOW).rate).toBeNull();
});

test("quotes older than ten minutes, or as far in the future, do not count", () => {
  const fresh = quote("coingecko", 60_000, MAX_QUOTE_AGE_MS);
  expect(decideRate([fresh, quote("kraken", 60_000)], null, 2, NOW).rate).not.toBeNull();
  for (const age of [MAX_QUOTE_AGE_MS + 1, -MAX_QUOTE_AGE_MS - 1]) {
    const stale = quote("coingecko", 60_000, age);
    expect(decideRate([stale, quote("kraken", 60_000)], null, 2, NOW)).toEqual({
      rate: null,
      rejected: [
        { source: "coingecko", reason: "stale" },
        { source: "kraken", reason: "outlier" },
      ],
    });
  }
});

test("CoinGecko alone is believed only when the last rate seconds it", () => {
  const alone = [quote("coingecko", 60_000)];
  expect(decideRate(alone, null, 4, NOW).rate).toBeNull();
  expect(decideRate(alone, last(57_000), 4, NOW).rate).toBeNull();
  expect(decideRate(alone, last(58_000), 4, NOW).rate).toMatchObject({ cents: 6_000_000, sources: ["coingecko"] });
});

test("another source alone is not believed, whatever the last rate was", () => {
  expect(decideRate([quote("coinbase", 60_000)], last(60_000), 4, NOW).rate).toBeNull();
});

test("when two sources disagree, CoinGecko wins only with the last rate on its side", () => {
  const dispute = [quote("coingecko", 60_000), quote("kraken", 70_000)];
  expect(decideRate(dispute, null, 2, NOW).rate).toBeNull();
  expect(decideRate(dispute, last(70_000), 2, NOW).rate).toBeNull();
  expect(decideRate(dispute, last(60_500), 2, NOW)).toMatchObject({
    rate: { cents: 6_000_000 },
    rejected: [{ source: "kraken", reason: "outlier" }],
  });
});

test("a single configured source is enough, whichever it is", () => {
  expect(decideRate([quote("kraken", 60_000)], null, 1, NOW).rate).toMatchObject({ cents: 6_000_000 });
});

test("no quotes, no rate", () => {
  expect(decideRate([], last(60_000), 4, NOW)).toEqual({ rate: null, rejected: [] });
});

const names: SourceName[] = ["coingecko", "coinbase", "kraken", "mempool"];
const anyQuotes = fc
  .tuple(...names.map(() => fc.option(fc.tuple(fc.integer({ min: 10_000, max: 2_000_000 }), fc.nat(1_200_000)))))
  .map((pairs) =>
    pairs.flatMap((pair, index): Quote[] => {
      const source = names[index];
      return pair && source ? [{ source, cents: usdCentsPerBtc(pair[0]), at: NOW - pair[1] }] : [];
    }),
  );

test("a believed rate was named by a source, two stand behind it, and every source is accounted for", () => {
  fc.assert(
    fc.property(anyQuotes, (quotes) => {
      const { rate, rejected } = decideRate(quotes, null, 4, NOW);
      expect(rejected.length + (rate?.sources.length ?? 0)).toBe(quotes.length);
      if (!rate) return;
      expect(rate.sources.length).toBeGreaterThanOrEqual(2);
      expect(quotes.some((q) => q.cents === rate.cents && rate.sources.includes(q.source))).toBe(true);
      expect(NOW - rate.at).toBeLessThanOrEqual(MAX_QUOTE_AGE_MS);
    }),
  );
});

test("one liar among three honest sources cannot move the rate out of their range", () => {
  const honest = fc.integer({ min: 5_900_000, max: 6_100_000 });
  const lie = fc.integer({ min: 10_000, max: 1_000_000_000 });
  fc.assert(
    fc.property(honest, honest, honest, lie, fc.constantFrom(...names), (a, b, c, false_, liar) => {
      const truths = [a, b, c];
      const quotes = names.map((source): Quote => {
        const cents = source === liar ? false_ : (truths.pop() ?? a);
        return { source, cents: usdCentsPerBtc(cents), at: NOW };
      });
      const { rate } = decideRate(quotes, null, 4, NOW);
      expect(rate?.cents).toBeGreaterThanOrEqual(Math.min(a, b, c));
      expect(rate?.cents).toBeLessThanOrEqual(Math.max(a, b, c));
    }),
  );
});
