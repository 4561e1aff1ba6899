/**
 * What can be sold right now, at the price of a tier that really has stock. Answers are kept for a few seconds and asked for once at a
 * time, so that a burst of orders costs one question. Failures are kept for a moment too: who asks on and on must not load a provider
 * that does not answer.
 */
import type { Millis, World } from "../../actors/runtime/world.ts";
import { type NumberProvider, ProviderUnavailable, type RentalOffer, type SmsOffer } from "./port.ts";

/** Short: the provider's prices move, and the buy is capped at what was quoted. */
const FRESH_MS = 10_000;
const FAILED_MS = 2_000;
/**
 * While we may not ask, because others use up what the provider takes from us, an answer is believed this long: a crowd that asks for prices of
 * everything must not close the shop for what was just sold.
 */
const WHILE_BUSY_MS = 60_000;
const MAX_KEPT = 2_000;

interface Kept<T> {
  at: Millis;
  /** How long to believe it. */
  forMs: number;
  offers: Promise<readonly T[]>;
  /** The last answer, and when it came. */
  last: { readonly at: Millis; readonly offers: readonly T[] } | null;
}

export class Stock {
  readonly #world: World;
  readonly #provider: Pick<NumberProvider, "smsOffers" | "rentalOffers">;
  /** Least recently used first. */
  readonly #sms = new Map<string, Kept<SmsOffer>>();
  readonly #rentals = new Map<string, Kept<RentalOffer>>();

  constructor(world: World, provider: Pick<NumberProvider, "smsOffers" | "rentalOffers">) {
    this.#world = world;
    this.#provider = provider;
  }

  /** Offers of a service in one country, or in all (`null`). @throws ProviderUnavailable */
  sms(service: string, country: number | null): Promise<readonly SmsOffer[]> {
    const filter = { service, ...(country !== null && { country }), for: "quote" } as const;
    return this.#ask(this.#sms, `${service}:${country ?? "*"}`, () => this.#provider.smsOffers(filter));
  }

  /** Rentals of a service in one country, or in all (`null`). @throws ProviderUnavailable */
  rentals(service: string, country: number | null): Promise<readonly RentalOffer[]> {
    const filter = { service, ...(country !== null && { country }), for: "quote" } as const;
    return this.#ask(this.#rentals, `${service}:${country ?? "*"}`, () => this.#provider.rentalOffers(filter));
  }

  /** The provider sold less than it offered: what was kept about this service is not believed any more. */
  doubt(service: string): void {
    for (const kept of [this.#sms, this.#rentals] as Map<string, unknown>[]) {
      for (const key of kept.keys()) if (key.startsWith(`${service}:`)) kept.delete(key);
    }
  }

  #ask<T>(kept: Map<string, Kept<T>>, key: string, ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
    const now = this.#world.now();
    const found = kept.get(key);
    kept.delete(key);
    if (found && Math.abs(now - found.at) < found.forMs) {
      kept.set(key, found);
      return found.offers;
    }
    const asked: Kept<T> = { at: now, forMs: FRESH_MS, offers: Promise.resolve([]), last: found?.last ?? null };
    asked.offers = this.#answer(asked, ask);
    kept.set(key, asked);
    const oldest = kept.size > MAX_KEPT ? kept.keys().next().value : undefined;
    if (oldest !== undefined) kept.delete(oldest);
    // Nobody may be waiting for it any more.
    asked.offers.catch(() => {});
    return asked.offers;
  }

  async #answer<T>(asked: Kept<T>, ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
    try {
      const offers = await ask();
      asked.last = { at: this.#world.now(), offers };
      return offers;
    } catch (error) {
      asked.at = this.#world.now();
      asked.forMs = FAILED_MS;
      const isBusy = error instanceof ProviderUnavailable && error.trouble === "rate_limited";
      if (isBusy && asked.last && Math.abs(asked.at - asked.last.at) < WHILE_BUSY_MS) return asked.last.offers;
      throw error;
    }
  }
}
