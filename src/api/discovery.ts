/** How agents and indexes find out what this server sells and how to buy it. */
import { Elysia } from "elysia";
import { STATUSES } from "../../actors/order/status.ts";
import { ORDER_TYPES } from "../../actors/order/terms.ts";
import { PROBLEMS, type ProblemCode, problem } from "../orders/problem.ts";
import { baseUrl, documentCaching } from "./base-url.ts";
import type { ApiConfig } from "./config.ts";
import { LLMS_DOC, MANIFEST_DOC, OVERVIEW_DOC, SKILL_DOC, VERIFY_DOC } from "./discovery-doc.ts";
import type { Answer, Call, Gate, Respond } from "./gate.ts";
import { ERROR_GUIDE, STATUS_GUIDE } from "./guide.ts";
import { MAX_BODY_BYTES } from "./limits.ts";
import { describe } from "./openapi.ts";
import { text } from "./replies.ts";
import { OrderFields } from "./schemas.ts";
import { skill } from "./skill.ts";

const MARKDOWN = "text/markdown; charset=utf-8";
const PLAIN = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";
const CHALLENGE_FORMAT = 'L402 macaroon="<base64>", invoice="<bolt11>", version="0", token="<base64>"';
const AUTHORIZATION_FORMAT = "Authorization: L402 <macaroon>:<preimage>";

export function discoveryRoutes({ gate, config }: { readonly gate: Gate; readonly config: ApiConfig }) {
  const caching = documentCaching(config);
  /** A document that is made from the server's own base URL. */
  const document =
    (contentType: string, write: (base: string) => string): Respond =>
    (call: Call) =>
      text(write(baseUrl(config, call)), contentType, caching);

  const verification = (): Answer =>
    config.indexVerifyToken === null ? NO_TOKEN : text(config.indexVerifyToken, PLAIN, "no-store");

  return new Elysia({ name: "discovery" })
    .get(
      "/v2/l402",
      gate.route(
        "GET /v2/l402",
        { limit: "reads" },
        document(JSON_TYPE, (base) => JSON.stringify(overview(config, base))),
      ),
      { parse: "none", detail: describe(OVERVIEW_DOC) },
    )
    .get(
      "/.well-known/l402-services",
      gate.route(
        "GET /.well-known/l402-services",
        { limit: "reads" },
        document(JSON_TYPE, (base) => JSON.stringify(manifest(config, base))),
      ),
      { parse: "none", detail: describe(MANIFEST_DOC) },
    )
    .get(
      "/.well-known/402index-verify.txt",
      gate.route("GET /.well-known/402index-verify.txt", { limit: "reads" }, verification),
      { parse: "none", detail: describe(VERIFY_DOC) },
    )
    .get(
      "/skill.md",
      gate.route(
        "GET /skill.md",
        { limit: "reads" },
        document(MARKDOWN, (base) => skill(config, base)),
      ),
      { parse: "none", detail: describe(SKILL_DOC) },
    )
    .get(
      "/llms.txt",
      gate.route(
        "GET /llms.txt",
        { limit: "reads" },
        document(PLAIN, (base) => llms(config, base)),
      ),
      { parse: "none", detail: describe(LLMS_DOC) },
    );
}

const NO_TOKEN = problem("NOT_FOUND", "No verification token is configured");

const SUMMARY = "One-time phone numbers for SMS codes, and number rentals, paid per order with Lightning (L402)";

/** The manual as data. */
function overview(config: ApiConfig, base: string) {
  const { times, limits } = config;
  return {
    name: config.serviceName,
    description: SUMMARY,
    version: config.version,
    sandbox: config.sandbox,
    documentation: {
      skill: `${base}/skill.md`,
      openapi: `${base}/docs/json`,
      docs: `${base}/docs`,
      llms: `${base}/llms.txt`,
    },
    authentication: {
      scheme: "L402",
      alsoAccepted: ["LSAT", "Payment (MPP, lightning/charge)"],
      challenge: `WWW-Authenticate: ${CHALLENGE_FORMAT}`,
      credential: AUTHORIZATION_FORMAT,
      note: "A credential opens its own order and nothing else; it may be used any number of times",
    },
    endpoints: ENDPOINTS.map(([method, path, credential, description]) => ({ method, path, credential, description })),
    orderTypes: ORDER_TYPES.map((type) => ({ type, description: TYPE_GUIDE[type] })),
    orderFields: Object.entries(OrderFields.properties).map(([name, field]) => ({
      name,
      required: false,
      ...(field.default !== undefined && { default: field.default }),
      ...(field.description !== undefined && { description: field.description }),
    })),
    statuses: STATUSES.map((status) => ({ status, description: STATUS_GUIDE[status] })),
    errors: (Object.keys(PROBLEMS) as ProblemCode[]).map((code) => ({
      code,
      status: PROBLEMS[code].status,
      retryable: PROBLEMS[code].retryable,
      description: ERROR_GUIDE[code].means,
      remedy: ERROR_GUIDE[code].remedy,
    })),
    price: { currency: "sat", rule: config.priceRule, catalog: `${base}/v2/l402/catalog` },
    times: {
      invoiceExpirySeconds: times.invoiceExpiryMs / 1000,
      cancelAfterSeconds: times.cancelAfterMs / 1000,
      smsTimeoutSeconds: times.smsTimeoutMs / 1000,
      refundInvoiceMinimumSeconds: times.refundInvoiceLifeMs / 1000,
      refundInvoiceRecommendedSeconds: 7200,
      codeRetentionSeconds: times.codeRetentionMs / 1000,
    },
    limits: { orders: limits.orders, reads: limits.reads, bodyBytes: MAX_BODY_BYTES, authorizationBytes: 8192 },
    ...(config.operatorContact !== null && { contact: config.operatorContact }),
  };
}

const ENDPOINTS = [
  ["POST", "/v2/l402/order", "none", "Create an order: 402 with invoice and macaroon"],
  ["GET", "/v2/l402/order", "none", "Create the default order, for probes"],
  ["GET", "/v2/l402/order/:id", "L402", "Read the order: phone number, code, messages"],
  ["POST", "/v2/l402/order/:id/cancel", "L402", "Cancel and refund"],
  ["POST", "/v2/l402/order/:id/refund-invoice", "L402", "Set where a refund goes: an invoice or an address"],
  ["POST", "/v2/l402/order/:id/refund-link", "L402", "A link (LNURL-withdraw) with which its holder takes the refund"],
  ["GET", "/v2/l402/withdraw/:id/:secret", "none", "What such a link is good for, for wallets"],
  ["GET", "/v2/l402/catalog", "none", "Offers with price and stock; country, service and type filter"],
  ["GET", "/v2/l402/services", "none", "Services by code"],
  ["GET", "/v2/l402", "none", "This document"],
  ["GET", "/health", "none", "How the service is"],
] as const;

const TYPE_GUIDE: Readonly<Record<(typeof ORDER_TYPES)[number], string>> = {
  "receive-sms": "A number for one code; refunded when no SMS comes",
  "receive-sms-reactivate":
    "Another code on a number whose order ended in the last 72 hours; needs that order's credential; refunded only if it was never delivered",
  "rent-number": "A number for hours or days, every SMS it gets; refunded only if it was never delivered",
};

/**
 * One document for three readers of the same path: 402index (`services[].request_schema`: with nothing required its
 * probe sends `{}`, which is payable), sats4ai's schema, and ngx-l402's manifest version 1. The first reads 4096 bytes.
 */
function manifest(config: ApiConfig, base: string) {
  const optional = (type: string) => ({ type, required: false });
  return {
    version: "1",
    name: config.serviceName,
    description: SUMMARY,
    url: `${base}/v2/l402/order`,
    protocol: "L402",
    protocols: ["L402", "MPP"],
    payment_network: "Lightning",
    docs_url: "/skill.md",
    openapi_url: "/docs/json",
    llms_txt_url: "/llms.txt",
    error_codes_url: "/v2/l402",
    estimate_cost_url: "/v2/l402/catalog",
    features: { dedup: true, async_jobs: true, callbacks: false, refunds: true, error_codes: true },
    authentication: {
      protocols_supported: ["L402", "LSAT", "MPP"],
      l402: {
        challenge_header: "WWW-Authenticate",
        challenge_format: CHALLENGE_FORMAT,
        authorization_header: AUTHORIZATION_FORMAT,
      },
    },
    service: { name: config.serviceName, description: SUMMARY },
    payment_methods: [{ type: "lightning" }],
    services: [
      {
        endpoint: "/v2/l402/order",
        method: "POST",
        request_schema: {
          type: optional("string"),
          country: optional("string"),
          service: optional("string"),
          refundInvoice: optional("string"),
          refundAddress: optional("string"),
          maxPriceSats: optional("integer"),
          durationMinutes: optional("integer"),
          orderId: optional("string"),
          parentCredential: optional("string"),
          notify: optional("object"),
        },
      },
    ],
    routes: [
      {
        path: "/v2/l402/order",
        price: { type: "dynamic" },
        caveats_required: [],
        rate_limit: { max_requests: config.limits.orders.perMinute, window_secs: 60 },
      },
    ],
  };
}

/** The form of llmstxt.org. */
function llms(config: ApiConfig, base: string): string {
  return `# ${config.serviceName}

> ${SUMMARY}. No account, no API key: POST an order, pay the invoice, poll for the code.

## Docs

- [Manual for agents](${base}/skill.md): everything needed to buy, poll, cancel and be refunded
- [Discovery](${base}/v2/l402): endpoints, fields, statuses and errors as JSON
- [OpenAPI](${base}/docs/json): every route with every status

## Data

- [Catalog](${base}/v2/l402/catalog): offers with price and stock
- [Services](${base}/v2/l402/services): service codes
`;
}
