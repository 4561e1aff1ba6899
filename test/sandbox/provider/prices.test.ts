import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";

test("getPrices covers every visible country and forty services between 0.03 and 1.5 USD", async () => {
  const { ask } = openDesk();
  const prices: Record<string, Record<string, { cost: number; count: number; physicalCount: number }>> = (
    await ask("getPrices")
  ).json();
  expect(Object.keys(prices).length).toBeGreaterThan(190);
  for (const services of Object.values(prices)) {
    expect(Object.keys(services).length).toBe(40);
    for (const { cost } of Object.values(services)) expect(cost >= 0.03 && cost <= 1.5).toBe(true);
  }
  for (const country of [187, 16, 6]) {
    for (const { physicalCount } of Object.values(prices[country] ?? {})) expect(physicalCount).toBeGreaterThan(1_000);
  }
  expect(prices["187"]).toContainKeys(["ot", "tg", "wa", "go", "ig", "fb", "dr", "ds", "am", "tw"]);
});

test("getPrices narrows, is empty for what is not sold, and says wrong filters at 200", async () => {
  const { ask } = openDesk();
  expect((await ask("getPrices", { country: 187, service: "ot" })).json()).toEqual({
    187: { ot: { cost: expect.any(Number), count: expect.any(Number), physicalCount: expect.any(Number) } },
  });
  expect((await ask("getPrices", { service: "full" })).json()).toEqual({});
  expect((await ask("getPrices", { country: 222 })).json()).toEqual({});
  expect((await ask("getPrices", { service: "zzz" })).text).toBe('{"status":"false","msg":"service is incorrect"}');
  expect((await ask("getPrices", { country: 998 })).text).toBe('{"status":"false","msg":"country is incorrect"}');
  expect((await ask("getPrices", { country: "x" })).text).toBe('{"status":"false","msg":"country is incorrect"}');
});

test("the count falls with every number bought", async () => {
  const { ask, buy } = openDesk();
  const physical = async () => (await ask("getPrices", { country: 187, service: "tg" })).json()[187].tg.physicalCount;
  const before = await physical();
  await buy();
  expect(await physical()).toBe(before - 1);
});

test("top countries are an ordered object, with maps of cumulative counts on request", async () => {
  const { ask } = openDesk();
  const plain = (await ask("getTopCountriesByService", { service: "tg" })).json();
  expect(Object.keys(plain[0])).toEqual(["country", "price", "retail_price", "count"]);
  const rows = Object.values<{ count: number }>(plain);
  expect(rows.every(({ count }, index) => index === 0 || count <= (rows[index - 1]?.count ?? 0))).toBe(true);

  const free = (await ask("getTopCountriesByService", { service: "tg", freePrice: "true" })).json();
  const us = [...Array(200).keys()].map((index) => free[index]).find((row) => row?.country === 187);
  const prices = Object.keys(us.freePriceMap).toSorted((a, b) => Number(a) - Number(b));
  expect(Number(prices[0])).toBe(us.retail_price);
  expect(us.freePriceMap[prices.at(-1) ?? ""]).toBe(us.count);
  expect(us.physicalPriceMap[prices.at(-1) ?? ""]).toBe(us.physicalTotalCount);
  expect(us.physicalPriceMap[prices[0] ?? ""]).toBe(us.physicalCountForDefaultPrice);
  expect((await ask("getTopCountriesByServiceRank")).json().tg).toEqual(plain);
});

test("getNumbersStatus needs a country", async () => {
  const { ask } = openDesk();
  expect((await ask("getNumbersStatus", { country: 187 })).json().tg).toBeGreaterThan(1_000);
  expect((await ask("getNumbersStatus")).json().info.message).toBe("Param 'country' must be a number");
});

test("countries, services and operators are free to read without a key", async () => {
  const { send, ask } = openDesk();
  const read = async (action: string) => (await send(`/stubs/handler_api.php?action=${action}`)).json();
  const countries = await read("getCountries");
  expect(countries[187]).toMatchObject({ id: 187, eng: "USA", visible: 1, retry: 1, rent: 1 });
  expect(countries[222]).toMatchObject({ eng: "Russia", visible: 0, rent: 0 });
  expect(countries[12]).toBeUndefined();

  const { status, services } = await read("getServicesList");
  expect([status, services.length, services[0]]).toEqual(["success", 811, { code: "full", name: "Full rent" }]);
  expect(services.find(({ code }: { code: string }) => code === "acz").name).toBe("Claude ");
  expect((await ask("getServicesList", { country: 6 })).json().services.length).toBe(41);

  expect((await read("getOperators")).countryOperators[6]).toContain("telkomsel");
  expect((await ask("getOperators", { country: 6 })).json()).toEqual({
    status: "success",
    countryOperators: { 6: ["axis", "byu", "indosat", "smartfren", "telkomsel", "three"] },
  });
  expect((await ask("getOperators", { country: 1 })).text).toBe("OPERATORS_NOT_FOUND");
});
