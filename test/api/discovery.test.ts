import { afterAll, describe, expect, test } from "bun:test";
import { STATUSES } from "../../actors/order/status.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { span } from "../../src/api/skill.ts";
import { PROBLEMS } from "../../src/orders/problem.ts";
import { CONFIG, startApi } from "./server.ts";

const PUBLIC = CONFIG.publicUrl;
const api = await startApi();
const bare = await startApi({
  publicUrl: "",
  sandbox: true,
  sandboxUrl: "http://127.0.0.1:4321/sandbox",
  indexVerifyToken: "0123abcd",
  trustedProxies: ["127.0.0.1"],
  operatorContact: "ops@example.com",
  notices: false,
  blockedServices: ["Example Bank"],
  blockedCountries: ["Atlantis"],
});
afterAll(() => Promise.all([api.stop(), bare.stop()]));

describe("GET /v2/l402", () => {
  test("lists every public endpoint, status and error, and the rules in numbers", async () => {
    const { status, body } = await api.get("/v2/l402");
    expect(status).toBe(200);
    expect(body.statuses.map((entry: { status: string }) => entry.status)).toEqual([...STATUSES]);
    expect(
      Object.fromEntries(body.errors.map((entry: { code: string; status: number }) => [entry.code, entry.status])),
    ).toEqual(Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])));
    const listed: string[] = body.endpoints.map(
      (entry: { method: string; path: string }) => `${entry.method} ${entry.path}`,
    );
    expect(listed.filter((route) => !(ROUTES as readonly string[]).includes(route))).toEqual([]);
    const selling = ROUTES.filter((route) => /\/(?:order|catalog|services$)/.test(route) && !route.startsWith("HEAD"));
    for (const route of selling) expect(listed).toContain(route);
    expect(body.price.rule).toBe(CONFIG.priceRule);
    expect(body.times).toMatchObject({ cancelAfterSeconds: 180, refundInvoiceMinimumSeconds: 1800 });
    expect(body.orderFields.find((field: { name: string }) => field.name === "country").default).toBe("auto");
    expect(body.documentation.skill).toBe(`${PUBLIC}/skill.md`);
    expect(JSON.stringify(body)).not.toContain("x-must-be");
  });
});

describe("GET /.well-known/l402-services", () => {
  test("is below 4 KB, requires nothing and names one absolute URL", async () => {
    const { status, text, body } = await api.get("/.well-known/l402-services");
    expect(status).toBe(200);
    expect(Buffer.byteLength(text)).toBeLessThan(4096);
    expect(body).toMatchObject({
      version: "1",
      protocol: "L402",
      url: `${PUBLIC}/v2/l402/order`,
      docs_url: "/skill.md",
      openapi_url: "/docs/json",
      service: { name: "Example Numbers" },
      payment_methods: [{ type: "lightning" }],
      routes: [{ path: "/v2/l402/order", price: { type: "dynamic" } }],
    });
    const [service] = body.services;
    expect(service).toMatchObject({ endpoint: "/v2/l402/order", method: "POST" });
    const fields = Object.entries(service.request_schema) as [string, { type: string; required: boolean }][];
    expect(fields.length).toBeGreaterThan(4);
    for (const [, field] of fields) {
      expect(field.required).toBe(false);
      expect(["string", "number", "integer", "boolean", "array", "object"]).toContain(field.type);
    }
  });

  test("only links to what is there", async () => {
    const { body } = await api.get("/.well-known/l402-services");
    for (const path of [
      body.docs_url,
      body.openapi_url,
      body.llms_txt_url,
      body.error_codes_url,
      body.estimate_cost_url,
    ]) {
      expect((await api.get(path)).status).toBe(200);
    }
  });
});

describe("GET /.well-known/402index-verify.txt", () => {
  test("is the token and nothing else, or 404 in JSON", async () => {
    const { status, headers, text } = await bare.get("/.well-known/402index-verify.txt");
    expect([status, text]).toEqual([200, "0123abcd"]);
    expect(headers.get("content-type")).toStartWith("text/plain");
    const missing = await api.get("/.well-known/402index-verify.txt");
    expect([missing.status, missing.body.error.code]).toEqual([404, "NOT_FOUND"]);
  });
});

describe("GET /skill.md", () => {
  test("is an agent's whole manual, with this server's facts", async () => {
    const { status, headers, text } = await api.get("/skill.md");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("text/markdown; charset=utf-8");
    for (const part of [
      `Base URL: ${PUBLIC}`,
      "Authorization: L402 $MACAROON:$PREIMAGE",
      "`LSAT` is accepted",
      "@getalby/lightning-tools",
      "at least 30 minutes",
      "two hours are recommended",
      "**no amount**",
      "within 20 minutes",
      "from 3 minutes after payment",
      CONFIG.priceRule,
      "Idempotency-Key",
      "No fraud",
    ]) {
      expect(text).toContain(part);
    }
    for (const word of [...STATUSES, ...Object.keys(PROBLEMS)]) expect(text).toContain(`\`${word}\``);
    expect(text).not.toMatch(/undefined|\[object|NaN/);
    expect(text).not.toContain("sandbox");
  });

  test("offers notices only where they are sent", async () => {
    expect((await api.get("/skill.md")).text).toContain("a private Nostr message when the code is there");
    const { text } = await bare.get("/skill.md");
    expect(text).toContain("| `notify` | accepted and ignored");
    expect(text).not.toContain("Nostr message");
  });

  test("names what the operator does not sell, whom to ask, and that a sandbox is one", async () => {
    const { text } = await bare.get("/skill.md");
    for (const part of [
      "services: Example Bank",
      "countries: Atlantis",
      "ops@example.com",
      "**sandbox**",
      "`POST http://127.0.0.1:4321/sandbox/wallet/pay`",
    ]) {
      expect(text).toContain(part);
    }
  });

  test("only names routes and pages that exist", async () => {
    const { text } = await api.get("/skill.md");
    const pages = new Set([...text.matchAll(/https:\/\/sms\.example\.com(\/[\w/.-]+)/g)].map(([, path]) => path ?? ""));
    expect(pages.size).toBeGreaterThan(3);
    for (const page of pages) expect([page, (await api.get(page)).status]).toEqual([page, 200]);
    const routes = [...text.matchAll(/(GET|POST) (\/v2[^\s`?]*)/g)].map(
      ([, method, path]) => `${method} ${path?.replace("<orderId>", ":id")}`,
    );
    expect(routes.length).toBeGreaterThan(3);
    expect(routes.filter((route) => !(ROUTES as readonly string[]).includes(route))).toEqual([]);
  });
});

test("GET /llms.txt is a title, a summary and links that work", async () => {
  const { status, text } = await api.get("/llms.txt");
  expect(status).toBe(200);
  expect(text).toMatch(/^# Example Numbers\n\n> .+\n/);
  const links = [...text.matchAll(/\((https:\/\/sms\.example\.com[^)]+)\)/g)].map(([, link]) => link ?? "");
  expect(links.length).toBeGreaterThan(3);
  for (const link of links) expect((await api.get(link.slice(PUBLIC.length))).status).toBe(200);
});

describe("the base URL", () => {
  test("is the configured one, whatever Host says, and may then be kept by caches", async () => {
    const { headers, body } = await api.get("/v2/l402", { host: "evil.example" });
    expect(body.documentation.skill).toBe(`${PUBLIC}/skill.md`);
    expect(headers.get("cache-control")).toBe("public, max-age=300");
  });

  test("is taken from Host when none is configured, and is then kept by no cache", async () => {
    const { headers, body } = await bare.get("/v2/l402", { host: "numbers.example:8443" });
    expect(body.documentation.skill).toBe("http://numbers.example:8443/skill.md");
    expect(headers.get("cache-control")).toBe("no-store");
    const secure = await bare.get("/v2/l402", { host: "numbers.example", "x-forwarded-proto": "https" });
    expect(secure.body.documentation.skill).toBe("https://numbers.example/skill.md");
  });

  test("is left out when Host could be anything but a host", async () => {
    for (const host of [
      "a/b",
      "a b",
      "user@a",
      "a?b",
      "a#b",
      '"><script>',
      "-a",
      "x".repeat(300),
      "a:123456",
      "[::1",
    ]) {
      const reply = await bare.get("/v2/l402", { host }).catch(() => null);
      // Bun itself refuses some of these before the application sees them.
      if (reply?.status === 200) expect([host, reply.body.documentation.skill]).toEqual([host, "/skill.md"]);
    }
    expect((await bare.get("/v2/l402", { host: "[::1]:3000" })).body.documentation.skill).toBe(
      "http://[::1]:3000/skill.md",
    );
  });
});

test("times are told as people say them", () => {
  expect([30_000, 90_000, 120_000, 1_800_000, 3_600_000, 7_200_000, 86_400_000].map(span)).toEqual([
    "30 seconds",
    "90 seconds",
    "2 minutes",
    "30 minutes",
    "60 minutes",
    "2 hours",
    "24 hours",
  ]);
});
