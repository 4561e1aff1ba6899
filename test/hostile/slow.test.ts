/**
 * Connections that are held open on purpose: silence, headers and bodies that drip. Each ends by itself (docs/reliability.md, "Attackers"),
 * and customers are served meanwhile.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { connect, type RawConnection } from "../support/raw.ts";
import { type RunningServer, startServer } from "../support/server.ts";
import { hostileServer, median, ORDER } from "./server.ts";

setDefaultTimeout(60_000);

/** The listener gives a request's headers ten seconds; its own clock ticks every four. */
const HEADERS_MS = 10_000 + 2 * 4_000;
const PATIENCE_MS = 1_500;

describe("hundreds of connections that drip", () => {
  const server = hostileServer();
  const EACH = 150;
  const slow: { readonly connection: RawConnection; closedAt: number | null }[] = [];
  let began = 0;
  let drip: Timer | undefined;

  beforeAll(async () => {
    began = performance.now();
    const starts = [
      "",
      "GET /livez HTTP/1.1\r\nHost: x\r\nX: ",
      `POST ${ORDER} HTTP/1.1\r\nHost: x\r\nContent-Length: 9`,
    ];
    for (let n = 0; n < EACH; n++) {
      for (const start of starts) {
        const connection = await connect(server().origin);
        const one: (typeof slow)[number] = { connection, closedAt: null };
        connection.answer.then(() => {
          one.closedAt = performance.now();
        });
        connection.send(start);
        slow.push(one);
      }
    }
    // A byte a second to each that has begun: never silent, never done.
    drip = setInterval(() => {
      for (const [index, { connection, closedAt }] of slow.entries()) {
        if (closedAt === null && index % starts.length !== 0) connection.send("1");
      }
    }, 1_000);
  });
  afterAll(() => {
    clearInterval(drip);
    for (const { connection } of slow) connection.close();
  });

  test("delay nobody", async () => {
    const waits: number[] = [];
    for (let n = 0; n < 15; n++) {
      const before = performance.now();
      // A connection of its own each time, as a new customer has.
      const fresh = await fetch(`${server().origin}${ORDER}`, { method: "POST", body: "{}", keepalive: false });
      expect(fresh.status).toBe(402);
      waits.push(performance.now() - before);
    }
    expect(median(waits)).toBeLessThan(PATIENCE_MS);
    const bought = await server().buy({ service: "tg", country: "US" });
    await server().until(bought, ({ phoneNumber }) => phoneNumber !== null);
  });

  test("bodies that drip are answered after ten seconds of the house's clock, and nothing of them is taken", async () => {
    const before = await server.opened();
    const dripping = await Promise.all(
      [`POST ${ORDER} HTTP/1.1`, `POST ${ORDER}/${"f".repeat(32)}/cancel HTTP/1.1`].flatMap((line) =>
        Array.from({ length: 100 }, async (_, n) => {
          const connection = await connect(server().origin);
          const length = n % 2 ? "Content-Length: 100" : "Transfer-Encoding: chunked";
          connection.send(`${line}\r\nHost: x\r\n${length}\r\n\r\n`);
          for (let byte = 0; byte < 3; byte++) connection.send(n % 2 ? " " : "1\r\n \r\n");
          return connection;
        }),
      ),
    );
    while (dripping.some((connection) => !connection.received().includes("\r\n\r\n"))) {
      await server().advance(11);
      for (const connection of dripping) connection.send(" ");
    }
    for (const connection of dripping) {
      expect(connection.received()).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"VALIDATION_ERROR"/);
      connection.close();
    }
    expect(await server.opened()).toBe(before);
  });

  test("are all gone within the time that headers may take, however they drip", async () => {
    while (slow.some(({ closedAt }) => closedAt === null) && performance.now() - began < HEADERS_MS)
      await Bun.sleep(50);
    expect(slow.filter(({ closedAt }) => closedAt === null)).toHaveLength(0);
    expect((await fetch(`${server().origin}/livez`)).status).toBe(200);
  });
});

describe("bodies in pieces of a byte", () => {
  const server = hostileServer();

  test("delay nobody: each costs little more than one that comes in one piece", async () => {
    const body = `${"1\r\n \r\n".repeat(16_000)}0\r\n\r\n`;
    const head = `POST ${ORDER}/${"f".repeat(32)}/cancel HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const crowd = await Promise.all(Array.from({ length: 200 }, () => connect(server().origin)));
    const began = performance.now();
    for (const connection of crowd) connection.send(head + body);
    const unanswered = () => crowd.filter((connection) => !connection.received().startsWith("HTTP/1.1 403 "));
    while (unanswered().length > 0 && performance.now() - began < 30_000) await Bun.sleep(5);
    expect(unanswered()).toHaveLength(0);
    expect(performance.now() - began).toBeLessThan(PATIENCE_MS);
    for (const connection of crowd) connection.close();
  });
});

describe("more connections than the process has descriptors", () => {
  const DESCRIPTORS = 200;
  let server: RunningServer | null = null;
  afterAll(() => server?.stop());

  test("leave it alive, and able to buy as soon as they are gone", async () => {
    const main = join(import.meta.dir, "../../src/main.ts");
    const command = ["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "${process.execPath}" "${main}"`];
    server = await startServer({ command, env: { LOG_LEVEL: "error" } });
    const { origin, pid } = server;
    const before = await server.buy({ service: "tg", country: "US" });
    const crowd = await Promise.all(Array.from({ length: 400 }, () => connect(origin)));
    for (const connection of crowd) connection.send("GET /livez HTTP/1.1\r\nHost: x\r\n");
    // Whoever was connected before is served all the same.
    for (let n = 0; n < 20; n++) expect((await server.read(before)).orderId).toBe(before.orderId);
    // What needs a file meanwhile fails, and only meanwhile.
    const style = async () => (await fetch(`${origin}/docs/swagger-ui.css`)).status;
    while (readdirSync(`/proc/${pid}/fd`).length < DESCRIPTORS) await Bun.sleep(10);
    expect(await style()).toBe(500);
    for (const connection of crowd) connection.close();
    while (readdirSync(`/proc/${pid}/fd`).length > DESCRIPTORS / 2) await Bun.sleep(10);
    expect(await style()).toBe(200);
    // The number that was bought into the crowd may have met a provider that could not be reached: then sales rest for seconds.
    while ((await server.ask({ service: "tg", country: "US" })).status !== 402) await Bun.sleep(100);
    for (const order of [before, await server.buy({ service: "tg", country: "US" })]) {
      expect((await server.until(order, ({ phoneNumber }) => phoneNumber !== null, 20_000)).status).toBe(
        "waiting_for_sms",
      );
    }
  });
});
