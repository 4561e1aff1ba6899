/** Numbers for hours: how long, how many SMS, and what is promised when none can be rented. */
import { expect, test } from "bun:test";
import {
  activationsOf,
  expectRefunded,
  outage,
  refundable,
  secondsBetween,
  sharedServer,
  soldIn,
  withNumber,
} from "../../support/life.ts";

const server = sharedServer();
const HOUR = 3_600;

const rent = (more: Record<string, unknown> = {}) =>
  withNumber(server(), { type: "rent-number", service: "full", country: "US", durationMinutes: 120, ...more });

test("a rental collects every SMS until its end, and is complete then", async () => {
  const { bought, order } = await rent();
  expect(order).toMatchObject({
    type: "rent-number",
    status: "rent_active",
    durationMinutes: 120,
    cancelAvailableAt: null,
    messages: [],
    next: { action: "wait" },
  });
  expect(secondsBetween(order.paidAt, order.expiresAt)).toBeWithin(2 * HOUR - 1, 2 * HOUR + 30);

  for (const [index, minutes] of [1, 40, 60].entries()) {
    await server().advance(minutes * 60);
    await server().sms(order.phoneNumber, `Message ${1_000 + index}`);
    const read = await server().until(bought, ({ messages }) => messages.length === index + 1);
    expect(read).toMatchObject({ status: "rent_active", code: String(1_000 + index) });
  }
  await server().advance(20 * 60);
  const completed = await server().read(bought);
  expect(completed.status).toBe("completed");
  expect(completed.messages.map(({ code }) => code)).toEqual(["1000", "1001", "1002"]);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ rental: true, messages: 3 }]);
});

test("the rental is the shortest on offer that is long enough", async () => {
  const hours: [minutes: number, hours: number][] = [
    [1, 2],
    [120, 2],
    [121, 12],
    [720, 12],
    [721, 24],
    [7 * 1_440, 168],
  ];
  for (const [durationMinutes, expected] of hours) {
    const { order } = await rent({ durationMinutes, country: "GB" });
    expect(order.durationMinutes).toBe(durationMinutes);
    const [row] = await activationsOf(server(), order.phoneNumber);
    expect(secondsBetween(row?.boughtAt ?? "", row?.endsAt ?? "")).toBe(expected * HOUR);
    expect(Date.parse(order.expiresAt ?? "")).toBe(Math.floor(Date.parse(row?.endsAt ?? "") / 1_000) * 1_000);
  }
});

test("what cannot be rented is refused before an invoice exists", async () => {
  const refused = async (more: Record<string, unknown>) =>
    server().ask({ type: "rent-number", service: "full", country: "US", durationMinutes: 120, ...more });
  expect(await refused({ durationMinutes: 43_201 })).toMatchObject({ status: 409, error: { code: "UNAVAILABLE" } });
  expect(await refused({ country: "AF" })).toMatchObject({ status: 409, error: { code: "UNAVAILABLE" } });
  expect(await refused({ service: "lf" })).toMatchObject({ status: 409, error: { code: "UNAVAILABLE" } });
  expect(await refused({ durationMinutes: null })).toMatchObject({ status: 400, error: { code: "VALIDATION_ERROR" } });
  expect(await refused({ durationMinutes: 0 })).toMatchObject({ status: 400, error: { code: "VALIDATION_ERROR" } });
});

test("a rental without an SMS is complete at its end, and is never cancelled, redirected or reactivated", async () => {
  const { bought } = await rent();
  const refused = async () => {
    expect(await server().cancel(bought)).toMatchObject({ status: 409, error: { code: "CANCEL_NOT_ALLOWED" } });
    expect(await server().redirect(bought, await server().refundInvoice())).toMatchObject({
      status: 409,
      error: { code: "REFUND_NOT_PENDING" },
    });
    const again = { type: "receive-sms-reactivate", orderId: bought.orderId };
    expect(await server().ask(again, { authorization: bought.authorization })).toMatchObject({
      status: 409,
      error: { code: "UNAVAILABLE" },
    });
  };
  await refused();
  await server().advance(200);
  await refused();
  await server().advance(2 * HOUR);
  expect(await server().read(bought)).toMatchObject({ status: "completed", messages: [], refund: { status: "none" } });
  await refused();
});

test("SMS whose webhooks are lost are found, in the last minute of a rental that nobody reads as well", async () => {
  const { bought, order } = await rent();
  await server().fault("provider", "webhook", "lost_webhook", 2);
  await server().advance(HOUR);
  await server().sms(order.phoneNumber, "Quiet 2001");
  await server().advance(HOUR - 45);
  await server().sms(order.phoneNumber, "Last 2002");
  await server().advance(60);
  const completed = await server().read(bought);
  expect(completed.status).toBe("completed");
  expect(completed.messages.map(({ code }) => code)).toEqual(["2001", "2002"]);
});

test("a message list that cannot be read for a while loses no SMS of a rental", async () => {
  const { bought, order } = await rent();
  const end = await outage(server(), "provider", "getAllSms", "http503");
  await server().sms(order.phoneNumber, "Wait 3003");
  await server().advance(600);
  expect(await server().read(bought)).toMatchObject({ status: "rent_active", code: null });
  await end();
  await server().advance(60);
  expect(await server().read(bought)).toMatchObject({ status: "rent_active", code: "3003" });
});

test("a rental that nobody can provide any more fails, and its sats can be claimed", async () => {
  const challenge = await server().challenge({
    type: "rent-number",
    service: "tg",
    country: "GB",
    durationMinutes: 60,
  });
  const end = await outage(server(), "provider", "getRentNumber", "no_numbers");
  const bought = await server().pay(challenge);
  await server().advance(60);
  await end();
  const failed = await server().read(bought);
  expect(failed).toMatchObject({
    status: "failed",
    refund: { status: "needs_destination", amountSats: bought.priceSats },
    next: { action: "give_refund_invoice" },
  });
  expect(await soldIn(server(), "tg", 16)).toEqual([]);
  const { request, hash } = await refundable(server());
  expect((await server().redirect(bought, request.refundInvoice)).status).toBe(200);
  await expectRefunded(server(), bought, hash);
});

for (const [fault, country, id] of [
  ["hang_bought", "US", 187],
  ["reset_not_bought", "ID", 6],
] as const) {
  test(`a rental whose buy was not answered (${fault}) is rented exactly once`, async () => {
    const challenge = await server().challenge({ type: "rent-number", service: "wa", country, durationMinutes: 60 });
    await server().fault("provider", "getRentNumber", fault);
    const bought = await server().pay(challenge);
    await server().until(bought, ({ status }) => status === "allocating_number");
    await server().advance(225);
    const order = await server().read(bought);
    expect(order.status).toBe("rent_active");
    expect(await soldIn(server(), "wa", id)).toHaveLength(1);
    await server().sms(order.phoneNumber, "Once 4004");
    expect(await server().until(bought, ({ code }) => code !== null)).toMatchObject({ code: "4004" });
  });
}

test("a rental that the provider takes away empty is owed back", async () => {
  const { bought, order } = await rent({ service: "go" });
  await server().advance(300);
  const [row] = await activationsOf(server(), order.phoneNumber);
  await server().fault("provider", "getActiveActivations", "provider_cancels", 1, { id: Number(row?.activationId) });
  await server().advance(1_200);
  expect(await server().read(bought)).toMatchObject({
    status: "failed",
    refund: { status: "needs_destination", amountSats: bought.priceSats },
  });
  const { request, hash } = await refundable(server());
  expect((await server().redirect(bought, request.refundInvoice)).status).toBe(200);
  await expectRefunded(server(), bought, hash);
});
