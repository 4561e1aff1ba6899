/** What is on sale: services, and offers by country with price and stock. */
import { Elysia } from "elysia";
import type { CatalogFilter, CatalogPage, CatalogReader } from "../catalog/port.ts";
import type { Eventually } from "../orders/desk.ts";
import { isProblem, type Problem, problem } from "../orders/problem.ts";
import { remembering, rememberingOf } from "../remembering.ts";
import { cached, documentOf, documentOfText } from "./documents.ts";
import type { Answer, Call, Gate } from "./gate.ts";
import { describe, type RouteDoc } from "./openapi.ts";
import { targetOf } from "./target.ts";

const MAX_FILTER = 64;
/** Readers ask for few different things, and again and again. */
const REMEMBERED = { most: 1_000, longest: 256 };
const CATALOG_CACHING = "public, max-age=30";
const SERVICES_CACHING = "public, max-age=300";
const JSON_TYPE = "application/json";

export function catalogRoutes({ gate, catalog }: { readonly gate: Gate; readonly catalog: CatalogReader }) {
  const list = ({ request }: Call): Answer => cached(request, documentOfServices(catalog.services()));

  const filterOf = remembering((url) => readFilter(targetOf({ url }).query), REMEMBERED);
  const offers = ({ request }: Call): Eventually<Answer> => {
    const filter = filterOf(request.url);
    if (isProblem(filter)) return filter;
    const show = (page: CatalogPage | Problem): Answer =>
      isProblem(page) ? page : cached(request, documentOfPage(page));
    const page = catalog.page(filter);
    return page instanceof Promise ? page.then(show) : show(page);
  };

  return new Elysia({ name: "catalog" })
    .get("/v2/l402/services", gate.route("GET /v2/l402/services", { limit: "reads" }, list), {
      parse: "none",
      detail: describe(SERVICES_DOC),
    })
    .get("/v2/l402/catalog", gate.route("GET /v2/l402/catalog", { limit: "reads" }, offers), {
      parse: "none",
      detail: describe(CATALOG_DOC),
    });
}

/** Pages are made for half a minute, and read by many. */
const documentOfPage = rememberingOf((page: CatalogPage) =>
  documentOf({ ...page, plain: page.json }, JSON_TYPE, CATALOG_CACHING),
);

/** The list changes a few times a day at most, and until then the reader gives out the same. */
const documentOfServices = rememberingOf((services: ReturnType<CatalogReader["services"]>) => {
  const list = services.map(({ code, name }) => ({ code, name }));
  return documentOfText(JSON.stringify({ services: list }), JSON_TYPE, SERVICES_CACHING);
});

function readFilter(query: URLSearchParams): CatalogFilter | Problem {
  const country = query.get("country") || null;
  const service = query.get("service") || null;
  const type = query.get("type") || null;
  for (const [name, value] of [
    ["country", country],
    ["service", service],
  ] as const) {
    if (value !== null && value.length > MAX_FILTER) return wrong(name, `at most ${MAX_FILTER} characters`);
  }
  if (type !== null && type !== "receive-sms" && type !== "rent-number") {
    return wrong("type", '"receive-sms" or "rent-number"');
  }
  return { country, service, type };
}

const wrong = (name: string, must: string): Problem =>
  problem("VALIDATION_ERROR", `Query parameter "${name}" must be ${must}`, { details: { field: name } });

const CACHE_HEADERS = { ETag: "Send it back in If-None-Match", "Cache-Control": "How long to keep it" };
const NOT_MODIFIED = { status: 304, description: "Unchanged since the ETag in If-None-Match" };
const IF_NONE_MATCH = {
  in: "header",
  name: "If-None-Match",
  description: "ETag of an earlier answer: 304 while nothing changed",
} as const;

const SERVICES_DOC: RouteDoc = {
  operationId: "listServices",
  tag: "Catalog",
  summary: "Services by code",
  description: "Every service that an order can name, by code or by name.",
  parameters: [IF_NONE_MATCH],
  answers: [
    {
      status: 200,
      description: "All services",
      headers: CACHE_HEADERS,
      content: {
        type: JSON_TYPE,
        schema: "Services",
        example: { services: [{ code: "tg", name: "Telegram" }] },
      },
    },
    NOT_MODIFIED,
  ],
};

const CATALOG_DOC: RouteDoc = {
  operationId: "listOffers",
  tag: "Catalog",
  summary: "Offers by country, with price and stock",
  description:
    "With `service`, the price is what an order asks for now; without it, the provider's list price, which can be lower. " +
    "Prices move with the provider and the exchange rate; the price of an order is fixed by its invoice.",
  parameters: [
    { in: "query", name: "country", description: "As in an order", example: "GB" },
    { in: "query", name: "service", description: "As in an order", example: "telegram" },
    {
      in: "query",
      name: "type",
      description: "Only these offers",
      schema: { type: "string", enum: ["receive-sms", "rent-number"] },
    },
    IF_NONE_MATCH,
  ],
  answers: [
    {
      status: 200,
      description: "The offers",
      headers: CACHE_HEADERS,
      content: {
        type: JSON_TYPE,
        schema: "Catalog",
        example: {
          updatedAt: "2026-11-23T10:00:00.000Z",
          priceRule: "Provider cost in USD at the BTC/USD rate, times 1.5, rounded up",
          countries: [
            {
              id: 16,
              iso: "GB",
              name: "United Kingdom",
              sms: [{ service: "tg", name: "Telegram", priceSats: 812, stock: 1200 }],
              rentals: [{ service: "full", name: "Full rent", durationMinutes: 240, priceSats: 5200, stock: 12 }],
            },
          ],
        },
      },
    },
    NOT_MODIFIED,
  ],
  errors: ["VALIDATION_ERROR", "INVALID_COUNTRY", "TEMPORARILY_UNAVAILABLE"],
};
