import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { ROUTES } from "../../src/api/routes.ts";
import { raw } from "../support/raw.ts";
import { credentialOf } from "./desk.ts";
import { startApi } from "./server.ts";

const api = await startApi();
afterAll(api.stop);
beforeEach(() => {
  api.logs.length = 0;
});

describe("what no route takes", () => {
  test("is 404 in JSON, whatever the path", async () => {
    const paths = ["/", "/nope", "/v2", "/v2/l402/order/a/b", "/HEALTH", "/v2/l402/%2e%2e", "/.env", "/docs/x"];
    for (const path of [...paths, `/${"x".repeat(4000)}`, "/swagger", "/swagger/json", "/spec", "/spec/json"]) {
      const { status, headers, body } = await api.get(path);
      expect([path, status]).toEqual([path, 404]);
      expect(headers.get("content-type")).toBe("application/json");
      expect(body.error).toMatchObject({ code: "NOT_FOUND", retryable: false });
    }
  });

  test("is 404 under a Host of any length, and a slash at the end makes no other path", async () => {
    for (const host of ["x", "api", "api.example"]) {
      const to = async (target: string) => {
        const answer = await raw(api.url, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
        return Number(answer.split(" ")[1]);
      };
      const told = [await to("/livez/"), await to("/docs/json/?x"), await to("/nope/livez"), await to("/nope/docs/")];
      expect([host, ...told]).toEqual([host, 200, 200, 404, 404]);
    }
  });

  test("is 404 with the methods that work, when only the method is wrong", async () => {
    for (const [method, path, allow] of [
      ["POST", "/health", "GET, OPTIONS"],
      ["DELETE", "/v2/l402/order", "GET, POST, OPTIONS"],
      ["PUT", "/v2/l402/order/abc", "GET, OPTIONS"],
      ["GET", "/v2/l402/order/abc/cancel", "POST, OPTIONS"],
      ["PATCH", "/v2/l402/webhooks/rent/", "POST, OPTIONS"],
    ] as const) {
      const { status, headers, body } = await api.ask(method, path, {});
      expect([status, body.error.code, headers.get("allow")]).toEqual([404, "NOT_FOUND", allow]);
      expect(body.error.suggestion).toContain(allow.split(",")[0] ?? "");
    }
  });
});

test("the list of routes is what the application really has", () => {
  const served = api.app.routes.map(({ method, path }) => `${method} ${path}`);
  expect([...served].sort()).toEqual([...ROUTES].sort());
});

describe("CORS", () => {
  test("every answer may be read by any page, with the headers that matter", async () => {
    for (const path of ["/health", "/nope", "/v2/l402/order", "/v2/l402/catalog", "/v2/l402/order/abc"]) {
      const { headers } = await api.get(path);
      expect(headers.get("access-control-allow-origin")).toBe("*");
      const exposed = headers.get("access-control-expose-headers") ?? "";
      for (const name of ["WWW-Authenticate", "Retry-After", "Payment-Receipt"]) expect(exposed).toContain(name);
      expect(headers.has("access-control-allow-credentials")).toBe(false);
    }
  });

  test("OPTIONS answers 204 on every path and does nothing else", async () => {
    for (const path of ["/v2/l402/order", "/v2/l402/order/abc/cancel", "/health", "/nope", "/docs"]) {
      const { status, headers, text } = await api.ask("OPTIONS", path, {
        headers: { origin: "https://app.example", "access-control-request-method": "POST" },
      });
      expect([status, text]).toEqual([204, ""]);
      expect(headers.get("access-control-allow-methods")).toContain("POST");
      const allowed = headers.get("access-control-allow-headers") ?? "";
      for (const name of ["Authorization", "Content-Type", "Idempotency-Key"]) expect(allowed).toContain(name);
    }
    expect(api.desk.calls.filter((call) => call === "cancel")).toBeEmpty();
  });
});

test("HEAD answers like GET, without a body, where GET changes nothing", async () => {
  for (const path of ["/health", "/livez", "/skill.md", "/v2/l402", "/v2/l402/catalog", "/docs", "/docs/json"]) {
    const [head, get] = [await api.ask("HEAD", path), await api.get(path)];
    expect([path, head.status, head.text]).toEqual([path, get.status, ""]);
    expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
  }
  expect((await api.ask("HEAD", "/nope")).status).toBe(404);
});

test("every request has a name of its own, and a name sent by the client is not taken over", async () => {
  const names = new Set<string | null>();
  for (let count = 0; count < 20; count++) {
    names.add((await api.get("/livez", { "x-request-id": "mine" })).headers.get("x-request-id"));
  }
  expect(names.size).toBe(20);
  expect(names).not.toContain("mine");
});

describe("the access log", () => {
  test("has method, route pattern, status and time, and nothing that the client sent", async () => {
    const sold = api.desk.paid();
    const { orderId } = sold.challenge;
    await api.get(`/v2/l402/order/${orderId}?canary=1`, { authorization: credentialOf(sold), "x-canary": "canary" });
    await api.post("/v2/l402/order", { service: "canary" });
    await api.get("/canary");
    await api.ask("OPTIONS", "/canary");
    expect(api.logs.map(({ level, fields, message }) => [level, fields, message])).toEqual(
      [
        ["GET", "GET /v2/l402/order/:id", 200],
        ["POST", "POST /v2/l402/order", 402],
        ["GET", "unmatched", 404],
        ["OPTIONS", "preflight", 204],
      ].map(([method, route, status]) => [
        "info",
        { requestId: expect.any(String), method, route, status, ms: expect.any(Number) },
        "Answered",
      ]),
    );
    const text = JSON.stringify(api.logs);
    for (const secret of [orderId, "canary", sold.preimage, sold.challenge.macaroon])
      expect(text).not.toContain(secret);
  });

  test("leaves out what machines ask every few seconds, unless it fails", async () => {
    for (const path of ["/livez", "/readyz", "/health", "/metrics"]) await api.get(path);
    expect(api.logs).toBeEmpty();
    api.health.reasons = ["draining"];
    await api.get("/readyz");
    api.health.reasons = [];
    expect(api.logs.map(({ level, fields }) => [level, fields.route])).toEqual([["warn", "GET /readyz"]]);
  });
});

test("a flood that no allowance bounds fills no disk with lines; metrics count it all, and the next line says what is missing", async () => {
  const flooded = await startApi({ limits: { orders: { perMinute: 1, burst: 1 }, reads: { perMinute: 1, burst: 5 } } });
  for (let count = 0; count < 400; count++) {
    await flooded.get("/health");
    await flooded.ask("OPTIONS", "/x");
    await flooded.post("/v2/l402/webhooks/rent/guessed", "{}");
  }
  expect(flooded.logs.length).toBeWithin(100, 200);
  // Five were answered quietly.
  const unlogged = 1_200 - 5 - flooded.logs.length;
  flooded.world.jump(flooded.world.now() + 60_000);
  await flooded.ask("OPTIONS", "/x");
  const omitted = flooded.logs.reduce((sum, { fields }) => sum + Number(fields.omitted ?? 0), 0);
  expect(omitted).toBeWithin(unlogged - 6, unlogged + 6);
  expect(flooded.metrics.render()).toMatch(/http_requests_total\{route="GET \/health",status="429"\} 39\d/);
  await flooded.stop();
});

test("metrics count answers by route and status, and never by what a client wrote", async () => {
  await api.get("/some/strange/path");
  await api.get("/v2/l402/order/some-id");
  const text = api.metrics.render();
  expect(text).toMatch(/http_requests_total\{route="unmatched",status="404"\} [1-9]/);
  expect(text).toMatch(/http_requests_total\{route="GET \/v2\/l402\/order\/:id",status="403"\} [1-9]/);
  expect(text).toMatch(/http_request_duration_seconds_count\{route="GET \/v2\/l402\/order\/:id"\} [1-9]/);
  expect(text).not.toContain("strange");
  expect(text).not.toContain("some-id");
});

test("an error outside any route is the same JSON as every other", async () => {
  const broken = await startApi({}, (app) =>
    app.get("/broken-route", () => {
      throw new Error("kaboom");
    }),
  );
  const { status, text, body } = await broken.get("/broken-route");
  await broken.stop();
  expect([status, body.error.code]).toEqual([500, "INTERNAL"]);
  expect(text).not.toContain("kaboom");
  expect(broken.logs.at(-1)).toMatchObject({ level: "error", fields: { requestId: body.error.requestId } });
});
