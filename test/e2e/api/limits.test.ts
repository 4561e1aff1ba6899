/** A limit on everything that a client can send, and on how often. */
import { describe, expect, test } from "bun:test";
import { documentedServer } from "../../support/openapi.ts";
import { raw } from "../../support/raw.ts";

const MAX_UNPAID = 3;
const PER_MINUTE = 6;
const server = documentedServer({
  MAX_UNPAID_PER_CLIENT: String(MAX_UNPAID),
  CREATE_PER_MINUTE: String(PER_MINUTE),
  READ_PER_MINUTE: "40",
  TRUSTED_PROXIES: "127.0.0.1",
});
const REQUEST = { service: "tg", country: "US" };
const ORDER = "/v2/l402/order";

let lastClient = 0;
/** A client that nobody has seen before, in a network of its own. */
const newClient = () => ({ "x-forwarded-for": `198.18.${++lastClient}.1` });
const order = (headers: Record<string, string>) => server().ask(REQUEST, headers);

describe("how often", () => {
  test("so many unpaid orders are open per client, then 429 until one is paid or expires", async () => {
    const client = newClient();
    const challenges = [];
    for (let n = 0; n < MAX_UNPAID; n++) challenges.push(await server().challenge(REQUEST, client));
    const refused = await order(client);
    expect(refused).toMatchObject({ status: 429, error: { code: "RATE_LIMITED", retryAfterSeconds: 60 } });
    expect((await order(newClient())).status).toBe(402);

    const [first] = challenges;
    if (!first) throw new Error("No order");
    const bought = await server().pay(first);
    await server().until(bought, ({ paidAt }) => paidAt !== null);
    await server().advance(15);
    expect((await order(client)).status).toBe(402);
    expect((await order(client)).status).toBe(429);
    await server().advance(330);
    expect((await order(client)).status).toBe(402);
  });

  test("so many orders are created per minute, then 429 with the time to wait", async () => {
    const client = newClient();
    const statuses = await Promise.all(
      Array.from({ length: PER_MINUTE + 2 }, async () => (await order(client)).status),
    );
    // Some are refused for being unpaid, which takes from the allowance too.
    expect(statuses.filter((status) => status === 402)).toHaveLength(MAX_UNPAID);
    const refused = await order(client);
    expect(refused.status).toBe(429);
    const wait = refused.error.retryAfterSeconds ?? 0;
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(60 / PER_MINUTE);
    await server().advance(331);
    expect((await order(client)).status).toBe(402);
  });

  test("probes by GET take from the same allowance", async () => {
    const client = newClient();
    const probe = () => fetch(`${server().origin}${ORDER}`, { headers: client });
    for (let n = 0; n < PER_MINUTE; n++) expect([402, 429]).toContain((await probe()).status);
    const refused = await probe();
    expect(refused.status).toBe(429);
    expect((await order(client)).status).toBe(429);
  });

  test("other requests have an allowance of their own, and probes for life none", async () => {
    const client = newClient();
    const get = async (path: string) => (await fetch(`${server().origin}${path}`, { headers: client })).status;
    const statuses = await Promise.all(Array.from({ length: 41 }, () => get("/v2/l402/services")));
    expect(statuses.filter((status) => status === 429)).toHaveLength(1);
    expect(await get("/nothing/here")).toBe(429);
    expect(await get(`${ORDER}/${"f".repeat(32)}`)).toBe(429);
    for (const path of ["/livez", "/readyz"]) expect(await get(path)).toBe(200);
    expect((await order(client)).status).toBe(402);
    await server().advance(3);
    expect(await get("/v2/l402/services")).toBe(200);
  });

  test("a client is an IPv4 address or an IPv6 /64, as the believed proxy tells it", async () => {
    const from = async (address: string) => (await order({ "x-forwarded-for": address })).status;
    for (let n = 1; n <= MAX_UNPAID; n++) expect(await from(`2001:db8:77:1::${n}`)).toBe(402);
    expect(await from("2001:db8:77:1:ffff::1")).toBe(429);
    expect(await from("2001:db8:77:2::1")).toBe(402);
    // What a client writes in front of the proxy's own entry changes nothing.
    const client = newClient()["x-forwarded-for"];
    for (let n = 1; n <= MAX_UNPAID; n++) expect(await from(`203.0.113.${n}, ${client}`)).toBe(402);
    expect(await from(`203.0.113.99, ${client}`)).toBe(429);
  });

  test("a network (IPv4 /24, IPv6 /48) may do as much as eight clients, however many addresses it has", async () => {
    for (const address of [(n: number) => `203.0.113.${n}`, (n: number) => `2001:db8:99:${n}::1`]) {
      const statuses: number[] = [];
      for (let n = 1; n <= 8 * MAX_UNPAID + 2; n++)
        statuses.push((await order({ "x-forwarded-for": address(n) })).status);
      expect(statuses.filter((status) => status === 402)).toHaveLength(8 * MAX_UNPAID);
      expect(statuses.slice(-2)).toEqual([429, 429]);
      expect((await order(newClient())).status).toBe(402);
    }
  });
});

describe("how much", () => {
  const post = (path: string, body: RequestInit["body"] & {}) =>
    fetch(`${server().origin}${path}`, { method: "POST", body, headers: newClient() });
  const paths = [ORDER, `${ORDER}/${"f".repeat(32)}/cancel`, `${ORDER}/${"f".repeat(32)}/refund-invoice`];

  test("a body above 16 KiB is refused with 413, announced or not", async () => {
    const large = JSON.stringify({ note: "x".repeat(17 * 1024) });
    const chunks = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new TextEncoder().encode(" ".repeat(1024)));
        },
      });
    for (const path of paths) {
      for (const body of [large, chunks()]) {
        const response = await post(path, body);
        expect({ path, status: response.status }).toEqual({ path, status: 413 });
        expect(await response.json()).toMatchObject({ error: { code: "PAYLOAD_TOO_LARGE", retryable: false } });
      }
    }
    expect((await post(ORDER, JSON.stringify({ note: "x".repeat(16 * 1024 - 20) }))).status).toBe(402);
  });

  test("an Authorization above 8 KiB opens nothing, and a purchase ignores it", async () => {
    const bought = await server().buy(REQUEST, newClient());
    const authorization = `${bought.authorization}, L402 ${"A".repeat(8 * 1024)}:`;
    const headers = { ...newClient(), authorization };
    expect((await fetch(`${server().origin}${ORDER}/${bought.orderId}`, { headers })).status).toBe(403);
    expect((await server().challenge(REQUEST, headers)).orderId).not.toBe(bought.orderId);
  });

  test("headers that no server would read are refused, and the server lives on", async () => {
    const large = "x".repeat(64 * 1024);
    const answer = await raw(server().origin, `GET /livez HTTP/1.1\r\nHost: x\r\nX-Large: ${large}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect((await fetch(`${server().origin}/livez`)).status).toBe(200);
  });
});
