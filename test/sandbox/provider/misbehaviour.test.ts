import { expect, test } from "bun:test";
import { ConnectionReset } from "../../../src/sandbox/faults.ts";
import { CALL_FAULTS } from "../../../src/sandbox/provider/misbehaviour.ts";
import { openDesk, type Query } from "./desk.ts";

const BUY: Query = { country: 187, service: "tg", maxPrice: 1 };
/** Buys once under a fault: the answer and how many numbers were bought. */
async function buyUnder(fault: string, detail: Record<string, unknown> = {}) {
  const desk = openDesk();
  desk.plan("getNumberV2", fault, detail);
  const answer = await desk.ask("getNumberV2", BUY);
  const bought = desk.peer.view().activations.length;
  expect((await desk.ask("getNumberV2", BUY)).status).toBe(200);
  expect(desk.peer.view().activations.length).toBe(bought + 1);
  return { ...answer, bought };
}

const ENVELOPE: [string, number, string][] = [
  ["no_balance", 402, "NO_BALANCE"],
  ["bad_key", 401, "BAD_KEY"],
  ["account_inactive", 403, "ACCOUNT_INACTIVE"],
  ["banned_global", 403, "BANNED"],
  ["banned_specific", 403, "BANNED"],
  ["channels_limit", 403, "CHANNELS_LIMIT"],
  ["service_na", 403, "SERVICE_NOT_AVAILABLE"],
  ["sim_offline", 403, "SIM_OFFLINE"],
  ["sim_temporary_offline", 403, "SIM_TEMPORARY_OFFLINE"],
  ["rate_limit", 429, "RATE_LIMIT"],
  ["not_found", 404, "NOT_FOUND"],
  ["bad_action", 404, "BAD_ACTION"],
  ["http500", 500, "SERVER_ERROR"],
  ["wrong_max_price", 400, "WRONG_MAX_PRICE"],
  ["early_cancel_denied", 409, "EARLY_CANCEL_DENIED"],
  ["free_cancel_expired", 409, "FREE_CANCELLATION_EXPIRED"],
  ["not_active", 409, "ACTIVATION_NOT_ACTIVE"],
];
test.each(ENVELOPE)("%s is %d %s and nothing is bought", async (fault, status, title) => {
  const { status: heard, json, bought } = await buyUnder(fault);
  expect([heard, json().title, bought]).toEqual([status, title, 0]);
});

const BARE: [string, number, RegExp][] = [
  ["no_numbers", 200, /^NO_NUMBERS$/],
  ["wrong_max_price_text", 200, /^WRONG_MAX_PRICE:0\.025$/],
  ["banned_text", 200, /^BANNED:'\d{4}-\d\d-\d\d \d\d-\d\d-\d\d'$/],
  ["html403", 403, /^<!DOCTYPE html>/],
  ["cf1020", 403, /^error code: 1020$/],
  ["http400", 400, /^$/],
  ["html502", 502, /^<!DOCTYPE html>/],
  ["http503", 503, /^<!DOCTYPE html>/],
  ["echo_key", 500, /api_key=key/],
];
test.each(BARE)("%s is %d with a body that is not the envelope", async (fault, status, body) => {
  const answer = await buyUnder(fault);
  expect(answer.status).toBe(status);
  expect(answer.text).toMatch(body);
  expect(answer.bought).toBe(0);
});

test("bans carry scope and end", async () => {
  expect((await buyUnder("banned_specific")).json().info).toEqual({
    scope: "specific",
    banned_until: 1_790_003_600,
    retry_after_seconds: 3_600,
    readable_date: "2026-09-21T15:13:20+00:00",
  });
  expect((await buyUnder("banned_global")).json().info.scope).toBe("global");
});

test("no_numbers has two JSON forms, wrong_max_price a minimum of choice, price_jump doubles the cap", async () => {
  const notFound = await buyUnder("no_numbers", { form: "json404" });
  expect([notFound.status, notFound.json().title]).toEqual([404, "NO_NUMBERS"]);
  const found = await buyUnder("no_numbers", { form: "json200" });
  expect([found.status, found.json().title]).toEqual([200, "NO_NUMBERS"]);
  expect((await buyUnder("wrong_max_price", { min: 0.7 })).json().info).toEqual({ min: 0.7 });
  expect((await buyUnder("price_jump")).json()).toMatchObject({ title: "WRONG_MAX_PRICE", info: { min: 2 } });
});

const BROKEN = ["garbled", "truncated", "empty", "quoted", "missing_id", "text_number", "currency"] as const;
test("broken 200 bodies come although the number was bought", async () => {
  const broken = async (fault: (typeof BROKEN)[number]) => {
    const answer = await buyUnder(fault);
    expect([answer.status, answer.bought]).toEqual([200, 1]);
    return answer;
  };
  expect((await broken("garbled")).json).toThrow();
  expect((await broken("truncated")).text).toStartWith('{"activationId":"900000001"');
  expect((await broken("empty")).text).toBe("");
  expect(JSON.parse((await broken("quoted")).json()).activationId).toBe("900000001");
  const { activationId, phoneNumber } = (await broken("missing_id")).json();
  expect([activationId, typeof phoneNumber]).toEqual([undefined, "string"]);
  expect((await broken("text_number")).text).toMatch(/^ACCESS_NUMBER:900000001:1\d{10}$/);
  expect((await broken("currency")).json()).toMatchObject({ activationId: "900000001", currency: 978 });
});

test("a broken body and a server error can be had with and without the purchase", async () => {
  const nothing = await buyUnder("garbled", { bought: false });
  expect([nothing.status, nothing.bought]).toEqual([200, 0]);
  expect(nothing.json).toThrow();
  const something = await buyUnder("http500", { after: true });
  expect([something.status, something.bought]).toEqual([500, 1]);
});

test("a list can be cut in half", async () => {
  const { ask, plan } = openDesk();
  const whole = (await ask("getPrices")).text;
  plan("getPrices", "truncated");
  expect((await ask("getPrices")).text).toBe(whole.slice(0, Math.floor(whole.length / 2)));
});

test("text can come in quotes", async () => {
  const { ask, buy, plan } = openDesk();
  const { id } = await buy();
  plan("getStatus", "quoted");
  expect((await ask("getStatus", { id })).text).toBe('"STATUS_WAIT_CODE"');
});

const RESETS: [string, Record<string, unknown>, number][] = [
  ["reset", {}, 0],
  ["reset", { after: true }, 1],
  ["reset_bought", {}, 1],
  ["reset_not_bought", {}, 0],
];
test.each(RESETS)("%s %p breaks the connection with %d bought", async (fault, detail, bought) => {
  const { ask, plan, peer } = openDesk();
  plan("getNumberV2", fault, detail);
  await expect(ask("getNumberV2", BUY)).rejects.toBeInstanceOf(ConnectionReset);
  expect(peer.view().activations.length).toBe(bought);
});

const HANGS: [string, Record<string, unknown>, number][] = [
  ["hang", {}, 0],
  ["hang", { after: true }, 1],
  ["hang_bought", {}, 1],
  ["hang_not_bought", {}, 0],
];
test.each(HANGS)("%s %p never answers, with %d bought", async (fault, detail, bought) => {
  const { ask, plan, peer } = openDesk();
  plan("getNumberV2", fault, detail);
  const patience = new AbortController();
  const answer = ask("getNumberV2", BUY, { signal: patience.signal });
  const first = await Promise.race([answer, Bun.sleep(5).then(() => "silence")]);
  expect(first).toBe("silence");
  expect(peer.view().activations.length).toBe(bought);
  patience.abort();
  await expect(answer).rejects.toThrow();
});

const AT_RELEASE = ["sms_at_cancel", "otp_on_release"];
test.each(AT_RELEASE)("%s lets an SMS arrive in the instant of the cancel", async (fault) => {
  for (const release of ["cancelActivation", "finishActivation", "setStatus"]) {
    const { ask, buy, plan, world, row } = openDesk();
    const { id } = await buy();
    await world.advance(130_000);
    plan(release, fault);
    const answer = await ask(release, { id, status: 8 });
    expect([answer.status, answer.json().title]).toEqual([409, "NEW_OTP_RECEIVED"]);
    expect(answer.json().info.data[0].code).toMatch(/^\d{6}$/);
    expect(row(id)).toMatchObject({ status: "received", messages: 1 });
  }
});

test("sms_at_cancel works on the REST calls by their path", async () => {
  const { v1, buy, plan } = openDesk();
  const { id } = await buy();
  plan("activations/:id", "sms_at_cancel");
  expect((await v1(`activations/${id}`, "DELETE")).json().title).toBe("NEW_OTP_RECEIVED");
});

test("otp_received refuses the release, and the message is in the list", async () => {
  const { ask, buy, plan } = openDesk();
  const { id } = await buy();
  plan("finishActivation", "otp_received");
  expect((await ask("finishActivation", { id })).json().title).toBe("OTP_RECEIVED");
  expect((await ask("getAllSms", { id })).json().meta.total).toBe(1);
  expect((await ask("finishActivation", { id })).status).toBe(204);
});

test("provider_cancels refunds the activation on its own, by id or the newest", async () => {
  const { ask, buy, plan, peer, row } = openDesk({ smsAfterMs: 0 });
  const [first, second, third] = [await buy(), await buy(), await buy()];
  plan("getStatus", "provider_cancels");
  expect((await ask("getStatus", { id: first.id })).text).toBe("STATUS_CANCEL");
  plan("getActiveActivations", "provider_cancels", { id: second.id });
  expect((await ask("getActiveActivations")).json().data.length).toBe(1);
  plan("getActiveActivations", "provider_cancels");
  expect((await ask("getActiveActivations")).json().data).toEqual([]);
  expect([first, second, third].map(({ id }) => row(id).status)).toEqual(["refunded", "refunded", "refunded"]);
  expect(peer.view().balanceUsd).toBe("100000");
});

test("custom says whatever it is told", async () => {
  const answer = await buyUnder("custom", { status: 425, headers: { "Retry-After": 7 }, body: { title: "TOO_EARLY" } });
  expect([answer.status, answer.headers.get("retry-after"), answer.json().title]).toEqual([425, "7", "TOO_EARLY"]);
  expect((await buyUnder("custom", { body: "ORDER_ALREADY_EXISTS" })).text).toBe("ORDER_ALREADY_EXISTS");
});

test("a fault counts down and hits only its own action", async () => {
  const { ask, plan, faults } = openDesk();
  plan("getBalance", "http503", {}, 2);
  expect((await ask("getActiveActivations")).status).toBe(200);
  const statuses: number[] = [];
  for (let count = 0; count < 3; count++) statuses.push((await ask("getBalance")).status);
  expect(statuses).toEqual([503, 503, 200]);
  expect(faults.list()).toEqual([]);
});

test("an unknown fault is a mistake of the caller", async () => {
  const { ask, plan } = openDesk();
  plan("getBalance", "no_such_fault");
  await expect(ask("getBalance")).rejects.toThrow(RangeError);
});

test("every fault of the peer is tried in this file", () => {
  const tables = [ENVELOPE, BARE, RESETS, HANGS].flatMap((table) => table.map(([fault]) => fault));
  const alone = ["price_jump", "custom", "otp_received", "provider_cancels"];
  const tried = new Set([...tables, ...BROKEN, ...AT_RELEASE, ...alone]);
  expect([...tried].toSorted()).toEqual([...CALL_FAULTS].toSorted());
});
