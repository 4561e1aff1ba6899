/**
 * What is for sale: for every visible country and about forty services a list price and three price tiers, all derived from the
 * ids, so that every run has the same market. It has the live market's traps: pairs without stock, pairs whose cheapest
 * tier is empty (QLHazyCoder/FlowPilot#168), and pairs whose count is fiction while `physicalCount` is 0.
 */
import { type MicroUsd, microUsd } from "../../../actors/order/money.ts";
import type { Books } from "./books.ts";
import { COUNTRIES, SOLD_SERVICES } from "./catalog.ts";

export interface Tier {
  readonly price: MicroUsd;
  /** Numbers that can really be bought. */
  readonly physical: number;
  /** Numbers that are claimed. */
  readonly count: number;
}

export interface Offer {
  readonly country: number;
  readonly service: string;
  /** The price on the label; the tier at this price may be empty. */
  readonly listPrice: MicroUsd;
  /** Cheapest first; only tiers that claim a number. */
  readonly tiers: readonly Tier[];
  readonly count: number;
  readonly physical: number;
}

/** United States, United Kingdom, Indonesia, India, Canada, Germany, Brazil. */
const WELL_STOCKED: ReadonlySet<number> = new Set([187, 16, 6, 22, 36, 43, 73]);
const TIER_PERCENT = [100, 137, 177] as const;
/** Prices have four decimals. */
const PRICE_STEP = 100;
const COUNTRY_IDS: readonly number[] = COUNTRIES.filter(({ visible }) => visible).map(({ id }) => id);
const SOLD = new Set(SOLD_SERVICES);
const FOR_SALE = new Set(COUNTRY_IDS);

/** FNV-1a, 32 bit: the same market on every machine. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  // FNV mixes its low bits poorly over short keys.
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}

export class Stock {
  readonly #books: Books;
  readonly #full = new Map<string, Offer>();

  constructor(books: Books) {
    this.#books = books;
  }

  /** The offer as it stands now, or null when the pair is not sold at all. */
  offer(country: number, service: string): Offer | null {
    const full = this.#fullOffer(country, service);
    return full && this.#less(full, (price) => this.#books.taken(country, service, price));
  }

  /** All offers, narrowed by country and service; an empty filter means all. */
  offers(filter: { countries?: readonly number[]; services?: readonly string[] }): Offer[] {
    const taken = this.#books.allTaken();
    const countries = filter.countries?.length ? filter.countries : COUNTRY_IDS;
    const services = filter.services?.length ? filter.services : SOLD_SERVICES;
    return countries.flatMap((country) =>
      services.flatMap((service) => {
        const full = this.#fullOffer(country, service);
        if (!full) return [];
        const gone = taken.get(`${country}/${service}`);
        return [gone ? this.#less(full, (price) => gone.get(price) ?? 0) : full];
      }),
    );
  }

  #fullOffer(country: number, service: string): Offer | null {
    if (!FOR_SALE.has(country) || !SOLD.has(service)) return null;
    const key = `${country}/${service}`;
    const known = this.#full.get(key);
    if (known) return known;
    const made = makeOffer(country, service, hash(key));
    this.#full.set(key, made);
    return made;
  }

  #less(full: Offer, taken: (price: MicroUsd) => number): Offer {
    const left = full.tiers.map((tier) => {
      const gone = taken(tier.price);
      if (gone === 0) return tier;
      const physical = Math.max(tier.physical - gone, 0);
      return { ...tier, physical, count: physical === 0 ? 0 : Math.max(tier.count - gone, physical) };
    });
    return withTotals(full, left);
  }
}

function makeOffer(country: number, service: string, seed: number): Offer {
  const skew = seed % 1000;
  const listPrice = microUsd((300 + Math.floor((skew * skew * 7_700) / 1_000_000)) * PRICE_STEP);
  const trap = WELL_STOCKED.has(country) ? "none" : trapOf(seed >>> 10);
  const inflation = [1, 1, 3, 20][(seed >>> 6) % 4] ?? 1;
  const tiers = TIER_PERCENT.map((percent, index) => {
    const share = 1 + ((seed >>> (index * 5)) % 199);
    const size = WELL_STOCKED.has(country) ? share + 2_000 : share;
    const price = microUsd(Math.round((listPrice * percent) / 100 / PRICE_STEP) * PRICE_STEP);
    const claimed = trap === "empty" || (trap === "first_tier_empty" && index === 0) ? 0 : size * inflation;
    return { price, count: claimed, physical: trap === "fictitious" || claimed === 0 ? 0 : size };
  });
  return withTotals({ country, service, listPrice, tiers: [], count: 0, physical: 0 }, tiers);
}

function trapOf(seed: number): "none" | "empty" | "fictitious" | "first_tier_empty" {
  const draw = seed % 16;
  return draw === 0 ? "empty" : draw === 1 ? "fictitious" : draw === 2 ? "first_tier_empty" : "none";
}

function withTotals(offer: Offer, tiers: readonly Tier[]): Offer {
  const claimed = tiers.filter(({ count }) => count > 0);
  return {
    ...offer,
    tiers: claimed,
    count: claimed.reduce((sum, { count }) => sum + count, 0),
    physical: claimed.reduce((sum, { physical }) => sum + physical, 0),
  };
}
