/** Whatever price sources and the shared database answer, there is a plausible price with a time, or none; nothing throws. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { microUsd, sats } from "../../../actors/order/money.ts";
import { FirebaseRates } from "../../../src/pricing/firebase.ts";
import { decideRate } from "../../../src/pricing/median.ts";
import { parseMultiplier, quoteSats } from "../../../src/pricing/quote.ts";
import { readRate } from "../../../src/pricing/rate.ts";
import { coinbase, coinGecko, kraken, mempoolSpace, type Quote } from "../../../src/pricing/sources.ts";
import { parseUsdPerBtc, readCents } from "../../../src/pricing/units.ts";
import { BASE, bend, bentPeers, runs, weird } from "./bent.ts";

const SOURCES = [
  coinGecko({ baseUrl: `${BASE}/prices/coingecko` }),
  coinbase({ baseUrl: `${BASE}/prices/coinbase` }),
  kraken({ baseUrl: `${BASE}/prices/kraken` }),
  mempoolSpace({ baseUrl: `${BASE}/prices/mempool` }),
];
const isPrice = (cents: unknown) =>
  Number.isSafeInteger(cents) && (cents as number) >= 10_000 && (cents as number) <= 1e10;

test("every source, bending its answers, and what is believed of all of them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(bend, { minLength: 4, maxLength: 4 }), async (bends) => {
      const { world, stop } = bentPeers(bends);
      try {
        const quotes = await Promise.all(SOURCES.map((source) => source.quote(world)));
        for (const quote of quotes) {
          if ("reason" in quote) expect(["unreachable", "refused", "malformed"]).toContain(quote.reason);
          else expect([isPrice(quote.cents), Number.isSafeInteger(quote.at) && quote.at > 0]).toEqual([true, true]);
        }
        const said = quotes.filter((quote): quote is Quote => "cents" in quote);
        const { rate } = decideRate(said, null, SOURCES.length, world.now());
        if (rate) {
          expect(isPrice(rate.cents)).toBe(true);
          expect(rate.at).toBeLessThanOrEqual(world.now());
          // Nobody alone makes a price that no other source is near.
          const near = said.filter(({ cents }) => Math.abs(cents - rate.cents) * 20 <= rate.cents);
          expect(near.length).toBeGreaterThanOrEqual(2);
        }
      } finally {
        stop();
      }
    }),
    runs(250),
  );
}, 30_000);

test("the shared database, bending its answers, gives a rate or none, and takes one or does not", async () => {
  const rate = readRate({ cents: 6_718_700, at: Date.UTC(2026, 5, 1), sources: ["kraken", "coinbase"] });
  if (!rate) throw new Error("No rate");
  await fc.assert(
    fc.asyncProperty(fc.array(bend, { minLength: 1, maxLength: 8 }), async (bends) => {
      const { world, stop } = bentPeers(bends);
      try {
        const shared = new FirebaseRates(world, {
          baseUrl: `${BASE}/firebase`,
          auth: { kind: "secret", secret: "s&/?" },
        });
        for (const step of ["offer", "read", "offer", "read"] as const) {
          if (step === "offer") expect(["written", "newer_kept", "failed"]).toContain(await shared.offer(rate));
          else {
            const read = await shared.read();
            if (read)
              expect([isPrice(read.cents), Number.isSafeInteger(read.at), Array.isArray(read.sources)]).toEqual([
                true,
                true,
                true,
              ]);
          }
        }
      } finally {
        stop();
      }
    }),
    runs(150),
  );
}, 30_000);

describe("single values", () => {
  test("become plausible prices, rates and amounts, or nothing", () => {
    const value = fc.oneof(
      weird,
      fc.record({ cents: weird, at: weird, sources: weird }),
      fc.float().map(String),
      fc.bigInt().map(String),
    );
    fc.assert(
      fc.property(value, (one) => {
        expect(isPrice(parseUsdPerBtc(one) ?? 10_000)).toBe(true);
        expect(isPrice(readCents(one) ?? 10_000)).toBe(true);
        const rate = readRate(one);
        if (rate)
          expect([isPrice(rate.cents), Number.isSafeInteger(rate.at), rate.sources.length <= 4]).toEqual([
            true,
            true,
            true,
          ]);
        const multiplier = typeof one === "string" ? parseMultiplier(one) : null;
        if (multiplier)
          expect(multiplier.numerator > 0n && multiplier.numerator <= 1000n * multiplier.denominator).toBe(true);
      }),
      runs(2_000),
    );
  });

  test("a price is whole sats that cover the cost, or a RangeError where there is not so much bitcoin", () => {
    const cents = fc.integer({ min: 10_000, max: 1e10 });
    const factor = fc
      .integer({ min: 1, max: 1_000_000_000 })
      .map((n) => ({ numerator: BigInt(n), denominator: 1_000_000n }));
    fc.assert(
      fc.property(fc.maxSafeNat(), cents, factor, (cost, rate, multiplier) => {
        const believed = readCents(rate);
        if (believed === null) throw new Error("No price");
        try {
          const price = quoteSats(microUsd(cost), believed, multiplier);
          expect(sats(price)).toBeGreaterThanOrEqual(1);
          const paid = BigInt(price) * BigInt(rate) * 10_000n * multiplier.denominator;
          expect(paid >= BigInt(cost) * 100_000_000n * multiplier.numerator).toBe(true);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
        }
      }),
      runs(1_000),
    );
  });
});
