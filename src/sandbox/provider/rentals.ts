/**
 * Numbers for hours: serviceCountRent, getRentServicesAndCountries, getRentNumber, prolong (HeroSMS docs, "Rent a number").
 * Their SMS come as for any activation; they end with finishActivation or cancelActivation.
 */
import { microUsd } from "../../../actors/order/money.ts";
import {
  ACTIVATION_NOT_ACTIVE,
  type Answer,
  badDuration,
  json,
  NO_BALANCE,
  NO_RENT_NUMBERS,
  NOT_FOUND,
  type Refusal,
  wrong,
} from "./answers.ts";
import { SUBTYPE } from "./books.ts";
import { findCountry, findService, OPERATORS } from "./catalog.ts";
import { type Desk, freshPhone, sell, usd } from "./desk.ts";
import { purchase } from "./forms.ts";
import { countryId, integer, operator, optionalInteger, type Params, refused } from "./params.ts";
import { RENT_COUNTRIES, RENT_HOURS, RENT_SERVICES, RENT_TIER, rentOffer } from "./rent-stock.ts";
import { setIn, type Tables } from "./tables.ts";

const HOUR_MS = 3_600_000;
const MAX_PROLONG_HOURS = 336;

/**
 * `{country: {hours: {price, count, retail_price}}}`; the JSON string "{}" when there is none. The live service also wants a
 * `duration`, any valid one, which it then ignores.
 */
export function serviceCountRent(desk: Desk, params: Params): Answer {
  const service = rentService(params);
  if (refused(service)) return service;
  const country = optionalInteger(params, "country", 0, 999);
  if (refused(country) || (country !== null && !findCountry(country))) return WRONG_COUNTRY;
  const duration = hours(params);
  if (refused(duration)) return duration;
  const currency = wrongCurrency(params);
  if (currency) return currency;
  const found: Tables = {};
  for (const id of country === null ? RENT_COUNTRIES : [country]) {
    for (const length of RENT_HOURS) {
      const offer = rentOffer(desk.books, id, service, length);
      if (!offer) continue;
      setIn(found, id, length, { price: usd(offer.price), count: offer.quantity, retail_price: usd(offer.price) });
    }
  }
  return json(Object.keys(found).length === 0 ? "{}" : found);
}

export function getRentServicesAndCountries(desk: Desk, params: Params): Answer {
  const country = countryId(params);
  if (refused(country)) return country;
  if (!findCountry(country)) return WRONG_COUNTRY;
  const duration = hours(params);
  if (refused(duration)) return duration;
  const services: Record<string, unknown> = {};
  for (const code of RENT_SERVICES) {
    const offer = rentOffer(desk.books, country, code, duration);
    if (offer) services[code] = { quantity: offer.quantity, price: usd(offer.price), retail_price: usd(offer.price) };
  }
  const operators = (OPERATORS[country] ?? []).map((name, index) => [String(index + 1), name]);
  return json({
    operators: operators.length === 0 ? [] : Object.fromEntries(operators),
    services: Object.keys(services).length === 0 ? [] : services,
  });
}

/** Buys; there is no price cap on this call. */
export function getRentNumber(desk: Desk, params: Params): Answer {
  const service = rentService(params);
  if (refused(service)) return service;
  const country = countryId(params);
  if (refused(country)) return country;
  if (!findCountry(country)) return WRONG_COUNTRY;
  const duration = hours(params);
  if (refused(duration)) return duration;
  const chosen = operator(params);
  if (refused(chosen)) return chosen;
  const currency = wrongCurrency(params);
  if (currency) return currency;
  const offer = rentOffer(desk.books, country, service, duration);
  if (!offer || offer.quantity === 0) return NO_RENT_NUMBERS;
  const now = desk.world.now();
  const rental = sell(desk, {
    phone: freshPhone(desk, country),
    service,
    country,
    operator: chosen,
    cost: offer.price,
    subtype: SUBTYPE.rental,
    tier: RENT_TIER,
    boughtAt: now,
    endsAt: now + duration * HOUR_MS,
  });
  return "kind" in rental ? rental : json(purchase(rental, desk.mode));
}

/** POST. Adds hours to a running rental at the price of a new one. */
export function prolong(desk: Desk, params: Params): Answer {
  const id = integer(params, "id");
  if (refused(id)) return id;
  const rental = desk.books.activation(id);
  if (!rental) return NOT_FOUND;
  if (rental.subtype !== SUBTYPE.rental) return wrong("ACTION_NOT_AVAILABLE", "Try '/reactivate' method.");
  if (rental.endedAt !== null) return ACTIVATION_NOT_ACTIVE;
  const duration = hours(params);
  if (refused(duration)) return duration;
  if (duration > MAX_PROLONG_HOURS) {
    return wrong("MAX_HOURS_EXCEED", "Maximum number of hours exceeded", { max: MAX_PROLONG_HOURS });
  }
  const offer = rentOffer(desk.books, rental.country, rental.service, duration);
  if (!offer) return wrong("ACTION_NOT_AVAILABLE", "Prolongation is not available");
  if (!desk.books.charge(offer.price)) return NO_BALANCE;
  const endsAt = rental.endsAt + duration * HOUR_MS;
  const cost = microUsd(rental.cost + offer.price);
  desk.books.setEnd(id, endsAt, cost);
  return json(purchase({ ...rental, endsAt, cost }, desk.mode));
}

const WRONG_COUNTRY = wrong("WRONG_COUNTRY", "Wrong country");

function rentService(params: Params): string | Refusal {
  const service = params.get("service");
  return service && findService(service) ? service : wrong("WRONG_SERVICE", "Wrong service");
}

function hours(params: Params): number | Refusal {
  const raw = Number(params.get("duration") ?? Number.NaN);
  return RENT_HOURS.find((known) => known === raw) ?? badDuration(RENT_HOURS);
}

/** The books of this peer are in US dollars only, so the other currencies of the documents are refused here. */
function wrongCurrency(params: Params): Refusal | null {
  const currency = params.get("currency");
  return currency === null || currency === "840" ? null : wrong("WRONG_CURRENCY", "Wrong currency");
}
