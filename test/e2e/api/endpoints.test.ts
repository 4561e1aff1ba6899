/** Every endpoint of the running server beside those that sell: documents, health, webhooks and what is at no path. */
import { describe, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { version } from "../../../package.json";
import { withNumber } from "../../support/life.ts";
import { documentedServer } from "../../support/openapi.ts";

const WEBHOOK_SECRET = "hook-5f0c1d9ab27e4b6f8a3d";
const PUBLIC_URL = "https://sms.example.com";
const server = documentedServer({
  PUBLIC_URL,
  WEBHOOK_SECRET,
  WEBHOOK_ALLOW: "203.0.113.0/24",
  TRUSTED_PROXIES: "127.0.0.1",
  INDEX_VERIFY_TOKEN: "a1b2c3d4e5f6",
  INVOICE_EXPIRY_SECONDS: "240",
  ERASE_AFTER_MINUTES: "45",
  PRICE_MULTIPLIER: "2.5",
  CREATE_PER_MINUTE: "1234",
  READ_PER_MINUTE: "5678",
  OPERATOR_CONTACT: "abuse@sms.example.com",
  BLOCKED_SERVICES: "wa",
  BLOCKED_COUNTRIES: "6",
});
const get = (path: string, headers: Record<string, string> = {}) => fetch(`${server().origin}${path}`, { headers });
// biome-ignore lint/suspicious/noExplicitAny: the shape of every answer is checked against the OpenAPI document
const json = async (path: string): Promise<any> => (await get(path)).json();

/** The endpoint table of the product, and what the server adds to it. */
const TABLE = [
  "GET /health",
  "GET /livez",
  "GET /readyz",
  "GET /metrics",
  "GET /.well-known/402index-verify.txt",
  "GET /.well-known/l402-services",
  "GET /skill.md",
  "GET /llms.txt",
  "GET /v2/l402",
  "GET /v2/l402/services",
  "GET /v2/l402/catalog",
  "POST /v2/l402/order",
  "GET /v2/l402/order",
  "GET /v2/l402/order/{id}",
  "POST /v2/l402/order/{id}/cancel",
  "POST /v2/l402/order/{id}/refund-invoice",
  "POST /v2/l402/order/{id}/refund-link",
  "GET /v2/l402/withdraw/{id}",
  "GET /v2/l402/withdraw/{id}/{secret}",
  "POST /v2/l402/webhooks/rent",
  "POST /v2/l402/webhooks/rent/{secret}",
  "GET /docs",
  "GET /docs/json",
];

describe("health", () => {
  test("names every part of the service and how it is", async () => {
    // The server does not wait for its first look at the node's list of settlements before it answers.
    const connected = async () => (await json("/health")).lightning.settlementStream;
    for (let tries = 0; tries < 100 && !(await connected()); tries++) await Bun.sleep(20);
    expect(await json("/health")).toMatchObject({
      status: "ok",
      version,
      uptimeSeconds: expect.any(Number),
      sandbox: true,
      database: { ok: true, paused: false },
      lightning: { ok: true, network: "regtest", settlementStream: true, canRefund: true },
      provider: { ok: true },
      price: { ok: true, ageSeconds: expect.any(Number) },
    });
  });

  test("tells liveness and readiness apart from it", async () => {
    expect(await json("/livez")).toEqual({ status: "ok" });
    expect(await json("/readyz")).toEqual({ ready: true, reasons: [] });
  });

  test("hides metrics from whoever comes through a proxy", async () => {
    const local = await get("/metrics");
    expect(local.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    expect(await local.text()).toContain('http_requests_total{route="GET /health",status="200"}');
    expect((await get("/metrics", { "x-forwarded-for": "198.51.100.7" })).status).toBe(404);
  });
});

describe("discovery", () => {
  test("402index reads the configured token and nothing else", async () => {
    const response = await get("/.well-known/402index-verify.txt");
    expect(await response.text()).toBe("a1b2c3d4e5f6");
    expect(response.redirected).toBe(false);
  });

  test("the manifest for indexes is small, names a path, and requires no field", async () => {
    const text = await (await get("/.well-known/l402-services")).text();
    expect(Buffer.byteLength(text)).toBeLessThan(4096);
    const manifest = JSON.parse(text);
    expect(manifest).toMatchObject({ version: "1", protocol: "L402", url: `${PUBLIC_URL}/v2/l402/order` });
    const [service] = manifest.services;
    expect(service).toMatchObject({ endpoint: "/v2/l402/order", method: "POST" });
    const fields = Object.values(service.request_schema) as { type: string; required: boolean }[];
    expect(fields.length).toBeGreaterThan(4);
    expect(fields.filter(({ required }) => required !== false)).toEqual([]);
    expect(manifest.routes).toMatchObject([
      { path: "/v2/l402/order", rate_limit: { max_requests: 1234, window_secs: 60 } },
    ]);
  });

  test("a probe that fills the manifest's fields as 402index does is refused without an invoice", async () => {
    const { services } = await json("/.well-known/l402-services");
    const filled = Object.fromEntries(
      Object.entries(services[0].request_schema as Record<string, { type: string; required: boolean }>)
        .filter(([, field]) => field.required)
        .map(([name, field]) => [name, field.type === "string" ? "test" : 1]),
    );
    expect((await server().post("/v2/l402/order", filled)).status).toBe(402);
  });

  test("the overview lists endpoints, fields, statuses and errors, with this server's numbers", async () => {
    const overview = await json("/v2/l402");
    expect(overview).toMatchObject({
      version,
      sandbox: true,
      documentation: { skill: `${PUBLIC_URL}/skill.md`, openapi: `${PUBLIC_URL}/docs/json` },
      times: {
        invoiceExpirySeconds: 240,
        cancelAfterSeconds: 180,
        smsTimeoutSeconds: 1200,
        refundInvoiceMinimumSeconds: 1800,
        codeRetentionSeconds: 45 * 60,
      },
      limits: { orders: { perMinute: 1234 }, reads: { perMinute: 5678 }, bodyBytes: 16_384 },
      contact: "abuse@sms.example.com",
    });
    expect(overview.statuses.map((row: { status: string }) => row.status).sort()).toEqual(
      "allocating_number code_received completed expired failed paid pending_payment refund_failed refund_pending refunded rent_active waiting_for_sms".split(
        " ",
      ),
    );
    const codes = overview.errors.map((row: { code: string; status: number }) => `${row.status} ${row.code}`);
    for (const code of ["400 INVALID_COUNTRY", "402 PAYMENT_REQUIRED", "403 EXPIRED_MACAROON", "409 CANCEL_TOO_SOON"]) {
      expect(codes).toContain(code);
    }
    const paths = overview.endpoints.map((row: { method: string; path: string }) => `${row.method} ${row.path}`);
    expect(paths).toContain("POST /v2/l402/order");
    expect(paths.length).toBeGreaterThan(8);
  });

  test("the manual carries this server's address, limits and rules, and they are true", async () => {
    const response = await get("/skill.md");
    expect(response.headers.get("content-type")).toStartWith("text/markdown");
    const manual = await response.text();
    for (const fact of [
      `Base URL: ${PUBLIC_URL}`,
      `BASE=${PUBLIC_URL}`,
      "within 4 minutes",
      "No SMS within 20 minutes",
      "erased 45 minutes",
      "from 3 minutes after payment",
      "**at least 30 minutes**",
      "times 2.5",
      "1234 a minute",
      "5678 a minute",
      "Body 16 KiB",
      "services: wa",
      "countries: 6",
      "abuse@sms.example.com",
    ]) {
      expect(manual).toContain(fact);
    }
    expect(manual).not.toMatch(/undefined|NaN|\[object/);

    // The same numbers from the other side.
    const { priceSats, expiresAt, orderId } = await server().challenge({ service: "tg", country: "US" });
    const { now } = await server().control<{ now: string }>("GET", "/clock");
    const life = (Date.parse(expiresAt) - Date.parse(now)) / 1000;
    expect(life).toBeLessThanOrEqual(240);
    expect(life).toBeGreaterThan(230);
    expect(priceSats).toBeGreaterThan(0);
    expect(orderId).toMatch(/^[0-9a-f]{32}$/);
    expect(await server().ask({ service: "whatsapp" })).toMatchObject({ status: 409, error: { code: "UNAVAILABLE" } });
    expect(await server().ask({ country: "Indonesia" })).toMatchObject({ status: 409, error: { code: "UNAVAILABLE" } });
    expect((await server().ask("x".repeat(16 * 1024))).status).toBe(400);
    expect((await server().ask("x".repeat(16 * 1024 + 1))).status).toBe(413);
  });

  test("every path that the manual tells an agent to call exists", async () => {
    const manual = await (await get("/skill.md")).text();
    const named = [...manual.matchAll(/\$BASE(\/[\w./$-]+)|https:\/\/sms\.example\.com(\/[\w./$-]+)/g)];
    const paths = named.map(([, a, b]) => (a ?? b ?? "").replace(/\$\w+/, "0".repeat(32)).replace(/\.$/, ""));
    expect(paths.length).toBeGreaterThan(6);
    for (const path of new Set(paths)) {
      const asGet = await get(path);
      const status = asGet.status === 404 ? (await server().post(path, {})).status : asGet.status;
      expect({ path, there: status !== 404 }).toEqual({ path, there: true });
    }
  });

  test("llms.txt leads to the documents", async () => {
    const links = await (await get("/llms.txt")).text();
    for (const [, url] of links.matchAll(/\]\((\S+)\)/g)) {
      expect(url).toStartWith(PUBLIC_URL);
      expect((await get(new URL(url ?? "").pathname)).status).toBe(200);
    }
  });

  test("services are codes and names, without the blocked ones", async () => {
    const { services } = (await json("/v2/l402/services")) as { services: { code: string; name: string }[] };
    expect(services).toContainEqual({ code: "tg", name: "Telegram" });
    expect(services.some(({ code }) => code === "wa")).toBe(false);
    expect(new Set(services.map(({ code }) => code)).size).toBe(services.length);
    const response = await get("/v2/l402/services");
    const again = await get("/v2/l402/services", { "if-none-match": response.headers.get("etag") ?? "" });
    expect(again.status).toBe(304);
  });

  test("free routes ignore whatever credential a client attaches", async () => {
    for (const authorization of ["L402 :", "L402 garbage:00", "LSAT x", `Bearer ${"y".repeat(9_000)}`]) {
      for (const path of ["/v2/l402", "/v2/l402/services", "/v2/l402/catalog?country=US&service=tg", "/health"]) {
        expect((await get(path, { authorization })).status).toBe(200);
      }
    }
  });
});

describe("documentation", () => {
  test("the page and everything it loads come from this server", async () => {
    const page = await get("/docs");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await page.text();
    const loads = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? "");
    expect(loads.length).toBeGreaterThan(3);
    for (const url of loads.filter((url) => !url.startsWith("data:"))) {
      expect(url).toStartWith("/");
      const part = await get(url);
      expect({ url, status: part.status }).toEqual({ url, status: 200 });
      // Style sheets and the starter may not fetch from elsewhere either.
      if (!url.endsWith("bundle.js")) expect(await part.text()).not.toMatch(/@import|url\(["']?https?:|src=["']http/);
    }
    expect(html).not.toMatch(/https?:\/\//);
  });

  test("the page of the plugin that loads from a CDN is not reachable", async () => {
    for (const path of ["/swagger", "/swagger/json", "/spec", "/spec/json", "/docs/spec", "/scalar"]) {
      expect((await get(path)).status).toBe(404);
    }
  });

  test("the document is valid OpenAPI 3.0.3", async () => {
    const text = await (await get("/docs/json")).text();
    const result = await new Validator().validate(JSON.parse(text));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(server.watch().document.openapi).toBe("3.0.3");
    expect(server.watch().document.info.version).toBe(version);
  });

  test("the document lists exactly the routes there are", () => {
    const listed = Object.entries(server.watch().document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(listed.sort()).toEqual([...TABLE].sort());
  });

  test("every route lists its status codes, and the priced ones the L402 scheme", () => {
    const { paths, components } = server.watch().document;
    const statuses = (method: string, path: string) => Object.keys(paths[path]?.[method]?.responses ?? {});
    expect(statuses("post", "/v2/l402/order")).toEqual(
      expect.arrayContaining(["200", "400", "402", "409", "413", "429", "500", "503"]),
    );
    for (const tail of ["/cancel", "/refund-invoice", "/refund-link"]) {
      expect(statuses("post", `/v2/l402/order/{id}${tail}`)).toEqual(
        expect.arrayContaining(["200", "400", "402", "403", "404", "409", "413", "429", "500", "503"]),
      );
    }
    expect(statuses("get", "/v2/l402/order/{id}")).toEqual(
      expect.arrayContaining(["200", "402", "403", "404", "429", "500", "503"]),
    );
    expect(components.securitySchemes).toMatchObject({
      L402: { in: "header", name: "Authorization" },
      Payment: { type: "http", scheme: "Payment" },
    });
    const either = [{ L402: [] }, { Payment: [] }];
    for (const [path, operations] of Object.entries(paths)) {
      for (const { security = [] } of Object.values(operations)) {
        const wanted = path.includes("/order/{id}") ? either : path.endsWith("/order") ? [{}, ...either] : [];
        expect({ path, security }).toEqual({ path, security: wanted });
      }
    }
  });
});

describe("webhooks", () => {
  const news = (activationId: unknown) => ({ activationId, service: "tg", text: "Code 1", code: "1", country: 187 });

  test("the secret path takes hints for any id and for no id at all", async () => {
    for (const body of [news(1), news("999999999999"), news(null), {}, "", "not json", "[]", '{"activationId":{}}']) {
      const response = await server().post(`/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`, body);
      expect({ body, status: response.status }).toEqual({ body, status: 200 });
    }
  });

  test("a wrong secret is a path that is not there", async () => {
    for (const secret of ["x", `${WEBHOOK_SECRET}x`, WEBHOOK_SECRET.slice(0, -1), "%20", "..%2f"]) {
      expect((await server().post(`/v2/l402/webhooks/rent/${secret}`, news(1))).status).toBe(404);
    }
  });

  test("without the secret only the provider's addresses are heard, as the proxy in front tells them", async () => {
    const from = (address: string) => server().post("/v2/l402/webhooks/rent", news(1), { "x-forwarded-for": address });
    expect((await from("203.0.113.77")).status).toBe(200);
    expect((await from("198.51.100.1, 203.0.113.78")).status).toBe(200);
    expect((await from("203.0.113.77, 198.51.100.1")).status).toBe(404);
    expect((await from("")).status).toBe(404);
  });

  test("a body above 16 KiB is refused", async () => {
    const body = { ...news(1), text: "x".repeat(17 * 1024) };
    expect((await server().post(`/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`, body)).status).toBe(413);
  });

  test("what it says is never shown: only the provider's own list makes messages", async () => {
    const { bought, order } = await withNumber(server(), { service: "tg", country: "US" });
    const { activations } = await server().books();
    const id = activations.find((row) => row.phoneNumber === order.phoneNumber)?.activationId;
    const forged = { ...news(Number(id)), text: "Forged 666666", code: "666666" };
    expect((await server().post(`/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`, forged)).status).toBe(200);
    await server().advance(5);
    expect(await server().read(bought)).toMatchObject({ status: "waiting_for_sms", code: null, messages: [] });
    await server().sms(order.phoneNumber, "Telegram code: 482913");
    expect(await server().until(bought, ({ code }) => code !== null)).toMatchObject({ code: "482913" });
  });
});

describe("no such path", () => {
  test("unknown paths and wrong methods answer in JSON what to do instead", async () => {
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", "/v2/l402/orders"],
      ["GET", "/v2/l402/order/x/y/z"],
      ["DELETE", "/v2/l402/order"],
      ["PUT", "/v2/l402/order/abc"],
      ["POST", "/health"],
      ["PATCH", "/.env"],
    ] as const) {
      const response = await fetch(`${server().origin}${path}`, { method });
      expect({ method, path, status: response.status }).toEqual({ method, path, status: 404 });
      expect(await response.json()).toMatchObject({ error: { code: "NOT_FOUND", suggestion: expect.any(String) } });
    }
  });

  test("HEAD of a document is its GET without the body", async () => {
    for (const path of [
      "/health",
      "/skill.md",
      "/v2/l402",
      "/v2/l402/services",
      "/docs",
      "/.well-known/l402-services",
    ]) {
      const response = await fetch(`${server().origin}${path}`, { method: "HEAD" });
      expect({ path, status: response.status }).toEqual({ path, status: 200 });
      expect(Number(response.headers.get("content-length"))).toBeGreaterThan(100);
    }
    expect((await fetch(`${server().origin}/nothing`, { method: "HEAD" })).status).toBe(404);
  });

  test("pages of other sites may call the API and read its challenge", async () => {
    const response = await fetch(`${server().origin}/v2/l402/order`, { method: "OPTIONS" });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    for (const name of ["Authorization", "Content-Type", "Idempotency-Key"]) {
      expect(response.headers.get("access-control-allow-headers")).toContain(name);
    }
    const order = await server().post("/v2/l402/order", {});
    expect(order.headers.get("access-control-expose-headers")).toContain("WWW-Authenticate");
  });
});
