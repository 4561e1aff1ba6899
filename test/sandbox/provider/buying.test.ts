import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";

test("getNumberV2 sells a number at its list price and debits the balance", async () => {
  const { ask, peer } = openDesk();
  const { tg } = (await ask("getPrices", { country: 187, service: "tg" })).json()[187];
  const answer = await ask("getNumberV2", { country: 187, service: "tg", maxPrice: tg.cost });
  expect(answer.json()).toEqual({
    activationId: "900000001",
    phoneNumber: expect.stringMatching(/^1[2-9]02[2-9]\d{6}$/),
    activationCost: tg.cost,
    currency: 840,
    countryCode: 187,
    countryPhoneCode: 1,
    canGetAnotherSms: true,
    activationTime: "2026-09-21T14:13:20+00:00",
    activationEndTime: "2026-09-21T14:33:20+00:00",
    activationOperator: "any",
    verificationType: "sms",
    subtype: 1,
    serviceCode: "tg",
    status: 4,
  });
  expect(Number(peer.view().balanceUsd)).toBeCloseTo(100_000 - tg.cost, 6);
});

test("getNumber says only id and number, and wrong parameters in plain text", async () => {
  const { ask } = openDesk();
  expect((await ask("getNumber", { country: 16, service: "wa" })).text).toMatch(/^ACCESS_NUMBER:900000001:447\d{9}$/);
  const wrong = await ask("getNumber", { country: 16, service: "other" });
  expect([wrong.status, wrong.text]).toEqual([422, "UNPROCESSABLE_ENTITY:service:INVALID"]);
});

test.each([
  [{ country: 187 }, "service", "REQUIRED"],
  [{ country: 187, service: "t" }, "service", "INVALID"],
  [{ country: 187, service: "zzzz" }, "service", "INVALID"],
  [{ service: "tg" }, "country", "REQUIRED"],
  [{ service: "tg", country: "us" }, "country", "INVALID"],
  [{ service: "tg", country: 1_000 }, "country", "INVALID"],
  [{ service: "tg", country: 999 }, "country", "INVALID"],
  [{ service: "tg", country: 187, maxPrice: "cheap" }, "maxPrice", "INVALID"],
  [{ service: "tg", country: 187, maxPrice: 0.0066 }, "maxPrice", "INVALID"],
  [{ service: "tg", country: 187, operator: "a b" }, "operator", "INVALID"],
  [{ service: "tg", country: 187, fixedPrice: "true" }, "maxPrice", "REQUIRED"],
])("getNumberV2 %p is 422 for %s (%s)", async (query, field, code) => {
  const { ask, peer } = openDesk();
  const answer = await ask("getNumberV2", query);
  expect(answer.status).toBe(422);
  expect(answer.json().info).toEqual({ field, code, message: "" });
  expect(peer.view().activations).toEqual([]);
});

test("a cap below the list price is WRONG_MAX_PRICE with the permitted minimum", async () => {
  const { ask } = openDesk();
  const { tg } = (await ask("getPrices", { country: 187, service: "tg" })).json()[187];
  const answer = await ask("getNumberV2", { country: 187, service: "tg", maxPrice: tg.cost - 0.0001 });
  expect(answer.status).toBe(400);
  expect(answer.json()).toMatchObject({ title: "WRONG_MAX_PRICE", info: { min: tg.cost } });
});

interface V1Offer {
  readonly prices: { readonly retail: number };
  readonly counts: { readonly total: number; readonly physical: number; readonly defaultPrice: number };
  readonly map: Record<string, number>;
}

/** The first pair of the market for which `fits`. */
async function findOffer(fits: (offer: V1Offer) => boolean) {
  const desk = openDesk();
  const { data } = (await desk.v1("activations/offers/sms")).json();
  for (const [service, countries] of Object.entries<Record<string, V1Offer>>(data)) {
    for (const [country, offer] of Object.entries(countries)) if (fits(offer)) return { desk, service, country, offer };
  }
  throw new Error("No such offer in the market");
}

test("a pair without stock has an empty map, written as a list, and sells nothing", async () => {
  const { desk, service, country, offer } = await findOffer(({ counts }) => counts.total === 0);
  expect(JSON.stringify(offer.map)).toBe("[]");
  expect((await desk.ask("getNumberV2", { service, country, maxPrice: 100 })).text).toBe("NO_NUMBERS");
});

test("a pair whose count is fictitious sells nothing", async () => {
  const { desk, service, country } = await findOffer(({ counts }) => counts.total > 0 && counts.physical === 0);
  const answer = await desk.ask("getNumberV2", { service, country, maxPrice: 100 });
  expect([answer.status, answer.text]).toEqual([200, "NO_NUMBERS"]);
});

test("where the cheapest tier is empty, the list price buys nothing and the smallest key of the map does", async () => {
  const { desk, service, country, offer } = await findOffer(
    ({ counts }) => counts.physical > 0 && counts.defaultPrice === 0,
  );
  const smallest = Math.min(...Object.keys(offer.map).map(Number));
  expect(smallest).toBeGreaterThan(offer.prices.retail);
  expect((await desk.ask("getNumberV2", { service, country })).text).toBe("NO_NUMBERS");
  expect((await desk.ask("getNumberV2", { service, country, maxPrice: offer.prices.retail })).text).toBe("NO_NUMBERS");
  const bought = (await desk.ask("getNumberV2", { service, country, maxPrice: smallest })).json();
  expect(bought.activationCost).toBe(smallest);
});

test("fixedPrice buys at exactly the price named, not below it", async () => {
  const { ask, v1 } = openDesk();
  const offer = (await v1("activations/offers/sms?services=tg&countries=187")).json().data.tg[187];
  const dearest = Math.max(...Object.keys(offer.map).map(Number));
  const query = { service: "tg", country: 187, fixedPrice: "true" };
  expect((await ask("getNumberV2", { ...query, maxPrice: dearest })).json().activationCost).toBe(dearest);
  expect((await ask("getNumberV2", { ...query, maxPrice: dearest + 0.01 })).text).toBe("NO_NUMBERS");
});

test("a tier sells out, the next one is dearer, and a cancel puts a number back", async () => {
  const small = await findOffer(({ counts, map }) => {
    const [first] = Object.values<number>(map).toSorted((a, b) => a - b);
    return counts.total === counts.physical && counts.defaultPrice > 0 && first !== undefined && first <= 3;
  });
  const { desk, service, country, offer } = small;
  const query = { service, country, maxPrice: offer.prices.retail };
  const ids: string[] = [];
  for (let left = offer.counts.defaultPrice; left > 0; left--) ids.push((await desk.buy(query)).id);
  expect((await desk.ask("getNumberV2", query)).text).toBe("NO_NUMBERS");
  const dearer = (await desk.ask("getNumberV2", { ...query, maxPrice: 100 })).json();
  expect(dearer.activationCost).toBeGreaterThan(offer.prices.retail);
  await desk.world.advance(120_000);
  expect((await desk.ask("setStatus", { id: ids[0] ?? "", status: 8 })).text).toBe("ACCESS_CANCEL");
  expect((await desk.buy(query)).cost).toBe(offer.prices.retail);
});

test("an empty account is 402 and buys nothing", async () => {
  const { ask, books, peer } = openDesk();
  books.run("UPDATE provider_account SET balance = 100");
  const answer = await ask("getNumberV2", { country: 187, service: "tg" });
  expect([answer.status, answer.json()]).toEqual([402, { title: "NO_BALANCE", details: "Payment Required" }]);
  expect(peer.view()).toEqual({ bans: [], balanceUsd: "0.0001", activations: [] });
});

test("active numbers are unique and fit their country", async () => {
  const { buy } = openDesk();
  const phones = new Set<string>();
  for (let count = 0; count < 200; count++) phones.add((await buy({ country: 6 })).phone);
  expect(phones.size).toBe(200);
  for (const phone of phones) expect(phone).toMatch(/^6281\d{9}$/);
});

test("some pairs live longer than 20 minutes, as the custom durations say", async () => {
  const { ask, v1 } = openDesk();
  const { data } = (await v1("classifiers/activations/custom-durations", "GET", null)).json();
  expect(data.tg[6]).toBe(45);
  const bought = (await ask("getNumberV2", { country: 6, service: "tg" })).json();
  expect(Date.parse(bought.activationEndTime) - Date.parse(bought.activationTime)).toBe(45 * 60_000);
});
