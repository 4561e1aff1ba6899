/**
 * The provider's webhook, sent by anybody. It is a hint and nothing else: what an SMS says comes from the provider's own list, however often,
 * however convincingly and by whomever the hint is given.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { withNumber } from "../support/life.ts";
import type { Bought } from "../support/server.ts";
import { flood, hostileServer, ORDER, TIMES } from "./server.ts";

const SECRET = "leaked-webhook-secret-22";
const HOOK = "/v2/l402/webhooks/rent";
const server = hostileServer({
  WEBHOOK_SECRET: SECRET,
  WEBHOOK_ALLOW: "84.32.223.53",
  TRUSTED_PROXIES: "127.0.0.1",
  READ_PER_MINUTE: "600",
});
const provider = { "x-forwarded-for": "84.32.223.53" };

let bought: Bought;
let phoneNumber: string | null;
let activationId: string;
beforeAll(async () => {
  const { bought: order, order: view } = await withNumber(server(), { service: "tg", country: "US" });
  bought = order;
  ({ phoneNumber } = view);
  const row = (await server().books()).activations.find((one) => one.phoneNumber === phoneNumber);
  activationId = row?.activationId ?? "";
  expect(activationId).toMatch(/^\d+$/);
});

const push = (more: object = {}) => ({
  activationId,
  service: "tg",
  text: "Your Telegram code is 66613",
  code: "66613",
  country: 187,
  receivedAt: new Date().toISOString(),
  phoneFrom: "Telegram",
  ...more,
});
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${server().origin}${path}`, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

async function untouched(): Promise<void> {
  const order = await server().read(bought);
  expect(order).toMatchObject({ status: "waiting_for_sms", code: null, messages: [] });
}

describe("a forged webhook", () => {
  test("with a guessed secret, or from elsewhere, finds nothing there, in any number", async () => {
    const guesses = flood(16, 1_000 * TIMES, (n) =>
      post(
        `${HOOK}/${n % 3 ? `${SECRET.slice(0, n % SECRET.length)}x${n}` : encodeURIComponent(`${SECRET}\0`)}`,
        push(),
      ),
    );
    await guesses.over;
    expect([...guesses.statuses.keys()]).toEqual([404]);
    for (const address of [
      "6.6.6.6",
      "84.32.223.53, 6.6.6.6",
      "84.32.223.54",
      "::ffff:84.32.223.54",
      "84.32.223.53.evil",
    ]) {
      expect([address, (await post(HOOK, push(), { "x-forwarded-for": address })).status]).toEqual([address, 404]);
    }
    for (const headers of [{ "x-real-ip": "84.32.223.53" }, { forwarded: "for=84.32.223.53" }] as Record<
      string,
      string
    >[]) {
      expect((await post(HOOK, push(), headers)).status).toBe(404);
    }
    await untouched();
  });

  test("with the secret, or from the provider's own address, makes no message of what it says", async () => {
    for (const [path, headers] of [
      [`${HOOK}/${SECRET}`, {}],
      [HOOK, provider],
    ] as [string, Record<string, string>][]) {
      for (const more of [
        {},
        { text: "x".repeat(10_000) },
        { code: "0".repeat(1_000) },
        { activationId: Number(activationId) },
        { status: "finished", action: "cancel", refund: true },
        { activationId: [activationId] },
        { activationId: { id: activationId } },
        { activationId: `${activationId} OR 1=1` },
        { activationId: `${activationId}\n` },
      ]) {
        expect((await post(path, push(more), headers)).status).toBe(200);
      }
    }
    await server().advance(30);
    await untouched();
  });

  test("for ids that nobody has, thousands of them, is forgotten without a trace but a row", async () => {
    const before = server.rss();
    const guesses = flood(16, 3_000 * TIMES, (n) =>
      post(`${HOOK}/${SECRET}`, push({ activationId: String(900_000_000 + n) })),
    );
    await untouched();
    await guesses.over;
    expect([...guesses.statuses.keys()]).toEqual([200]);
    expect(server.rss() - before).toBeLessThan(96);
    await untouched();
  });

  test("that is no webhook at all is thanked for and passed over", async () => {
    for (const body of [
      "",
      "{",
      "[]",
      "null",
      "\ufeff{}",
      "{}",
      "[".repeat(9_000),
      '{"activationId":1e999}',
      '{"activationId":-1}',
      '{"activationId":0}',
      '{"activationId":"0x1"}',
      `{"activationId":"${"9".repeat(5_000)}"}`,
      `{"__proto__":{"activationId":"${activationId}"}}`,
      `activationId=${activationId}`,
    ]) {
      expect([body.slice(0, 30), (await post(`${HOOK}/${SECRET}`, body)).status]).toEqual([body.slice(0, 30), 200]);
    }
    expect((await post(`${HOOK}/${SECRET}`, push({ text: "x".repeat(17 * 1024) }))).status).toBe(413);
    expect((await post(HOOK, "x".repeat(8 * 1024 * 1024), provider)).status).toBe(413);
    await untouched();
  });
});

describe("a webhook sent again and again", () => {
  test("for an order that waits costs looks, not answers: it is read meanwhile, and its SMS comes once", async () => {
    const replay = flood(16, 2_000 * TIMES, () => post(`${HOOK}/${SECRET}`, push()));
    for (let n = 0; n < 10; n++) await untouched();
    await server().sms(phoneNumber, "Telegram code: 73914628");
    const order = await server().until(bought, ({ code }) => code !== null, 20_000);
    await replay.over;
    expect([...replay.statuses.keys()]).toEqual([200]);
    expect(order.messages.map(({ code }) => code)).toEqual(["73914628"]);
    await server().advance(10);
    expect((await server().read(bought)).messages.map(({ code }) => code)).toEqual(["73914628"]);
  });

  test("for an order that is over brings nothing back", async () => {
    await server().until(bought, ({ code }) => code !== null);
    await server().advance(60);
    await server().until(bought, ({ status }) => status === "completed");
    const replay = flood(8, 200, () => post(HOOK, push({ text: "late", code: "999" }), provider));
    await replay.over;
    await server().advance(60);
    const order = await server().read(bought);
    expect(order.status).toBe("completed");
    expect(order.messages.map(({ code }) => code)).toEqual(["73914628"]);
    const response = await fetch(`${server().origin}${ORDER}/${bought.orderId}`);
    expect(response.status).toBe(403);
  });
});
