import { afterAll, describe, expect, test } from "bun:test";
import { BROKEN, ENVELOPES, type Reply, start, stopServers, usd } from "./fake.ts";

afterAll(stopServers);

const OFFERS = "v1/activations/offers/sms";
/** Word for word from the live service. */
const TIERS =
  '{"data":{"ot":{"52":{"prices":{"default":0.2,"retail":0.24,"min":0.24},"counts":{"total":2898,"physical":2287,"defaultPrice":1039},"map":{"0.4236":1902,"0.2400":1091,"0.3280":1159,"3.0000":2898}}}},"meta":{"order":{"rate":{},"deliverability":{"countries":{"ot":["6","4","52"]}}}}}';
const PRICES = '{"187":{"ot":{"cost":0.6,"count":592116,"physicalCount":8317}}}';

describe("an offer by tiers", () => {
  const tiers = (leaf: string) => `{"data":{"ot":{"52":${leaf}}}}`;

  test("is the cheapest tier of the map, asked for in one request", async () => {
    const { provider, seen } = start({ [OFFERS]: TIERS });
    expect(await provider.smsOffers({ service: "ot", country: 52 })).toEqual([
      { country: 52, service: "ot", cost: usd(0.24), stock: 1091 },
    ]);
    expect(await provider.smsOffers({ service: "ot" })).toHaveLength(1);
    expect(seen.map(({ params }) => Object.fromEntries(params))).toEqual([
      { services: "ot", countries: "52" },
      { services: "ot" },
    ]);
  });

  test("is not the label price when that tier is empty", async () => {
    const leaf =
      '{"prices":{"default":0.75,"retail":0.9},"counts":{"total":5,"physical":5,"defaultPrice":0},"map":{"0.9000":0,"1.0483":5}}';
    expect(await start({ [OFFERS]: tiers(leaf) }).provider.smsOffers({ service: "ot" })).toMatchObject([
      { cost: usd(1.0483), stock: 5 },
    ]);
  });

  test("does not exist without real stock, without tiers, or where PHP writes an empty list", async () => {
    for (const leaf of [
      '{"counts":{"physical":0},"map":{"0.2400":56964}}',
      '{"counts":{"physical":9},"map":[]}',
      "[]",
    ]) {
      expect(await start({ [OFFERS]: tiers(leaf) }).provider.smsOffers({ service: "ot" })).toEqual([]);
    }
    expect(await start({ [OFFERS]: '{"data":[]}' }).provider.smsOffers({ service: "ot" })).toEqual([]);
    const none = start({ [OFFERS]: [404, '{"title":"OFFER_NOT_FOUND","details":"Offer not found"}'] });
    expect(await none.provider.smsOffers({ service: "ot" })).toEqual([]);
    expect(none.actions()).toEqual([OFFERS]);
  });

  test("claims no more stock than there is", async () => {
    const leaf = '{"counts":{"physical":7},"map":{"0.2400":56964}}';
    expect(await start({ [OFFERS]: tiers(leaf) }).provider.smsOffers({ service: "ot" })).toMatchObject([{ stock: 7 }]);
  });
});

describe("an offer by getPrices", () => {
  test("stands in where v1 is absent, which is remembered", async () => {
    const { provider, actions, seen, troubles } = start({
      [OFFERS]: [403, '{"title":"BAD_API_KEY","details":"Invalid API key"}'],
      getPrices: PRICES,
    });
    const want = [{ country: 187, service: "ot", cost: usd(0.6), stock: 8317 }];
    expect(await provider.smsOffers({ service: "ot", country: 187 })).toEqual(want);
    expect(await provider.smsOffers({ service: "ot", country: 187 })).toEqual(want);
    expect(actions()).toEqual([OFFERS, "getPrices", "getPrices"]);
    expect(Object.fromEntries(seen[1]?.params ?? [])).toMatchObject({ service: "ot", country: "187" });
    expect(troubles).toEqual([]);
  });

  test("stands in for a v1 answer that makes no sense, and v1 is asked again the next time", async () => {
    const { provider, actions } = start({ [OFFERS]: BROKEN.html502, getPrices: PRICES });
    await provider.smsOffers({ service: "ot" });
    await provider.smsOffers({ service: "ot" });
    expect(actions()).toEqual([OFFERS, "getPrices", OFFERS, "getPrices"]);
  });

  test("serves the whole catalog and one country in one request", async () => {
    const { provider, actions } = start({ getPrices: PRICES });
    expect(await provider.smsOffers({})).toHaveLength(1);
    expect(await provider.smsOffers({ country: 187 })).toHaveLength(1);
    expect(await provider.smsOffers({ country: 1 })).toEqual([]);
    expect(actions()).toEqual(["getPrices", "getPrices", "getPrices"]);
  });

  test("leaves out fictitious stock and rows without a price", async () => {
    const rows =
      '{"62":{"wa":{"cost":1.44,"count":56964,"physicalCount":0},"tg":{"cost":0,"count":1},"vk":{"count":3},"ig":[],"ot":{"cost":"0.0480","count":3}}}';
    expect(await start({ getPrices: rows }).provider.smsOffers({})).toEqual([
      { country: 62, service: "ot", cost: usd(0.048), stock: 3 },
    ]);
  });

  test("is none for a service or country the provider does not know", async () => {
    for (const body of [
      '{"status":"false","msg":"service is incorrect"}',
      '{"status":"false","msg":"country is incorrect"}',
      "{}",
      "[]",
    ]) {
      expect(await start({ getPrices: body }).provider.smsOffers({ country: 1 })).toEqual([]);
    }
  });

  test("a list that was cut, or anything but a list, throws", async () => {
    const row = '"tg":{"cost":0.6,"count":592116,"physicalCount":8317}';
    const cut = `{${Array.from({ length: 300 }, (_, id) => `"${id}":{${row}}`).join()}}`.slice(0, 18_323);
    for (const reply of [
      cut,
      ENVELOPES.badKey,
      ENVELOPES.serverError,
      "NO_BALANCE",
      "ACCESS_BALANCE:1",
      ...Object.values(BROKEN),
    ] as Reply[]) {
      await expect(start({ getPrices: reply }).provider.smsOffers({})).rejects.toMatchObject({
        name: "ProviderUnavailable",
      });
    }
  });
});
