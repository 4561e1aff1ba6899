/**
 * getNumber and getNumberV2 (HeroSMS docs, "Request a number"). A cap below the list price is WRONG_MAX_PRICE; a cap no
 * stocked tier fits under is NO_NUMBERS, which also happens at exactly the list price when its tier is empty.
 */
import type { MicroUsd } from "../../../actors/order/money.ts";
import { type Answer, invalid, json, NO_NUMBERS, text, wrongMaxPrice } from "./answers.ts";
import { type Activation, SUBTYPE } from "./books.ts";
import { CUSTOM_MINUTES, findCountry } from "./catalog.ts";
import { type Desk, freshPhone, sell, usd } from "./desk.ts";
import { purchase } from "./forms.ts";
import { countryId, maxPrice, operator, type Params, refused, serviceCode } from "./params.ts";
import type { Offer, Tier } from "./stock.ts";

const LIFE_MS = 20 * 60_000;

/** `ACCESS_NUMBER:<id>:<phone>`: neither cost nor end. */
export function getNumber(desk: Desk, params: Params): Answer {
  const bought = buy(desk, params);
  if (!("kind" in bought)) return text(`ACCESS_NUMBER:${bought.id}:${bought.phone}`);
  if (bought.kind === "reply" || bought.status !== 422 || desk.mode === "legacy") return bought;
  // The old call names a wrong parameter in plain text even now.
  return text(`UNPROCESSABLE_ENTITY:${bought.info?.field}:${bought.info?.code}`, 422);
}

export function getNumberV2(desk: Desk, params: Params): Answer {
  const bought = buy(desk, params);
  return "kind" in bought ? bought : json(purchase(bought, desk.mode));
}

function buy(desk: Desk, params: Params): Activation | Answer {
  const service = serviceCode(params);
  if (refused(service)) return service;
  const country = countryId(params);
  if (refused(country)) return country;
  if (!findCountry(country)) return invalid("country");
  const cap = maxPrice(params);
  if (refused(cap)) return cap;
  const chosen = operator(params);
  if (refused(chosen)) return chosen;
  const fixed = params.get("fixedPrice") === "true";
  if (fixed && cap === null) return invalid("maxPrice", "REQUIRED");

  const offer = desk.stock.offer(country, service);
  if (!offer) return NO_NUMBERS;
  if (cap !== null && cap < offer.listPrice) return wrongMaxPrice(usd(offer.listPrice));
  const tier = chooseTier(offer, cap ?? offer.listPrice, fixed);
  if (!tier) return NO_NUMBERS;
  const now = desk.world.now();
  const minutes = CUSTOM_MINUTES[service]?.[country];
  return sell(desk, {
    phone: freshPhone(desk, country),
    service,
    country,
    operator: chosen,
    cost: tier.price,
    subtype: SUBTYPE.activation,
    tier: tier.price,
    boughtAt: now,
    endsAt: now + (minutes ? minutes * 60_000 : LIFE_MS),
  });
}

/** The cheapest tier with a real number at or below the cap; with `fixed`, only the one at exactly that price. */
function chooseTier(offer: Offer, cap: MicroUsd, fixed: boolean): Tier | undefined {
  return offer.tiers.find(({ price, physical }) => physical > 0 && (fixed ? price === cap : price <= cap));
}
