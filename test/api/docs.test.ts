import { afterAll, describe, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { ROUTES } from "../../src/api/routes.ts";
import { PROBLEMS } from "../../src/orders/problem.ts";
import { faultsOf, type OpenApi, type Schema } from "../support/openapi.ts";
import { type Document, startApi } from "./server.ts";

const api = await startApi();
afterAll(api.stop);
const document: Document = (await api.get("/docs/json")).body;

interface Sample {
  readonly schema?: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

const HIDDEN = ["GET /docs/start.js", "GET /docs/swagger-ui.css", "GET /docs/swagger-ui-bundle.js"];

describe("the OpenAPI document", () => {
  test("is valid OpenAPI 3.0.3", async () => {
    const result = await new Validator().validate(structuredClone(document) as never);
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(document.openapi).toBe("3.0.3");
  });

  test("lists every route, and none that does not exist", () => {
    const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
    );
    const expected = ROUTES.filter((route) => !route.startsWith("HEAD ") && !HIDDEN.includes(route));
    expect(listed.sort()).toEqual([...expected].sort());
  });

  test("describes every answer of every route, with a schema for every body", () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const { responses, ...about } = operation as typeof operation & { summary: string; description: string };
        expect([path, method, about.summary, about.description]).toEqual([
          path,
          method,
          expect.any(String),
          expect.any(String),
        ]);
        expect(Object.keys(responses)).toContain("500");
        expect(Object.keys(responses)).toContain("413");
        for (const [status, response] of Object.entries(responses)) {
          expect(response).toMatchObject({ description: expect.stringMatching(/\w/) });
          if (status === "304") continue;
          const content = Object.values(response.content ?? {});
          // A challenge is JSON and, for those who ask for it, a problem document.
          expect([path, status, content.length]).toEqual([path, status, status === "402" ? 2 : 1]);
          expect(content[0]?.schema).toBeDefined();
        }
      }
    }
  });

  test("shows examples that fit their schemas, of requests as well", () => {
    const wrong: string[] = [];
    let shown = 0;
    const visit = (value: unknown, at: string): void => {
      if (typeof value !== "object" || value === null) return;
      const { schema, example, examples = {} } = value as Sample;
      if (schema !== undefined) {
        for (const one of [example, ...Object.values(examples).map((named) => named.value)]) {
          if (one === undefined) continue;
          shown++;
          wrong.push(...faultsOf(document as unknown as OpenApi, schema, one, at));
        }
        return;
      }
      for (const [name, member] of Object.entries(value)) visit(member, `${at} ${name}`);
    };
    visit(document.paths, "");
    expect(wrong).toEqual([]);
    expect(shown).toBeGreaterThan(50);
  });

  test("requires no field of an order", () => {
    for (const name of ["OrderRequest", "RefundInvoiceRequest"]) {
      expect(document.components.schemas?.[name]).not.toHaveProperty("required");
    }
  });

  test("has every error code on some route, under its own status", () => {
    const text = JSON.stringify(document.paths);
    for (const code of Object.keys(PROBLEMS)) expect(text).toContain(code);
  });

  test("has both security schemes, on exactly the routes that take a credential", () => {
    expect(document.components.securitySchemes?.L402).toMatchObject({
      type: "apiKey",
      in: "header",
      name: "Authorization",
    });
    const secured = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.values(operations).flatMap(({ security }) => (security ? [[path, security]] : [])),
    );
    expect(document.components.securitySchemes?.Payment).toMatchObject({ type: "http", scheme: "Payment" });
    const needed = [{ L402: [] }, { Payment: [] }];
    expect(secured.sort()).toEqual(
      [
        ["/v2/l402/order", [{}, ...needed]],
        ["/v2/l402/order", [{}, ...needed]],
        ["/v2/l402/order/{id}", needed],
        ["/v2/l402/order/{id}/cancel", needed],
        ["/v2/l402/order/{id}/refund-invoice", needed],
        ["/v2/l402/order/{id}/refund-link", needed],
      ].sort(),
    );
  });

  test("has no operation twice and shows no word of ours that is not OpenAPI", () => {
    const ids = Object.values(document.paths).flatMap((operations) =>
      Object.values(operations).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(JSON.stringify(document)).not.toContain("x-must-be");
  });

  test("names the configured server", () => {
    expect(document).toMatchObject({ servers: [{ url: "https://sms.example.com" }], info: { version: "1.2.3" } });
  });
});

describe("the documentation page", () => {
  test("is complete from this server alone: page, style, script, start", async () => {
    const { status, headers, text } = await api.get("/docs");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? "");
    expect(links).toContain("/docs/swagger-ui-bundle.js");
    for (const link of links.filter((link) => !link.startsWith("data:"))) {
      expect(link).toStartWith("/");
      expect([link, (await api.get(link)).status]).toEqual([link, 200]);
    }
    expect((await api.get("/docs/start.js")).text).toContain('url: "/docs/json"');
    expect((await api.get("/docs/swagger-ui-bundle.js")).text).toContain("SwaggerUIBundle");
    expect((await api.get("/docs/swagger-ui.css")).text).toContain(".swagger-ui");
  });

  test("could load nothing else if it tried, and has no inline script", async () => {
    const { headers, text } = await api.get("/docs");
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self';");
    expect(policy).not.toMatch(/https?:|script-src[^;]*unsafe/);
    expect(text).not.toMatch(/<script(?![^>]* src=)/);
  });

  test("and no other page of this server loads anything from a CDN", async () => {
    const paths = ROUTES.filter((route) => route.startsWith("GET ") && !HIDDEN.includes(route)).map((route) =>
      route.slice(4).replace(":id", "abc"),
    );
    for (const path of [
      ...paths,
      "/docs/",
      "/swagger",
      "/swagger/json",
      "/openapi",
      "/spec",
      "/spec/json",
      "/scalar",
    ]) {
      expect([path, (await api.get(path)).text]).toEqual([path, expect.not.stringMatching(/jsdelivr|unpkg|cdn\./i)]);
    }
  });

  test("is compressed and can be kept", async () => {
    for (const path of ["/docs/swagger-ui-bundle.js", "/docs/json", "/docs"]) {
      const response = await fetch(`${api.url}${path}`, { headers: { "accept-encoding": "gzip" }, decompress: false });
      expect(response.headers.get("content-encoding")).toBe("gzip");
      const etag = response.headers.get("etag") ?? "";
      expect((await response.bytes()).length).toBeLessThan(600_000);
      expect((await api.get(path, { "if-none-match": etag })).status).toBe(304);
    }
  });
});
