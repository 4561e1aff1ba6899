import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";

const HOURS = [2, 12, 24, 72, 168, 336, 720];
const BAD_DURATION = {
  title: "BAD_DURATION",
  details: "Invalid rental period.",
  info: { min: 2, max: 720, available_durations: HOURS },
};

test("serviceCountRent lists countries, hours and rising prices", async () => {
  const { ask } = openDesk();
  const table = (await ask("serviceCountRent", { service: "full", duration: 24 })).json();
  expect(Object.keys(table).length).toBe(12);
  expect(table).toContainKeys(["187", "16", "6"]);
  const us: Record<string, { price: number; count: number }> = table[187];
  expect(Object.keys(us).map(Number)).toEqual(HOURS);
  const prices = Object.values(us).map(({ price }) => price);
  expect(prices).toEqual(prices.toSorted((a, b) => a - b));
  expect(Object.keys((await ask("serviceCountRent", { service: "tg", country: 6, duration: 2 })).json())).toEqual([
    "6",
  ]);
  expect((await ask("serviceCountRent", { service: "vk", duration: 2 })).text).toBe('"{}"');
});

test("a wrong rental period is BAD_DURATION and names the available ones", async () => {
  const { ask } = openDesk();
  for (const answer of [
    await ask("serviceCountRent", { service: "full" }),
    await ask("getRentServicesAndCountries", { country: 187 }),
    await ask("getRentServicesAndCountries", { country: 187, duration: 3 }),
    await ask("getRentNumber", { country: 187, service: "full", duration: 3 }),
  ]) {
    expect(answer.status).toBe(400);
    expect(answer.json()).toEqual(BAD_DURATION);
  }
});

test("wrong service, country and currency have titles of their own", async () => {
  const { ask } = openDesk();
  const titleOf = async (query: Record<string, string | number>) =>
    (await ask("serviceCountRent", { duration: 24, ...query })).json().title;
  expect(await titleOf({})).toBe("WRONG_SERVICE");
  expect(await titleOf({ service: "zzzz" })).toBe("WRONG_SERVICE");
  expect(await titleOf({ service: "full", country: 998 })).toBe("WRONG_COUNTRY");
  expect(await titleOf({ service: "full", currency: 643 })).toBe("WRONG_CURRENCY");
});

test("getRentServicesAndCountries lists services of one country, or an empty list", async () => {
  const { ask } = openDesk();
  const us = (await ask("getRentServicesAndCountries", { country: 187, duration: 24 })).json();
  expect(us.operators).toEqual({ 1: "att", 2: "tmobile", 3: "verizon" });
  expect(us.services).toContainKeys(["full", "tg", "ot", "wa"]);
  const listed = (await ask("serviceCountRent", { service: "tg", duration: 24 })).json()[187][24].price;
  expect(us.services.tg.price).toBe(listed);
  expect((await ask("getRentServicesAndCountries", { country: 1, duration: 24 })).json()).toEqual({
    operators: [],
    services: [],
  });
});

test("getRentNumber rents for the hours named and shows it as subtype 2", async () => {
  const { ask, peer, world, row } = openDesk({ smsAfterMs: 4_000 });
  const price = (await ask("serviceCountRent", { service: "wa", duration: 2 })).json()[16][2].price;
  const rented = (await ask("getRentNumber", { country: 16, service: "wa", duration: 2, currency: 840 })).json();
  expect(rented).toMatchObject({ subtype: 2, activationCost: price, activationEndTime: "2026-09-21T16:13:20+00:00" });
  await world.advance(4_000);
  expect((await ask("getAllSms", { id: rented.activationId })).json().meta.total).toBe(1);
  expect(row(rented.activationId).rental).toBe(true);
  await world.advance(2 * 3_600_000);
  expect(row(rented.activationId).status).toBe("finished");
  expect(Number(peer.view().balanceUsd)).toBeCloseTo(100_000 - price, 6);
});

test("a rental without any SMS is charged at its end, and its line is free again", async () => {
  const { ask, peer, world, row } = openDesk();
  const quantity = async () =>
    (await ask("getRentServicesAndCountries", { country: 187, duration: 2 })).json().services.tg.quantity;
  const before = await quantity();
  const rented = (await ask("getRentNumber", { country: 187, service: "tg", duration: 2 })).json();
  expect(await quantity()).toBe(before - 1);
  await world.advance(2 * 3_600_000);
  expect(row(rented.activationId).status).toBe("finished");
  expect(await quantity()).toBe(before);
  expect(Number(peer.view().balanceUsd)).toBeLessThan(100_000);
});

test("where nothing is for rent, getRentNumber is 404 NO_NUMBERS", async () => {
  const { ask } = openDesk();
  const answer = await ask("getRentNumber", { country: 1, service: "full", duration: 24 });
  expect([answer.status, answer.json().title]).toEqual([404, "NO_NUMBERS"]);
});

test("prolong adds hours to a running rental and costs what they cost", async () => {
  const { ask, buy, world, row } = openDesk();
  const post = (query: Record<string, string | number>) => ask("prolong", query, { method: "POST" });
  const rented = (await ask("getRentNumber", { country: 187, service: "tg", duration: 24 })).json();
  const id = rented.activationId;
  const longer = (await post({ id, duration: 24 })).json();
  expect(Date.parse(longer.activationEndTime) - Date.parse(rented.activationEndTime)).toBe(24 * 3_600_000);
  expect(longer.activationCost).toBeCloseTo(2 * rented.activationCost, 6);
  expect((await post({ id, duration: 720 })).json()).toMatchObject({ title: "MAX_HOURS_EXCEED", info: { max: 336 } });
  expect((await post({ id, duration: 25 })).json().title).toBe("BAD_DURATION");
  expect((await post({ id: (await buy()).id, duration: 24 })).json()).toMatchObject({
    title: "ACTION_NOT_AVAILABLE",
    details: "Try '/reactivate' method.",
  });
  expect((await post({ id: 1, duration: 24 })).status).toBe(404);
  await world.advance(47 * 3_600_000);
  expect(row(id).status).toBe("waiting");
  await world.advance(3_600_000);
  expect((await post({ id, duration: 24 })).json().title).toBe("ACTIVATION_NOT_ACTIVE");
});
