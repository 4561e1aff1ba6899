import { afterEach, expect, test } from "bun:test";
import { RealWorld } from "../../actors/runtime/world.ts";
import { FirebaseRates } from "../../src/pricing/firebase.ts";
import type { Rate } from "../../src/pricing/rate.ts";
import { usdCentsPerBtc } from "../../src/pricing/units.ts";
import { type FakeFirebase, fakeFirebase } from "./fake-firebase.ts";

const world = new RealWorld();
const rate = (usd: number, at = world.now() - 1_000): Rate => ({
  cents: usdCentsPerBtc(usd * 100),
  at,
  sources: ["coingecko", "kraken"],
});
let fake: FakeFirebase;
const database = (allowed?: (request: Request) => boolean) => {
  fake = fakeFirebase(allowed);
  return fake;
};
afterEach(() => fake.stop());

test("an absent node reads as nothing, takes a rate, and gives it back", async () => {
  const rates = new FirebaseRates(world, { baseUrl: `${database().baseUrl}/` });
  expect(await rates.read()).toBeNull();
  const offered = rate(60_000);
  expect(await rates.offer(offered)).toBe("written");
  expect(await rates.read()).toEqual(offered);
  expect(fake.requests.find(({ method }) => method === "PUT")?.headers.get("if-match")).toBe("null_etag");
});

test("a newer rate that is already there stays, an older one is replaced", async () => {
  const rates = new FirebaseRates(world, { baseUrl: database().baseUrl });
  const newer = rate(61_000);
  fake.value = JSON.stringify(newer);
  expect(await rates.offer(rate(60_000, newer.at - 1))).toBe("newer_kept");
  expect(await rates.read()).toEqual(newer);
  const newest = rate(62_000, newer.at + 1);
  expect(await rates.offer(newest)).toBe("written");
  expect(await rates.read()).toEqual(newest);
});

test("of two writers at the same moment the newer rate stays", async () => {
  const rates = new FirebaseRates(world, { baseUrl: database().baseUrl });
  const theirs = rate(61_000);
  fake.beforePut = () => {
    fake.value = JSON.stringify(theirs);
  };
  expect(await rates.offer(rate(60_000, theirs.at - 1))).toBe("newer_kept");
  expect(await rates.read()).toEqual(theirs);

  let once = true;
  fake.beforePut = () => {
    if (once) fake.value = JSON.stringify(rate(59_000, theirs.at - 10));
    once = false;
  };
  fake.value = "null";
  expect(await rates.offer(theirs)).toBe("written");
  expect(await rates.read()).toEqual(theirs);
});

test("gives up when other writers always come first", async () => {
  const rates = new FirebaseRates(world, { baseUrl: database().baseUrl });
  let count = 0;
  fake.beforePut = () => {
    fake.value = JSON.stringify({ cents: 6_000_000, at: 1_700_000_000_000 + count++, sources: [] });
  };
  expect(await rates.offer(rate(60_000))).toBe("failed");
  expect(count).toBe(3);
});

test("a stored rate from the future does not block writers until then", async () => {
  const rates = new FirebaseRates(world, { baseUrl: database().baseUrl });
  fake.value = JSON.stringify(rate(10_000_000, world.now() + 86_400_000));
  const ours = rate(60_000);
  expect(await rates.offer(ours)).toBe("written");
  expect(await rates.read()).toEqual(ours);
});

test("what somebody else wrote there is read as nothing when it cannot be a rate, and replaced", async () => {
  const rates = new FirebaseRates(world, { baseUrl: database().baseUrl });
  const garbage = [
    "{",
    "42",
    '"x"',
    "[]",
    "{}",
    '{"cents":-1,"at":1700000000000}',
    '{"cents":1e300,"at":1700000000000}',
    '{"cents":"6000000","at":1700000000000}',
    '{"cents":6000000.5,"at":1700000000000}',
    '{"cents":6000000,"at":null}',
    '{"cents":6000000,"at":-5}',
  ];
  for (const text of garbage) {
    fake.value = text;
    expect(await rates.read()).toBeNull();
  }
  expect(await rates.offer(rate(60_000))).toBe("written");
  fake.value = '{"cents":6000000,"at":1700000000000,"sources":["kraken","__proto__",7]}';
  expect(await rates.read()).toEqual({ cents: usdCentsPerBtc(6_000_000), at: 1_700_000_000_000, sources: ["kraken"] });
});

test("authenticates with a secret in the query or a bearer token in the header", async () => {
  const bySecret = database((request) => new URL(request.url).searchParams.get("auth") === "s3cret&=");
  const secret = { kind: "secret", secret: "s3cret&=" } as const;
  expect(await new FirebaseRates(world, { baseUrl: bySecret.baseUrl, auth: secret }).offer(rate(60_000))).toBe(
    "written",
  );
  expect(await new FirebaseRates(world, { baseUrl: bySecret.baseUrl }).offer(rate(60_000))).toBe("failed");
  bySecret.stop();
  const byToken = database((request) => request.headers.get("authorization") === "Bearer ya29.token");
  const bearer = { kind: "bearer", token: "ya29.token" } as const;
  expect(await new FirebaseRates(world, { baseUrl: byToken.baseUrl, auth: bearer }).offer(rate(60_000))).toBe(
    "written",
  );
  expect(fake.requests.every(({ url }) => !url.includes("ya29"))).toBe(true);
});

test("a dead or hanging database is a failed offer and nothing read, never an exception", async () => {
  const dead = new FirebaseRates(world, { baseUrl: "http://127.0.0.1:1" });
  expect(await dead.read()).toBeNull();
  expect(await dead.offer(rate(60_000))).toBe("failed");
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Promise<Response>(() => {}) });
  const hanging = new FirebaseRates(world, { baseUrl: `http://127.0.0.1:${server.port}`, timeoutMs: 30 });
  expect(await hanging.offer(rate(60_000))).toBe("failed");
  await server.stop(true);
});
