/** Every way to ask for an order, and every way to be refused before an invoice exists. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { outage, withNumber } from "../../support/life.ts";
import { documentedServer, type Watch, watchAnswers } from "../../support/openapi.ts";
import { type RunningServer, startServer } from "../../support/server.ts";

const server = documentedServer();

/** The order that a request makes, paid, as its owner reads it. */
async function orderFor(request: Record<string, unknown>) {
  return server().read(await server().buy(request));
}

async function refusal(body: unknown, of: RunningServer = server()) {
  const { status, error } = await of.ask(body);
  return { status, ...error } as Record<string, unknown>;
}

describe("what an order can name", () => {
  test("nothing at all: a code for any service in the best country", async () => {
    for (const body of ["", "{}", "  {}\n", '{"unknown":1}', '{"type":null,"country":null,"service":null}']) {
      const response = await fetch(`${server().origin}/v2/l402/order`, { method: "POST", body });
      expect({ body, status: response.status }).toEqual({ body, status: 402 });
    }
    expect(await orderFor({})).toMatchObject({ type: "receive-sms", service: "ot", country: expect.any(Number) });
    const probe = await fetch(`${server().origin}/v2/l402/order`);
    expect(probe.status).toBe(402);
    expect(await probe.json()).toMatchObject({ status: "pending_payment", error: { code: "PAYMENT_REQUIRED" } });
  });

  test("the challenge says the same in header and body, and never is cached", async () => {
    const response = await server().post("/v2/l402/order", {});
    const body = (await response.json()) as Record<string, string>;
    expect(response.headers.get("www-authenticate")).toStartWith(
      `L402 macaroon="${body.macaroon}", invoice="${body.invoice}", version="0", token="${body.macaroon}", Payment id="`,
    );
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(body.invoice).toMatch(/^lnbcrt\d+[munp]1[a-z0-9]{100,}$/);
    expect(body.statusUrl).toBe(`/v2/l402/order/${body.orderId}`);
  });

  test("a country in every form", async () => {
    const forms = [16, "16", " 16 ", "GB", "gb", "United Kingdom", "UNITED KINGDOM", "UK", "Great Britain", "England"];
    for (const country of forms)
      expect({ country, id: (await orderFor({ country })).country }).toEqual({ country, id: 16 });
    for (const [country, id] of [
      ["US", 187],
      ["usa", 187],
      ["Cote d'Ivoire", 27],
      ["Côte d’Ivoire", 27],
      ["Türkiye", 62],
      ["Czechia", 63],
    ] as const) {
      const { status, order, error } = await paid({ service: "tg", country });
      // Not everything is in stock everywhere; a name that is understood is never INVALID_COUNTRY.
      expect({ country, as: status === 200 ? order.country : error.code }).toEqual({
        country,
        as: status === 200 ? id : "UNAVAILABLE",
      });
    }
    for (const country of ["auto", "AUTO", " Auto "]) expect((await server().ask({ country })).status).toBe(402);
  });

  test("a service in every form", async () => {
    for (const [service, code] of [
      ["tg", "tg"],
      ["TG", "tg"],
      ["telegram", "tg"],
      ["Telegram", "tg"],
      ["WhatsApp", "wa"],
      ["instagram", "ig"],
      ["gmail", "go"],
      ["other", "ot"],
      ["ot", "ot"],
      ["Any other", "ot"],
      ["chatgpt", "dr"],
    ] as const) {
      expect({ service, code: (await orderFor({ service, country: "US" })).service }).toEqual({ service, code });
    }
  });

  test("a cap: at the price it sells, one sat below it refuses and says the price", async () => {
    const request = { service: "tg", country: "GB" };
    const { priceSats } = await server().challenge(request);
    expect((await server().challenge({ ...request, maxPriceSats: priceSats })).priceSats).toBe(priceSats);
    expect(await refusal({ ...request, maxPriceSats: priceSats - 1 })).toMatchObject({
      status: 409,
      code: "PRICE_ABOVE_MAX",
      priceSats,
    });
    const rental = { type: "rent-number", service: "full", country: "US", durationMinutes: 60, maxPriceSats: 1 };
    expect(await refusal(rental)).toMatchObject({ status: 409, code: "PRICE_ABOVE_MAX" });
  });

  test("a rental takes the shortest duration that is long enough", async () => {
    for (const [durationMinutes, hours] of [
      [120, 2],
      [121, 12],
      [1441, 72],
    ] as const) {
      const bought = await server().buy({ type: "rent-number", service: "full", country: "US", durationMinutes });
      const order = await server().until(bought, ({ status }) => status === "rent_active");
      expect(order).toMatchObject({ type: "rent-number", durationMinutes });
      const seconds = (Date.parse(order.expiresAt ?? "") - Date.parse(order.paidAt ?? "")) / 1000;
      expect({ durationMinutes, hours: Math.round(seconds / 3600) }).toEqual({ durationMinutes, hours });
    }
    const endless = { type: "rent-number", service: "full", country: "US", durationMinutes: 720 * 60 + 1 };
    expect(await refusal(endless)).toMatchObject({ status: 409, code: "UNAVAILABLE" });
  });

  test("another code on a number bought before, with the credential in header or body", async () => {
    const { bought, order } = await withNumber(server(), { service: "tg", country: "US" });
    const again = { type: "receive-sms-reactivate", orderId: bought.orderId };
    const credential = bought.authorization.slice("L402 ".length);
    expect(await refusal({ ...again, parentCredential: credential })).toMatchObject({
      status: 409,
      code: "UNAVAILABLE",
    });
    await server().sms(order.phoneNumber, "Telegram code: 482913");
    await server().until(bought, ({ code }) => code !== null);

    for (const [body, headers] of [
      [{ ...again, parentCredential: credential }, {}],
      [{ ...again, parentCredential: `LSAT ${credential}` }, {}],
      [again, { authorization: bought.authorization }],
    ] as const) {
      const challenge = await server().challenge(body, headers);
      expect(challenge.orderId).not.toBe(bought.orderId);
    }
    const stranger = await server().buy({});
    for (const body of [
      again,
      { ...again, parentCredential: stranger.authorization },
      { ...again, parentCredential: "garbage" },
      { ...again, parentCredential: `${bought.macaroon}:` },
      { ...again, orderId: "f".repeat(32), parentCredential: credential },
    ]) {
      expect(await refusal(body)).toMatchObject({ status: 403, code: "INVALID_MACAROON" });
    }
  });
});

describe("what is refused", () => {
  test("an unknown country, with the nearest", async () => {
    for (const [country, near] of [
      ["Untied Kingdom", "United Kingdom"],
      ["germny", "Germany"],
      ["Braz", "Brazil"],
    ]) {
      const { nearest, ...error } = await refusal({ country });
      expect(error).toMatchObject({ status: 400, code: "INVALID_COUNTRY", field: "country" });
      expect((nearest as { name: string }[]).map(({ name }) => name)).toContain(near ?? "");
      expect(error.suggestion).toContain(near ?? "");
    }
    for (const country of ["Atlantis", "XX", 9999, "99999", "-16", "16.0"]) {
      expect(await refusal({ country })).toMatchObject({ status: 400, code: "INVALID_COUNTRY" });
    }
  });

  test("an unknown service, with the nearest", async () => {
    expect(await refusal({ service: "telegrm" })).toMatchObject({
      status: 400,
      code: "VALIDATION_ERROR",
      field: "service",
      nearest: expect.arrayContaining([{ code: "tg", name: "Telegram" }]),
    });
    expect(await refusal({ service: "qqqqqqqq" })).toMatchObject({ status: 400, field: "service", nearest: [] });
  });

  test("a field of a wrong form, named and without its value", async () => {
    const bad: Record<string, unknown>[] = [
      { type: "rent" },
      { type: 1 },
      { country: true },
      { country: 1.5 },
      { country: "" },
      { country: "x".repeat(65) },
      { service: 7 },
      { service: "" },
      { maxPriceSats: "100" },
      { maxPriceSats: 0 },
      { maxPriceSats: 1.5 },
      { durationMinutes: -1 },
      { durationMinutes: 1e9 },
      { orderId: {} },
      { parentCredential: [] },
      { notify: "npub1" },
      { notify: { nostr: "npub1qqqq" } },
      { notify: { nostr: `npub1${"q".repeat(58)}` } },
      // For another type: who forgets the type would pay for something else.
      { durationMinutes: 240 },
      { orderId: "0123456789abcdef0123456789abcdef" },
      { orderId: "0123456789abcdef0123456789abcdef", type: "rent-number", durationMinutes: 60 },
    ];
    for (const body of bad) {
      const error = await refusal(body);
      expect({ body, ...error }).toMatchObject({ body, status: 400, code: "VALIDATION_ERROR" });
      expect(error.field).toStartWith(Object.keys(body)[0] ?? "");
      expect(error.retryable).toBe(false);
    }
    expect(await refusal({ type: "rent-number" })).toMatchObject({ status: 400, field: "durationMinutes" });
    expect(await refusal({ type: "receive-sms-reactivate" })).toMatchObject({ status: 400, field: "orderId" });
  });

  test("a body that is no JSON object, without a word of it", async () => {
    const deep = `${'{"a":'.repeat(40)}1${"}".repeat(40)}`;
    for (const body of ["{", "[]", "1", "null", '"{}"', "country=GB", "CANARY-7731", deep, "\u0000"]) {
      const response = await server().post("/v2/l402/order", body);
      const text = await response.text();
      expect({ body, status: response.status }).toEqual({ body, status: 400 });
      expect(text).not.toContain("CANARY");
    }
    const latin1 = await fetch(`${server().origin}/v2/l402/order`, {
      method: "POST",
      body: Uint8Array.of(0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d),
    });
    expect(latin1.status).toBe(400);
  });

  test("a refund invoice that could not be paid", async () => {
    const wallet = (body: object) => server().control<{ invoice: string }>("POST", "/wallet/invoice", body);
    const { invoice: withAmount } = await wallet({ amountSats: 5 });
    const { invoice: short } = await wallet({ expirySeconds: 29 * 60 });
    const { invoice: good } = await wallet({ expirySeconds: 31 * 60 });
    const { invoice: ours } = await server().challenge({});
    const foreign =
      "lnbc1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq8rkx3yf5tcsyz3d73gafnh3cax9rn449d9p5uxz9ezhhypd0elx87sjle52x86fux2ypatgddc6k63n7erqz25le42c4u4ecky03ylcqca784w";
    const code = async (refundInvoice: string) => (await refusal({ refundInvoice })).code;
    for (const bad of [
      withAmount,
      ours,
      foreign,
      `${good.slice(0, -1)}${good.endsWith("q") ? "p" : "q"}`,
      "lnbcrt1x",
      "",
      `lnbcrt1${"q".repeat(2048)}`,
    ]) {
      expect({ bad, code: await code(bad) }).toEqual({ bad, code: "INVALID_REFUND_INVOICE" });
    }
    expect(await code(short)).toBe("REFUND_INVOICE_EXPIRES_TOO_SOON");
    expect((await server().ask({ refundInvoice: good })).status).toBe(402);
  });

  test("a pair without numbers, before there is an invoice", async () => {
    const listed = async (query: string) => {
      const response = await fetch(`${server().origin}/v2/l402/catalog${query}`);
      const { countries } = (await response.json()) as { countries: { id: number; sms: { service: string }[] }[] };
      return countries;
    };
    const all = await listed("?type=receive-sms");
    const stocked = new Set((await listed("?service=tg&type=receive-sms")).map(({ id }) => id));
    const empty = all.filter(({ id }) => !stocked.has(id)).map(({ id }) => id);
    expect(empty.length).toBeGreaterThan(3);
    for (const country of empty) {
      expect(await refusal({ service: "tg", country })).toMatchObject({
        status: 409,
        code: "UNAVAILABLE",
        retryable: true,
        suggestion: expect.stringContaining("/v2/l402/catalog"),
      });
    }
    // Known at the provider, but sold by nobody for single codes.
    expect(await refusal({ service: "full" })).toMatchObject({ status: 409, code: "UNAVAILABLE" });
  });
});

/** Pays and polls where an order was made; otherwise what was said instead. */
async function paid(request: Record<string, unknown>) {
  const told = await server().ask(request);
  if (told.status !== 402) return told;
  const bought = await server().pay(told.order as unknown as Parameters<RunningServer["pay"]>[0]);
  return { ...told, status: 200, order: await server().read(bought) };
}

describe("what the operator does not sell", () => {
  let strict: RunningServer;
  let watch: Watch;
  let best = 0;
  beforeAll(async () => {
    best = (await orderFor({ service: "tg", country: "auto" })).country;
    strict = await startServer({ env: { BLOCKED_SERVICES: "wa,Gmail", BLOCKED_COUNTRIES: `${best},UK` } });
    watch = await watchAnswers(strict.origin);
  });
  afterAll(async () => {
    watch.stop();
    expect(await strict.stop()).toBe(0);
    expect(watch.violations).toEqual([]);
  });

  test("is refused under every name", async () => {
    for (const request of [
      { service: "wa" },
      { service: "WhatsApp" },
      { service: "youtube" },
      { country: 16 },
      { country: "UK" },
      { service: "tg", country: best },
      { type: "rent-number", service: "full", country: "GB", durationMinutes: 60 },
      { type: "rent-number", service: "whatsapp", country: "US", durationMinutes: 60 },
    ]) {
      expect({ request, ...(await refusal(request, strict)) }).toMatchObject({
        request,
        status: 409,
        code: "UNAVAILABLE",
      });
    }
  });

  test("is never what `auto` picks", async () => {
    const bought = await strict.buy({ service: "tg", country: "auto" });
    expect([best, 16]).not.toContain((await strict.read(bought)).country);
    const rental = await strict.buy({ type: "rent-number", service: "full", durationMinutes: 60 });
    expect([best, 16]).not.toContain((await strict.read(rental)).country);
  });

  test("is not in the catalog, and named in the manual", async () => {
    const text = await (await fetch(`${strict.origin}/v2/l402/catalog`)).text();
    const { countries } = JSON.parse(text) as { countries: { id: number }[] };
    expect(countries.filter(({ id }) => id === best || id === 16)).toEqual([]);
    expect(text).not.toContain('"service":"wa"');
    expect(await (await fetch(`${strict.origin}/skill.md`)).text()).toContain(
      "services: wa (Whatsapp), go (Google,youtube,Gmail)",
    );
  });
});

test("nothing is asked of the node for a request that is refused", async () => {
  const end = await outage(server(), "node", "addinvoice", "http500");
  for (const request of [
    { country: "XX" },
    { service: "qqqqqqqq" },
    { maxPriceSats: 1 },
    { refundInvoice: "lnbcrt1x" },
  ]) {
    expect((await server().ask(request)).status).toBeLessThan(500);
  }
  const { faults } = await server().control<{ faults: { left: number }[] }>("GET", "/faults");
  expect(faults).toMatchObject([{ left: 100_000 }]);
  await end();
});
