/**
 * Rentals: serviceCountRent tells what is for rent, getRentNumber rents it. getRentNumber takes no cap, so the price is read
 * again just before; durations are hours.
 */
import { microUsd, parseMicroUsd } from "../../../actors/order/money.ts";
import type { Priority } from "../budget.ts";
import type { BuyOutcome, BuyRental, CountryId, OfferPurpose, RentalOffer, ServiceCode } from "../port.ts";
import type { Client, Told } from "./client.ts";
import * as field from "./fields.ts";
import { saysNotSold } from "./offers.ts";
import { capRefusal, neverBought, purchaseOutcome } from "./purchase.ts";
import { unavailable } from "./trouble.ts";

const ACTION = "serviceCountRent";
/** A year. */
const MAX_HOURS = 8_784;

export interface Rentals {
  /** @throws ProviderUnavailable */
  offers(filter: { service: ServiceCode; country?: CountryId; for?: OfferPurpose }): Promise<RentalOffer[]>;
  /** Never throws. */
  buy(request: BuyRental): Promise<BuyOutcome>;
}

export function createRentals(client: Client, currency: number): Rentals {
  /** serviceCountRent wants some valid duration and ignores which; the valid ones change, so it is learned. */
  let duration = 24;

  async function ask(service: ServiceCode, country: CountryId | undefined, priority: Priority): Promise<Told> {
    const send = () => {
      const params = { service, ...(country !== undefined && { country }), duration, currency };
      return client.ask({ action: ACTION, params, priority });
    };
    const told = await send();
    if (told.kind !== "error" || told.word !== "BAD_DURATION") return told;
    const valid = (field.rows(told.info.available_durations) ?? []).map(hours).find((value) => value !== null);
    if (valid === undefined || valid === null || valid === duration) return told;
    duration = valid;
    return send();
  }

  return {
    async offers({ service, country, for: purpose = "quote" }) {
      const told = await ask(service, country, purpose);
      const offers = parseOffers(told, service);
      if (!offers) throw unavailable(ACTION, told);
      return offers.filter((offer) => (country ?? offer.country) === offer.country);
    },

    async buy({ service, country, hours: wanted, maxCost }) {
      if (field.service(service) === null || field.country(country) === null || hours(wanted) === null) {
        return { kind: "refused", refusal: { why: "invalid", detail: "malformed country, service or hours" } };
      }
      const told = await ask(service, country, "urgent");
      const offers = parseOffers(told, service);
      if (!offers) return neverBought(told);
      const offer = offers.find((candidate) => candidate.country === country && candidate.hours === wanted);
      if (!offer) return { kind: "refused", refusal: { why: "no_numbers" } };
      const refusal = capRefusal(offer.cost, maxCost);
      if (refusal) return { kind: "refused", refusal };
      const params = { service, country, duration: wanted, currency };
      const answer = await client.ask({ action: "getRentNumber", params, priority: "urgent", once: true });
      return purchaseOutcome(client, answer, { service, country, currency });
    },
  };
}

function hours(value: unknown): number | null {
  const number = field.whole(value);
  return number !== null && number > 0 && number <= MAX_HOURS ? number : null;
}

/** {country: {hours: {price, count, retail_price}}}; null when the answer is no list. */
function parseOffers(told: Told, service: ServiceCode): RentalOffer[] | null {
  if (saysNotSold(told)) return [];
  const tree = told.kind === "json" ? field.fields(told.value) : null;
  if (!tree) return null;
  return Object.entries(tree).flatMap(([outer, branch]) =>
    Object.entries(field.fields(branch) ?? {}).flatMap(([inner, value]) => {
      const country = field.country(outer);
      const duration = hours(inner);
      const leaf = field.fields(value);
      const price = parseMicroUsd(leaf?.price);
      // Which of the two is charged is not documented; for single SMS it is the retail price. The dearer one is safe.
      const retail = parseMicroUsd(leaf?.retail_price) ?? price;
      const stock = field.whole(leaf?.count);
      if (country === null || duration === null || price === null || retail === null || !stock) return [];
      return { country, service, hours: duration, cost: microUsd(Math.max(price, retail)), stock };
    }),
  );
}
