/** The API's documentation for people: Swagger UI, served from this server with everything it needs, so it works offline. */
import { type AnyElysia, Elysia } from "elysia";
import stylePath from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import bundlePath from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import type { ApiConfig } from "./config.ts";
import { openApiDocument } from "./document.ts";
import { cached, type Document, documentOfText } from "./documents.ts";
import type { Call, Gate, Respond } from "./gate.ts";
import { describe, type RouteDoc } from "./openapi.ts";
import { type Reply, withHeaders } from "./replies.ts";

export interface DocsRoutes {
  readonly gate: Gate;
  readonly config: ApiConfig;
  /** Everything that the document lists beside the documentation itself. */
  readonly plugins: readonly AnyElysia[];
}

const CACHING = "public, max-age=300";

/** Nothing but this server: no CDN, no badge of an online validator, no inline script. Swagger UI sets inline styles. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API documentation</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript. The document itself is at <a href="/docs/json">/docs/json</a>, a manual at <a href="/skill.md">/skill.md</a>.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({ url: "/docs/json", dom_id: "#swagger-ui", validatorUrl: null, deepLinking: true });\n`;

export function docsRoutes({ gate, config, plugins }: DocsRoutes) {
  const spec: AnyElysia[] = [...plugins];
  const show = document("text/html; charset=utf-8", async () => PAGE);
  const page: Respond = async (call) =>
    withHeaders(await show(call), { "content-security-policy": PAGE_POLICY, "referrer-policy": "no-referrer" });

  const docs = new Elysia({ name: "docs" })
    .get("/docs", gate.route("GET /docs", { limit: "reads" }, page), { parse: "none", detail: describe(PAGE_DOC) })
    .get(
      "/docs/json",
      gate.route(
        "GET /docs/json",
        { limit: "reads" },
        document("application/json", () => openApiDocument(spec, config)),
      ),
      { parse: "none", detail: describe(JSON_DOC) },
    )
    .get(
      "/docs/start.js",
      gate.route(
        "GET /docs/start.js",
        { limit: "reads" },
        document(SCRIPT, async () => START),
      ),
      HIDDEN,
    )
    .get(
      "/docs/swagger-ui.css",
      gate.route(
        "GET /docs/swagger-ui.css",
        { limit: "reads" },
        document("text/css; charset=utf-8", () => file(stylePath)),
      ),
      HIDDEN,
    )
    .get(
      "/docs/swagger-ui-bundle.js",
      gate.route(
        "GET /docs/swagger-ui-bundle.js",
        { limit: "reads" },
        document(SCRIPT, () => file(bundlePath)),
      ),
      HIDDEN,
    );
  spec.push(docs);
  return docs;
}

const SCRIPT = "text/javascript; charset=utf-8";
const HIDDEN = { parse: "none", detail: { hide: true } } as const;

const file = (path: string): Promise<string> => Bun.file(path).text();

/** A document that is made on the first request and kept. One that could not be made is tried again at the next. */
function document(contentType: string, make: () => Promise<string>): (call: Call) => Promise<Reply> {
  let made: Promise<Document> | null = null;
  return async ({ request }) => {
    made ??= make().then(
      (text) => documentOfText(text, contentType, CACHING),
      (error) => {
        // A process without a free descriptor reads no file, and has one again later.
        made = null;
        throw error;
      },
    );
    return cached(request, await made);
  };
}

const PAGE_DOC: RouteDoc = {
  operationId: "docs",
  tag: "Discovery",
  summary: "This document, for people",
  description: "Swagger UI, served from here.",
  answers: [
    { status: 200, description: "The page", content: { type: "text/html" } },
    { status: 304, description: "Unchanged since the ETag in If-None-Match" },
  ],
};

const JSON_DOC: RouteDoc = {
  operationId: "openapi",
  tag: "Discovery",
  summary: "This document",
  description: "OpenAPI 3.0.3.",
  answers: [
    { status: 200, description: "The document", content: { type: "application/json", schema: "OpenApi" } },
    { status: 304, description: "Unchanged since the ETag in If-None-Match" },
  ],
};
