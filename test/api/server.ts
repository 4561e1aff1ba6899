/**
 * The API on a real port for tests. `ask` holds every answer against the server's own OpenAPI document: its status must
 * be declared for the route, and its JSON must have the declared shape.
 */
import { expect } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { RealWorld } from "../../actors/runtime/world.ts";
import type { ApiLog } from "../../src/api/access-log.ts";
import { type ApiConfig, createApi, serveOptions } from "../../src/api/app.ts";
import { documentOfText } from "../../src/api/documents.ts";
import { ErrorSchema, SCHEMAS, type SchemaName } from "../../src/api/schemas.ts";
import type { CatalogFilter, CatalogReader } from "../../src/catalog/port.ts";
import type { HealthDesk, HealthReport } from "../../src/ops/health.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { problem } from "../../src/orders/problem.ts";
import { KEYS } from "../l402/fixtures.ts";
import { TestDesk } from "./desk.ts";

export const CONFIG: ApiConfig = {
  publicUrl: "https://sms.example.com",
  version: "1.2.3",
  serviceName: "Example Numbers",
  sandbox: false,
  indexVerifyToken: null,
  webhookSecret: null,
  webhookAllow: [],
  trustedProxies: [],
  metricsToken: null,
  limits: { orders: { perMinute: 6_000, burst: 1_000 }, reads: { perMinute: 60_000, burst: 10_000 } },
  priceRule: "Provider cost in USD at the BTC/USD rate, times 1.5, rounded up",
  operatorContact: null,
  notices: true,
  blockedServices: [],
  blockedCountries: [],
  times: {
    invoiceExpiryMs: 300_000,
    cancelAfterMs: 180_000,
    smsTimeoutMs: 1_200_000,
    refundInvoiceLifeMs: 1_800_000,
    codeRetentionMs: 1_800_000,
  },
};

const CATALOG = {
  updatedAt: "2026-11-23T10:00:00.000Z",
  priceRule: CONFIG.priceRule,
  countries: [
    {
      id: 16,
      iso: "GB",
      name: "United Kingdom",
      sms: [{ service: "tg", name: "Telegram", priceSats: 812, stock: 1200 }],
      rentals: [{ service: "full", name: "Full rent", durationMinutes: 240, priceSats: 5200, stock: 12 }],
    },
  ],
};

export class TestCatalog implements CatalogReader {
  readonly asked: CatalogFilter[] = [];
  rows: readonly { readonly code: string; readonly name: string }[] = [
    { code: "tg", name: "Telegram" },
    { code: "ot", name: "Any other" },
  ];

  services() {
    return this.rows;
  }

  async page(filter: CatalogFilter) {
    this.asked.push(filter);
    if (filter.country === "Atlantis") {
      return problem("INVALID_COUNTRY", "Unknown country", { details: { nearest: [], code: "ATLANTIS" } });
    }
    if (filter.country === "GB") return problem("TEMPORARILY_UNAVAILABLE", "No prices", { retryAfterSeconds: 9.2 });
    const { etag, plain, gzip } = documentOfText(JSON.stringify(CATALOG), "application/json", "no-store");
    return { etag, json: plain.body, gzip: gzip.body };
  }
}

export class TestHealth implements HealthDesk {
  status: HealthReport["status"] = "ok";
  reasons: string[] = [];

  report(): HealthReport {
    return {
      status: this.status,
      version: CONFIG.version,
      uptimeSeconds: 12,
      sandbox: false,
      database: { ok: true, paused: false },
      lightning: { ok: true, checkedSecondsAgo: 3, network: "regtest", settlementStream: true, canRefund: true },
      provider: { ok: true, checkedSecondsAgo: null, pairsPaused: 0, allPaused: false, pairsBarred: 0 },
      price: { ok: true, ageSeconds: 40 },
    };
  }

  ready() {
    return { ready: this.reasons.length === 0, reasons: this.reasons };
  }
}

export interface LogLine {
  readonly level: "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies whose shape `ask` has checked
  readonly body: any;
}

export type Api = Awaited<ReturnType<typeof startApi>>;

/** `extend` adds routes of the test before the server listens. */
export async function startApi(
  config: Partial<ApiConfig> = {},
  extend: (app: ReturnType<typeof createApi>) => unknown = () => undefined,
) {
  const world = new RealWorld();
  const desk = new TestDesk(KEYS, world);
  const catalog = new TestCatalog();
  const health = new TestHealth();
  const metrics = new Metrics();
  const logs: LogLine[] = [];
  const logOf = (bindings: LogLine["fields"]): ApiLog => {
    const level =
      (level: LogLine["level"]) =>
      (fields: LogLine["fields"], message: string): void => {
        logs.push({ level, fields: { ...bindings, ...fields }, message });
      };
    return {
      info: level("info"),
      warn: level("warn"),
      error: level("error"),
      child: (fields) => logOf({ ...bindings, ...fields }),
    };
  };
  const app = createApi({
    desk,
    catalog,
    health,
    keys: KEYS,
    world,
    log: logOf({}),
    metrics,
    config: { ...CONFIG, ...config },
  });
  extend(app);
  app.listen(serveOptions({ hostname: "127.0.0.1", port: 0 }));
  const url = `http://127.0.0.1:${app.server?.port}`;
  const document = (await (await fetch(`${url}/docs/json`)).json()) as Document;
  logs.length = 0;

  const ask = async (method: string, path: string, options: RequestInit = {}): Promise<Reply> => {
    const response = await fetch(`${url}${path}`, { method, ...options });
    const text = await response.text();
    const json = /^application\/(problem\+)?json/.test(response.headers.get("content-type") ?? "");
    const reply = {
      status: response.status,
      headers: response.headers,
      text,
      body: json && text !== "" ? JSON.parse(text) : null,
    };
    checkAgainst(document, method, path, reply);
    return reply;
  };

  return {
    url,
    app,
    world,
    desk,
    catalog,
    health,
    metrics,
    logs,
    document,
    ask,
    post: (path: string, body?: unknown, headers: Record<string, string> = {}) =>
      ask("POST", path, {
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
        headers,
      }),
    get: (path: string, headers: Record<string, string> = {}) => ask("GET", path, { headers }),
    stop: () => app.stop(true),
  };
}

interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>> }>
  >;
}

export interface Document {
  readonly openapi: string;
  readonly info: Readonly<Record<string, string>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

function checkAgainst(document: Document, method: string, path: string, { status, headers, body }: Reply): void {
  expect(headers.has("www-authenticate")).toBe(status === 402);
  expect(headers.get("x-request-id")).toMatch(/^[\w-]{12}$/);
  if (status >= 400 && method !== "HEAD") {
    expect(Value.Check(ErrorSchema, body)).toBe(true);
    expect(body.error.requestId).toBe(headers.get("x-request-id"));
  }
  const operation = operationOf(document.paths, method, path);
  if (!operation) return;
  const declared = operation.responses[String(status)];
  expect({ method, path, status, declared: declared !== undefined }).toMatchObject({ declared: true });
  const content = headers.get("content-type")?.split(";")[0];
  if (!content) return;
  const shape = declared?.content?.[content];
  expect({ path, status, content, declared: shape !== undefined }).toMatchObject({ declared: true });
  const name = shape?.schema.$ref?.split("/").at(-1) as SchemaName | undefined;
  if (name) expect([...Value.Errors(SCHEMAS[name], body)].map((error) => `${error.path} ${error.message}`)).toEqual([]);
}

function operationOf(paths: Document["paths"], method: string, path: string): Operation | undefined {
  const segments = new URL(path, "http://host").pathname.split("/");
  for (const [pattern, operations] of Object.entries(paths)) {
    const parts = pattern.split("/");
    const fits = parts.every((part, index) => part.startsWith("{") || part === segments[index]);
    if (fits && parts.length === segments.length) return operations[method.toLowerCase()];
  }
  return undefined;
}
