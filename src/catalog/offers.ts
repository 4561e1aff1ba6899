/**
 * The catalog as customers read it: what the provider has in stock, at today's price in sats. A page is made once per snapshot of the
 * provider and rate; while the long one of everything is being made anew, readers get the one before.
 */
import type { World } from "../../actors/runtime/world.ts";
import type { Eventually } from "../orders/desk.ts";
import { type Problem, problem } from "../orders/problem.ts";
import { type Names, unknownCountry, unknownService } from "../orders/request.ts";
import type { Multiplier } from "../pricing/quote.ts";
import type { Rate, RateBook } from "../pricing/rate.ts";
import { type NumberProvider, ProviderUnavailable, type RentalOffer, type SmsOffer } from "../provider/port.ts";
import { buildPage, type PageContent, readAt } from "./page.ts";
import type { CatalogFilter, CatalogPage, CatalogReader } from "./port.ts";
import { FRESH_MS, type Snapshot, Snapshots, USABLE_MS } from "./snapshots.ts";

const MAX_PAGES = 500;
/** The provider prices rentals one service at a time; without a service filter these are listed. */
const LISTED_RENTALS: readonly string[] = ["full", "ot", "tg", "wa", "go", "ig", "fb"];
/** Key of the list of all services. It knows the price on the label only, whose tier may be empty. */
const ALL = "*";
const LASTING: ReadonlySet<string> = new Set([ALL, ...LISTED_RENTALS]);

export interface CatalogOptions {
  readonly world: World;
  readonly provider: Pick<NumberProvider, "smsOffers" | "rentalOffers">;
  readonly names: Names;
  readonly rates: Pick<RateBook, "current">;
  readonly multiplier: Multiplier;
  readonly priceRule: string;
}

interface Wanted {
  readonly country: number | null;
  readonly service: string | null;
  readonly type: CatalogFilter["type"];
}

interface Made {
  /** What it was made from, and when the oldest part of that was read. */
  readonly version: string;
  readonly rate: Rate;
  readonly at: number;
  readonly page: CatalogPage;
}

interface Making {
  readonly version: string;
  readonly rate: Rate;
  readonly made: Promise<Made>;
}

export class Catalog implements CatalogReader {
  readonly #options: CatalogOptions;
  readonly #sms: Snapshots<SmsOffer>;
  readonly #rentals: Snapshots<RentalOffer>;
  readonly #services: readonly { readonly code: string; readonly name: string }[];
  /** Pages by filter, least recently read first. */
  readonly #pages = new Map<string, Made>();
  readonly #making = new Map<string, Making>();

  constructor(options: CatalogOptions) {
    this.#options = options;
    const { world, provider, names } = options;
    const shown = (offer: { country: number; service: string; stock: number }) =>
      offer.stock > 0 && !names.blockedServices.has(offer.service) && !names.blockedCountries.has(offer.country);
    const common = { world, shown, lasting: LASTING };
    this.#sms = new Snapshots({
      ...common,
      ask: (service) => provider.smsOffers({ ...(service !== ALL && { service }), for: "catalog" }),
    });
    this.#rentals = new Snapshots({
      ...common,
      ask: (service) => provider.rentalOffers({ service, for: "catalog" }),
    });
    this.#services = names.services.rows
      .filter(({ code }) => !names.blockedServices.has(code))
      .map(({ code, name }) => ({ code, name }));
  }

  services(): readonly { readonly code: string; readonly name: string }[] {
    return this.#services;
  }

  /** At once while every part of a page is fresh: readers come in crowds, and a promise for each part costs more than the answer. */
  page(filter: CatalogFilter): Eventually<CatalogPage | Problem> {
    const wanted = this.#resolve(filter);
    if ("problem" in wanted) return wanted;
    const key = keyOf(wanted);
    const made = this.#pages.get(key);
    const isFresh = made && Math.abs(this.#options.world.now() - made.at) < FRESH_MS;
    if (!isFresh || made.rate !== this.#options.rates.current()) return this.#readAnew(key, wanted);
    this.#keep(key, made);
    return made.page;
  }

  async #readAnew(key: string, wanted: Wanted): Promise<CatalogPage | Problem> {
    try {
      return await this.#page(key, wanted);
    } catch (error) {
      if (!(error instanceof ProviderUnavailable)) throw error;
      return problem("TEMPORARILY_UNAVAILABLE", "The number provider did not answer", { retryAfterSeconds: 10 });
    }
  }

  async #page(key: string, wanted: Wanted): Promise<CatalogPage | Problem> {
    const isWhole = wanted.country === null && wanted.service === null;
    for (;;) {
      if (!this.#options.rates.current()) return NO_RATE;
      const content = await this.#content(wanted);
      const rate = this.#options.rates.current();
      if (!rate) return NO_RATE;
      const version = versionOf(content);
      const isCurrent = (made: Omit<Making, "made">) => made.version === version && made.rate === rate;
      const known = this.#pages.get(key);
      if (known) this.#keep(key, known);
      if (known && isCurrent(known)) return known.page;
      const making = this.#making.get(key) ?? this.#make(key, { version, rate }, content);
      // A short page is made at once, and its prices are today's.
      if (known && isWhole && Math.abs(this.#options.world.now() - known.at) < USABLE_MS) return known.page;
      const { page } = await making.made;
      if (isCurrent(making)) return page;
    }
  }

  #resolve({ country, service, type }: CatalogFilter): Wanted | Problem {
    const { countries, services } = this.#options.names;
    const row = country === null ? null : countries.resolve(country);
    if (row && !row.ok) return unknownCountry(row.nearest);
    const code = service === null ? null : services.resolve(service);
    if (code && !code.ok) return unknownService(code.nearest);
    // As in an order, "auto" leaves the country open.
    const countryId = row && row.country !== "auto" ? row.country.id : null;
    return { country: countryId, service: code?.service.code ?? null, type };
  }

  async #content({ country, service, type }: Wanted): Promise<PageContent> {
    const listed = service === null ? LISTED_RENTALS : [service];
    const [sms, rentals] = await Promise.all([
      type === "rent-number" ? [] : this.#smsOf(service),
      type === "receive-sms" ? [] : Promise.all(listed.map((code) => this.#rentals.read(code))),
    ]);
    return { country, sms, rentals };
  }

  /**
   * With a service the provider tells the price of the tier that has numbers, which is what an order is quoted. What the list of all
   * services knows not to be in stock is not asked about: most of the services that have a name are not.
   */
  async #smsOf(service: string | null): Promise<readonly Snapshot<SmsOffer>[]> {
    if (service === null) return [await this.#sms.read(ALL)];
    if (!LASTING.has(service)) {
      const all = await this.#sms.read(ALL).catch(nothingKnown);
      if (all && !all.services.has(service)) return [{ ...all, byCountry: new Map() }];
    }
    return [await this.#sms.read(service)];
  }

  #make(key: string, from: Omit<Making, "made">, content: PageContent): Making {
    const made = buildPage(content, from.rate, this.#options)
      .then((page) => {
        const one: Made = { ...from, at: readAt(content), page };
        this.#keep(key, one);
        return one;
      })
      .finally(() => this.#making.delete(key));
    // Nobody may be waiting for it; the next reader has it made again.
    made.catch(() => {});
    const making: Making = { ...from, made };
    this.#making.set(key, making);
    return making;
  }

  #keep(key: string, made: Made): void {
    this.#pages.delete(key);
    this.#pages.set(key, made);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > MAX_PAGES && oldest !== undefined) this.#pages.delete(oldest);
  }
}

const keyOf = ({ country, service, type }: Wanted): string => `${country}:${service}:${type}`;

const NO_RATE = problem("TEMPORARILY_UNAVAILABLE", "No current bitcoin price is known", { retryAfterSeconds: 30 });

function nothingKnown(error: unknown): null {
  if (error instanceof ProviderUnavailable) return null;
  throw error;
}

/** Changes whenever a part was read anew. */
const versionOf = ({ sms, rentals }: PageContent): string => [...sms, ...rentals].map(({ at }) => at).join();
