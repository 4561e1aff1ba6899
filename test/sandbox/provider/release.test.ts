import { expect, test } from "bun:test";
import { type Heard, openDesk } from "./desk.ts";

const title = (answer: Heard) => [answer.status, answer.json().title];

test("a cancel is denied before 120 s and then refunds", async () => {
  const { ask, buy, world, peer, row } = openDesk();
  const { id } = await buy();
  await world.advance(119_999);
  const early = await ask("cancelActivation", { id });
  expect(early.status).toBe(409);
  expect(early.json()).toEqual({
    title: "EARLY_CANCEL_DENIED",
    details: "Activation cannot be cancelled at this time. Minimum activation period must pass.",
    info: { minActivationTime: 120 },
  });
  await world.advance(1);
  const done = await ask("cancelActivation", { id });
  expect([done.status, done.text]).toEqual([204, ""]);
  expect(peer.view().balanceUsd).toBe("100000");
  expect(row(id).status).toBe("cancelled");
});

test("after the end everything but getStatus is 409 ACTIVATION_NOT_ACTIVE", async () => {
  const { ask, buy, world, status, v1 } = openDesk();
  const { id } = await buy();
  await world.advance(120_000);
  expect((await ask("setStatus", { id, status: 8 })).text).toBe("ACCESS_CANCEL");
  expect(await status(id)).toBe("STATUS_CANCEL");
  expect((await ask("getStatusV2", { id })).text).toBe("STATUS_CANCEL");
  for (const answer of [
    await ask("setStatus", { id, status: 3 }),
    await ask("setStatus", { id, status: 6 }),
    await ask("setStatus", { id, status: 8 }),
    await ask("finishActivation", { id }),
    await ask("cancelActivation", { id }),
    await ask("getAllSms", { id }),
    await v1(`activations/${id}`, "DELETE"),
    await v1(`activations/${id}/finish`, "POST"),
  ]) {
    expect(title(answer)).toEqual([409, "ACTIVATION_NOT_ACTIVE"]);
  }
});

test("an unread SMS forbids the cancel with NEW_OTP_RECEIVED and its text, then OTP_RECEIVED", async () => {
  const { ask, buy, world, peer } = openDesk();
  const { id, phone } = await buy();
  await world.advance(130_000);
  peer.deliver({ phoneNumber: phone, text: "Telegram code 123456", from: "Telegram" });
  const refused = await ask("cancelActivation", { id });
  expect(title(refused)).toEqual([409, "NEW_OTP_RECEIVED"]);
  expect(refused.json().info.data).toEqual([
    {
      id: "3416693217",
      phoneFrom: "Telegram",
      code: "123456",
      text: "Telegram code 123456",
      service: "tg",
      date: "2026-09-21T17:15:30+03:00",
      type: "sms",
    },
  ]);
  expect(title(await ask("setStatus", { id, status: 8 }))).toEqual([409, "OTP_RECEIVED"]);
});

test("an unread SMS forbids the finish once; the repeat confirms", async () => {
  const { ask, buy, peer, row } = openDesk();
  const { id, phone, cost } = await buy();
  peer.deliver({ phoneNumber: `+${phone}`, text: "1234" });
  expect(title(await ask("finishActivation", { id }))).toEqual([409, "NEW_OTP_RECEIVED"]);
  expect((await ask("finishActivation", { id })).status).toBe(204);
  expect(row(id).status).toBe("finished");
  expect(Number(peer.view().balanceUsd)).toBeCloseTo(100_000 - cost, 6);
});

test("a read SMS can be finished at once, and a finished one is read no more", async () => {
  const { ask, buy, peer, status } = openDesk();
  const { id, phone } = await buy();
  peer.deliver({ phoneNumber: phone, text: "code 0042" });
  expect(await status(id)).toBe("STATUS_OK:0042");
  expect((await ask("setStatus", { id, status: 6 })).text).toBe("ACCESS_ACTIVATION");
  expect(title(await ask("getAllSms", { id }))).toEqual([409, "ACTIVATION_NOT_ACTIVE"]);
  expect(title(await ask("getStatus", { id }))).toEqual([409, "ACTIVATION_NOT_ACTIVE"]);
});

test("an activation without a code cannot be finished", async () => {
  const { ask, buy } = openDesk();
  const { id } = await buy();
  expect(title(await ask("finishActivation", { id }))).toEqual([400, "BAD_STATUS"]);
});

test("asking for another SMS keeps the old code visible until the next one comes", async () => {
  const { ask, buy, peer, status } = openDesk();
  const { id, phone } = await buy();
  expect(title(await ask("setStatus", { id, status: 3 }))).toEqual([400, "BAD_STATUS"]);
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  expect((await ask("setStatus", { id, status: 3 })).text).toBe("ACCESS_RETRY_GET");
  expect(await status(id)).toBe("STATUS_WAIT_RETRY:1111");
  peer.deliver({ phoneNumber: phone, text: "code 2222" });
  expect(await status(id)).toBe("STATUS_OK:2222");
});

test("wrong ids and statuses are refused as documented", async () => {
  const { ask, buy } = openDesk();
  const { id } = await buy();
  expect(title(await ask("setStatus", { id, status: 1 }))).toEqual([400, "BAD_STATUS"]);
  expect(title(await ask("setStatus", { id, status: 7 }))).toEqual([400, "BAD_STATUS"]);
  expect((await ask("setStatus", { id })).json().info.field).toBe("status");
  expect((await ask("setStatus", { status: 8 })).json().info).toMatchObject({ field: "id", code: "REQUIRED" });
  expect((await ask("cancelActivation", { id: "abc" })).json().info).toMatchObject({ field: "id", code: "INVALID" });
  for (const action of ["getStatus", "getStatusV2", "getAllSms", "finishActivation", "cancelActivation"]) {
    expect(title(await ask(action, { id: 1 }))).toEqual([404, "NOT_FOUND"]);
  }
});

test("an activation without a code runs out after 1200 s and is refunded", async () => {
  const { buy, world, peer, status, row, ask } = openDesk();
  const { id, cost } = await buy();
  await world.advance(1_199_999);
  expect(await status(id)).toBe("STATUS_WAIT_CODE");
  await world.advance(1);
  expect(await status(id)).toBe("STATUS_CANCEL");
  expect(row(id).status).toBe("expired");
  expect(peer.view().balanceUsd).toBe("100000");
  expect((await ask("getHistory")).json()).toMatchObject([{ id, status: "10", cost, sms: null }]);
});

test("an activation with a code runs out as a success and is charged", async () => {
  const { buy, world, peer, row, ask } = openDesk();
  const { id, phone, cost } = await buy();
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  await world.advance(1_200_000);
  expect(row(id).status).toBe("finished");
  expect(Number(peer.view().balanceUsd)).toBeCloseTo(100_000 - cost, 6);
  expect((await ask("getHistory")).json()).toMatchObject([{ id, status: "6", sms: "code 1111" }]);
  expect(peer.deliver({ phoneNumber: phone, text: "too late" })).toBeNull();
});

test("a rental is cancelled for free only between 2 and 20 minutes", async () => {
  const { ask, world } = openDesk();
  const rent = async () =>
    (await ask("getRentNumber", { country: 187, service: "full", duration: 24 })).json().activationId;
  const first = await rent();
  expect(title(await ask("cancelActivation", { id: first }))).toEqual([409, "EARLY_CANCEL_DENIED"]);
  const second = await rent();
  await world.advance(20 * 60_000);
  expect((await ask("cancelActivation", { id: first })).status).toBe(204);
  await world.advance(1);
  const late = await ask("cancelActivation", { id: second });
  expect(late.json()).toEqual({
    title: "FREE_CANCELLATION_EXPIRED",
    details: "Cannot terminate activation - time limit exceeded (20 minutes)",
  });
  expect((await ask("finishActivation", { id: second })).status).toBe(204);
});
