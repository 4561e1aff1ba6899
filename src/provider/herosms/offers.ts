/**
 * Prices of single SMS, each the price of the cheapest tier that has numbers.
 *
 * Which call serves which question, one request each:
 * - a service (in one country or in all): REST v1 `activations/offers/sms`, which lists every price tier. The label price
 *   is no quote: its tier may be empty, and numbers then cost more (seen live).
 * - anything else, and wherever v1 is not to be had: getPrices, which knows one price and the real stock of each pair. The
 *   whole list is about 1 MB.
 * A pair without physical stock is not offered, whatever its `count` says.
 */
import { type MicroUsd, parseMicroUsd } from "../../../actors/order/money.ts";
import type { World } from "../../../actors/runtime/world.ts";
import type { CountryId, OfferPurpose, ServiceCode, SmsOffer } from "../port.ts";
import type { Client, Told } from "./client.ts";
import type { ErrorWord } from "./dialect.ts";
import * as field from "./fields.ts";
import type { Rest } from "./rest.ts";
import { unavailable } from "./trouble.ts";

export interface OfferFilter {
  readonly country?: CountryId;
  readonly service?: ServiceCode;
  readonly for?: OfferPurpose;
}

const MAX_PRICES_BYTES = 8 * 1024 * 1024;
/** Offers read in one go: some milliseconds. The whole list has more than 100,000, and others must get their turn. */
const SLICE = 2_000;

/** Words that mean "not sold", not "cannot say". */
const NOT_SOLD: readonly ErrorWord[] = [
  "SERVICE_IS_INCORRECT",
  "COUNTRY_IS_INCORRECT",
  "BAD_SERVICE",
  "BAD_COUNTRY",
  "WRONG_SERVICE",
  "WRONG_COUNTRY",
  "NO_NUMBERS",
  "OFFER_NOT_FOUND",
];

/** The provider's own word that there is nothing of this for sale. */
export const saysNotSold = (told: Told): boolean =>
  told.kind === "error" && told.status < 500 && NOT_SOLD.includes(told.word);

/** @throws ProviderUnavailable */
export async function readSmsOffers(
  world: World,
  client: Client,
  rest: Rest,
  filter: OfferFilter,
): Promise<SmsOffer[]> {
  const { service, country } = filter;
  const tiered = service === undefined ? null : await askTiers(world, rest, service, filter);
  const offers = tiered ?? (await askPrices(world, client, filter));
  if (service === undefined && country === undefined) return offers;
  return offers.filter(
    (offer) => (service ?? offer.service) === offer.service && (country ?? offer.country) === offer.country,
  );
}

/** Null when v1 does not answer the question. */
async function askTiers(
  world: World,
  rest: Rest,
  service: ServiceCode,
  { country, for: purpose = "quote" }: OfferFilter,
): Promise<SmsOffer[] | null> {
  const query = { services: service, ...(country !== undefined && { countries: country }) };
  const told = await rest.ask("activations/offers/sms", query, purpose);
  if (told === null) return null;
  // The budget would not let the other question through either.
  if (told.kind === "not_sent") throw unavailable("activations/offers/sms", told);
  if (saysNotSold(told)) return [];
  const data = told.kind === "json" ? field.fields(field.fields(told.value)?.data) : null;
  return data && parseTree(world, data, parseTiers);
}

async function askPrices(world: World, client: Client, filter: OfferFilter): Promise<SmsOffer[]> {
  const { service, country, for: priority = "quote" } = filter;
  const params = { ...(service !== undefined && { service }), ...(country !== undefined && { country }) };
  const told = await client.ask({ action: "getPrices", params, priority, maxBytes: MAX_PRICES_BYTES });
  if (saysNotSold(told)) return [];
  const tree = told.kind === "json" ? field.fields(told.value) : null;
  if (!tree) throw unavailable("getPrices", told);
  return parseTree(world, tree, parsePrice);
}

type Priced = Pick<SmsOffer, "cost" | "stock">;

/** {country: {service: leaf}} or {service: {country: leaf}}; ids are numbers, service codes are not. */
async function parseTree(
  world: World,
  tree: field.Fields,
  parseLeaf: (leaf: field.Fields) => Priced | null,
): Promise<SmsOffer[]> {
  const offers: SmsOffer[] = [];
  let read = 0;
  const release = world.hold("price list");
  try {
    for (const [outer, branch] of Object.entries(tree)) {
      const byCountry = field.country(outer) !== null;
      for (const [inner, value] of Object.entries(field.fields(branch) ?? {})) {
        if (++read % SLICE === 0) await new Promise<void>((resolve) => world.soon(resolve));
        const country = field.country(byCountry ? outer : inner);
        const service = field.service(byCountry ? inner : outer);
        const leaf = field.fields(value);
        const priced = leaf && parseLeaf(leaf);
        if (country !== null && service !== null && priced) offers.push({ country, service, ...priced });
      }
    }
    return offers;
  } finally {
    release();
  }
}

/** getPrices: {"cost":0.6,"count":592116,"physicalCount":8317}; `cost` is what is charged. */
function parsePrice(leaf: field.Fields): Priced | null {
  const cost = parseMicroUsd(leaf.cost);
  const stock = field.whole(leaf.physicalCount) ?? field.whole(leaf.count);
  return cost === null || cost === 0 || stock === null || stock === 0 ? null : { cost, stock };
}

/** v1: `map` is {price: numbers at or below it}, `counts.physical` the numbers that really exist. */
function parseTiers(leaf: field.Fields): Priced | null {
  const tiers = Object.entries(field.fields(leaf.map) ?? {})
    .map(([price, count]) => ({ cost: parseMicroUsd(price), count: field.whole(count) ?? 0 }))
    .filter((tier): tier is { cost: MicroUsd; count: number } => tier.cost !== null && tier.cost > 0 && tier.count > 0)
    .sort((a, b) => a.cost - b.cost);
  const cheapest = tiers[0];
  const physical = field.whole(field.fields(leaf.counts)?.physical);
  if (!cheapest || physical === 0) return null;
  return { cost: cheapest.cost, stock: Math.min(cheapest.count, physical ?? cheapest.count) };
}
