/**
 * What is for rent: a dozen countries, a few services, fixed durations. Prices and quantities are derived from the ids.
 */
import { type MicroUsd, microUsd } from "../../../actors/order/money.ts";
import type { Books } from "./books.ts";
import { hash } from "./stock.ts";

/** Hours. The provider's documents disagree about them; a client must learn them from BAD_DURATION. */
export const RENT_HOURS = [2, 12, 24, 72, 168, 336, 720] as const;
/** United States, United Kingdom, Indonesia; India, Canada, Germany, Netherlands, Thailand, Spain, Brazil, France, Poland. */
export const RENT_COUNTRIES: ReadonlySet<number> = new Set([187, 16, 6, 22, 36, 43, 48, 52, 56, 73, 78, 15]);
export const RENT_SERVICES: ReadonlySet<string> = new Set(["full", "tg", "ot", "wa", "go", "ig", "fb", "dr"]);

const ALWAYS: ReadonlySet<number> = new Set([187, 16, 6]);
/** Price of each duration relative to two hours. */
const FACTORS: Readonly<Record<number, number>> = { 2: 1, 12: 2, 24: 3, 72: 6, 168: 11, 336: 19, 720: 34 };
/** Rentals of all durations share one stock per country and service. */
export const RENT_TIER = 0;

export interface RentOffer {
  readonly price: MicroUsd;
  readonly quantity: number;
}

/** The offer as it stands now; null when this is not for rent at all. */
export function rentOffer(books: Books, country: number, service: string, hours: number): RentOffer | null {
  const factor = FACTORS[hours];
  if (!factor || !RENT_COUNTRIES.has(country) || !RENT_SERVICES.has(service)) return null;
  const seed = hash(`rent/${country}/${service}`);
  const twoHours = (1_500 + (seed % 4_500)) * 100 * (service === "full" ? 3 : 1);
  const empty = !ALWAYS.has(country) && seed % 8 === 0;
  const size = empty ? 0 : ALWAYS.has(country) ? 500 : 5 + ((seed >>> 8) % 75);
  return {
    price: microUsd(twoHours * factor),
    quantity: Math.max(size - books.taken(country, service, RENT_TIER), 0),
  };
}
