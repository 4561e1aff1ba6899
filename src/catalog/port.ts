/** What the catalog answers to readers over HTTP: prepared bytes, so that a request costs no pricing and no JSON. */
import type { Eventually } from "../orders/desk.ts";
import type { Problem } from "../orders/problem.ts";

export interface CatalogFilter {
  /** Any country form of an order; null = all. */
  readonly country: string | null;
  readonly service: string | null;
  readonly type: "receive-sms" | "rent-number" | null;
}

export interface CatalogPage {
  /** Strong entity tag, quotes included. */
  readonly etag: string;
  readonly json: Blob;
  readonly gzip: Blob;
}

/**
 * The document: `{updatedAt, priceRule, countries: [{id, iso, name, sms: [{service, name, priceSats, stock}],
 * rentals: [{service, name, durationMinutes, priceSats, stock}]}]}`.
 */
export interface CatalogReader {
  services(): readonly { readonly code: string; readonly name: string }[];
  page(filter: CatalogFilter): Eventually<CatalogPage | Problem>;
}
