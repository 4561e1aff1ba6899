/** How the service is: for people (`/health`), for orchestrators (`/livez`, `/readyz`) and for Prometheus (`/metrics`). */
import { Elysia } from "elysia";
import type { HealthDesk } from "../ops/health.ts";
import { METRICS_CONTENT_TYPE, type Metrics } from "../ops/metrics.ts";
import { problem } from "../orders/problem.ts";
import { isLoopback } from "./address.ts";
import type { ApiConfig } from "./config.ts";
import { refuse } from "./errors.ts";
import type { Answer, Call, Gate } from "./gate.ts";
import { describe, type RouteDoc } from "./openapi.ts";
import { json, text } from "./replies.ts";
import { isSameSecret } from "./same-secret.ts";

export interface HealthRoutes {
  readonly gate: Gate;
  readonly health: HealthDesk;
  readonly metrics: Metrics;
  readonly config: Pick<ApiConfig, "metricsToken">;
}

const COME_BACK_SECONDS = 5;
const DOWN = problem("TEMPORARILY_UNAVAILABLE", "The service is down", { retryAfterSeconds: COME_BACK_SECONDS });
const NOT_READY = problem("TEMPORARILY_UNAVAILABLE", "Not ready", { retryAfterSeconds: COME_BACK_SECONDS });
const NOT_HERE = problem("NOT_FOUND", "There is nothing at this path");
/** Any of these means that somebody stands between the socket and the client. */
const FORWARDING = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"];

export function healthRoutes({ gate, health, metrics, config }: HealthRoutes) {
  const report = ({ requestId }: Call): Answer => {
    const report = health.report();
    // Degraded still sells or serves; only what does neither is a failure to a load balancer.
    return report.status === "down" ? refuse(DOWN, requestId, { ...report }) : json(report);
  };

  const ready = ({ requestId }: Call): Answer => {
    const state = health.ready();
    return state.ready ? json(state) : refuse(NOT_READY, requestId, { ...state });
  };

  const scrape = (call: Call): Answer =>
    maySeeMetrics(call, config.metricsToken) ? text(metrics.render(), METRICS_CONTENT_TYPE, "no-store") : NOT_HERE;

  return new Elysia({ name: "health" })
    .get("/health", gate.route("GET /health", { limit: "reads", quiet: true }, report), {
      parse: "none",
      detail: describe(HEALTH_DOC),
    })
    .get(
      "/livez",
      gate.route("GET /livez", { limit: "none", quiet: true }, () => json({ status: "ok" })),
      {
        parse: "none",
        detail: describe(LIVE_DOC),
      },
    )
    .get("/readyz", gate.route("GET /readyz", { limit: "none", quiet: true }, ready), {
      parse: "none",
      detail: describe(READY_DOC),
    })
    .get("/metrics", gate.route("GET /metrics", { limit: "none", quiet: true, sameOrigin: true }, scrape), {
      parse: "none",
      detail: describe(METRICS_DOC),
    });
}

/** Refused with 404: a 401 would need WWW-Authenticate, which L402 clients answer with a payment. */
function maySeeMetrics({ request, client }: Call, token: string | null): boolean {
  if (token !== null) {
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "");
    return bearer?.[1] !== undefined && isSameSecret(bearer[1], token);
  }
  // A proxy on this machine also connects from here, and so does a page of another site that was given our address.
  const isForwarded = FORWARDING.some((name) => request.headers.has(name));
  return client.address !== null && isLoopback(client.address) && !isForwarded && isLocalHost(request.headers);
}

const isLocalHost = (headers: Headers): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i.test(headers.get("host") ?? "");

const JSON_TYPE = "application/json";

const HEALTH_DOC: RouteDoc = {
  operationId: "health",
  tag: "Operations",
  summary: "Service and peers",
  description: "Version, uptime, database, Lightning node, provider and age of the prices.",
  answers: [
    {
      status: 200,
      description: "Works, perhaps degraded",
      content: {
        type: JSON_TYPE,
        schema: "Health",
        example: {
          status: "ok",
          version: "1.0.0",
          uptimeSeconds: 86400,
          sandbox: false,
          database: { ok: true, paused: false },
          lightning: { ok: true, checkedSecondsAgo: 3, network: "mainnet", settlementStream: true, canRefund: true },
          provider: { ok: true, checkedSecondsAgo: 7, pairsPaused: 0, allPaused: false, pairsBarred: 0 },
          price: { ok: true, ageSeconds: 41 },
        },
      },
    },
    {
      status: 503,
      description: "Down: the report, and beside it an error (TEMPORARILY_UNAVAILABLE)",
      content: { type: JSON_TYPE, schema: "Error" },
    },
  ],
};

const LIVE_DOC: RouteDoc = {
  operationId: "live",
  tag: "Operations",
  summary: "Whether the process answers",
  description: "Asks nothing and nobody.",
  answers: [
    {
      status: 200,
      description: "It does",
      content: { type: JSON_TYPE, schema: "Liveness", example: { status: "ok" } },
    },
  ],
  unlimited: true,
};

const READY_DOC: RouteDoc = {
  operationId: "ready",
  tag: "Operations",
  summary: "Whether to send requests here",
  description: "Database writable, orders loaded, not shutting down, not paused after a restore.",
  answers: [
    {
      status: 200,
      description: "Ready",
      content: { type: JSON_TYPE, schema: "Readiness", example: { ready: true, reasons: [] } },
    },
    {
      status: 503,
      description: "Not ready: `reasons`, and beside them an error (TEMPORARILY_UNAVAILABLE)",
      content: { type: JSON_TYPE, schema: "Error" },
    },
  ],
  unlimited: true,
};

const METRICS_DOC: RouteDoc = {
  operationId: "metrics",
  tag: "Operations",
  summary: "Metrics for Prometheus",
  description:
    "With the configured token as Authorization: Bearer; without a configured token, from this machine only.",
  answers: [
    {
      status: 200,
      description: "Prometheus text format 0.0.4",
      content: { type: "text/plain", example: "# TYPE http_requests_total counter\nhttp_requests_total{...} 1\n" },
    },
  ],
  errors: ["NOT_FOUND"],
  unlimited: true,
};
