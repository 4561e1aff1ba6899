/**
 * What is for sale and where: getPrices, getTopCountriesByService, getNumbersStatus, getCountries, getServicesList,
 * getOperators, and the offers of REST v1. PHP writes an empty object as `[]`, and so does this peer where the live
 * service was seen doing it.
 */
import type { MicroUsd } from "../../../actors/order/money.ts";
import { type Answer, invalid, json, type Refusal, text } from "./answers.ts";
import { COUNTRIES, findCountry, findService, OPERATORS, SERVICES, SOLD_SERVICES } from "./catalog.ts";
import { type Desk, usd } from "./desk.ts";
import { optionalInteger, type Params, refused } from "./params.ts";
import { RENT_COUNTRIES } from "./rent-stock.ts";
import type { Offer, Tier } from "./stock.ts";
import { setIn, type Tables } from "./tables.ts";

const incorrect = (what: "service" | "country"): Answer => json({ status: "false", msg: `${what} is incorrect` });

/** `{country: {service: {cost, count, physicalCount}}}`; `cost` is the label, not the cheapest stocked price. */
export function getPrices(desk: Desk, params: Params): Answer {
  const service = params.get("service");
  const country = optionalInteger(params, "country", 0, 999);
  if (service && !findService(service)) return incorrect("service");
  if (refused(country) || (country !== null && !findCountry(country))) return incorrect("country");
  const found = desk.stock.offers({
    ...(service && { services: [service] }),
    ...(country !== null && { countries: [country] }),
  });
  const prices: Tables = {};
  for (const offer of found) {
    const row = { cost: usd(offer.listPrice), count: offer.count, physicalCount: offer.physical };
    setIn(prices, offer.country, offer.service, row);
  }
  return json(prices);
}

/** An object ordered by its keys "0", "1", ...: most numbers first. Without a service, one such object per service. */
export function getTopCountriesByService(desk: Desk, params: Params): Answer {
  const service = params.get("service");
  const withMaps = params.get("freePrice") === "true" || params.get("freePrice") === "1";
  if (service && !findService(service)) return incorrect("service");
  if (service) return json(topCountries(desk, service, withMaps));
  return json(Object.fromEntries(SOLD_SERVICES.map((code) => [code, topCountries(desk, code, withMaps)])));
}

function topCountries(desk: Desk, service: string, withMaps: boolean): unknown {
  const offers = desk.stock.offers({ services: [service] }).filter(({ count }) => count > 0);
  offers.sort((a, b) => b.count - a.count || a.country - b.country);
  const rows = offers.map((offer) => ({
    country: offer.country,
    price: wholesale(offer.listPrice),
    retail_price: usd(offer.listPrice),
    count: offer.count,
    ...(withMaps && {
      freePriceMap: priceMap(offer, ({ count }) => count),
      physicalPriceMap: priceMap(offer, ({ physical }) => physical),
      physicalTotalCount: offer.physical,
      physicalCountForDefaultPrice: atListPrice(offer)?.physical ?? 0,
    }),
  }));
  return rows.length === 0 ? [] : { ...rows };
}

/** Claimed numbers per service of one country; undocumented, but it works. */
export function getNumbersStatus(desk: Desk, params: Params): Answer {
  const country = optionalInteger(params, "country", 0, 999);
  if (refused(country) || country === null) return invalid("country", "INVALID", "Param 'country' must be a number");
  const offers = desk.stock.offers({ countries: [country] });
  return json(Object.fromEntries(offers.map(({ service, count }) => [service, count])));
}

/** The live object by id; the Russian and Chinese names are not in our lists. */
export function getCountries(desk: Desk): Answer {
  const rows = COUNTRIES.map(({ id, name, visible, retry }) => ({
    id,
    rus: name,
    eng: name,
    chn: name,
    visible: Number(visible),
    retry: Number(retry),
    ...(desk.mode === "current" && { rent: Number(RENT_COUNTRIES.has(id)) }),
  }));
  return json(desk.mode === "legacy" ? rows : Object.fromEntries(rows.map((row) => [row.id, row])));
}

/** With a country, only what is sold there. Some live names end in a blank. */
export function getServicesList(desk: Desk, params: Params): Answer {
  const country = optionalInteger(params, "country", 0, 999);
  if (refused(country)) return country;
  const sold =
    country === null ? null : new Set(desk.stock.offers({ countries: [country] }).map(({ service }) => service));
  const services = SERVICES.filter(({ code }) => sold === null || code === "full" || sold.has(code));
  const named = services.map(({ code, name }) => ({ code, name: code === "acz" ? `${name} ` : name }));
  return json({ status: "success", services: named });
}

export function getOperators(_desk: Desk, params: Params): Answer {
  const country = optionalInteger(params, "country", 0, 999);
  if (refused(country)) return country;
  if (country === null) return json({ status: "success", countryOperators: OPERATORS });
  const operators = OPERATORS[country];
  if (!operators) return text("OPERATORS_NOT_FOUND");
  return json({ status: "success", countryOperators: { [country]: operators } });
}

/** GET /api/v1/activations/offers/sms: quote from the smallest key of `map`, if `physical` says that there is stock. */
export function offersSms(desk: Desk, params: Params): Answer {
  const services = list(params, "services").filter((code) => SOLD_SERVICES.includes(code));
  const countries = list(params, "countries")
    .map(Number)
    .filter((id) => findCountry(id)?.visible);
  const nothing = OFFER_NOT_FOUND;
  if ((params.get("services") && services.length === 0) || (params.get("countries") && countries.length === 0))
    return nothing;
  const offers = desk.stock.offers({ services, countries });
  if (offers.length === 0) return nothing;
  const data: Tables = {};
  const order: Record<string, string[]> = {};
  for (const offer of offers) {
    setIn(data, offer.service, offer.country, offerV1(offer));
    if (offer.physical > 0) order[offer.service] = [...(order[offer.service] ?? []), String(offer.country)];
  }
  return json({ data, meta: { order: { rate: [], deliverability: { countries: order } } } });
}

export const OFFER_NOT_FOUND: Refusal = {
  kind: "refusal",
  status: 404,
  title: "OFFER_NOT_FOUND",
  details: "Offer not found",
};

function offerV1(offer: Offer): unknown {
  const retail = usd(offer.listPrice);
  const min = usd(offer.tiers[0]?.price ?? offer.listPrice);
  return {
    prices: { default: wholesale(offer.listPrice), retail, min },
    counts: { total: offer.count, physical: offer.physical, defaultPrice: atListPrice(offer)?.count ?? 0 },
    map: priceMap(offer, ({ count }) => count),
  };
}

/** `{price: numbers at or below it}`, in no useful order, as the live service writes it; `[]` when empty. */
function priceMap(offer: Offer, counted: (tier: Tier) => number): unknown {
  let sum = 0;
  const entries: [string, number][] = [];
  for (const tier of offer.tiers) {
    if (counted(tier) === 0) continue;
    sum += counted(tier);
    entries.push([usd(tier.price).toFixed(4), sum]);
  }
  return entries.length === 0 ? [] : Object.fromEntries(entries.reverse());
}

const atListPrice = (offer: Offer): Tier | undefined => offer.tiers.find(({ price }) => price === offer.listPrice);

/** What HeroSMS pays: its label is a sixth dearer than that. Four decimals. */
const wholesale = (listPrice: MicroUsd): number => Math.round(listPrice / 1.2 / 100) / 10_000;

const list = (params: Params, field: string): string[] =>
  (params.get(field) ?? "").split(",").filter((part) => part !== "");
