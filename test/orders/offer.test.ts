import { describe, expect, test } from "bun:test";
import type { MicroUsd } from "../../actors/order/money.ts";
import type { Good } from "../../actors/order/terms.ts";
import { loadNames } from "../../src/names.ts";
import type { OrderRequest } from "../../src/orders/desk.ts";
import { type OfferSources, offerRental, offerSms } from "../../src/orders/offer.ts";
import { isProblem } from "../../src/orders/problem.ts";
import { interpret, type Wanted } from "../../src/orders/request.ts";

const { names } = loadNames({ dataDir: "/nonexistent", blockedServices: [], blockedCountries: [] });
const wanted = (request: OrderRequest): Wanted => {
  const read = interpret(request, names);
  if (isProblem(read)) throw new Error(read.message);
  return read;
};

const usd = (cents: number) => (cents * 10_000) as MicroUsd;
const upTo = (cents: number) => (cost: MicroUsd) => cost <= usd(cents);
const anyPrice = () => true;

/** [country, cents, stock] */
const sms = (...rows: readonly (readonly [number, number, number])[]): OfferSources => ({
  stock: {
    sms: async (service) => rows.map(([country, cents, stock]) => ({ service, country, cost: usd(cents), stock })),
    rentals: async () => [],
  },
  provider: { reactivationOffer: async () => null },
  closed: ({ country }) => country === 13,
});

/** [country, hours, cents, stock] */
const rentals = (...rows: readonly (readonly [number, number, number, number])[]): OfferSources => ({
  ...sms(),
  stock: {
    sms: async () => [],
    rentals: async (service) =>
      rows.map(([country, hours, cents, stock]) => ({ service, country, hours, cost: usd(cents), stock })),
  },
});

const chosen = async (offer: Promise<Good | { readonly problem: string }>) => {
  const good = await offer;
  if ("problem" in good) return good.problem;
  return [good.country, good.maxCost / 10_000, ...(good.type === "rent-number" ? [good.hours] : [])];
};

describe("auto", () => {
  test("picks by availability, then price; more than plenty is no better", async () => {
    const offers = sms([1, 30, 5000], [2, 20, 100], [3, 5, 7], [4, 1, 0], [13, 1, 100]);
    expect(await chosen(offerSms(wanted({}), anyPrice, offers))).toEqual([2, 20]);
  });

  test("goes through an answer of the provider once, however many orders it is sold from", async () => {
    let looks = 0;
    const answer = [1, 2, 3].map((country) => ({
      service: "tg",
      country,
      cost: usd(country),
      get stock() {
        looks++;
        return 50;
      },
    }));
    const offers = { ...sms(), stock: { sms: async () => answer, rentals: async () => [] } };
    for (let order = 0; order < 5; order++) {
      expect(await chosen(offerSms(wanted({}), anyPrice, offers))).toEqual([1, 1]);
      if (order > 0) expect(looks).toBe(0);
      looks = 0;
    }
  });

  test("asks whether a good is closed only until one is found: each question looks into a record", async () => {
    const asked: number[] = [];
    const offers = sms(...Array.from({ length: 150 }, (_, n) => [n + 100, n + 1, 50] as const));
    const closed = ({ country }: Good) => asked.push(country) < 3;
    expect(await chosen(offerSms(wanted({}), anyPrice, { ...offers, closed }))).toEqual([102, 3]);
    expect(asked).toEqual([100, 101, 102]);
  });

  test("picks the best of what the cap allows", async () => {
    const offers = sms([1, 30, 5000], [2, 20, 100], [3, 5, 7], [5, 4, 2]);
    expect(await chosen(offerSms(wanted({}), upTo(19), offers))).toEqual([3, 5]);
    expect(await chosen(offerSms(wanted({}), upTo(4), offers))).toEqual([5, 4]);
  });

  test("above the cap it names the least that would be asked", async () => {
    const offers = sms([1, 30, 5000], [2, 20, 100], [3, 5, 7], [13, 1, 100]);
    expect(await chosen(offerSms(wanted({}), upTo(4), offers))).toEqual([3, 5]);
  });

  test("says so when there is nothing", async () => {
    expect(await chosen(offerSms(wanted({}), anyPrice, sms([4, 1, 0], [13, 1, 9])))).toBe("UNAVAILABLE");
  });
});

describe("a rental", () => {
  const request = wanted({ type: "rent-number", durationMinutes: 121 });

  test("is the shortest that is long enough, then as auto picks", async () => {
    const offers = rentals([1, 2, 1, 9], [2, 24, 10, 9], [1, 12, 40, 9], [3, 12, 30, 9], [4, 12, 1, 0]);
    expect(await chosen(offerRental(request, anyPrice, offers))).toEqual([3, 30, 12]);
  });

  test("of that length is the best that the cap allows, never a longer one instead", async () => {
    const offers = rentals([1, 12, 40, 100], [3, 12, 30, 9], [2, 24, 10, 9]);
    expect(await chosen(offerRental(request, upTo(35), offers))).toEqual([3, 30, 12]);
    expect(await chosen(offerRental(request, upTo(10), offers))).toEqual([3, 30, 12]);
  });

  test("that nobody offers, or nobody so long, is refused", async () => {
    expect(await chosen(offerRental(request, anyPrice, rentals([1, 2, 1, 9])))).toBe("UNAVAILABLE");
    expect(await chosen(offerRental(request, anyPrice, rentals([1, 12, 1, 0])))).toBe("UNAVAILABLE");
  });
});
