/** One number, one SMS: the good life of an order, and every way in which an SMS can arrive. */
import { expect, test } from "bun:test";
import { activationsOf, outage, refundable, secondsBetween, sharedServer, withNumber } from "../../support/life.ts";

const server = sharedServer();

test("an order goes from its invoice to the code, and is complete once the code was read", async () => {
  const { request } = await refundable(server());
  const challenge = await server().challenge(request);
  const unpaid = await server().call(`/v2/l402/order/${challenge.orderId}/cancel`, {
    authorization: `L402 ${challenge.macaroon}:`,
  });
  expect(unpaid.status).toBe(402);
  expect(await unpaid.json()).toMatchObject({ status: "pending_payment", invoice: challenge.invoice });

  const bought = await server().pay(challenge);
  const waiting = await server().until(bought, ({ status }) => status === "waiting_for_sms");
  expect(waiting).toMatchObject({
    type: "receive-sms",
    service: "tg",
    country: 187,
    code: null,
    messages: [],
    priceSats: challenge.priceSats,
    refund: { status: "none" },
    next: { action: "wait" },
  });
  expect(waiting.phoneNumber).toMatch(/^\+1\d{10}$/);
  expect(secondsBetween(waiting.paidAt, waiting.expiresAt)).toBe(20 * 60);
  expect(secondsBetween(waiting.paidAt, waiting.cancelAvailableAt)).toBe(3 * 60);

  await server().sms(waiting.phoneNumber, "Telegram code: 482913");
  const delivered = await server().until(bought, ({ code }) => code !== null);
  expect(delivered).toMatchObject({ status: "code_received", code: "482913", next: { action: "read_code" } });
  expect(delivered.messages).toMatchObject([{ code: "482913", text: "Telegram code: 482913", from: "Telegram" }]);

  await server().advance(31);
  const completed = await server().read(bought);
  expect(completed).toMatchObject({ status: "completed", code: "482913", next: { action: "none" } });
  expect(completed.phoneNumber).toBe(waiting.phoneNumber);
  expect(await activationsOf(server(), waiting.phoneNumber)).toMatchObject([{ status: "finished", messages: 1 }]);
});

test("the text and the code are erased half an hour after the number's end, the order stays", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "Telegram code: 111222");
  await server().until(bought, ({ code }) => code === "111222");
  await server().advance(49 * 60);
  expect(await server().read(bought)).toMatchObject({ status: "completed", code: "111222" });
  await server().advance(10 * 60);
  expect(await server().read(bought)).toMatchObject({ status: "completed", code: null });
});

test("the newest of several codes is the code, and all messages are listed oldest first", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "First 10001");
  await server().until(bought, ({ code }) => code === "10001");
  await server().advance(20);
  await server().sms(order.phoneNumber, "Second 10002");
  const second = await server().until(bought, ({ messages }) => messages.length === 2);
  expect(second).toMatchObject({ code: "10002", status: "code_received" });
  await server().advance(40);
  const completed = await server().read(bought);
  expect(completed.status).toBe("completed");
  expect(completed.messages.map(({ text }) => text)).toEqual(["First 10001", "Second 10002"]);
});

test("of several SMS within one second, found by one look, the last one has the code", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  // Nobody is told of them: one look finds all three.
  await server().fault("provider", "webhook", "lost_webhook", 3);
  for (const code of ["30001", "30002", "30003"]) await server().sms(order.phoneNumber, `Code ${code}`);
  await server().advance(10);
  const found = await server().read(bought);
  expect(found.messages.map(({ code }) => code)).toEqual(["30001", "30002", "30003"]);
  expect(found.code).toBe("30003");
});

test("a message without a code is shown as text, with a code of null", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "Welcome, tap the link to go on");
  const delivered = await server().until(bought, ({ messages }) => messages.length > 0);
  expect(delivered).toMatchObject({ status: "code_received", code: null });
  expect(delivered.messages).toMatchObject([{ code: null, text: "Welcome, tap the link to go on" }]);
  expect(delivered.next).toMatchObject({ action: "wait" });
});

test("a message without a code that was read does not give the number back before its code", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "Welcome, your code follows");
  await server().until(bought, ({ messages }) => messages.length === 1);
  await server().advance(120);
  expect(await server().read(bought)).toMatchObject({ status: "code_received", code: null });
  await server().sms(order.phoneNumber, "Code 818181");
  const read = await server().until(bought, ({ code }) => code !== null);
  expect(read).toMatchObject({ code: "818181", next: { action: "read_code" } });
  await server().advance(31);
  expect(await server().read(bought)).toMatchObject({ status: "completed", code: "818181" });
});

test("a message that no code ever follows keeps its number to the end, and completes its order", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "Welcome, tap the link to go on");
  await server().until(bought, ({ messages }) => messages.length === 1);
  await server().advance(15 * 60);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "received" }]);
  await server().advance(5 * 60);
  expect(await server().read(bought)).toMatchObject({ status: "completed", code: null });
});

test("a code keeps its leading zeros and its dash", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "Use 003-070 to log in");
  expect(await server().until(bought, ({ code }) => code !== null)).toMatchObject({ code: "003-070" });
});

test("a code that nobody reads keeps its number to the end, and can be read afterwards", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "Late reader 70707");
  await server().advance(15 * 60);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "received" }]);
  await server().advance(10 * 60);
  expect(await server().read(bought)).toMatchObject({ status: "completed", code: "70707" });
});

test("an SMS in the instant in which the number is given back is still delivered", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "First 20001");
  await server().until(bought, ({ code }) => code === "20001");
  await server().fault("provider", "setStatus", "otp_on_release");
  await server().advance(60);
  const completed = await server().read(bought);
  expect(completed.status).toBe("completed");
  expect(completed.messages).toHaveLength(2);
});

test("a number that cannot be given back for a while keeps its code readable, and completes later", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "Code 21212");
  await server().until(bought, ({ code }) => code !== null);
  const end = await outage(server(), "provider", "setStatus", "http503");
  await server().advance(180);
  expect(await server().read(bought)).toMatchObject({ status: "code_received", code: "21212" });
  await end();
  await server().advance(90);
  expect(await server().read(bought)).toMatchObject({ status: "completed", code: "21212" });
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "finished" }]);
});

test("the defaults are any service in the country with the most numbers", async () => {
  const { bought, order } = await withNumber(server(), {});
  expect(order).toMatchObject({ type: "receive-sms", service: "ot", status: "waiting_for_sms" });
  expect(order.next.action).toBe("give_refund_invoice");
  await server().sms(order.phoneNumber, "Any 9090");
  expect(await server().until(bought, ({ code }) => code !== null)).toMatchObject({ code: "9090" });
});

test("an invoice that nobody pays lapses, and the node takes no money for it any more", async () => {
  const challenge = await server().challenge({ service: "tg", country: "US" });
  expect(Date.parse(challenge.expiresAt) - Date.now()).toBeGreaterThan(0);
  await server().advance(330);
  const again = await server().call(`/v2/l402/order/${challenge.orderId}/cancel`, {
    authorization: `L402 ${challenge.macaroon}:`,
  });
  expect(again.status).toBe(403);
  await expect(server().pay(challenge)).rejects.toThrow("400");
});

test("a webhook that is lost delays the code by less than ten seconds", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().fault("provider", "webhook", "lost_webhook");
  await server().sms(order.phoneNumber, "Lost 30303");
  await server().advance(10);
  expect(await server().read(bought)).toMatchObject({ status: "code_received", code: "30303" });
});

test("a webhook that comes twice delivers one message", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().fault("provider", "webhook", "duplicate_webhook");
  await server().sms(order.phoneNumber, "Twice 40404");
  await server().until(bought, ({ code }) => code === "40404");
  await server().advance(20);
  expect((await server().read(bought)).messages).toHaveLength(1);
});

test("a webhook that is late finds its message delivered already", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().fault("provider", "webhook", "late_webhook");
  await server().sms(order.phoneNumber, "Later 50505");
  await server().advance(10);
  expect(await server().read(bought)).toMatchObject({ code: "50505" });
  await server().advance(90);
  const completed = await server().read(bought);
  expect(completed.status).toBe("completed");
  expect(completed.messages).toHaveLength(1);
});

test("a webhook that overtakes the answer to the buy is not forgotten", async () => {
  await server().fault("provider", "webhook", "early_webhook");
  const { request } = await refundable(server());
  const bought = await server().buy(request);
  const delivered = await server().until(bought, ({ code }) => code !== null, 4_000);
  expect(delivered.status).toBe("code_received");
  expect(delivered.messages).toHaveLength(1);
});

test("a webhook nobody can have sent changes nothing", async () => {
  const response = await fetch(`${server().origin}/v2/l402/webhooks/rent`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ activationId: "900000001", code: "666666", text: "Forged 666666" }),
  });
  expect([200, 403, 404]).toContain(response.status);
  const { request } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  expect(await server().read(bought)).toMatchObject({ code: null, messages: [] });
});

test("while the provider does not answer, the code waits and nothing else changes", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  const end = await outage(server(), "provider", "getAllSms", "http503");
  await server().sms(order.phoneNumber, "Patience 60606");
  await server().advance(60);
  expect(await server().read(bought)).toMatchObject({ status: "waiting_for_sms", code: null });
  await end();
  await server().advance(60);
  expect(await server().read(bought)).toMatchObject({ status: "code_received", code: "60606" });
});
