/**
 * Floods: what the house holds stays bounded, and an honest customer is served while they go on. The bounds are those of docs/operating.md,
 * "Capacity"; the times are far above what is measured on a quiet machine, because this one may not be.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { RunningServer } from "../support/server.ts";
import { flood, hostileServer, median, ORDER, TIMES } from "./server.ts";

/** What a customer may wait for an answer while a flood goes on, ms: the middle one, and any. */
const PATIENCE = { usual: 1_500, most: 15_000 };
/** Growth of the process that a flood may cause, MiB; a leak of its requests would be far above. */
const MAX_GROWTH = 128;
const TELEGRAM = { service: "tg", country: "US" };

const from = (address: string) => ({ "x-forwarded-for": address });
const order = (server: RunningServer, address: string, headers: Record<string, string> = {}) =>
  fetch(`${server.origin}${ORDER}`, {
    method: "POST",
    body: JSON.stringify(TELEGRAM),
    headers: { ...from(address), ...headers },
  });

/** Customers from addresses of their own, one after the other: each buys, pays and gets a number. */
async function honest(server: RunningServer, count: number): Promise<void> {
  const waits: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    const bought = await server.buy(TELEGRAM, from(`192.0.${n}.77`));
    waits.push(performance.now() - began);
    const number = await server.until(bought, ({ phoneNumber }) => phoneNumber !== null, PATIENCE.most);
    expect(number.status).toBe("waiting_for_sms");
  }
  expect(median(waits)).toBeLessThan(PATIENCE.usual);
  expect(Math.max(...waits)).toBeLessThan(PATIENCE.most);
}

function rows(server: RunningServer, table: string, where = "1"): number {
  const db = new Database(join(server.dataDir, "orders.sqlite"), { readonly: true });
  try {
    return (db.query(`SELECT count(*) AS n FROM ${table} WHERE ${where}`).get() as { n: number }).n;
  } finally {
    db.close();
  }
}

const bytes = (server: RunningServer): number =>
  ["", "-wal"].reduce((sum, tail) => sum + statSync(join(server.dataDir, `orders.sqlite${tail}`)).size, 0);

describe("orders that nobody pays", () => {
  // The limits that the program ships with.
  const server = hostileServer({
    TRUSTED_PROXIES: "127.0.0.1",
    CREATE_PER_MINUTE: "30",
    READ_PER_MINUTE: "600",
    MAX_UNPAID_PER_CLIENT: "20",
  });

  test("thousands from one address: twenty stay, and others buy meanwhile", async () => {
    const before = server.rss();
    const attack = flood(16, 1_500 * TIMES, () => order(server(), "203.0.113.66"));
    await honest(server(), 3);
    await attack.over;
    expect(rows(server(), "orders", "kind = 'unpaid'")).toBeLessThanOrEqual(20);
    expect([...attack.statuses.keys()].sort()).toEqual([402, 429]);
    expect(server.rss() - before).toBeLessThan(MAX_GROWTH);
  });

  test("thousands from the addresses of one network: as many as of eight addresses stay", async () => {
    const attack = flood(16, 1_500 * TIMES, (n) => order(server(), `2001:db8:66:${(n % 65_536).toString(16)}::1`));
    await honest(server(), 3);
    await attack.over;
    expect(rows(server(), "orders", "kind = 'unpaid'")).toBeLessThanOrEqual(20 + 8 * 20);
    expect(attack.statuses.get(429)).toBeGreaterThan(0);
  });

  test("with as many idempotency keys: no more rows than orders, and a key that is taken opens nothing", async () => {
    const key = (n: number) => ({ "idempotency-key": `flood-of-keys-${String(n).padStart(12, "0")}` });
    const attack = flood(16, 1_000 * TIMES, (n) => order(server(), `198.18.1.${n % 256}`, key(n)));
    await honest(server(), 2);
    await attack.over;
    const keys = rows(server(), "claims", "kind = 'idempotency_key'");
    expect(keys).toBeWithin(1, 8 * 20 + 1);
    const opened = await server.opened();
    const again = flood(8, 200, (n) =>
      fetch(`${server().origin}${ORDER}`, {
        method: "POST",
        body: JSON.stringify({ service: "wa", maxPriceSats: 1_000_000 + n }),
        headers: { ...from("198.18.77.1"), ...key(0) },
      }),
    );
    await again.over;
    expect(rows(server(), "claims", "kind = 'idempotency_key'")).toBeLessThanOrEqual(keys + 20);
    expect((await server.opened()) - opened).toBeLessThanOrEqual(20);
  });

  test("leave the disk as they found it but for a few kB each, and go when they lapse", async () => {
    const unpaid = rows(server(), "orders", "kind = 'unpaid'");
    expect(bytes(server())).toBeLessThan(8 * 1024 * 1024 + unpaid * 16 * 1024);
    await server().advance(330);
    expect(rows(server(), "orders", "kind = 'unpaid'")).toBe(0);
    await honest(server(), 1);
  });
});

describe("orders that nobody pays, from more networks than there are places", () => {
  const PLACES = 150;
  const server = hostileServer({
    TRUSTED_PROXIES: "127.0.0.1",
    CREATE_PER_MINUTE: "30",
    READ_PER_MINUTE: "600",
    MAX_UNPAID_PER_CLIENT: "20",
    MAX_UNPAID: String(PLACES),
  });

  test("fill every place and no more; whoever holds most gives way to customers while they go on", async () => {
    // A hundred networks of many addresses each: places for a tenth of what they want.
    const attack = flood(16, 3_000 * TIMES, (n) => order(server(), `198.18.${n % 100}.${(n * 7) % 256}`));
    while (rows(server(), "orders", "kind = 'unpaid'") < PLACES - 5) await Bun.sleep(20);
    await honest(server(), 5);
    await attack.stop();
    expect(rows(server(), "orders", "kind = 'unpaid'")).toBeLessThanOrEqual(PLACES);
    const metrics = await (await fetch(`${server().origin}/metrics`)).text();
    expect(Number(/^orders_gave_way_total (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0);
    expect(attack.statuses.get(500)).toBeUndefined();
  });

  test("what gave way cannot be paid any more, and its order says so", async () => {
    await server().advance(330);
    const challenges = [];
    for (let n = 0; n < 20; n++) challenges.push(await server().challenge(TELEGRAM, from("203.0.113.5")));
    const crowd = flood(8, 400, (n) => order(server(), `198.19.${n % 200}.1`));
    await crowd.over;
    const [first] = challenges;
    if (!first) throw new Error("No order");
    await expect(server().pay(first)).rejects.toThrow("400");
    const authorization = `L402 ${first.macaroon}:`;
    const told = await fetch(`${server().origin}${ORDER}/${first.orderId}`, { headers: { authorization } });
    expect(told.status).toBe(403);
  });
});

describe("dear orders that nobody pays, on a small provider account", () => {
  const server = hostileServer({ TRUSTED_PROXIES: "127.0.0.1" });

  test("hold the whole balance until somebody wants some of it", async () => {
    await server().fault("provider", "getBalance", "custom", 100_000, { body: "ACCESS_BALANCE:40.00" });
    await server().advance(61);
    const dear = { type: "rent-number", service: "full", country: "US", durationMinutes: 24 * 60 };
    const held: number[] = [];
    for (let n = 0; n < 60; n++) held.push((await server().ask(dear, from(`198.18.${n}.1`))).status);
    expect(held.at(-1)).toBe(503);
    await honest(server(), 5);
    await server().control("DELETE", "/faults");
  });
});
