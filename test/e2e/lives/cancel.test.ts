/** No SMS: the two ways in which an order is closed, by the customer and by the clock, and what may cross them. */
import { expect, test } from "bun:test";
import {
  activationsOf,
  expectRefunded,
  outage,
  refundable,
  refundsTo,
  secondsBetween,
  sharedServer,
  withNumber,
} from "../../support/life.ts";

const server = sharedServer();

test("twenty minutes after the payment the number goes back and the sats come back", async () => {
  const { request, hash } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().advance(19 * 60);
  expect((await server().read(bought)).status).toBe("waiting_for_sms");
  expect(await refundsTo(server(), hash)).toEqual([]);
  await server().advance(61);
  const refunded = await expectRefunded(server(), bought, hash);
  expect(refunded.next.action).toBe("none");
  const late = secondsBetween(refunded.paidAt, refunded.refund.refundedAt) - 20 * 60;
  expect(late).toBeGreaterThanOrEqual(0);
  expect(late).toBeLessThan(10);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "cancelled" }]);
});

test("a cancel is too soon before three minutes, says when to come back, and is accepted then", async () => {
  const { request, hash } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  const soon = await server().cancel(bought);
  expect(soon).toMatchObject({ status: 409, error: { code: "CANCEL_TOO_SOON", retryable: true } });
  const seconds = soon.error.retryAfterSeconds ?? 0;
  expect(seconds).toBeGreaterThan(170);
  expect(seconds).toBeLessThanOrEqual(180);
  expect(soon.headers.get("retry-after")).toBe(String(seconds));

  await server().advance(seconds - 20);
  expect(await server().cancel(bought)).toMatchObject({ status: 409, error: { code: "CANCEL_TOO_SOON" } });
  await server().advance(20);
  expect(Date.parse(order.cancelAvailableAt ?? "")).toBeLessThanOrEqual(
    Date.parse((await server().advance(0.001)).now),
  );
  expect((await server().cancel(bought)).status).toBe(200);
  await expectRefunded(server(), bought, hash);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "cancelled" }]);
});

test("a cancel that is repeated at any later time is answered with the order and pays once", async () => {
  const { request, hash } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  await server().advance(181);
  const answers = await Promise.all([1, 2, 3, 4].map(() => server().cancel(bought)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(answers[0]?.order.orderId).toBe(bought.orderId);
  await expectRefunded(server(), bought, hash);
  expect(await server().cancel(bought)).toMatchObject({ status: 200, order: { status: "refunded" } });
  expect(await refundsTo(server(), hash)).toHaveLength(1);
});

test("an order whose SMS is there cannot be cancelled any more", async () => {
  const { request } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, "Got it 12121");
  await server().until(bought, ({ code }) => code !== null);
  expect(await server().cancel(bought)).toMatchObject({ status: 409, error: { code: "CANCEL_SMS_RECEIVED" } });
  await server().advance(200);
  expect((await server().read(bought)).status).toBe("completed");
  expect(await server().cancel(bought)).toMatchObject({ status: 409, error: { code: "CANCEL_SMS_RECEIVED" } });
});

test("an SMS in the instant of the cancel is delivered instead of refunded", async () => {
  const { request, hash } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  await server().advance(181);
  await server().fault("provider", "setStatus", "sms_at_cancel");
  expect((await server().cancel(bought)).status).toBe(200);
  const delivered = await server().until(bought, ({ status }) => status === "code_received");
  expect(delivered.code).toMatch(/^\d{6}$/);
  await server().advance(60);
  expect((await server().read(bought)).status).toBe("completed");
  expect(await refundsTo(server(), hash)).toEqual([]);
});

test("an SMS that nobody told us of is found by the look before the cancel", async () => {
  const { request, hash } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().advance(185);
  await server().fault("provider", "webhook", "lost_webhook");
  await server().sms(order.phoneNumber, "Unheard 34343");
  expect((await server().cancel(bought)).status).toBe(200);
  expect(await server().until(bought, ({ code }) => code !== null)).toMatchObject({ code: "34343" });
  expect(await refundsTo(server(), hash)).toEqual([]);
});

test("an SMS read on the provider's own site stops the cancel just the same", async () => {
  const { request, hash } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  await server().advance(181);
  await server().fault("provider", "setStatus", "otp_received");
  expect((await server().cancel(bought)).status).toBe(200);
  await server().advance(10);
  expect(await server().read(bought)).toMatchObject({ status: "code_received" });
  expect(await refundsTo(server(), hash)).toEqual([]);
});

test("a provider that refuses the cancel as too early is asked again until it agrees", async () => {
  const { request, hash } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().advance(181);
  await server().fault("provider", "setStatus", "early_cancel_denied", 2);
  expect((await server().cancel(bought)).order.status).toBe("waiting_for_sms");
  await server().advance(30);
  await expectRefunded(server(), bought, hash);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "cancelled" }]);
});

test("a provider that no longer cancels for free costs us the number, not the customer the sats", async () => {
  const { request, hash } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  await server().advance(181);
  await server().fault("provider", "setStatus", "free_cancel_expired");
  expect((await server().cancel(bought)).status).toBe(200);
  await server().advance(10);
  await expectRefunded(server(), bought, hash);
});

test("a number that the provider takes away is refunded long before the twenty minutes", async () => {
  const { request, hash } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().advance(60);
  const [row] = await activationsOf(server(), order.phoneNumber);
  await server().fault("provider", "getActiveActivations", "provider_cancels", 1, { id: Number(row?.activationId) });
  await server().advance(90);
  await expectRefunded(server(), bought, hash);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "refunded" }]);
});

test("a lost answer to the cancel is asked about, and the refund follows once", async () => {
  const { request, hash } = await refundable(server());
  const { bought } = await withNumber(server(), request);
  await server().advance(181);
  await server().fault("provider", "setStatus", "reset", 1, { after: true });
  expect((await server().cancel(bought)).status).toBe(200);
  await server().advance(30);
  await expectRefunded(server(), bought, hash);
});

test("a cancel that never reached the provider is sent again", async () => {
  const { request, hash } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().advance(181);
  await server().fault("provider", "setStatus", "hang");
  expect((await server().cancel(bought)).status).toBe(200);
  await server().advance(60);
  await expectRefunded(server(), bought, hash);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "cancelled" }]);
});

test("while the provider is down nothing is refunded, and all of it when it is back", async () => {
  const { request, hash } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().advance(181);
  const end = await outage(server(), "provider", "*", "http503");
  expect((await server().cancel(bought)).order.status).toBe("waiting_for_sms");
  await server().advance(5 * 60);
  expect(await server().read(bought)).toMatchObject({ status: "waiting_for_sms", refund: { status: "none" } });
  expect(await server().cancel(bought)).toMatchObject({ status: 200 });
  expect(await refundsTo(server(), hash)).toEqual([]);
  await end();
  await server().advance(120);
  await expectRefunded(server(), bought, hash);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "cancelled" }]);
});

test("a provider that is down beyond the number's own end says afterwards how it ended", async () => {
  const { request, hash } = await refundable(server());
  const { bought, order } = await withNumber(server(), request);
  await server().advance(60);
  const end = await outage(server(), "provider", "*", "html502");
  await server().advance(20 * 60);
  expect(await server().read(bought)).toMatchObject({ status: "waiting_for_sms" });
  await end();
  await server().advance(120);
  await expectRefunded(server(), bought, hash);
  expect(await activationsOf(server(), order.phoneNumber)).toMatchObject([{ status: "expired" }]);
});
