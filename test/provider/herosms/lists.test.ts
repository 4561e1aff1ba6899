import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { BROKEN, ENVELOPES, KEY, type Reply, type Route, start, stopServers, usd } from "./fake.ts";

afterAll(stopServers);

const FIRST_ROW =
  '{"activationId":"635468021","serviceCode":"vk","phoneNumber":"79000000001","activationCost":12.5,"activationStatus":"4","smsCode":"12345","smsText":"Your code is 12345","activationTime":"2022-06-01 16:59:16","countryCode":"2","countryName":"Kazakhstan","canGetAnotherSms":"1","currency":840,"verificationType":"sms","subtype":1}';
const LIVE_EMPTY =
  '{"status":"success","data":[],"activeActivations":{"affected_rows":0,"num_rows":0,"row":[],"rows":[]}}';
const NO_ACTIVATIONS = '{"status":"error","error":"NO_ACTIVATIONS"}';

/** Rows by `start`, with an empty page after the last. */
const pages =
  (all: readonly string[], form: (rows: string) => string, size = 100): Route =>
  (params) => {
    const from = Number(params.get("start") ?? params.get("offset"));
    const rows = all.slice(from, from + size);
    return rows.length > 0 ? form(rows.join()) : LIVE_EMPTY;
  };
const current = (rows: string) => `{"status":"success","data":[${rows}]}`;
const row = (id: number) => FIRST_ROW.replace("635468021", String(id));

describe("the active list", () => {
  test("is read with times in the provider's zone", async () => {
    const { provider } = start({ getActiveActivations: pages([FIRST_ROW], current) });
    expect(await provider.active()).toEqual([
      {
        activationId: "635468021",
        service: "vk",
        country: 2,
        phoneNumber: "+79000000001",
        cost: usd(12.5),
        boughtAt: Date.parse("2022-06-01T13:59:16Z"),
        endsAt: null,
        rental: false,
        newest: expect.stringMatching(/^[0-9a-f]{16}$/),
        message: { code: "12345", text: "Your code is 12345" },
      },
    ]);
  });

  test("comes with the provider's own time when its reading began", async () => {
    const dates = ["Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:09 GMT"];
    const all = Array.from({ length: 150 }, (_, index) => row(index + 1));
    for (const [said, told] of [
      [dates.slice(1), Date.parse("2026-01-01T00:00:00Z")],
      [["Thu, 29 Feb 2024 23:59:59 GMT"], Date.parse("2024-02-29T23:59:59Z")],
      // No time of an answer of today.
      [dates, null],
      [["2026-01-01T00:00:00Z"], null],
      [["Thu, 31 Feb 2026 00:00:00 GMT"], null],
      [["Thu, 01 Foo 2026 00:00:00 GMT"], null],
    ] as const) {
      let page = 0;
      const { provider } = start({
        getActiveActivations: (params): Reply => {
          const from = Number(params.get("start"));
          return [200, current(all.slice(from, from + 100).join()), { date: said[page++] ?? said.at(-1) ?? "" }];
        },
      });
      expect(await provider.listing()).toMatchObject({ toldAt: told, rows: { length: 150 } });
    }
  });

  test("is read in the older form", async () => {
    const { provider } = start({
      getActiveActivations: pages([FIRST_ROW], (rows) => `{"status":"success","activeActivations":[${rows}]}`),
    });
    expect(await provider.active()).toHaveLength(1);
  });

  test("is empty in three forms", async () => {
    for (const body of [LIVE_EMPTY, NO_ACTIVATIONS, '{"status":"success","activeActivations":[]}']) {
      expect(await start({ getActiveActivations: body }).provider.active()).toEqual([]);
    }
  });

  test("is complete over several pages, even when they are shorter than asked for", async () => {
    const all = Array.from({ length: 250 }, (_, index) => row(index + 1));
    for (const size of [100, 60]) {
      const { provider } = start({ getActiveActivations: pages(all, current, size) });
      expect(await provider.active()).toHaveLength(250);
    }
  });

  test("is read once for all who asked while it was being read, and begun after they asked", async () => {
    let listed = [row(1)];
    const { provider, seen } = start({
      getActiveActivations: async () => {
        const answer = current(listed.join());
        await Bun.sleep(20);
        return answer;
      },
    });
    const first = provider.active();
    // Once its answer is on its way, something new is there.
    while (seen.length === 0) await Bun.sleep(1);
    listed = [row(1), row(2)];
    const later = [provider.active(), provider.active(), provider.active()];
    expect(await first).toHaveLength(1);
    for (const list of await Promise.all(later)) expect(list.map((one) => one.activationId)).toEqual(["1", "2"]);
    expect(seen).toHaveLength(2);
    await provider.active();
    expect(seen).toHaveLength(3);
  });

  test("is read again for who waited for one that failed", async () => {
    const { provider, seen } = start({
      getActiveActivations: async (_, call) => {
        await Bun.sleep(20);
        return call === 0 ? [500, "<html>"] : current(row(1));
      },
    });
    const first = provider.active();
    while (seen.length === 0) await Bun.sleep(1);
    const second = provider.active();
    await expect(first).rejects.toMatchObject({ name: "ProviderUnavailable" });
    expect(await second).toHaveLength(1);
  });

  test("costs one request when it is short", async () => {
    const { provider, seen } = start({ getActiveActivations: pages([row(1), row(2)], current) });
    expect(await provider.active()).toHaveLength(2);
    expect(seen).toHaveLength(1);
  });

  test("ends when the provider repeats itself instead of paging", async () => {
    const all = Array.from({ length: 30 }, (_, index) => row(index + 1));
    const { provider, seen } = start({ getActiveActivations: current(all.join()) });
    expect(await provider.active()).toHaveLength(30);
    expect(seen).toHaveLength(2);
  });

  test("shows a new message by another digest", async () => {
    const newest = async (code: string, text: string) => {
      const changed = JSON.stringify({ ...JSON.parse(FIRST_ROW), smsCode: code, smsText: text });
      return (await start({ getActiveActivations: pages([changed], current) }).provider.active())[0]?.newest;
    };
    expect(await newest("1", "one")).toBe(await newest("1", "one"));
    expect(await newest("1", "one")).not.toBe(await newest("2", "two"));
  });

  test("tells rentals and messages", async () => {
    const one = (change: object) =>
      JSON.stringify({ ...JSON.parse(FIRST_ROW), smsCode: null, smsText: null, ...change });
    const rows = [
      one({ activationId: 1, subtype: 2, activationEndTime: "2022-06-02 16:59:16" }),
      one({ activationId: 2, subtype: undefined, activationEndTime: "2022-06-02 16:59:16" }),
      one({ activationId: 3, activationStatus: "2" }),
      one({ activationId: 4, smsCode: [] }),
      one({ activationId: 5, smsCode: ["1"] }),
    ];
    const list = await start({ getActiveActivations: pages(rows, current) }).provider.active();
    expect(list.map(({ rental }) => rental)).toEqual([true, true, false, false, false]);
    expect(list.map(({ newest }) => newest !== null)).toEqual([false, false, true, false, true]);
    expect(list.map(({ message }) => message)).toEqual([null, null, null, null, null]);
    expect(list[0]?.endsAt).toBe(Date.parse("2022-06-02T13:59:16Z"));
  });

  test("is never read out of an error or a broken answer", async () => {
    const nonsense = [
      ...Object.values(ENVELOPES),
      ...Object.values(BROKEN),
      "NO_ACTIVATION",
      "{}",
      "[]",
      '{"status":"success"}',
      '{"status":"error","error":"ERROR_SQL"}',
      '{"status":"error","data":[]}',
      '{"status":"success","activeActivations":{"rows":[]}}',
    ];
    for (const reply of nonsense as Reply[]) {
      await expect(start({ getActiveActivations: reply }).provider.active()).rejects.toMatchObject({
        name: "ProviderUnavailable",
      });
    }
  });

  test("shows a row of which only the id can be read: it may be anything, and must not stop all sales", async () => {
    const odd = [
      FIRST_ROW.replace("79000000001", "7900*****01"),
      FIRST_ROW.replace('"vk"', "null").replace("635468021", "635468022"),
      FIRST_ROW.replace('"countryCode":"2"', '"countryCode":"none"').replace("635468021", "635468023"),
    ];
    const list = await start({ getActiveActivations: pages(odd, current) }).provider.active();
    expect(list.map(({ activationId, service, country, phoneNumber }) => [activationId, service, country, phoneNumber]))
      // biome-ignore format: one row a line
      .toEqual([
      ["635468021", "vk", 2, null],
      ["635468022", null, 2, "+79000000001"],
      ["635468023", "vk", null, "+79000000001"],
    ]);
  });

  test("is not returned without its later pages, or with a row whose id cannot be read", async () => {
    const cut = (params: URLSearchParams): Reply =>
      params.get("start") === "0"
        ? current(Array.from({ length: 10 }, (_, index) => row(index + 1)).join())
        : BROKEN.html502;
    await expect(start({ getActiveActivations: cut }).provider.active()).rejects.toMatchObject({
      name: "ProviderUnavailable",
    });
    for (const bad of [FIRST_ROW.replace('"635468021"', "null"), '"x"']) {
      await expect(start({ getActiveActivations: current(bad) }).provider.active()).rejects.toThrow("unreadable row");
    }
  });
});

describe("the history", () => {
  const FROM = Date.parse("2026-08-29T00:00:00Z");
  const TO = Date.parse("2026-08-30T00:00:00Z");
  const compatRow = (id: number, status = "6") =>
    `{"id":"${id}","date":"2026-08-29 12:00:36","phone":"15550000001","sms":null,"cost":0.1275,"status":"${status}","currency":840}`;
  const restRow = (id: number) =>
    `{"id":${id},"createDate":"2026-09-28T11:41:10.000000Z","service":"ot","country":187,"phone":15550000001,"moreCodes":null,"cost":0.6,"status":8,"phoneCode":1,"currency":840,"subtype":1}`;

  test("is read from v1, complete by its total", async () => {
    const all = Array.from({ length: 60 }, (_, index) => restRow(index + 1));
    const { provider, seen } = start({
      "v1/activations/history": (params) => {
        const from = (Number(params.get("page")) - 1) * Number(params.get("size"));
        return `{"data":[${all.slice(from, from + 25)}],"totals":{},"meta":{"total":60}}`;
      },
    });
    const history = await provider.history(FROM, TO);
    expect(history).toHaveLength(60);
    expect(history[0]).toEqual({
      activationId: "1",
      phoneNumber: "+15550000001",
      cost: usd(0.6),
      at: Date.parse("2026-09-28T11:41:10Z"),
      service: "ot",
      country: 187,
      standing: "refunded",
    });
    expect(seen).toHaveLength(3);
    expect(seen[0]?.params.get("from")).toBe("2026-08-29T00:00:00.000Z");
  });

  test("is read from getHistory where v1 is absent", async () => {
    const all = Array.from({ length: 130 }, (_, index) => compatRow(index + 1, index === 0 ? "8" : "6"));
    const { provider, seen } = start({
      getHistory: (params) => {
        const from = Number(params.get("offset"));
        return `[${all.slice(from, from + 100)}]`;
      },
    });
    const history = await provider.history(FROM, TO);
    expect(history).toHaveLength(130);
    expect(history[0]).toEqual({
      activationId: "1",
      phoneNumber: "+15550000001",
      cost: usd(0.1275),
      at: Date.parse("2026-08-29T09:00:36Z"),
      service: null,
      country: null,
      standing: "refunded",
    });
    expect(history[1]?.standing).toBe("finished");
    expect(seen[1]?.params.get("start")).toBe(String(FROM / 1000));
    expect(seen[1]?.params.get("end")).toBe(String(TO / 1000));
  });

  test("that does not come completely throws", async () => {
    const rest = (page: Route) => start({ "v1/activations/history": page }).provider.history(FROM, TO);
    await expect(rest(`{"data":[${restRow(1)}],"meta":{"total":2}}`)).rejects.toThrow("incomplete list");
    await expect(rest(`{"data":[${restRow(1)}]}`)).rejects.toMatchObject({ name: "ProviderUnavailable" });
    await expect(
      rest((_, call) => (call === 0 ? `{"data":[${restRow(1)}],"meta":{"total":2}}` : BROKEN.html502)),
    ).rejects.toMatchObject({
      name: "ProviderUnavailable",
    });
    for (const reply of [...Object.values(BROKEN), ENVELOPES.noBalance, "{}", '[{"phone":"1"}]'] as Reply[]) {
      await expect(start({ getHistory: reply }).provider.history(FROM, TO)).rejects.toMatchObject({
        name: "ProviderUnavailable",
      });
    }
  });
});

describe("countries, services and balance", () => {
  test("countries come as an object by id or as an array", async () => {
    const usa = '{"id":187,"rus":"США","eng":" USA ","chn":"美国","visible":1,"retry":1,"rent":1}';
    const hidden = '{"id":"222","rus":"Россия","eng":"Russia","visible":"0","retry":0}';
    const want = [
      { id: 187, name: "USA", visible: true, rent: true },
      { id: 222, name: "Russia", visible: false, rent: false },
    ];
    expect(await start({ getCountries: `{"187":${usa},"222":${hidden}}` }).provider.countries()).toEqual(want);
    expect(await start({ getCountries: `[${usa},${hidden}]` }).provider.countries()).toEqual(want);
  });

  test("service names are trimmed", async () => {
    const body = '{"status":"success","services":[{"code":"full","name":"Full rent"},{"code":"acz","name":"Claude "}]}';
    expect(await start({ getServicesList: body }).provider.services()).toEqual([
      { code: "full", name: "Full rent" },
      { code: "acz", name: "Claude" },
    ]);
  });

  test("the balance is exact", async () => {
    expect(await start({ getBalance: "ACCESS_BALANCE:12.4422" }).provider.balance()).toBe(usd(12.4422));
  });

  test("broken answers throw, with the account's trouble by name", async () => {
    for (const reply of [
      ...Object.values(BROKEN),
      "{}",
      "[]",
      '{"status":"success"}',
      "ACCESS_BALANCE:many",
    ] as Reply[]) {
      const { provider } = start({ getCountries: reply, getServicesList: reply, getBalance: reply });
      await expect(provider.countries()).rejects.toMatchObject({ name: "ProviderUnavailable" });
      const other = start({ getServicesList: reply, getBalance: reply });
      await expect(other.provider.services()).rejects.toMatchObject({ name: "ProviderUnavailable" });
      await expect(start({ getBalance: reply }).provider.balance()).rejects.toMatchObject({
        name: "ProviderUnavailable",
      });
    }
    await expect(start({ getBalance: ENVELOPES.badKey }).provider.balance()).rejects.toMatchObject({
      trouble: "bad_key",
    });
    await expect(start({ getBalance: ENVELOPES.accountInactive }).provider.balance()).rejects.toMatchObject({
      trouble: "inactive",
    });
  });

  test("the account is named by a digest of its key", () => {
    const { provider } = start({});
    expect(provider.accountFingerprint()).toBe(
      createHash("sha256").update(`herosms:${KEY}`).digest("hex").slice(0, 16),
    );
  });
});

describe("after a rate limit", () => {
  test("nothing is sent for as long as Retry-After says, two seconds when it says nothing", async () => {
    for (const [headers, seconds] of [
      [{ "retry-after": "5" }, 5],
      [{}, 2],
    ] as const) {
      const { provider, world, seen } = start({
        getBalance: (_, call) =>
          call === 0 ? [429, '{"title":"RATE_LIMIT","details":""}', headers] : "ACCESS_BALANCE:1",
      });
      await expect(provider.balance()).rejects.toMatchObject({ trouble: "rate_limited" });
      const balance = provider.balance();
      world.jump(world.now() + seconds * 1000 - 500);
      await Bun.sleep(5);
      expect(seen).toHaveLength(1);
      world.jump(world.now() + 500);
      expect(await balance).toBe(usd(1));
    }
  });

  test("a block holds requests back for ten seconds", async () => {
    const { provider, world, seen } = start({
      getBalance: (_, call) => (call === 0 ? BROKEN.cloudflare1020 : "ACCESS_BALANCE:1"),
    });
    await expect(provider.balance()).rejects.toMatchObject({ trouble: "blocked" });
    const balance = provider.balance();
    world.jump(world.now() + 9_000);
    await Bun.sleep(5);
    expect(seen).toHaveLength(1);
    world.jump(world.now() + 1_000);
    expect(await balance).toBe(usd(1));
  });
});
