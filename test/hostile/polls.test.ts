/** Reads in floods: forged credentials, the largest answers, unknown paths. Whoever has an order reads it meanwhile. */
import { describe, expect, test } from "bun:test";
import { connect } from "../support/raw.ts";
import { type Flood, flood, hostileServer, median, ORDER, TIMES } from "./server.ts";

const server = hostileServer({ TRUSTED_PROXIES: "127.0.0.1", READ_PER_MINUTE: "600", LOG_LEVEL: "info" });
/** ms. Quiet, a poll takes less than one; here the attacker and its judge share two cores with the server. */
const PATIENCE = { usual: 750, most: 10_000 };
const from = (n: number) => ({ "x-forwarded-for": `198.18.${n % 251}.${(n >> 3) % 256}` });
const random = (bytes: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes)));

/** Polls an order of one's own while a flood goes on, and sees it every time. */
async function pollsDuring(attack: Flood): Promise<void> {
  const bought = await server().buy({ service: "tg", country: "US" }, { "x-forwarded-for": "203.0.113.1" });
  const waits: number[] = [];
  for (let n = 0; n < 40; n++) {
    const began = performance.now();
    const order = await server().read(bought);
    waits.push(performance.now() - began);
    expect(order.orderId).toBe(bought.orderId);
  }
  await attack.over;
  expect(median(waits)).toBeLessThan(PATIENCE.usual);
  expect(Math.max(...waits)).toBeLessThan(PATIENCE.most);
}

describe("an honest customer polls within moments while others", () => {
  test("guess credentials of orders", async () => {
    const guess = () => `L402 ${random(230).toString("base64")}:${random(32).toString("hex")}`;
    const attack = flood(16, 1_500 * TIMES, (n) =>
      fetch(`${server().origin}${ORDER}/${random(16).toString("hex")}`, {
        headers: { ...from(n), authorization: guess() },
      }),
    );
    await pollsDuring(attack);
    expect([...attack.statuses.keys()]).toEqual([403]);
  });

  test("send the dearest credentials there are to judge", async () => {
    // A macaroon that names a key of ours, with as many caveats as are read, eight times over.
    const { macaroon } = await server().challenge({ service: "tg" });
    const bytes = Buffer.from(macaroon, "base64");
    const seal = bytes.subarray(-34);
    const caveats = Buffer.concat(new Array(60).fill(Buffer.from([2, 3, 0x61, 0x3d, 0x62, 0])));
    const dear = (n: number) => {
      const tail = Buffer.from(seal);
      tail.writeUInt16BE(n, 32);
      return Buffer.concat([bytes.subarray(0, -35), caveats, Buffer.from([0]), tail]).toString("base64");
    };
    const authorization = Array.from({ length: 8 }, (_, n) => `L402 ${dear(n)}:${"0".repeat(64)}`).join(", ");
    expect(authorization.length).toBeWithin(5_000, 8_192);
    const attack = flood(16, 800 * TIMES, (n) =>
      fetch(`${server().origin}${ORDER}/x`, { headers: { ...from(n), authorization } }),
    );
    await pollsDuring(attack);
    expect([...attack.statuses.keys()]).toEqual([403]);
  });

  test("ask for everything else that is read, more often than they may", async () => {
    const paths = ["/v2/l402/catalog?service=tg", "/skill.md", "/nope", "/health", "/metrics"];
    const attack = flood(16, 1_500 * TIMES, (n) =>
      fetch(`${server().origin}${paths[n % paths.length]}`, { headers: { "x-forwarded-for": "198.18.66.6" } }),
    );
    await pollsDuring(attack);
    expect([...attack.statuses.keys()].sort()).toEqual([200, 404, 429]);
  });
});

test("a thousand large answers that nobody takes cost no memory", async () => {
  await (await fetch(`${server().origin}/docs/swagger-ui-bundle.js`)).arrayBuffer();
  const before = server.rss();
  const request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
  const silent = await Promise.all(Array.from({ length: 50 }, () => connectSilently(request.repeat(20))));
  for (let n = 0; n < 20; n++) expect((await fetch(`${server().origin}/livez`)).status).toBe(200);
  // 1,000 times 1.7 MB.
  expect(server.rss() - before).toBeLessThan(150);
  for (const connection of silent) connection.close();
});

/** A connection that sends, and takes nothing of what comes but what the system takes for it. */
async function connectSilently(request: string) {
  const connection = await connect(server().origin, { reads: false });
  connection.send(request);
  return connection;
}

test("all of that is a few kB of log", () => {
  // Some 4,000 answers; each line has about 150 characters.
  const lines = server().output().split("\n");
  expect(lines.filter((line) => line.includes('"status":429')).length).toBeLessThan(300);
});
