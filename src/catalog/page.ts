/**
 * A page of the catalog as bytes. The whole list is megabytes of JSON: it is priced, written and hashed in slices of a few milliseconds
 * and compressed beside the event loop, so that nobody who buys waits for it.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { MicroUsd, Sats } from "../../actors/order/money.ts";
import { iso, type Millis, type World } from "../../actors/runtime/world.ts";
import type { Names } from "../orders/request.ts";
import { type Multiplier, quoteSats } from "../pricing/quote.ts";
import type { Rate } from "../pricing/rate.ts";
import type { RentalOffer, SmsOffer } from "../provider/port.ts";
import type { CatalogPage } from "./port.ts";
import { SLICE, type Snapshot, turn } from "./snapshots.ts";

const compress = promisify(gzip);

export interface PageContent {
  /** Null = every country. */
  readonly country: number | null;
  readonly sms: readonly Snapshot<SmsOffer>[];
  readonly rentals: readonly Snapshot<RentalOffer>[];
}

export interface PageTerms {
  readonly world: World;
  readonly names: Names;
  readonly multiplier: Multiplier;
  readonly priceRule: string;
}

/** When the oldest part was read. */
export const readAt = ({ sms, rentals }: PageContent): Millis => Math.min(...[...sms, ...rentals].map(({ at }) => at));

/** The document of `CatalogReader`, its entity tag and its compressed form. */
export async function buildPage(content: PageContent, rate: Rate, terms: PageTerms): Promise<CatalogPage> {
  const { world, priceRule } = terms;
  const release = world.hold("catalog page");
  try {
    const hash = new Bun.CryptoHasher("sha256");
    const parts: Uint8Array[] = [];
    const encoder = new TextEncoder();
    const write = (text: string) => {
      const part = encoder.encode(text);
      hash.update(part);
      parts.push(part);
    };
    const price = pricing(rate, terms.multiplier);
    const head = JSON.stringify({ updatedAt: iso(readAt(content)), priceRule });
    let text = `${head.slice(0, -1)},"countries":[`;
    let waiting = 0;
    for (const [index, id] of countriesOf(content).entries()) {
      const country = describe(id, content, price, terms.names);
      text += (index > 0 ? "," : "") + JSON.stringify(country);
      waiting += country.sms.length + country.rentals.length;
      if (waiting < SLICE) continue;
      write(text);
      text = "";
      waiting = 0;
      await turn(world);
    }
    write(`${text}]}`);
    const json = join(parts);
    const etag = `"${hash.digest("hex").slice(0, 32)}"`;
    return { etag, json: new Blob([json]), gzip: new Blob([await compress(json)]) };
  } finally {
    release();
  }
}

/** Many offers cost the same: each price is worked out once. */
function pricing(rate: Rate, multiplier: Multiplier): (cost: MicroUsd) => Sats {
  const known = new Map<MicroUsd, Sats>();
  return (cost) => {
    let price = known.get(cost);
    if (price === undefined) {
      price = quoteSats(cost, rate.cents, multiplier);
      known.set(cost, price);
    }
    return price;
  };
}

function countriesOf({ country, sms, rentals }: PageContent): number[] {
  const ids = new Set([...sms, ...rentals].flatMap(({ byCountry }) => [...byCountry.keys()]));
  return [...ids].filter((id) => country === null || id === country).sort((a, b) => a - b);
}

function describe(id: number, { sms, rentals }: PageContent, price: (cost: MicroUsd) => Sats, names: Names) {
  const row = names.countries.byId(id);
  const name = (service: string) => names.services.byCode(service)?.name ?? service;
  const of = <T>(snapshots: readonly Snapshot<T>[]) => snapshots.flatMap(({ byCountry }) => byCountry.get(id) ?? []);
  return {
    id,
    iso: row?.iso ?? null,
    name: row?.name ?? String(id),
    sms: of(sms).map(({ service, cost, stock }) => ({ service, name: name(service), priceSats: price(cost), stock })),
    rentals: of(rentals).map(({ service, cost, stock, hours }) => ({
      service,
      name: name(service),
      durationMinutes: hours * 60,
      priceSats: price(cost),
      stock,
    })),
  };
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
