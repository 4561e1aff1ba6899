import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { startApi } from "./server.ts";

const ORDER = "/v2/l402/order";
const KIB = 1024;

describe("sizes", async () => {
  const api = await startApi();
  afterAll(api.stop);
  beforeEach(() => {
    api.desk.created.length = 0;
  });
  const padded = (bytes: number) => `{"service":"tg","note":"${"x".repeat(bytes - 26)}"}`;

  test("a body of exactly 16 KiB is read, one byte more is 413 with our body", async () => {
    expect(padded(100)).toHaveLength(100);
    expect((await api.post(ORDER, padded(16 * KIB))).status).toBe(402);
    for (const size of [16 * KIB + 1, 17 * KIB, 1024 * KIB, 20 * 1024 * KIB]) {
      const { status, body } = await api.post(ORDER, padded(size));
      expect([size, status]).toEqual([size, 413]);
      expect(body.error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", retryable: false });
    }
    expect(api.desk.created).toHaveLength(1);
  });

  test("a chunked body is counted while it comes", async () => {
    const chunked = (bytes: number) => {
      let left = bytes;
      return new ReadableStream({
        pull(controller) {
          if (left <= 0) return controller.close();
          controller.enqueue(new TextEncoder().encode(" ".repeat(Math.min(left, KIB))));
          left -= KIB;
        },
      });
    };
    expect((await api.ask("POST", ORDER, { body: chunked(16 * KIB) })).status).toBe(402);
    for (const size of [17 * KIB, 4096 * KIB]) {
      const { status, body } = await api.ask("POST", ORDER, { body: chunked(size) });
      expect([status, body.error.code]).toEqual([413, "PAYLOAD_TOO_LARGE"]);
    }
  });

  test("an announced size that is too large is refused before it comes, on any route", async () => {
    for (const target of [`POST ${ORDER}`, "GET /health", "POST /nope", "POST /v2/l402/order/x/cancel"]) {
      const answer = await raw(api.url, `${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n`);
      expect(answer).toStartWith("HTTP/1.1 413 ");
      expect(answer).toContain('"code":"PAYLOAD_TOO_LARGE"');
    }
  });

  test("nor is it taken when it is announced twice", async () => {
    for (const size of [16 * KIB + 1, 100 * KIB]) {
      const twice = `Content-Length: ${size}\r\n`.repeat(2);
      const answer = await raw(api.url, `POST ${ORDER} HTTP/1.1\r\nHost: x\r\n${twice}\r\n${" ".repeat(size)}`);
      expect(answer).toStartWith("HTTP/1.1 413 ");
    }
    expect(api.desk.created).toBeEmpty();
    const answer = await raw(
      api.url,
      `POST ${ORDER} HTTP/1.1\r\nHost: x\r\n${"Content-Length: 2\r\n".repeat(2)}\r\n{}`,
    );
    expect(answer).toStartWith("HTTP/1.1 402 ");
  });

  test("a body that does not arrive is given up", async () => {
    const answer = raw(api.url, `POST ${ORDER} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"a"`);
    await until(() => api.world.nextDue() !== null);
    api.world.jump(api.world.now() + 10_000);
    expect(await answer).toStartWith("HTTP/1.1 400 ");
    expect(api.world.nextDue()).toBeNull();
  });

  test("9 KiB of Authorization open nothing, and break nothing", async () => {
    const authorization = `L402 ${"A".repeat(9 * KIB)}:${"0".repeat(64)}`;
    expect((await api.post(ORDER, {}, { authorization })).status).toBe(402);
    expect((await api.get(`${ORDER}/abc`, { authorization })).body.error.code).toBe("INVALID_MACAROON");
    expect((await api.get("/health", { authorization })).status).toBe(200);
  });
});

describe("rates", async () => {
  const limits = { orders: { perMinute: 6, burst: 3 }, reads: { perMinute: 60, burst: 5 } };
  const api = await startApi({ limits, trustedProxies: ["127.0.0.1"], webhookSecret: "s".repeat(22) });
  afterAll(api.stop);
  const from = (address: string) => ({ "x-forwarded-for": address });

  test("orders: the burst, then 429 with Retry-After, then as many as the rate refills", async () => {
    const me = from("192.0.2.1");
    for (let count = 0; count < 3; count++) expect((await api.post(ORDER, {}, me)).status).toBe(402);
    const created = api.desk.created.length;
    const { status, headers, body } = await api.post(ORDER, {}, me);
    expect(status).toBe(429);
    expect(body.error).toMatchObject({ code: "RATE_LIMITED", retryable: true, retryAfterSeconds: 10 });
    expect(headers.get("retry-after")).toBe("10");
    expect((await api.get(ORDER, me)).status).toBe(429);
    expect(api.desk.created).toHaveLength(created);
    api.world.jump(api.world.now() + 10_000);
    expect((await api.get(ORDER, me)).status).toBe(402);
    expect((await api.post(ORDER, {}, me)).status).toBe(429);
  });

  test("addresses do not pay for each other, and reads not for orders", async () => {
    expect((await api.post(ORDER, {}, from("192.0.2.2"))).status).toBe(402);
    expect((await api.get("/health", from("192.0.2.1"))).status).toBe(200);
  });

  test("an IPv6 /64 is one client", async () => {
    for (let host = 1; host <= 3; host++) {
      expect((await api.post(ORDER, {}, from(`2001:db8:1:2::${host}`))).status).toBe(402);
    }
    expect((await api.post(ORDER, {}, from("2001:db8:1:2:ffff::9"))).status).toBe(429);
    expect((await api.post(ORDER, {}, from("2001:db8:1:3::9"))).status).toBe(402);
    expect(api.desk.created.at(-1)?.client).toBe("20010db800010003/64");
  });

  test("reads of all kinds, unknown paths and bad credentials count together", async () => {
    const me = from("192.0.2.3");
    for (const path of ["/health", "/nope", `${ORDER}/abc`, "/v2/l402/catalog", "/docs"]) {
      expect((await api.get(path, me)).status).not.toBe(429);
    }
    for (const path of ["/health", "/nope", `${ORDER}/abc`, "/docs"])
      expect((await api.get(path, me)).status).toBe(429);
  });

  test("probes, preflights and the provider are never refused", async () => {
    const me = from("192.0.2.4");
    for (let count = 0; count < 20; count++) {
      expect((await api.get("/livez", me)).status).toBe(200);
      expect((await api.ask("OPTIONS", ORDER, { headers: me })).status).toBe(204);
      expect((await api.post(`/v2/l402/webhooks/rent/${"s".repeat(22)}`, {}, me)).status).toBe(200);
    }
  });
});

/** What the server answers to exactly these bytes. */
function raw(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(request));
    socket.once("data", (data) => {
      resolve(data.toString());
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
