/** The catalog of the running server: what it lists is what an order then gets, at the price it shows. */
import { describe, expect, test } from "bun:test";
import { documentedServer } from "../../support/openapi.ts";

const server = documentedServer();

interface Offer {
  readonly service: string;
  readonly name: string;
  readonly priceSats: number;
  readonly stock: number;
  readonly durationMinutes: number;
}

interface Page {
  readonly updatedAt: string;
  readonly priceRule: string;
  readonly countries: readonly {
    readonly id: number;
    readonly iso: string | null;
    readonly name: string;
    readonly sms: readonly Omit<Offer, "durationMinutes">[];
    readonly rentals: readonly Offer[];
  }[];
}

const ask = (query: string, init: BunFetchRequestInit = {}) =>
  fetch(`${server().origin}/v2/l402/catalog${query}`, init);

async function page(query = ""): Promise<Page> {
  const response = await ask(query);
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

/** Runs `work` for every item, a few at a time. */
async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

describe("filters", () => {
  test("a country is found in every form that an order takes", async () => {
    const uk = await page("?country=16");
    expect(uk.countries).toMatchObject([{ id: 16, iso: "GB", name: "United Kingdom" }]);
    for (const form of ["GB", "gb", "United Kingdom", "united-kingdom", "UK", "England", "England & United Kingdom"]) {
      expect({ form, page: await page(`?country=${encodeURIComponent(form)}`) }).toEqual({ form, page: uk });
    }
  });

  test("a service is found by code, name and alias", async () => {
    const telegram = await page("?service=tg");
    const services = new Set(telegram.countries.flatMap(({ sms, rentals }) => [...sms, ...rentals]).map((o) => o.name));
    expect([...services]).toEqual(["Telegram"]);
    for (const form of ["TG", "telegram", "Telegram"]) expect(await page(`?service=${form}`)).toEqual(telegram);
    expect(await page("?service=other")).toEqual(await page("?service=ot"));
  });

  test("the type keeps one kind of offer, and filters combine", async () => {
    const sms = await page("?type=receive-sms");
    expect(sms.countries.every(({ sms, rentals }) => sms.length > 0 && rentals.length === 0)).toBe(true);
    const rentals = await page("?type=rent-number");
    expect(rentals.countries.every(({ sms, rentals }) => sms.length === 0 && rentals.length > 0)).toBe(true);
    const one = await page("?country=US&service=telegram&type=receive-sms");
    expect(one.countries).toMatchObject([{ id: 187, sms: [{ service: "tg" }], rentals: [] }]);
    expect(one.countries[0]?.sms).toHaveLength(1);
  });

  test("without a filter everything is listed, and only what is in stock", async () => {
    const all = await page();
    expect(all.countries.length).toBeGreaterThan(100);
    const offers = all.countries.flatMap(({ sms, rentals }) => [...sms, ...rentals]);
    expect(offers.filter(({ stock, priceSats }) => stock < 1 || priceSats < 1)).toEqual([]);
    expect(new Set(all.countries.map(({ id }) => id)).size).toBe(all.countries.length);
    const [uk] = (await page("?country=16")).countries;
    expect(all.countries.find(({ id }) => id === 16)).toEqual(uk as NonNullable<typeof uk>);
  });

  test("auto leaves the country open, as in an order", async () => {
    const countries = async (query: string) => {
      const response = await ask(query);
      expect(response.status).toBe(200);
      return ((await response.json()) as { countries: object }).countries;
    };
    expect(await countries("?service=tg&country=auto")).toEqual(await countries("?service=tg"));
  });

  test("what is unknown is refused with what is near", async () => {
    const refused = async (query: string) => {
      const response = await ask(query);
      return { status: response.status, ...((await response.json()) as { error: object }) };
    };
    expect(await refused("?country=Untied+Kingdom")).toMatchObject({
      status: 400,
      error: {
        code: "INVALID_COUNTRY",
        field: "country",
        nearest: expect.arrayContaining([{ id: 16, iso: "GB", name: "United Kingdom" }]),
        suggestion: expect.stringContaining("United Kingdom (16)"),
      },
    });
    expect(await refused("?country=Atlantis")).toMatchObject({ status: 400, error: { code: "INVALID_COUNTRY" } });
    expect(await refused("?service=telegrm")).toMatchObject({
      status: 400,
      error: {
        code: "VALIDATION_ERROR",
        field: "service",
        nearest: expect.arrayContaining([{ code: "tg", name: "Telegram" }]),
        suggestion: expect.stringContaining("Telegram (tg)"),
      },
    });
    expect(await refused("?type=sms")).toMatchObject({
      status: 400,
      error: { code: "VALIDATION_ERROR", field: "type" },
    });
    expect(await refused(`?country=${"x".repeat(65)}`)).toMatchObject({ status: 400, error: { field: "country" } });
  });
});

describe("transport", () => {
  test("an unchanged page is answered 304 to either encoding's tag", async () => {
    const plain = await ask("?country=US", { headers: { "accept-encoding": "identity" } });
    const zipped = await ask("?country=US", { headers: { "accept-encoding": "gzip" } });
    const tags = [plain, zipped].map(({ headers }) => headers.get("etag") ?? "");
    expect(new Set(tags).size).toBe(2);
    for (const tag of [...tags, `W/${tags[0]}`, `"other", ${tags[0]}`, "*"]) {
      expect((await ask("?country=US", { headers: { "if-none-match": tag } })).status).toBe(304);
    }
    expect((await ask("?country=GB", { headers: { "if-none-match": tags[0] ?? "" } })).status).toBe(200);
  });

  test("it is compressed for who takes gzip, and for nobody else", async () => {
    const raw = (encoding: string) => ask("", { headers: { "accept-encoding": encoding }, decompress: false });
    const zipped = await raw("br, gzip;q=0.8");
    expect(zipped.headers.get("content-encoding")).toBe("gzip");
    expect(zipped.headers.get("vary")).toBe("Accept-Encoding");
    const bytes = new Uint8Array(await zipped.arrayBuffer());
    const plain = await raw("gzip;q=0");
    expect(plain.headers.get("content-encoding")).toBeNull();
    const text = await plain.text();
    expect(new TextDecoder().decode(Bun.gunzipSync(bytes))).toBe(text);
    expect(bytes.length * 4).toBeLessThan(text.length);
  });
});

describe("prices", () => {
  test("a service's price in a country is what an order then asks for, also where the label is cheaper", async () => {
    const labels = new Map((await page("?type=receive-sms")).countries.map(({ id, sms }) => [id, sms]));
    const { countries } = await page("?service=telegram&type=receive-sms");
    expect(countries.length).toBeGreaterThan(100);
    const offers = countries.map(({ id, sms }) => {
      const label = labels.get(id)?.find(({ service }) => service === "tg")?.priceSats ?? Number.NaN;
      return { id, label, priceSats: sms[0]?.priceSats ?? 0 };
    });
    // The list of all services knows labels only. The tier behind a label can be empty, and it is never the dearest.
    expect(offers.filter(({ label, priceSats }) => !(label <= priceSats))).toEqual([]);
    const dearer = offers.filter(({ label, priceSats }) => label < priceSats);
    expect(dearer.length).toBeGreaterThan(2);
    const some = offers.filter((_, index) => index % 8 === 0);
    await forEach([...dearer, ...some], async ({ id, priceSats }) => {
      const challenge = await server().challenge({ service: "tg", country: id });
      expect({ id, priceSats: challenge.priceSats }).toEqual({ id, priceSats });
    });
  });

  test("every rental's price is what an order of its duration then asks for", async () => {
    const { countries } = await page("?service=full&type=rent-number");
    const offers = countries.flatMap(({ id, rentals }) => rentals.map((offer) => ({ id, ...offer })));
    expect(offers.length).toBeGreaterThan(50);
    await forEach(offers, async ({ id, durationMinutes, priceSats }) => {
      const request = { type: "rent-number", service: "full", country: id, durationMinutes };
      const challenge = await server().challenge(request);
      expect({ ...request, priceSats: challenge.priceSats }).toEqual({ ...request, priceSats });
    });
  });

  test("the price follows from the rule it states: cost in USD, the rate, the multiplier, rounded up", async () => {
    const { priceRule, countries } = await page("?service=tg&country=US");
    expect(priceRule).toContain("times 1.5");
    const bought = await server().buy({ service: "tg", country: "US" });
    const order = await server().until(bought, ({ phoneNumber }) => phoneNumber !== null);
    const { activations } = await server().books();
    const cost = Number(activations.find(({ phoneNumber }) => phoneNumber === order.phoneNumber)?.cost);
    // The lower median of the sandbox's four sources; see its price peer.
    const rate = 67_187;
    expect(order.priceSats).toBe(Math.ceil(((cost * 1.5) / rate) * 1e8));
    expect(countries[0]?.sms[0]?.priceSats).toBe(order.priceSats);
  });

  test("`auto` takes the best stocked country, and of those the cheapest", async () => {
    const { countries } = await page("?service=tg&type=receive-sms");
    const offers = countries.map(({ id, sms }) => ({ id, stock: sms[0]?.stock ?? 0, price: sms[0]?.priceSats ?? 0 }));
    const plenty = offers.filter(({ stock }) => stock >= 100);
    const cheapest = Math.min(...plenty.map(({ price }) => price));
    const bought = await server().buy({ service: "tg", country: "auto" });
    expect(bought.priceSats).toBe(cheapest);
    const { country } = await server().read(bought);
    expect(plenty.filter(({ price }) => price === cheapest).map(({ id }) => id)).toContain(country);
  });
});
