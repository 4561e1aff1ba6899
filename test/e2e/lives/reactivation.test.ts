/** One more code on a number bought before: who may ask for it, and what it is worth. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { activationsOf, refundable, refundsTo, sharedServer, withNumber } from "../../support/life.ts";
import { type Bought, passWhileStopped, startServer } from "../../support/server.ts";

const server = sharedServer();

/** An order whose code was read; not yet given back to the provider. */
async function delivered(code = "11111", country = "US") {
  const { request } = await refundable(server(), { country });
  const { bought, order } = await withNumber(server(), request);
  await server().sms(order.phoneNumber, `Code ${code}`);
  await server().until(bought, (read) => read.code === code);
  return { bought, phoneNumber: order.phoneNumber };
}

async function completed() {
  const parent = await delivered();
  await server().advance(60);
  expect((await server().read(parent.bought)).status).toBe("completed");
  return parent;
}

const again = ({ orderId }: Pick<Bought, "orderId">, more: Record<string, unknown> = {}) => ({
  type: "receive-sms-reactivate",
  orderId,
  ...more,
});

/** As `parentCredential` wants it: without the scheme. */
const credential = ({ macaroon, preimage }: Bought): string => `${macaroon}:${preimage}`;

/** Buys it with the parent's credential in Authorization. */
async function reactivated(parent: Bought) {
  const challenge = await server().challenge(again(parent), { authorization: parent.authorization });
  const bought = await server().pay(challenge);
  return { bought, order: await server().until(bought, ({ phoneNumber }) => phoneNumber !== null) };
}

test("the owner gets the same number again, and a new code on it", async () => {
  const parent = await completed();
  const { bought, order } = await reactivated(parent.bought);
  expect(order).toMatchObject({
    type: "receive-sms-reactivate",
    status: "waiting_for_sms",
    phoneNumber: parent.phoneNumber,
    service: "tg",
    country: 187,
    code: null,
    cancelAvailableAt: null,
  });
  await server().sms(parent.phoneNumber, "Second 22222");
  const read = await server().until(bought, ({ code }) => code !== null);
  expect(read).toMatchObject({ status: "code_received", code: "22222" });
  expect(read.messages).toHaveLength(1);
  await server().advance(60);
  expect((await server().read(bought)).status).toBe("completed");
  expect(await server().read(parent.bought)).toMatchObject({ status: "completed", code: "11111" });
  expect((await activationsOf(server(), parent.phoneNumber)).map(({ status }) => status)).toEqual([
    "finished",
    "finished",
  ]);
});

test("the credential may come in the body just as well", async () => {
  const { bought: parent, phoneNumber } = await completed();
  const challenge = await server().challenge(again(parent, { parentCredential: credential(parent) }));
  const bought = await server().pay(challenge);
  const order = await server().until(bought, ({ status }) => status === "waiting_for_sms");
  expect(order.phoneNumber).toBe(phoneNumber);
});

test("missing, foreign, forged and unknown look the same: 403", async () => {
  const { bought: parent } = await completed();
  const { bought: stranger } = await delivered("33333", "GB");
  const refused = { status: 403, error: { code: "INVALID_MACAROON" } };
  const unknown = { orderId: "0".repeat(32) };
  const answers = [
    await server().ask(again(parent)),
    await server().ask(again(parent), { authorization: stranger.authorization }),
    await server().ask(again(parent, { parentCredential: credential(stranger) })),
    await server().ask(again(parent, { parentCredential: `${parent.macaroon}:${"0".repeat(64)}` })),
    await server().ask(again(parent), { authorization: `L402 ${parent.macaroon}:` }),
    await server().ask(again(unknown), { authorization: parent.authorization }),
    await server().ask(again(unknown)),
    await server().ask(again({ orderId: "nonsense" }), { authorization: parent.authorization }),
  ];
  for (const answer of answers) expect(answer).toMatchObject(refused);
  expect(new Set(answers.map(({ error }) => JSON.stringify({ ...error, requestId: "" }))).size).toBe(1);
});

test("an order that just got its code is finished first", async () => {
  const { bought: parent, phoneNumber } = await delivered("44444");
  expect((await server().read(parent)).status).toBe("code_received");
  const { order } = await reactivated(parent);
  expect(order.phoneNumber).toBe(phoneNumber);
  expect((await server().read(parent)).status).toBe("completed");
});

test("an order without a code yet, or with a refund, has no number to offer again", async () => {
  const { request } = await refundable(server());
  const { bought: parent } = await withNumber(server(), request);
  const headers = { authorization: parent.authorization };
  const unavailable = (retryable: boolean) => ({ status: 409, error: { code: "UNAVAILABLE", retryable } });
  expect(await server().ask(again(parent), headers)).toMatchObject(unavailable(true));
  await server().advance(181);
  await server().cancel(parent);
  await server().until(parent, ({ status }) => status === "refunded");
  const refused = await server().ask(again(parent), headers);
  expect(refused).toMatchObject(unavailable(false));
  expect(refused.headers.has("retry-after")).toBe(false);
});

test("an order that waits for a refund invoice, perhaps for days, has none either", async () => {
  const { bought: parent } = await withNumber(server(), { service: "tg", country: "US" });
  await server().advance(181);
  await server().cancel(parent);
  await server().until(parent, ({ status }) => status === "refund_failed");
  const refused = await server().ask(again(parent), { authorization: parent.authorization });
  expect(refused).toMatchObject({ status: 409, error: { code: "UNAVAILABLE", retryable: false } });
});

test("a rented number, and one whose order ended three days ago, cannot be had again", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "l402-reactivation-"));
  try {
    let own = await startServer({ dataDir });
    const rental = await withNumber(own, { type: "rent-number", service: "full", country: "US", durationMinutes: 60 });
    const { bought: parent, order } = await withNumber(own, { service: "tg", country: "US" });
    await own.sms(order.phoneNumber, "Code 482913");
    await own.until(parent, ({ code }) => code !== null);
    await own.advance(60);
    expect(await own.stop()).toBe(0);

    passWhileStopped(dataDir, 72 * 3_600 - 120);
    own = await startServer({ dataDir });
    expect((await own.ask(again(parent), { authorization: parent.authorization })).status).toBe(402);
    await own.advance(180);
    for (const bought of [parent, rental.bought]) {
      const refused = await own.ask(again(bought), { authorization: bought.authorization });
      expect(refused).toMatchObject({ status: 409, error: { code: "UNAVAILABLE", retryable: false } });
      expect(refused.headers.has("retry-after")).toBe(false);
    }
    expect(await own.stop()).toBe(0);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("a reactivation cannot be cancelled, and one without a code expires without a refund", async () => {
  const { bought: parent } = await completed();
  const { request, hash } = await refundable(server());
  const challenge = await server().challenge(again(parent, { refundInvoice: request.refundInvoice }), {
    authorization: parent.authorization,
  });
  const bought = await server().pay(challenge);
  await server().until(bought, ({ status }) => status === "waiting_for_sms");
  const refusal = { status: 409, error: { code: "CANCEL_NOT_ALLOWED" } };
  expect(await server().cancel(bought)).toMatchObject(refusal);
  await server().advance(200);
  expect(await server().cancel(bought)).toMatchObject(refusal);
  await server().advance(1_200);
  expect(await server().read(bought)).toMatchObject({
    status: "expired",
    refund: { status: "none" },
    next: { action: "none" },
  });
  expect(await server().cancel(bought)).toMatchObject(refusal);
  expect(await refundsTo(server(), hash)).toEqual([]);
});

test("a chain of reactivations goes on, with the credential of any of its orders", async () => {
  const { bought: first, phoneNumber } = await completed();
  const { bought: second } = await reactivated(first);
  await server().sms(phoneNumber, "Two 50002");
  await server().until(second, ({ code }) => code === "50002");
  const challenge = await server().challenge(again(second, { parentCredential: credential(first) }));
  const third = await server().pay(challenge);
  expect((await server().until(third, ({ status }) => status === "waiting_for_sms")).phoneNumber).toBe(phoneNumber);
  await server().sms(phoneNumber, "Three 50003");
  await server().until(third, ({ code }) => code === "50003");
  await server().advance(60);
  const fourth = await reactivated(third);
  expect(fourth.order.phoneNumber).toBe(phoneNumber);
  for (const [bought, code] of [
    [second, "50002"],
    [third, "50003"],
  ] as const) {
    expect(await server().read(bought)).toMatchObject({ status: "completed", code });
  }
});

test("a number that is gone by the time of the payment is owed, and can be claimed", async () => {
  const { bought: parent } = await completed();
  const challenge = await server().challenge(again(parent), { authorization: parent.authorization });
  await server().fault("provider", "reactivate", "sim_offline", 4);
  const bought = await server().pay(challenge);
  await server().advance(60);
  expect(await server().read(bought)).toMatchObject({
    status: "failed",
    refund: { status: "needs_destination", amountSats: bought.priceSats },
  });
  const { request, hash } = await refundable(server());
  expect((await server().redirect(bought, request.refundInvoice)).status).toBe(200);
  await server().until(bought, ({ status }) => status === "refunded");
  expect(await refundsTo(server(), hash)).toEqual([bought.priceSats]);
});

test("a reactivation whose answer was lost happens once", async () => {
  const { bought: parent, phoneNumber } = await completed();
  const challenge = await server().challenge(again(parent), { authorization: parent.authorization });
  await server().fault("provider", "reactivate", "reset_bought");
  const bought = await server().pay(challenge);
  await server().advance(30);
  expect(await server().read(bought)).toMatchObject({ status: "waiting_for_sms", phoneNumber });
  expect(await activationsOf(server(), phoneNumber)).toHaveLength(2);
});
