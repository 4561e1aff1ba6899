import { afterAll, describe, expect, test } from "bun:test";
import type { BuyRefusal } from "../../../src/provider/port.ts";
import { BROKEN, ENVELOPES, PURCHASE, type Reply, start, stopServers, usd } from "./fake.ts";

afterAll(stopServers);

const OPTIONS =
  '{"data":{"options":[{"price":1.4324,"duration":{"value":24,"unit":"hour"}},{"price":0.2145,"duration":{"unit":"hour","value":2}}]}}';
const OFFLINE: Reply = [403, '{"title":"SIM_OFFLINE","details":"The SIM card is offline"}'];
const REQUEST = { activationId: "5", maxCost: usd(0.3) };

describe("the offer", () => {
  test("is the shortest option", async () => {
    expect(await start({ reactivateOptions: OPTIONS }).provider.reactivationOffer("5")).toEqual({ cost: usd(0.2145) });
  });

  test("compares minutes with hours, and takes the cheaper of equally short ones", async () => {
    const options =
      '{"data":{"options":[{"price":1,"duration":{"unit":"hour","value":1}},{"price":3,"duration":{"unit":"minute","value":20}},{"price":"2","duration":{"unit":"minute","value":"20"}}]}}';
    expect(await start({ reactivateOptions: options }).provider.reactivationOffer("5")).toEqual({ cost: usd(2) });
  });

  test("comes from reactivationPrice where there are no options", async () => {
    const { provider } = start({ reactivationPrice: '{"data":{"price":1.4522,"currency":840}}' });
    expect(await provider.reactivationOffer("5")).toEqual({ cost: usd(1.4522) });
  });

  test("is none for an unknown number, an offline one, one that is not sold, or an empty list", async () => {
    for (const none of [
      ENVELOPES.notFound,
      ENVELOPES.notActive,
      ENVELOPES.serviceNotAvailable,
      OFFLINE,
      '{"data":{"options":[]}}',
    ] as Reply[]) {
      expect(await start({ reactivateOptions: none }).provider.reactivationOffer("5")).toBeNull();
    }
  });

  test("is not known when the answer makes no sense", async () => {
    const nonsense = [
      '{"data":{}}',
      '{"data":{"options":[{"price":"free"}]}}',
      ENVELOPES.noBalance,
      ...Object.values(BROKEN),
    ];
    for (const reply of nonsense as Reply[]) {
      await expect(start({ reactivateOptions: reply }).provider.reactivationOffer("5")).rejects.toMatchObject({
        name: "ProviderUnavailable",
      });
    }
  });
});

describe("reactivating", () => {
  test("reads the price again, then posts", async () => {
    const { provider, seen } = start({ reactivateOptions: OPTIONS, reactivate: PURCHASE });
    expect(await provider.reactivate(REQUEST)).toMatchObject({
      kind: "bought",
      bought: { activationId: "635468024", country: 6, service: "vk" },
    });
    expect(seen.map(({ action, method }) => [action, method])).toEqual([
      ["reactivateOptions", "GET"],
      ["reactivate", "POST"],
    ]);
    expect(Object.fromEntries(seen[1]?.params ?? [])).toMatchObject({ id: "5", duration: "2" });
  });

  test("leaves the duration out when it is no whole number of hours", async () => {
    const options = '{"data":{"options":[{"price":0.1,"duration":{"unit":"minute","value":20}}]}}';
    const { provider, seen } = start({ reactivateOptions: options, reactivate: PURCHASE });
    await provider.reactivate(REQUEST);
    expect(seen[1]?.params.has("duration")).toBe(false);
  });

  const refusals: Record<string, [options: Reply, refusal: BuyRefusal]> = {
    "a price above the cap": [OPTIONS.replace("0.2145", "0.3001"), { why: "price_above_cap", minimum: usd(0.3001) }],
    "a SIM that is offline": [OFFLINE, { why: "sim_offline" }],
    "a number nobody sells": [ENVELOPES.serviceNotAvailable, { why: "pair_barred", until: 0 }],
    "a number nobody knows": [ENVELOPES.notFound, { why: "invalid", detail: "NOT_FOUND" }],
    "no option": ['{"data":{"options":[]}}', { why: "invalid", detail: "no reactivation offered" }],
    "a bad key": [ENVELOPES.badKey, { why: "account", trouble: "bad_key" }],
    "a price that cannot be read": [BROKEN.html503, { why: "account", trouble: "rate_limited" }],
  };
  for (const [name, [options, refusal]] of Object.entries(refusals)) {
    test(`${name} is refused before anything is bought`, async () => {
      const { provider, actions } = start({ reactivateOptions: options, reactivate: PURCHASE });
      expect(await provider.reactivate(REQUEST)).toEqual({ kind: "refused", refusal });
      expect(actions()).not.toContain("reactivate");
    });
  }

  test("what the purchase itself answers decides", async () => {
    const reactivateWith = (reply: Reply) =>
      start({ reactivateOptions: OPTIONS, reactivate: reply }).provider.reactivate(REQUEST);
    expect(await reactivateWith(OFFLINE)).toEqual({ kind: "refused", refusal: { why: "sim_offline" } });
    expect(await reactivateWith([400, '{"title":"SIM_TEMPORARY_OFFLINE"}'])).toEqual({
      kind: "refused",
      refusal: { why: "sim_offline" },
    });
    expect(await reactivateWith(ENVELOPES.noBalance)).toEqual({
      kind: "refused",
      refusal: { why: "account", trouble: "no_balance" },
    });
    expect(await reactivateWith(ENVELOPES.serverError)).toMatchObject({ kind: "unknown" });
    expect(await reactivateWith(BROKEN.cutJson)).toMatchObject({ kind: "unknown" });
  });
});
