import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Faults } from "../../src/sandbox/faults.ts";
import { FirebasePeer } from "../../src/sandbox/firebase.ts";

const RATE = "sms4sats/fxrates/current";
let books: Database;
let faults: Faults;
let server: ReturnType<typeof Bun.serve>;

function serve(auth: string | null): void {
  const peer = new FirebasePeer({ books, faults, auth });
  server = Bun.serve({ port: 0, development: false, fetch: (request) => peer.fetch(request) });
}
beforeEach(() => {
  books = new Database(":memory:");
  faults = new Faults();
  serve(null);
});
afterEach(async () => {
  await server.stop(true);
  books.close();
});

const call = (path: string, init?: RequestInit) => fetch(new URL(`/firebase/${path}`, server.url), init);
const put = (path: string, value: unknown, headers: Record<string, string> = {}) =>
  call(`${path}.json`, { method: "PUT", body: JSON.stringify(value), headers });
const value = async (path: string) => (await call(`${path}.json`)).json();
const etagOf = async (path: string) =>
  (await call(`${path}.json`, { headers: { "X-Firebase-ETag": "true" } })).headers.get("etag") ?? "";

describe("reading and writing", () => {
  test("a missing value is null, not 404", async () => {
    const response = await call(`${RATE}.json`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("null");
  });

  test("PUT echoes the value, which is then there and visible from above", async () => {
    const response = await put(RATE, { usd: 67_187.34, at: 1 });
    expect(await response.json()).toEqual({ usd: 67_187.34, at: 1 });
    expect(await value(RATE)).toEqual({ usd: 67_187.34, at: 1 });
    expect(await value("sms4sats")).toEqual({ fxrates: { current: { usd: 67_187.34, at: 1 } } });
    expect(await value(`${RATE}/usd`)).toBe(67_187.34);
  });

  test("PATCH replaces the named children only, and null removes one", async () => {
    await put(RATE, { usd: 1, eur: 2, at: 3 });
    await call(`${RATE}.json`, { method: "PATCH", body: JSON.stringify({ usd: 5, eur: null }) });
    expect(await value(RATE)).toEqual({ usd: 5, at: 3 });
  });

  test("DELETE leaves nothing, not even empty parents", async () => {
    await put(RATE, { usd: 1 });
    expect((await call(`${RATE}.json`, { method: "DELETE" })).status).toBe(200);
    expect(await value("sms4sats")).toBeNull();
  });

  test("print=silent answers 204", async () => {
    const response = await call(`${RATE}.json?print=silent`, { method: "PUT", body: "1" });
    expect(response.status).toBe(204);
  });

  test("what is no JSON, no path or no method of the interface is refused in JSON", async () => {
    const bad = [
      [`${RATE}.json`, { method: "PUT", body: "{usd: 1" }, 400],
      [`${RATE}.json`, { method: "PUT", body: '{"a.b": 1}' }, 400],
      [`${RATE}.json`, { method: "PATCH", body: "1" }, 400],
      ["a$b.json", {}, 400],
      ["no-suffix", {}, 400],
      [`${RATE}.json`, { method: "OPTIONS" }, 405],
    ] as const;
    for (const [path, init, status] of bad) {
      const response = await call(path, init);
      expect(response.status).toBe(status);
      expect(await response.json()).toHaveProperty("error");
    }
  });

  test("keys that JavaScript objects are born with are ordinary keys", async () => {
    expect(await value("constructor/name")).toBeNull();
    await put("__proto__/polluted", true);
    expect(await value("__proto__")).toEqual({ polluted: true });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test("the tree outlives the peer, because it is in the books", async () => {
    await put(RATE, { usd: 1 });
    await server.stop(true);
    serve(null);
    expect(await value(RATE)).toEqual({ usd: 1 });
  });
});

describe("conditional writes", () => {
  test("go through with the ETag that was read", async () => {
    await put(RATE, { usd: 1 });
    expect((await put(RATE, { usd: 2 }, { "if-match": await etagOf(RATE) })).status).toBe(200);
    expect(await value(RATE)).toEqual({ usd: 2 });
  });

  test("meet 412 with the current value and its ETag when someone was faster", async () => {
    await put(RATE, { usd: 1 });
    const seen = await etagOf(RATE);
    await put(RATE, { usd: 2 });
    const refused = await put(RATE, { usd: 3 }, { "if-match": seen });
    expect(refused.status).toBe(412);
    expect(await refused.json()).toEqual({ usd: 2 });
    const current = refused.headers.get("etag") ?? "";
    expect(current).toBe(await etagOf(RATE));
    expect((await put(RATE, { usd: 3 }, { "if-match": current })).status).toBe(200);
  });

  test("can ask for absence", async () => {
    expect(await etagOf(RATE)).toBe("null_etag");
    expect((await put(RATE, 1, { "if-match": "null_etag" })).status).toBe(200);
    expect((await put(RATE, 2, { "if-match": "null_etag" })).status).toBe(412);
  });

  test("an ETag depends on the value, not on the order of its keys", async () => {
    await put(RATE, { a: 1, b: 2 });
    const first = await etagOf(RATE);
    await put(RATE, { b: 2, a: 1 });
    expect(await etagOf(RATE)).toBe(first);
    await put(RATE, { a: 1, b: 3 });
    expect(await etagOf(RATE)).not.toBe(first);
  });

  test("no ETag is sent unasked", async () => {
    expect((await call(`${RATE}.json`)).headers.get("etag")).toBeNull();
  });
});

describe("access and faults", () => {
  test("with a secret configured, only calls that bring it get in", async () => {
    await server.stop(true);
    serve("s3cret");
    expect((await call(`${RATE}.json`)).status).toBe(401);
    expect((await call(`${RATE}.json?auth=wrong`)).status).toBe(401);
    expect((await call(`${RATE}.json?auth=s3cret`)).status).toBe(200);
  });

  test("http500, unauthorized and conflict happen on demand and write nothing", async () => {
    for (const [fault, status] of [
      ["http500", 500],
      ["unauthorized", 401],
      ["conflict", 412],
    ] as const) {
      faults.plan({ peer: "firebase", action: "put", fault, detail: {} });
      expect((await put(RATE, 1)).status).toBe(status);
      expect(await value(RATE)).toBeNull();
    }
  });
});
