/** From what is wanted to what can be sold: a concrete country, a cost that has real stock, a price. */
import type { MicroUsd, Sats } from "../../actors/order/money.ts";
import type { Order } from "../../actors/order/state.ts";
import { numberOf } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import type { Millis } from "../../actors/runtime/world.ts";
import { type Multiplier, quoteSats } from "../pricing/quote.ts";
import type { UsdCentsPerBtc } from "../pricing/units.ts";
import type { NumberProvider, RentalOffer, SmsOffer } from "../provider/port.ts";
import type { Stock } from "../provider/stock.ts";
import { type Problem, problem } from "./problem.ts";
import type { Wanted } from "./request.ts";

/** More stock than this makes no number easier to get. */
const PLENTY = 100;
/** How long after its end a number can be reactivated: activation id and phone number are kept this long. */
export const REACTIVATION_WINDOW_MS = 72 * 3_600_000;

export interface OfferSources {
  readonly stock: Pick<Stock, "sms" | "rentals">;
  readonly provider: Pick<NumberProvider, "reactivationOffer">;
  /** Whether we may not sell this pair now: blocked by the operator, barred at the provider, or with an unknown buy. */
  readonly closed: (good: Good) => boolean;
}

const nothing = (message: string): Problem =>
  problem("UNAVAILABLE", message, { suggestion: "GET /v2/l402/catalog lists what is in stock", retryAfterSeconds: 30 });

/** Asking again changes nothing. */
const never = (message: string): Problem =>
  problem("UNAVAILABLE", message, { suggestion: "Order a new number", retryable: false });

/** Whether a cost stays within the customer's cap. */
export type Affordable = (cost: MicroUsd) => boolean;

/** Picks by availability, then price, among what the customer's cap allows. @throws ProviderUnavailable */
export async function offerSms(
  wanted: Wanted,
  affordable: Affordable,
  { stock, closed }: OfferSources,
): Promise<Good | Problem> {
  const goods = smsGoods(await stock.sms(wanted.service, wanted.country));
  return affordableOf(goods, affordable, closed) ?? nothing("No number for this service and country is in stock");
}

/** By the provider's answer, which many orders share: sorting it took longer than anything else about an order. */
const goodsOf = new WeakMap<readonly SmsOffer[], readonly Good[]>();

/** What is in stock, best first. */
function smsGoods(offers: readonly SmsOffer[]): readonly Good[] {
  const known = goodsOf.get(offers);
  if (known) return known;
  const stocked = offers.filter((offer) => offer.stock > 0);
  const goods = stocked.sort(byAvailabilityThenPrice).map(smsGood);
  goodsOf.set(offers, goods);
  return goods;
}

/** The smallest duration at least as long; then as for single numbers. @throws ProviderUnavailable */
export async function offerRental(
  wanted: Wanted,
  affordable: Affordable,
  { stock, closed }: OfferSources,
): Promise<Good | Problem> {
  const offers = await stock.rentals(wanted.service, wanted.country);
  const long = offers.filter((offer) => offer.hours * 60 >= wanted.durationMinutes);
  const stocked = long.filter((offer) => offer.stock > 0);
  const goods = stocked.sort((a, b) => a.hours - b.hours || byAvailabilityThenPrice(a, b));
  const open = goods
    .map((offer) => ({ type: "rent-number", ...rentalFields(offer), durationMinutes: wanted.durationMinutes }) as const)
    .filter((good) => !closed(good));
  const found = affordableOf(
    open.filter(({ hours }) => hours === open[0]?.hours),
    affordable,
    () => false,
  );
  if (found) return found;
  if (offers.length > 0 && long.length === 0) {
    return problem("UNAVAILABLE", "No rental is that long", { retryable: false });
  }
  return nothing("No number to rent for this service and country is in stock");
}

/**
 * The first within the cap that is open, or else the cheapest open one, whose price then says how far off the cap is; null when there is
 * none. Whether one is closed is asked last: it looks into the record of its numbers, and there are goods in every country.
 */
function affordableOf(goods: readonly Good[], affordable: Affordable, closed: OfferSources["closed"]): Good | null {
  const found = goods.find((good) => affordable(good.maxCost) && !closed(good));
  if (found) return found;
  const open = goods.filter((good) => !closed(good));
  return open.reduce<Good | null>((least, good) => (least && least.maxCost <= good.maxCost ? least : good), null);
}

/** One more code on a number whose order is finished. @throws ProviderUnavailable */
export async function offerReactivation(
  parent: Order,
  now: Millis,
  { provider, closed }: OfferSources,
): Promise<Good | Problem> {
  const number = numberOf(parent);
  const { good: bought } = parent.terms;
  if (bought.type === "rent-number") return never("A rented number cannot be reactivated");
  if (!number) return never("The earlier order has no number that could be had again");
  if (parent.endedAt === null || now - parent.endedAt > REACTIVATION_WINDOW_MS) {
    return never("A number can be reactivated for 72 hours after its order ended");
  }
  const offer = await provider.reactivationOffer(number.activationId);
  if (!offer) return nothing("The provider does not offer this number again");
  const good: Good = {
    type: "receive-sms-reactivate",
    service: bought.service,
    country: bought.country,
    maxCost: offer.cost,
    parentOrderId: parent.id,
    parentActivationId: number.activationId,
    parentPhoneNumber: number.phoneNumber,
  };
  return closed(good) ? nothing("This number cannot be bought right now") : good;
}

/** The price in sats, or why it is not sold at it. */
export function price(
  cost: MicroUsd,
  rate: UsdCentsPerBtc,
  multiplier: Multiplier,
  maxPriceSats: number | null,
): Sats | Problem {
  const sats = quoteSats(cost, rate, multiplier);
  if (maxPriceSats !== null && sats > maxPriceSats) {
    return problem("PRICE_ABOVE_MAX", `The price is ${sats} sats, above maxPriceSats`, {
      suggestion: "Raise maxPriceSats, or choose another country",
      details: { priceSats: sats },
    });
  }
  return sats;
}

const smsGood = ({ service, country, cost }: SmsOffer): Good => ({
  type: "receive-sms",
  service,
  country,
  maxCost: cost,
});

const rentalFields = ({ service, country, cost, hours }: RentalOffer) => ({ service, country, maxCost: cost, hours });

function byAvailabilityThenPrice(a: { stock: number; cost: number }, b: { stock: number; cost: number }): number {
  return Math.min(b.stock, PLENTY) - Math.min(a.stock, PLENTY) || a.cost - b.cost;
}
