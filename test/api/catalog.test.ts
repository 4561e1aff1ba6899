import { afterAll, describe, expect, test } from "bun:test";
import { takesGzip } from "../../src/api/documents.ts";
import { startApi } from "./server.ts";

const api = await startApi();
afterAll(api.stop);
const CATALOG = "/v2/l402/catalog";
const SERVICES = "/v2/l402/services";
const raw = (path: string, headers: Record<string, string>) =>
  fetch(`${api.url}${path}`, { headers, decompress: false });

describe("GET /v2/l402/catalog", () => {
  test("answers offers with price and stock, to be kept for half a minute", async () => {
    const { status, headers, body } = await api.get(CATALOG);
    expect(status).toBe(200);
    expect(body.countries[0].sms[0]).toEqual({ service: "tg", name: "Telegram", priceSats: 812, stock: 1200 });
    expect(headers.get("cache-control")).toBe("public, max-age=30");
    expect(headers.get("vary")).toBe("Accept-Encoding");
    expect(headers.get("etag")).toMatch(/^"[^"]+"$/);
  });

  test("hands its filters on; empty ones are none, repeated ones are the first", async () => {
    await api.get(`${CATALOG}?country=France&service=tg&type=rent-number&other=1`);
    expect(api.catalog.asked.at(-1)).toEqual({ country: "France", service: "tg", type: "rent-number" });
    await api.get(`${CATALOG}?country=&service=&type=`);
    expect(api.catalog.asked.at(-1)).toEqual({ country: null, service: null, type: null });
    await api.get(`${CATALOG}?country=FR&country=DE`);
    expect(api.catalog.asked.at(-1)?.country).toBe("FR");
  });

  test("refuses filters that are none", async () => {
    for (const [query, field] of [
      [`country=${"x".repeat(65)}`, "country"],
      [`service=${"x".repeat(65)}`, "service"],
      ["type=receive-sms-reactivate", "type"],
    ]) {
      const { status, body } = await api.get(`${CATALOG}?${query}`);
      expect([status, body.error.code, body.error.field]).toEqual([400, "VALIDATION_ERROR", field]);
    }
    const { status, body } = await api.get(`${CATALOG}?country=Atlantis`);
    expect([status, body.error.code, body.error.nearest]).toEqual([400, "INVALID_COUNTRY", []]);
  });

  test("answers 503 with Retry-After while there are no prices", async () => {
    const { status, headers, body } = await api.get(`${CATALOG}?country=GB`);
    expect([status, body.error.code, headers.get("retry-after")]).toEqual([503, "TEMPORARILY_UNAVAILABLE", "10"]);
  });

  test("is compressed for those who take gzip, under a tag of its own", async () => {
    const [plain, zipped] = [
      await raw(CATALOG, { "accept-encoding": "identity" }),
      await raw(CATALOG, { "accept-encoding": "br, gzip" }),
    ];
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(zipped.headers.get("content-encoding")).toBe("gzip");
    expect(zipped.headers.get("etag")).not.toBe(plain.headers.get("etag"));
    expect(Buffer.from(Bun.gunzipSync(await zipped.arrayBuffer())).toString()).toBe(await plain.text());
  });

  test("is 304 without a body for who has it already, in whatever encoding", async () => {
    const etag = (await raw(CATALOG, { "accept-encoding": "gzip" })).headers.get("etag") ?? "";
    const plain = etag.replace("-gzip", "");
    for (const known of [etag, plain, `W/${plain}`, `"x", ${plain}`, "*"]) {
      const { status, headers, text } = await api.get(CATALOG, { "if-none-match": known });
      expect([known, status, text]).toEqual([known, 304, ""]);
      expect(headers.get("etag")).not.toBeNull();
      expect(headers.get("cache-control")).toBe("public, max-age=30");
    }
    for (const other of ["", '"x"', plain.slice(1, -1)]) {
      expect((await api.get(CATALOG, { "if-none-match": other })).status).toBe(200);
    }
  });
});

describe("GET /v2/l402/services", () => {
  test("answers codes and names, and nothing else of a row", async () => {
    api.catalog.rows = [{ code: "tg", name: "Telegram", popularity: 1 } as { code: string; name: string }];
    const { status, body } = await api.get(SERVICES);
    expect(status).toBe(200);
    expect(body).toEqual({ services: [{ code: "tg", name: "Telegram" }] });
  });

  test("changes with the list, and its tag with it", async () => {
    const before = (await api.get(SERVICES)).headers.get("etag") ?? "";
    expect((await api.get(SERVICES, { "if-none-match": before })).status).toBe(304);
    api.catalog.rows = [...api.catalog.rows, { code: "wa", name: "WhatsApp" }];
    const after = await api.get(SERVICES, { "if-none-match": before });
    expect(after.status).toBe(200);
    expect(after.body.services).toHaveLength(2);
  });
});

test("Accept-Encoding is read as RFC 9110 says", () => {
  const yes = ["gzip", "GZIP", "x-gzip", "*", "br;q=1.0, gzip;q=0.5", "gzip ; q=1", "br,gzip", "*;q=0, gzip"];
  const no = ["", "identity", "br", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "gzipped"];
  expect(yes.filter(takesGzip)).toEqual(yes);
  expect(no.filter(takesGzip)).toEqual([]);
});
