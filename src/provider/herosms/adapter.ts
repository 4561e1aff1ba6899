/**
 * HeroSMS as a `NumberProvider`: the compatible API of SMS-Activate at /stubs/handler_api.php in its current and its older
 * form, and the few calls of REST v1 that say more.
 */
import type { World } from "../../../actors/runtime/world.ts";
import { sha256Hex } from "../../sha256.ts";
import type { AccountTrouble, NumberProvider } from "../port.ts";
import { buyActivation, cancel, finish } from "./activations.ts";
import { createListing } from "./active.ts";
import { readBalance, readCountries, readServices } from "./catalog.ts";
import { createClient } from "./client.ts";
import { readHistory } from "./history.ts";
import { createLook } from "./look.ts";
import { readSmsOffers } from "./offers.ts";
import { reactivate, readReactivationOffer } from "./reactivation.ts";
import { createRentals } from "./rentals.ts";
import { createRest } from "./rest.ts";

export interface HeroSmsOptions {
  readonly world: World;
  /** Scheme, host and port, e.g. "https://hero-sms.com". */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** ISO 4217 numeric code of the account's money. */
  readonly currency?: 840;
  /** How many calls a second the account may make; default 40. */
  readonly callsPerSecond?: number;
  /**
   * Told of trouble with the account or the provider as a whole, whichever call met it, in a later turn of the event loop;
   * also when a number was bought in another currency.
   */
  readonly onTrouble?: (trouble: AccountTrouble) => void;
}

/** One per account: all its calls share one request budget. */
export function createHeroSms(options: HeroSmsOptions): NumberProvider {
  const { world, baseUrl, apiKey, currency = 840, callsPerSecond, onTrouble = () => {} } = options;
  const client = createClient({ world, baseUrl, apiKey, onTrouble, ...(callsPerSecond && { callsPerSecond }) });
  const rest = createRest(world, client);
  const listing = createListing(world, client);
  const rentals = createRentals(client, currency);
  const fingerprint = sha256Hex(`herosms:${apiKey}`).slice(0, 16);

  return {
    balance: () => readBalance(client),
    accountFingerprint: () => fingerprint,
    smsOffers: (filter) => readSmsOffers(world, client, rest, filter),
    rentalOffers: (filter) => rentals.offers(filter),
    reactivationOffer: (id) => readReactivationOffer(client, id),
    countries: () => readCountries(client),
    services: () => readServices(client),
    buyActivation: (request) => buyActivation(client, currency, request),
    buyRental: (request) => rentals.buy(request),
    reactivate: (request) => reactivate(client, currency, request),
    look: createLook(world, client, rest),
    cancel: (id) => cancel(client, id),
    finish: (id) => finish(client, id),
    active: async () => (await listing()).rows,
    listing,
    history: (from, to) => readHistory(client, rest, from, to),
  };
}
