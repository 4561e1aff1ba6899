import { afterAll, describe, expect, test } from "bun:test";
import type { BuyRefusal } from "../../../src/provider/port.ts";
import { BROKEN, ENVELOPES, type Reply, start, stopServers, usd } from "./fake.ts";

afterAll(stopServers);

const COUNTS =
  '{"6":{"2":{"price":0.18,"count":25370,"retail_price":0.2},"12":{"price":"0.5","count":"3"}},"187":{"2":{"price":1,"count":0,"retail_price":1}}}';
const RENTED =
  '{"activationId":"7","phoneNumber":"6281234567","activationCost":0.2,"currency":840,"countryCode":6,"activationEndTime":"2026-02-18T18:11:23+00:00","subtype":2,"serviceCode":"tg"}';
const BAD_DURATION: Reply = [
  400,
  '{"title":"BAD_DURATION","details":"Invalid rental period.","info":{"min":24,"max":720,"available_durations":[48,72,168,720]}}',
];

describe("rental offers", () => {
  test("are listed by country and hours with the dearer of the two prices, and only with stock", async () => {
    const { provider, seen } = start({ serviceCountRent: COUNTS });
    expect(await provider.rentalOffers({ service: "tg" })).toEqual([
      { country: 6, service: "tg", hours: 2, cost: usd(0.2), stock: 25_370 },
      { country: 6, service: "tg", hours: 12, cost: usd(0.5), stock: 3 },
    ]);
    expect(Object.fromEntries(seen[0]?.params ?? [])).toMatchObject({ service: "tg", duration: "24", currency: "840" });
    expect(seen[0]?.params.has("country")).toBe(false);
  });

  test("are narrowed to one country, even by an answer about all", async () => {
    const { provider, seen } = start({ serviceCountRent: COUNTS });
    expect(await provider.rentalOffers({ service: "tg", country: 5 })).toEqual([]);
    expect(seen[0]?.params.get("country")).toBe("5");
  });

  test("none are the text {} in quotes, a wrong country or service, or an empty object", async () => {
    for (const none of [
      '"{}"',
      "{}",
      "[]",
      "NO_NUMBERS",
      [400, '{"title":"WRONG_COUNTRY"}'],
      [400, '{"title":"WRONG_SERVICE"}'],
    ] as Reply[]) {
      expect(await start({ serviceCountRent: none }).provider.rentalOffers({ service: "tg" })).toEqual([]);
    }
  });

  test("the valid durations are learned from the refusal, once", async () => {
    const { provider, seen } = start({
      serviceCountRent: (params) => (params.get("duration") === "48" ? COUNTS : BAD_DURATION),
    });
    expect(await provider.rentalOffers({ service: "tg" })).toHaveLength(2);
    expect(await provider.rentalOffers({ service: "tg" })).toHaveLength(2);
    expect(seen.map(({ params }) => params.get("duration"))).toEqual(["24", "48", "48"]);
  });

  test("an answer that is no list throws", async () => {
    for (const reply of [...Object.values(BROKEN), ENVELOPES.noBalance, BAD_DURATION, '{"title":"X"}'] as Reply[]) {
      await expect(start({ serviceCountRent: reply }).provider.rentalOffers({ service: "tg" })).rejects.toMatchObject({
        name: "ProviderUnavailable",
      });
    }
  });
});

describe("renting", () => {
  const REQUEST = { service: "tg", country: 6, hours: 2, maxCost: usd(0.2) };

  test("reads the price again, then rents by the hour", async () => {
    const { provider, seen, actions } = start({ serviceCountRent: COUNTS, getRentNumber: RENTED });
    expect(await provider.buyRental(REQUEST)).toMatchObject({
      kind: "bought",
      bought: {
        activationId: "7",
        phoneNumber: "+6281234567",
        cost: usd(0.2),
        endsAt: Date.parse("2026-02-18T18:11:23Z"),
      },
    });
    expect(actions()).toEqual(["serviceCountRent", "getRentNumber"]);
    expect(Object.fromEntries(seen[1]?.params ?? [])).toMatchObject({
      service: "tg",
      country: "6",
      duration: "2",
      currency: "840",
    });
  });

  test("accepts the short form of the answer", async () => {
    const short =
      '{"id":1049,"phoneNumber":"6281234567","cost":0.2,"currency":840,"lockCancelTime":120,"endDate":"2026-02-18T18:11:23+00:00","operator":"mtt"}';
    const { provider } = start({ serviceCountRent: COUNTS, getRentNumber: short });
    expect(await provider.buyRental(REQUEST)).toMatchObject({
      kind: "bought",
      bought: { activationId: "1049", country: 6, service: "tg" },
    });
  });

  const refusals: Record<string, [request: Partial<typeof REQUEST>, counts: Reply, refusal: BuyRefusal]> = {
    "a price above the cap": [{ maxCost: usd(0.19) }, COUNTS, { why: "price_above_cap", minimum: usd(0.2) }],
    "a duration that is not offered": [{ hours: 3 }, COUNTS, { why: "no_numbers" }],
    "no stock": [{ country: 187, maxCost: usd(9) }, COUNTS, { why: "no_numbers" }],
    "no balance": [{}, ENVELOPES.noBalance, { why: "account", trouble: "no_balance" }],
    "a price that cannot be read": [{}, BROKEN.html502, { why: "account", trouble: "rate_limited" }],
    "malformed hours": [{ hours: 1.5 }, COUNTS, { why: "invalid", detail: "malformed country, service or hours" }],
  };
  for (const [name, [request, counts, refusal]] of Object.entries(refusals)) {
    test(`${name} is refused before anything is bought`, async () => {
      const { provider, actions } = start({ serviceCountRent: counts, getRentNumber: RENTED });
      expect(await provider.buyRental({ ...REQUEST, ...request })).toEqual({ kind: "refused", refusal });
      expect(actions()).not.toContain("getRentNumber");
    });
  }

  test("no stock at the last moment, a wrong duration and a lost answer are told apart", async () => {
    const rentWith = (reply: Reply) =>
      start({ serviceCountRent: COUNTS, getRentNumber: reply }).provider.buyRental(REQUEST);
    expect(await rentWith([404, '{"title":"NO_NUMBERS","details":""}'])).toEqual({
      kind: "refused",
      refusal: { why: "no_numbers" },
    });
    expect(await rentWith(BAD_DURATION)).toEqual({
      kind: "refused",
      refusal: { why: "invalid", detail: "BAD_DURATION" },
    });
    expect(await rentWith(ENVELOPES.serverError)).toMatchObject({ kind: "unknown" });
    expect(await rentWith("")).toMatchObject({ kind: "unknown" });
  });
});
