import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";

test("an SMS arrives by itself after the given time and is read four ways", async () => {
  const { ask, buy, world, status, row } = openDesk({ smsAfterMs: 4_000 });
  const { id } = await buy();
  await world.advance(3_999);
  expect(await status(id)).toBe("STATUS_WAIT_CODE");
  expect((await ask("getStatusV2", { id })).json()).toEqual({ verificationType: "sms", data: null });
  expect((await ask("getAllSms", { id })).json()).toEqual({ data: [], meta: { total: 0, service: "tg" } });
  await world.advance(1);
  const code = (await status(id)).replace("STATUS_OK:", "");
  expect(code).toMatch(/^[1-9]\d{5}$/);
  const sms = {
    id: "3416693217",
    phoneFrom: "Telegram",
    code,
    text: `Your Telegram code is ${code}`,
    service: "tg",
    date: "2026-09-21T17:13:24+03:00",
    type: "sms",
  };
  expect((await ask("getStatusV2", { id })).json()).toEqual({ verificationType: "sms", data: sms });
  expect((await ask("getAllSms", { id })).json()).toEqual({ data: [sms], meta: { total: 1, service: "tg" } });
  expect(row(id)).toMatchObject({ status: "received", messages: 1 });
  await world.advance(60_000);
  expect(row(id).messages).toBe(1);
});

test("the active list has strings, times in UTC+3 without a zone, and an empty form of its own", async () => {
  const { ask, peer } = openDesk();
  expect((await ask("getActiveActivations")).json()).toEqual({
    status: "success",
    data: [],
    activeActivations: { affected_rows: 0, num_rows: 0, row: [], rows: [] },
  });
  const bought = (await ask("getNumberV2", { country: 2, service: "tg" })).json();
  const rented = (await ask("getRentNumber", { country: 16, service: "full", duration: 2 })).json();
  peer.deliver({ phoneNumber: bought.phoneNumber, text: "Your code is 12345" });
  const common = { canGetAnotherSms: "1", currency: 840, verificationType: "sms" };
  expect((await ask("getActiveActivations")).json()).toEqual({
    status: "success",
    data: [
      {
        ...common,
        activationId: "900000002",
        serviceCode: "full",
        phoneNumber: rented.phoneNumber,
        activationCost: rented.activationCost,
        activationStatus: "4",
        smsCode: null,
        smsText: null,
        activationTime: "2026-09-21 17:13:20",
        activationEndTime: "2026-09-21 19:13:20",
        countryCode: "16",
        countryName: "United Kingdom",
        subtype: 2,
      },
      {
        ...common,
        activationId: "900000001",
        serviceCode: "tg",
        phoneNumber: bought.phoneNumber,
        activationCost: bought.activationCost,
        activationStatus: "2",
        smsCode: "12345",
        smsText: "Your code is 12345",
        activationTime: "2026-09-21 17:13:20",
        countryCode: "2",
        countryName: "Kazakhstan",
        subtype: 1,
      },
    ],
  });
});

test("the active list is paged by start and limit", async () => {
  const { ask, buy } = openDesk();
  for (let count = 0; count < 5; count++) await buy();
  const idsOf = async (query: Record<string, number>) =>
    (await ask("getActiveActivations", query))
      .json()
      .data.map(({ activationId }: { activationId: string }) => activationId);
  expect(await idsOf({ limit: 2 })).toEqual(["900000005", "900000004"]);
  expect(await idsOf({ start: 4, limit: 2 })).toEqual(["900000001"]);
  expect((await ask("getActiveActivations", { limit: 101 })).status).toBe(422);
});

test("the history holds ended activations bought within the window, and a cost even for cancelled ones", async () => {
  const { ask, buy, world } = openDesk();
  const start = Math.floor(world.now() / 1000);
  const first = await buy();
  await world.advance(120_000);
  await buy();
  await ask("cancelActivation", { id: first.id });
  const query = { start, end: start + 300, offset: 0, size: 100 };
  expect((await ask("getHistory", query)).json()).toEqual([
    {
      id: first.id,
      date: "2026-09-21 17:13:20",
      phone: first.phone,
      sms: null,
      cost: first.cost,
      status: "8",
      currency: 840,
    },
  ]);
  expect((await ask("getHistory", { ...query, start: start + 1 })).json()).toEqual([]);
  expect((await ask("getHistory", { ...query, offset: 1 })).json()).toEqual([]);
  expect((await ask("getHistory", { start: "yesterday" })).status).toBe(422);
});

test("codes are text: leading zeros and dashes stay, and an SMS without a code has none", async () => {
  const { ask, buy, peer } = openDesk();
  const { id, phone } = await buy();
  for (const text of ["WhatsApp code 123-456", "PIN 0042", "Hello, call us at 12345678901", ""]) {
    expect(peer.deliver({ phoneNumber: phone, text })).toEqual({ activationId: id });
  }
  const { data, meta } = (await ask("getAllSms", { id })).json();
  expect(data.map(({ code }: { code: string | null }) => code)).toEqual([null, null, "0042", "123-456"]);
  expect(meta.total).toBe(4);
  const page = (await ask("getAllSms", { id, size: 3, page: 2 })).json();
  expect([page.data.length, page.meta.total]).toEqual([1, 4]);
  expect((await ask("getAllSms", { id, size: 0 })).status).toBe(422);
});

test("no active number, no delivery", () => {
  expect(openDesk().peer.deliver({ phoneNumber: "+15005550006", text: "1234" })).toBeNull();
});
