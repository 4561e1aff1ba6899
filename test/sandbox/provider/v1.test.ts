import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";

test("the key is an ApiKey header: none is 401, a bad one 403", async () => {
  const { v1, send } = openDesk();
  const none = await v1("activations", "GET", null);
  expect([none.status, none.json()]).toEqual([401, { title: "Unauthenticated." }]);
  const bad = await v1("activations", "GET", "bad");
  expect([bad.status, bad.json()]).toEqual([403, { title: "BAD_API_KEY", details: "Invalid API key" }]);
  expect((await send("/api/v1/activations", { headers: { authorization: "Bearer key" } })).status).toBe(401);
});

test("offers carry prices, counts and a cumulative map per price", async () => {
  const { v1 } = openDesk();
  const { data, meta } = (await v1("activations/offers/sms?services=tg,go&countries=6,33")).json();
  expect(Object.keys(data).toSorted()).toEqual(["go", "tg"]);
  const { prices, counts, map } = data.tg[6];
  expect(map[prices.min.toFixed(4)]).toBe(counts.defaultPrice);
  expect(Math.max(...Object.values<number>(map))).toBe(counts.total);
  expect(prices.default).toBeLessThan(prices.retail);
  expect(meta.order.deliverability.countries.tg).toContain("6");
});

test("offers nobody has are 404 OFFER_NOT_FOUND", async () => {
  const { v1 } = openDesk();
  for (const path of ["sms?services=zzzz", "sms?countries=222", "call?services=tg"]) {
    const answer = await v1(`activations/offers/${path}`);
    expect([answer.status, answer.json().title]).toEqual([404, "OFFER_NOT_FOUND"]);
  }
});

test("the active list is paged and has times with a zone and every message", async () => {
  const { v1, buy, peer } = openDesk();
  const paging = { page: 1, size: 5, sort: { id: "desc" } };
  expect((await v1("activations?size=5")).json()).toEqual({
    data: [],
    meta: { ...paging, total: 0, filters: { countries: [], services: [] } },
  });
  const first = await buy();
  await buy();
  peer.deliver({ phoneNumber: first.phone, text: "code 1111", from: "Telegram" });
  const { data, meta } = (await v1("activations?size=1&page=2")).json();
  expect(meta).toMatchObject({ page: 2, size: 1, total: 2 });
  expect(data).toEqual([
    {
      id: Number(first.id),
      status: 2,
      phone: Number(first.phone),
      service: "tg",
      country: 187,
      countryPhoneCode: 1,
      operator: "any",
      price: first.cost,
      otpList: [
        {
          id: "3416693217",
          smsCode: "1111",
          smsText: "code 1111",
          receivedAt: "2026-09-21T14:13:20.000000Z",
          type: "sms",
          phoneFrom: "Telegram",
          service: "tg",
        },
      ],
      createdAt: "2026-09-21T14:13:20.000000Z",
      expiredAt: "2026-09-21T14:33:20.000000Z",
      verificationType: "sms",
      subtype: 1,
    },
  ]);
  expect((await v1("activations?size=26")).status).toBe(422);
});

test("the history needs a window and tells success from refund", async () => {
  const { v1, ask, buy, peer, world } = openDesk();
  const window = "from=2026-09-21T14:00:00Z&to=2026-09-21T15:00:00.000Z";
  const cancelled = await buy();
  const success = await buy();
  const several = await buy();
  peer.deliver({ phoneNumber: success.phone, text: "code 1111" });
  for (const text of ["code 2222", "code 3333"]) peer.deliver({ phoneNumber: several.phone, text });
  await world.advance(120_000);
  expect((await v1(`activations/${cancelled.id}`, "DELETE")).status).toBe(204);
  for (const { id } of [success, several]) {
    await ask("getAllSms", { id });
    expect((await v1(`activations/${id}/finish`, "POST")).status).toBe(204);
  }
  const { data, totals, meta } = (await v1(`activations/history?${window}`)).json();
  expect(data.map(({ status, moreCodes }: { status: number; moreCodes: unknown }) => [status, moreCodes])).toEqual([
    [6, ["3333", "2222"]],
    [6, "1111"],
    [8, null],
  ]);
  expect(data[2]).toEqual({
    id: Number(cancelled.id),
    createDate: "2026-09-21T14:13:20.000000Z",
    service: "tg",
    country: 187,
    phone: Number(cancelled.phone),
    moreCodes: null,
    cost: cancelled.cost,
    status: 8,
    phoneCode: 1,
    currency: 840,
    subtype: 1,
  });
  expect(totals).toEqual({ sum: success.cost + several.cost, successCount: 2 });
  expect(meta.total).toBe(3);
  expect((await v1("activations/history?from=2026-09-21T14:14:00Z&to=2026-09-22")).json().data).toEqual([]);
  expect((await v1("activations/history?from=2026-09-21")).json().info).toMatchObject({
    field: "to",
    code: "REQUIRED",
  });
  expect((await v1("activations/history?from=then&to=now")).json().info).toMatchObject({
    field: "from",
    code: "INVALID",
  });
});

test("there is no GET for one activation", async () => {
  const { v1, buy } = openDesk();
  const { id } = await buy();
  expect((await v1(`activations/${id}`)).status).toBe(404);
  expect((await v1("activations/1", "DELETE")).json().details).toBe("Activation Not Found");
});
