import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { startApi } from "./server.ts";

const api = await startApi();
const TOKEN = "metrics-token-0123456789";
const guarded = await startApi({ metricsToken: TOKEN });
const proxied = await startApi({ trustedProxies: ["127.0.0.1"] });
afterAll(() => Promise.all([api.stop(), guarded.stop(), proxied.stop()]));

describe("GET /health", () => {
  test("reports, and is 200 while anything works", async () => {
    for (const status of ["ok", "degraded"] as const) {
      api.health.status = status;
      const reply = await api.get("/health");
      expect(reply.status).toBe(200);
      expect(reply.body).toEqual(api.health.report());
      expect(reply.headers.get("cache-control")).toBe("no-store");
    }
  });

  test("is 503 when down, with the report and an error", async () => {
    api.health.status = "down";
    const { status, headers, body } = await api.get("/health");
    api.health.status = "ok";
    expect(status).toBe(503);
    expect(body).toMatchObject({ status: "down", version: "1.2.3", error: { code: "TEMPORARILY_UNAVAILABLE" } });
    expect(headers.get("retry-after")).toBe("5");
  });
});

test("/livez says that the process answers, whatever else is broken", async () => {
  api.health.status = "down";
  expect((await api.get("/livez")).body).toEqual({ status: "ok" });
  api.health.status = "ok";
});

test("/readyz says whether to send requests here, and why not", async () => {
  expect(await api.get("/readyz")).toMatchObject({ status: 200, body: { ready: true, reasons: [] } });
  api.health.reasons = ["draining"];
  const { status, headers, body } = await api.get("/readyz");
  api.health.reasons = [];
  expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
  expect(body).toMatchObject({ ready: false, reasons: ["draining"], error: { code: "TEMPORARILY_UNAVAILABLE" } });
});

describe("GET /metrics", () => {
  test("is for this machine when no token is configured, and not for pages of other sites", async () => {
    const { status, headers, text } = await api.get("/metrics");
    expect(status).toBe(200);
    expect(text).toContain("# TYPE http_requests_total counter");
    expect(headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    expect(headers.has("access-control-allow-origin")).toBe(false);
  });

  test("is not for what a proxy on this machine lets through, nor for another name of this host", async () => {
    for (const name of ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via"]) {
      expect((await api.get("/metrics", { [name]: "127.0.0.1" })).status).toBe(404);
    }
    expect((await proxied.get("/metrics", { "x-forwarded-for": "127.0.0.1" })).status).toBe(404);
    expect(await statusFor(api.url, "evil.example")).toBe(404);
    expect(await statusFor(api.url, "localhost:3000")).toBe(200);
  });

  test("is for the configured token and for nothing else, also from here", async () => {
    for (const authorization of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`]) {
      expect((await guarded.get("/metrics", { authorization })).status).toBe(200);
    }
    for (const authorization of [
      "",
      TOKEN,
      "Bearer",
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
    ]) {
      const { status, body } = await guarded.get("/metrics", { authorization });
      expect([status, body.error.code]).toEqual([404, "NOT_FOUND"]);
    }
  });
});

/** `fetch` writes Host itself. */
function statusFor(url: string, host: string): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`GET /metrics HTTP/1.1\r\nHost: ${host}\r\n\r\n`),
    );
    socket.once("data", (data) => {
      resolve(Number(data.toString().split(" ")[1]));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
