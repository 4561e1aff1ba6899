import { afterAll, describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import {
  type AccountTrouble,
  type BuyOutcome,
  type BuyRefusal,
  ProviderUnavailable,
} from "../../../src/provider/port.ts";
import {
  adapterFor,
  BROKEN,
  ENVELOPES,
  KEY,
  nextTurn,
  PURCHASE,
  type Reply,
  start,
  stopServers,
  usd,
  WORDS,
  type Word,
} from "./fake.ts";

afterAll(stopServers);

const REQUEST = { service: "vk", country: 6, maxCost: usd(15) };

const buyWith = (reply: Reply) => start({ getNumberV2: reply }).provider.buyActivation(REQUEST);
const account = (trouble: AccountTrouble): BuyRefusal => ({ why: "account", trouble });
const invalid = (detail: string): BuyRefusal => ({ why: "invalid", detail });
const UNKNOWN = "unknown";

describe("a number is bought", () => {
  test("with the cap as maxPrice, and never with fixedPrice", async () => {
    const { provider, seen, troubles } = start({ getNumberV2: PURCHASE });
    expect(await provider.buyActivation({ ...REQUEST, maxCost: usd(0.1234) })).toEqual({
      kind: "bought",
      bought: {
        activationId: "635468024",
        phoneNumber: "+79584123456",
        cost: usd(12.5),
        currency: 840,
        country: 6,
        service: "vk",
        endsAt: Date.parse("2026-02-18T18:11:23Z"),
      },
    });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.method).toBe("GET");
    expect(Object.fromEntries(seen[0]?.params ?? [])).toEqual({
      action: "getNumberV2",
      api_key: KEY,
      service: "vk",
      country: "6",
      maxPrice: "0.1234",
    });
    await nextTurn();
    // The answer cost more than the cap: it is ours all the same.
    expect(troubles).toEqual([]);
  });

  const forms: Record<string, [body: string, bought: object]> = {
    "with numbers where strings are documented, and the other way round": [
      '{"activationId":635468024,"phoneNumber":79584123456,"activationCost":"0.0480","currency":"840","countryCode":"2","canGetAnotherSms":"1","serviceCode":"tg"}',
      {
        activationId: "635468024",
        phoneNumber: "+79584123456",
        cost: usd(0.048),
        country: 2,
        service: "tg",
        endsAt: null,
      },
    ],
    "in the short form of the rental answer": [
      '{"id":7,"phoneNumber":"+79584123456","cost":"1.2","currency":840,"lockCancelTime":120,"endDate":"2026-02-18 18:11:23","operator":"mtt"}',
      { activationId: "7", cost: usd(1.2), country: 6, service: "vk", endsAt: Date.parse("2026-02-18T15:11:23Z") },
    ],
    "with a byte order mark and blanks around it": [`\uFEFF \n${PURCHASE}\n`, { activationId: "635468024" }],
    "as JSON in quotes": [JSON.stringify(PURCHASE), { activationId: "635468024" }],
  };
  for (const [name, [body, bought]] of Object.entries(forms)) {
    test(name, async () => {
      expect(await buyWith(body)).toMatchObject({ kind: "bought", bought });
    });
  }

  test("in another currency, which is reported", async () => {
    const { provider, troubles } = start({ getNumberV2: PURCHASE.replace('"currency":840', '"currency":978') });
    expect(await provider.buyActivation(REQUEST)).toMatchObject({ kind: "bought", bought: { currency: 978 } });
    await nextTurn();
    expect(troubles).toEqual(["currency"]);
  });
});

describe("the answer in the current form", () => {
  const expected: Record<keyof typeof ENVELOPES, BuyRefusal | typeof UNKNOWN> = {
    badKey: account("bad_key"),
    noBalance: account("no_balance"),
    channelsLimit: account("channels_limit"),
    serviceNotAvailable: { why: "pair_barred", until: 0 },
    bannedGlobal: account("banned"),
    bannedSpecific: { why: "pair_barred", until: 1_739_448_000_000 },
    accountInactive: account("inactive"),
    wrongMaxPrice: { why: "price_above_cap", minimum: usd(0.1234) },
    badStatus: invalid("BAD_STATUS"),
    notFound: invalid("NOT_FOUND"),
    badAction: invalid("BAD_ACTION"),
    earlyCancelDenied: UNKNOWN,
    otpReceived: UNKNOWN,
    newOtpReceived: UNKNOWN,
    freeCancellationExpired: UNKNOWN,
    notActive: UNKNOWN,
    serverError: UNKNOWN,
  };
  for (const [name, want] of Object.entries(expected) as [keyof typeof ENVELOPES, BuyRefusal | typeof UNKNOWN][]) {
    test(`${name} is ${want === UNKNOWN ? "unknown" : `refused: ${want.why}`}`, async () => {
      expectOutcome(await buyWith(ENVELOPES[name]), want);
    });
  }
});

describe("the answer in the text form", () => {
  const expected: Record<Word, BuyRefusal | typeof UNKNOWN> = {
    NO_KEY: account("bad_key"),
    BAD_KEY: account("bad_key"),
    BAD_ACTION: invalid("BAD_ACTION"),
    BAD_SERVICE: invalid("BAD_SERVICE"),
    BAD_STATUS: UNKNOWN,
    NO_NUMBERS: { why: "no_numbers" },
    NO_BALANCE: account("no_balance"),
    NO_ACTIVATION: invalid("NO_ACTIVATION"),
    WRONG_ACTIVATION_ID: invalid("WRONG_ACTIVATION_ID"),
    EARLY_CANCEL_DENIED: UNKNOWN,
    CHANNELS_LIMIT: account("channels_limit"),
    "WRONG_MAX_PRICE:0.025": { why: "price_above_cap", minimum: usd(0.025) },
    "BANNED:'2026-02-20 15-00-00'": account("banned"),
    ERROR_SQL: UNKNOWN,
    OPERATORS_NOT_FOUND: invalid("OPERATORS_NOT_FOUND"),
    ORDER_ALREADY_EXISTS: UNKNOWN,
    "UNPROCESSABLE_ENTITY:service:INVALID": invalid("UNPROCESSABLE_ENTITY"),
    WRONG_EXCEPTION_PHONE: invalid("WRONG_EXCEPTION_PHONE"),
    NOT_AVAILABLE: { why: "pair_barred", until: 0 },
    BAD_BALANCE: account("no_balance"),
    ERROR_SQL25: UNKNOWN,
    WHATSAPP_NOT_AVAILABLE: { why: "pair_barred", until: 0 },
    NO_YULA_MAIL: invalid("NO_YULA_MAIL"),
    BAD_COUNTRY: invalid("BAD_COUNTRY"),
    MAX_RENT_DATE_ERROR: invalid("MAX_RENT_DATE_ERROR"),
  };
  for (const word of WORDS) {
    const want = expected[word];
    test(`${word}, plain or in quotes, is ${want === UNKNOWN ? "unknown" : `refused: ${want.why}`}`, async () => {
      expectOutcome(await buyWith(word), want);
      expectOutcome(await buyWith(JSON.stringify(word)), want);
    });
  }
});

describe("an answer that is no word of the service", () => {
  const expected: Record<keyof typeof BROKEN, BuyRefusal | typeof UNKNOWN> = {
    emptyOk: UNKNOWN,
    html403: account("blocked"),
    cloudflare1020: account("blocked"),
    bare400: account("blocked"),
    rateLimit: account("rate_limited"),
    html429: account("rate_limited"),
    html502: UNKNOWN,
    html503: UNKNOWN,
    htmlOk: UNKNOWN,
    redirect: UNKNOWN,
    cutJson: UNKNOWN,
    unknownWord: UNKNOWN,
  };
  for (const [name, want] of Object.entries(expected) as [keyof typeof BROKEN, BuyRefusal | typeof UNKNOWN][]) {
    test(`${name} is ${want === UNKNOWN ? "unknown" : `refused: ${want.why}`}`, async () => {
      expectOutcome(await buyWith(BROKEN[name]), want);
    });
  }
});

describe("answers on the border", () => {
  const cases: Record<string, [Reply, BuyRefusal | typeof UNKNOWN]> = {
    "NO_NUMBERS as JSON at 404": [[404, '{"title":"NO_NUMBERS","details":"No numbers"}'], { why: "no_numbers" }],
    "NO_NUMBERS as JSON at 200": ['{"title":"NO_NUMBERS","details":"No numbers"}', { why: "no_numbers" }],
    "NO_NUMBERS as JSON in the old envelope": ['{"status":"error","msg":"NO_NUMBERS"}', { why: "no_numbers" }],
    "NO_NUMBERS at 500": [[500, "NO_NUMBERS"], UNKNOWN],
    "NO_NUMBERS at 302": [[302, "NO_NUMBERS"], UNKNOWN],
    "NO_BALANCE at 409": [[409, '{"title":"NO_BALANCE"}'], UNKNOWN],
    "ORDER_ALREADY_EXISTS at 400": [
      [400, '{"title":"ORDER_ALREADY_EXISTS","details":"Order has been created"}'],
      UNKNOWN,
    ],
    "a new word at 403": [[403, '{"title":"NEW_RULE"}'], { why: "pair_barred", until: 0 }],
    "a new word at 422": [[422, '{"title":"NEW_RULE"}'], invalid("UNRECOGNISED")],
    "a new word at 200": ['{"title":"NEW_RULE"}', UNKNOWN],
    "HTML at 404": [[404, "<html>Not Found</html>"], UNKNOWN],
    "a purchase at 404": [[404, PURCHASE], UNKNOWN],
    "error code: 1020 at 200": ["error code: 1020", UNKNOWN],
    "a missing key": [
      [
        422,
        '{"title":"UNPROCESSABLE_ENTITY","details":"Validation failed","info":{"field":"api_key","code":"REQUIRED","message":""}}',
      ],
      account("bad_key"),
    ],
    "the number as text": ["ACCESS_NUMBER:123456789:79991234567", UNKNOWN],
    "no id": [PURCHASE.replace('"activationId":"635468024",', ""), UNKNOWN],
    "an id of zero": [PURCHASE.replace('"635468024"', '"0"'), UNKNOWN],
    "an id past 2^53": [PURCHASE.replace('"635468024"', "90071992547409931234"), UNKNOWN],
    "a masked number": [PURCHASE.replace("79584123456", "7958412****"), UNKNOWN],
    "no number": [PURCHASE.replace('"79584123456"', "null"), UNKNOWN],
    "no cost": [PURCHASE.replace('"activationCost":12.5,', ""), UNKNOWN],
    "a negative cost": [PURCHASE.replace("12.5", "-12.5"), UNKNOWN],
    "an empty list": ["[]", UNKNOWN],
    "a list of purchases": [`[${PURCHASE}]`, UNKNOWN],
  };
  for (const [name, [reply, want]] of Object.entries(cases)) {
    test(`${name}: ${want === UNKNOWN ? "unknown" : `refused: ${want.why}`}`, async () => {
      expectOutcome(await buyWith(reply), want);
    });
  }

  test("a purchase is not lost because its object also has a title", async () => {
    expect(await buyWith(PURCHASE.replace("{", '{"title":"NO_NUMBERS",'))).toMatchObject({ kind: "bought" });
  });
});

describe("nothing is sent", () => {
  test("for a cap below the smallest the provider takes, which it might read as no cap", async () => {
    const { provider, seen } = start({ getNumberV2: PURCHASE });
    expect(await provider.buyActivation({ ...REQUEST, maxCost: usd(0) })).toMatchObject({
      kind: "refused",
      refusal: { why: "price_above_cap" },
    });
    expect(seen).toHaveLength(0);
  });

  test("for a malformed service or country", async () => {
    const { provider, seen } = start({ getNumberV2: PURCHASE });
    expect(await provider.buyActivation({ ...REQUEST, service: "t&country=1" })).toMatchObject({
      kind: "refused",
      refusal: { why: "invalid" },
    });
    expect(await provider.buyActivation({ ...REQUEST, country: 1.5 })).toMatchObject({ kind: "refused" });
    expect(seen).toHaveLength(0);
  });

  test("when the request budget is used up: surely not bought", async () => {
    const { provider, seen } = start({ getBalance: [429, "", { "retry-after": "60" }], getNumberV2: PURCHASE });
    await provider.balance().catch(() => {});
    expect(await provider.buyActivation(REQUEST)).toEqual({ kind: "refused", refusal: account("rate_limited") });
    expect(seen.map(({ action }) => action)).toEqual(["getBalance"]);
  });

  test("when there is no descriptor left for a connection: surely not bought", async () => {
    const child = Bun.spawn([
      "sh",
      "-c",
      `ulimit -n 64; exec "${process.execPath}" "${join(import.meta.dir, "no-descriptors.ts")}"`,
    ]);
    expect(JSON.parse(await new Response(child.stdout).text())).toEqual({
      kind: "refused",
      refusal: account("rate_limited"),
    });
  });

  test("when nobody listens: surely not bought", async () => {
    const { provider } = adapterFor("http://127.0.0.1:1");
    expect(await provider.buyActivation(REQUEST)).toEqual({ kind: "refused", refusal: account("rate_limited") });
  });
});

describe("a lost answer is unknown", () => {
  test("when none comes within 15 seconds", async () => {
    const { provider, world, seen } = start({ getNumberV2: "never" });
    const outcome = provider.buyActivation(REQUEST);
    while (seen.length === 0) await nextTurn();
    world.jump(world.now() + 14_000);
    expect(await Promise.race([outcome, nextTurn()])).toBeUndefined();
    world.jump(world.now() + 1_001);
    expect(await outcome).toEqual({ kind: "unknown", detail: "answer lost (timeout)" });
  });

  test("when the body is too large", async () => {
    expect(await buyWith(" ".repeat(1024 * 1024 + 1))).toEqual({ kind: "unknown", detail: "answer lost (too_large)" });
  });

  test("when the connection breaks, and the request is not repeated even though the connection was used before", async () => {
    const purchases: string[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", (data) => {
        const line = data.toString().split("\r\n")[0] ?? "";
        if (!line.includes("getNumberV2")) {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: keep-alive\r\n\r\nACCESS_BALANCE:12.50");
          return;
        }
        purchases.push(line);
        socket.resetAndDestroy();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const { provider } = adapterFor(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
    await provider.balance();
    expect(await provider.buyActivation(REQUEST)).toEqual({ kind: "unknown", detail: "answer lost (network)" });
    await Bun.sleep(20);
    expect(purchases).toHaveLength(1);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe("trouble with the account is reported", () => {
  const cases: [Reply, AccountTrouble[]][] = [
    [ENVELOPES.badKey, ["bad_key"]],
    [ENVELOPES.noBalance, ["no_balance"]],
    [ENVELOPES.bannedGlobal, ["banned"]],
    [ENVELOPES.bannedSpecific, []],
    [ENVELOPES.serviceNotAvailable, []],
    [BROKEN.cloudflare1020, ["blocked"]],
    [BROKEN.rateLimit, ["rate_limited"]],
    ["NO_NUMBERS", []],
  ];
  for (const [reply, want] of cases) {
    const [, body] = typeof reply === "string" ? [200, reply] : reply;
    test(`${want.join() || "nothing"} for ${body.slice(0, 60)}`, async () => {
      const { provider, troubles } = start({ getNumberV2: reply });
      await provider.buyActivation(REQUEST);
      await nextTurn();
      expect(troubles).toEqual(want);
    });
  }
});

describe("whatever the answer", () => {
  const statuses = fc.constantFrom(200, 200, 200, 201, 204, 302, 400, 401, 402, 403, 404, 409, 422, 429, 500, 502);
  const words = fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 30 }), fc.constant(KEY));
  const value = fc.oneof(words, fc.integer(), fc.double(), fc.constantFrom(null, true, "79584123456", "7958****", 840));
  const names = fc.constantFrom(
    ...["title", "details", "info", "status", "error", "msg", "activationId", "id", "phoneNumber"],
    ...["activationCost", "cost", "currency", "countryCode", "serviceCode", "data", "__proto__"],
  );
  const object = fc.dictionary(names, fc.oneof(value, fc.dictionary(names, value)));
  const bodies = fc.oneof(
    words,
    fc.json(),
    object.map((body) => JSON.stringify(body)),
    object.map((body) => JSON.stringify({ ...JSON.parse(PURCHASE), ...body })),
    fc.nat(PURCHASE.length).map((length) => PURCHASE.slice(0, length)),
    fc.constant(`<html>GET /stubs/handler_api.php?api_key=${KEY}</html>`),
    fc.constant(JSON.stringify({ title: KEY, details: KEY, info: { field: KEY } })),
    fc.constant(`${KEY.toUpperCase()}:${KEY}`),
  );

  test("a buy does not throw, is not bought without id and number, and tells nobody the key", async () => {
    let reply: Reply = "";
    const { baseUrl } = start({ getNumberV2: () => reply });
    await fc.assert(
      fc.asyncProperty(statuses, bodies, async (status, body) => {
        reply = [status, body];
        const outcome = await adapterFor(baseUrl).provider.buyActivation(REQUEST);
        expect(JSON.stringify(outcome).toLowerCase()).not.toContain(KEY);
        if (outcome.kind !== "bought") return;
        expect(status).toBeLessThan(300);
        const told = JSON.parse(body);
        const told2 = typeof told === "string" ? JSON.parse(told) : told;
        expect(String(told2.activationId ?? told2.id)).toBe(outcome.bought.activationId);
        expect(outcome.bought.phoneNumber).toMatch(/^\+[1-9]\d{5,14}$/);
        expect(outcome.bought.cost).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 600 },
    );
  });

  test("a read that fails does not tell the key either", async () => {
    let reply: Reply = "";
    const routes = ["getBalance", "getAllSms", "getStatus", "getActiveActivations", "getPrices", "getHistory"];
    const { baseUrl } = start(Object.fromEntries(routes.map((action) => [action, () => reply])));
    const question = fc.constantFrom("balance", "look", "active", "history", "smsOffers");
    await fc.assert(
      fc.asyncProperty(statuses, bodies, question, async (status, body, name) => {
        reply = [status, body];
        const { provider } = adapterFor(baseUrl);
        const ask: Record<typeof name, () => Promise<unknown>> = {
          balance: () => provider.balance(),
          look: () => provider.look("5", 0),
          active: () => provider.active(),
          history: () => provider.history(0, 1),
          smsOffers: () => provider.smsOffers({}),
        };
        const error = await ask[name]().catch((thrown: unknown) => thrown);
        if (error instanceof Error) expect(error).toBeInstanceOf(ProviderUnavailable);
        expect(Bun.inspect(error).toLowerCase()).not.toContain(KEY);
      }),
      { numRuns: 400 },
    );
  });

  test("a network error does not tell the key either", async () => {
    const { provider } = adapterFor("http://127.0.0.1:1");
    const error = await provider.balance().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "ProviderUnavailable", trouble: null });
    expect(Bun.inspect(error)).not.toContain(KEY);
  });
});

function expectOutcome(outcome: BuyOutcome, want: BuyRefusal | typeof UNKNOWN): void {
  if (want === UNKNOWN) expect(outcome).toMatchObject({ kind: "unknown" });
  else expect(outcome).toEqual({ kind: "refused", refusal: want });
}
