/** `Idempotency-Key`: a purchase whose answer was lost can be asked for again, and is one order whatever happens. */
import { expect, test } from "bun:test";
import { documentedServer } from "../../support/openapi.ts";
import { startServer } from "../../support/server.ts";

const server = documentedServer();
const REQUEST = { service: "tg", country: "US" };
const newKey = () => ({ "idempotency-key": crypto.randomUUID() });
const ask = async (request: unknown, headers: Record<string, string>) => {
  const response = await server().post("/v2/l402/order", request, headers);
  // biome-ignore lint/suspicious/noExplicitAny: the shape of every answer is checked against the OpenAPI document
  return { code: response.status, ...((await response.json()) as any) };
};
const unpaidOrders = async (): Promise<number> => {
  const metrics = await (await fetch(`${server().origin}/metrics`)).text();
  return Number(/^orders_unpaid (\d+)$/m.exec(metrics)?.[1]);
};

test("the same key and body get the same order, invoice and macaroon", async () => {
  const headers = newKey();
  const { error: _, ...first } = await ask(REQUEST, headers);
  for (const body of [REQUEST, { country: "US", service: "tg" }, { ...REQUEST, unknown: true }]) {
    const { error, ...again } = await ask(body, headers);
    expect(again).toEqual(first);
    expect(error.code).toBe("PAYMENT_REQUIRED");
  }
  expect((await ask(REQUEST, newKey())).orderId).not.toBe(first.orderId);
  expect((await ask(REQUEST, {})).orderId).not.toBe(first.orderId);
});

test("the same key with another body is a conflict", async () => {
  const headers = newKey();
  await ask(REQUEST, headers);
  const otherRefund = { ...REQUEST, refundAddress: "somebody@else.example" };
  for (const body of [{ service: "wa", country: "US" }, {}, { ...REQUEST, maxPriceSats: 9_999 }, otherRefund]) {
    expect(await ask(body, headers)).toMatchObject({ code: 409, error: { code: "IDEMPOTENCY_CONFLICT" } });
  }
});

test("once its order is paid, the key gets the way to it instead of an invoice", async () => {
  const headers = newKey();
  const bought = await server().buy(REQUEST, headers);
  await server().until(bought, ({ phoneNumber }) => phoneNumber !== null);
  const conflict = await ask(REQUEST, headers);
  const statusUrl = `/v2/l402/order/${bought.orderId}`;
  expect(conflict).toMatchObject({ code: 409, error: { code: "IDEMPOTENCY_CONFLICT", statusUrl } });
  expect(JSON.stringify(conflict)).not.toMatch(/lnbcrt|AgE/);
  expect((await server().read(bought)).orderId).toBe(bought.orderId);
});

test("once its invoice expired, the key is spent", async () => {
  const headers = newKey();
  await ask(REQUEST, headers);
  await server().advance(330);
  expect(await ask(REQUEST, headers)).toMatchObject({ code: 409, error: { code: "IDEMPOTENCY_CONFLICT" } });
});

test("twenty requests at once with one key make one order, and other keys others", async () => {
  const before = await unpaidOrders();
  const keys = [newKey(), newKey()];
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, index) => ask(REQUEST, keys[index % keys.length] ?? {})),
  );
  expect(answers.map(({ code }) => code)).toEqual(answers.map(() => 402));
  expect(new Set(answers.map(({ orderId }) => orderId)).size).toBe(2);
  expect(new Set(answers.map(({ invoice }) => invoice)).size).toBe(2);
  expect(new Set(answers.map(({ macaroon }) => macaroon)).size).toBe(2);
  expect(await unpaidOrders()).toBe(before + 2);
});

test("a key that could be guessed is refused, whether or not it was used", async () => {
  for (const key of [
    "",
    "1",
    "x".repeat(21),
    "x".repeat(256),
    "with a space in the middle",
    "non-ascii-\u00e9-xxxxxxxxxxxxx",
  ]) {
    const answer = await ask(REQUEST, { "idempotency-key": key });
    expect(answer).toMatchObject({ code: 400, error: { code: "VALIDATION_ERROR", field: "Idempotency-Key" } });
  }
  expect((await ask(REQUEST, { "idempotency-key": "x".repeat(22) })).code).toBe(402);
  expect((await ask(REQUEST, { "idempotency-key": "y".repeat(255) })).code).toBe(402);
});

test("a refused request spends no key", async () => {
  const headers = newKey();
  expect((await ask({ country: "XX" }, headers)).code).toBe(400);
  expect((await ask(REQUEST, headers)).code).toBe(402);
});

test("the key outlives a restart of the server", async () => {
  const dataDir = `${server().dataDir}/second`;
  const headers = newKey();
  const first = await startServer({ dataDir });
  const challenge = await first.challenge(REQUEST, headers);
  await first.kill();
  const second = await startServer({ dataDir });
  const again = await second.challenge(REQUEST, headers);
  expect(again).toMatchObject({ orderId: challenge.orderId, invoice: challenge.invoice, macaroon: challenge.macaroon });
  await second.stop();
});
