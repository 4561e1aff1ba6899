import { afterAll, describe, expect, test } from "bun:test";
import { type ActivationStanding, ProviderUnavailable } from "../../../src/provider/port.ts";
import { BROKEN, ENVELOPES, type Reply, type Route, start, stopServers, WORDS } from "./fake.ts";

afterAll(stopServers);

const ID = "635468024";
const SMS =
  '{"id":"3416693217","phoneFrom":"Telegram","code":"012-345","text":"Telegram code 012-345","service":"tg","date":"2026-02-16T12:36:59+03:00","type":"sms"}';
const NO_SMS = '{"data":[],"meta":{"total":0,"service":"tg"}}';
const listOf = (...rows: string[]) => `{"data":[${rows.join()}],"meta":{"total":${rows.length},"service":"full"}}`;
const MESSAGE = {
  id: "3416693217",
  code: "012-345",
  text: "Telegram code 012-345",
  from: "Telegram",
  receivedAt: Date.parse("2026-02-16T09:36:59Z"),
};

describe("while the activation is open", () => {
  test("one request tells its messages", async () => {
    const { provider, actions } = start({ getAllSms: listOf(SMS) });
    expect(await provider.look(ID)).toEqual({ standing: "open", messages: [MESSAGE] });
    expect(actions()).toEqual(["getAllSms"]);
  });

  test("waiting costs one request, but for a check with getStatus every 30 seconds", async () => {
    const { provider, world, actions } = start({ getAllSms: NO_SMS, getStatus: "STATUS_WAIT_CODE" });
    for (let look = 0; look < 3; look++) {
      expect(await provider.look(ID)).toEqual({ standing: "open", messages: [] });
    }
    expect(actions()).toEqual(["getAllSms", "getStatus", "getAllSms", "getAllSms"]);
    world.jump(world.now() + 30_000);
    await provider.look(ID);
    expect(actions().slice(4)).toEqual(["getAllSms", "getStatus"]);
  });

  test("a code that only getStatus knows is a message, always with the same id", async () => {
    const { provider, world } = start({ getAllSms: NO_SMS, getStatus: "STATUS_OK:12:34" });
    const first = await provider.look(ID);
    world.jump(world.now() + 30_000);
    const second = await provider.look(ID);
    expect(first).toMatchObject({ standing: "open", messages: [{ code: "12:34", text: null }] });
    expect(first.messages[0]?.id).toMatch(/^~[0-9a-f]{64}$/);
    expect(second).toEqual(first);
  });

  test("a message that came between the two questions keeps its own id", async () => {
    const { provider } = start({
      getAllSms: (_, call) => (call === 0 ? NO_SMS : listOf(SMS)),
      getStatus: "STATUS_OK:012-345",
    });
    expect(await provider.look(ID)).toEqual({ standing: "open", messages: [MESSAGE] });
  });

  test("the old code of STATUS_WAIT_RETRY is no message", async () => {
    const { provider } = start({ getAllSms: NO_SMS, getStatus: "STATUS_WAIT_RETRY:1234" });
    expect(await provider.look(ID)).toEqual({ standing: "open", messages: [] });
  });

  test("messages without an id get a digest, different for different activations", async () => {
    const { provider } = start({
      getAllSms: listOf('{"code":12345,"text":"12345","phoneFrom":"X","date":"2026-02-16T12:36:59+03:00"}'),
    });
    const [one, two] = [await provider.look("1"), await provider.look("2")];
    expect(one.messages[0]).toMatchObject({ code: "12345", text: "12345", from: "X" });
    expect(one.messages[0]?.id).toMatch(/^~[0-9a-f]{64}$/);
    expect(two.messages[0]?.id).not.toBe(one.messages[0]?.id);
  });

  test("a call has neither code nor text, and a PHP object is a list", async () => {
    const call = '{"id":"3416693218","phoneFrom":"213421421431","code":null,"text":null,"type":"call"}';
    const { provider } = start({ getAllSms: `{"data":{"0":${SMS},"2":${call}},"meta":{"total":2}}` });
    const { messages } = await provider.look(ID);
    expect(messages).toEqual([
      MESSAGE,
      { id: "3416693218", code: null, text: null, from: "213421421431", receivedAt: null },
    ]);
  });
});

describe("many messages", () => {
  const rows = Array.from({ length: 250 }, (_, index) => `{"id":"${index + 1}","code":"c${index}","text":"t"}`);
  const paged =
    (firstPage: number, size: number): Route =>
    (params) => {
      const page = Number(params.get("page") ?? firstPage) - firstPage;
      return `{"data":[${rows.slice(page * size, (page + 1) * size)}],"meta":{"total":${rows.length}}}`;
    };

  for (const firstPage of [0, 1]) {
    for (const size of [100, 20]) {
      test(`are read completely when pages count from ${firstPage} and hold ${size}`, async () => {
        const { provider } = start({ getAllSms: paged(firstPage, size) });
        const { messages } = await provider.look(ID);
        expect(messages.map(({ id }) => id)).toEqual(rows.map((_, index) => String(index + 1)));
      });
    }
  }

  test("that do not all come are not taken for all", async () => {
    const { provider } = start({ getAllSms: `{"data":[${rows.slice(0, 100)}],"meta":{"total":250}}` });
    await expect(provider.look(ID)).rejects.toThrow("getAllSms: incomplete list");
  });
});

describe("when the activation has ended", () => {
  const NOW = Math.floor(Date.now() / 1000);
  const past = (row: string): Route => `[{"id":"1","status":"8"},{"id":"${ID}","date":"2026-08-29 12:00:36",${row}}]`;
  const onlyOnce =
    (body: Route): Route =>
    (params, call) =>
      Number(params.get("offset")) > 0 ? "[]" : typeof body === "function" ? body(params, call) : (body as Reply);

  const cases: Record<string, [getStatus: Reply, row: string, standing: ActivationStanding, codes: (string | null)[]]> =
    {
      "cancelled without a code": ["STATUS_CANCEL", '"sms":null,"cost":0.1,"status":"8"', "refunded", []],
      "expired without a code": ["STATUS_CANCEL", '"sms":null,"cost":0.1,"status":"10"', "refunded", []],
      "expired, but a code had come": ["STATUS_CANCEL", '"sms":"1234","status":"10"', "finished", ["1234"]],
      "cancelled, but codes had come": [
        "STATUS_CANCEL",
        '"moreCodes":["12","34"],"status":8',
        "finished",
        ["12", "34"],
      ],
      "finished, and the code is still told": [ENVELOPES.notActive, '"sms":"0042","status":"6"', "finished", ["0042"]],
      "finished, and no code is told": [ENVELOPES.notActive, '"sms":null,"status":"6"', "finished", []],
      "finished, and the text is told": [
        ENVELOPES.notActive,
        '"sms":"Your code is 42","status":"6"',
        "finished",
        [null],
      ],
      "listed with a status that is not documented": ["STATUS_CANCEL", '"sms":null,"status":"7"', "ended", []],
    };
  for (const [name, [getStatus, row, standing, codes]] of Object.entries(cases)) {
    test(`${name}: ${standing}`, async () => {
      const { provider } = start({ getAllSms: ENVELOPES.notActive, getStatus, getHistory: onlyOnce(past(row)) });
      const look = await provider.look(ID);
      expect(look.standing).toBe(standing);
      expect(look.messages.map(({ code }) => code)).toEqual(codes);
    });
  }

  test("a code that getStatus still tells makes it finished", async () => {
    const { provider, actions } = start({ getAllSms: ENVELOPES.notActive, getStatus: "STATUS_OK:0042" });
    expect(await provider.look(ID)).toMatchObject({ standing: "finished", messages: [{ code: "0042" }] });
    expect(actions()).toEqual(["getAllSms", "getStatus"]);
  });

  test("STATUS_CANCEL while the list is still empty is looked up in the history, too", async () => {
    const { provider } = start({
      getAllSms: NO_SMS,
      getStatus: "STATUS_CANCEL",
      getHistory: onlyOnce(past('"sms":null,"status":"8"')),
    });
    expect(await provider.look(ID)).toEqual({ standing: "refunded", messages: [] });
  });

  test("not in the history: ended, since STATUS_CANCEL alone does not prove that the money is back", async () => {
    const { provider } = start({ getAllSms: ENVELOPES.notActive, getStatus: "STATUS_CANCEL", getHistory: "[]" });
    expect(await provider.look(ID)).toEqual({ standing: "ended", messages: [] });
  });

  test("unknown to all three: missing", async () => {
    for (const unknown of [ENVELOPES.notFound, "NO_ACTIVATION", "WRONG_ACTIVATION_ID"] as const) {
      const { provider } = start({ getAllSms: unknown, getStatus: unknown, getHistory: "[]" });
      expect(await provider.look(ID)).toEqual({ standing: "missing", messages: [] });
    }
  });

  test("unknown to the list, but waiting by getStatus: open", async () => {
    const { provider } = start({ getAllSms: ENVELOPES.notFound, getStatus: "STATUS_WAIT_CODE" });
    expect(await provider.look(ID)).toEqual({ standing: "open", messages: [] });
  });

  test("a history that cannot be read proves nothing", async () => {
    for (const getHistory of [
      ENVELOPES.serverError,
      '{"data":[]}',
      '[{"id":"1"},{"cost":1}]',
      BROKEN.cutJson,
    ] as Reply[]) {
      const { provider } = start({ getAllSms: ENVELOPES.notActive, getStatus: "STATUS_CANCEL", getHistory });
      await expect(provider.look(ID)).rejects.toBeInstanceOf(ProviderUnavailable);
    }
  });

  test("a known time of purchase makes the search one short window", async () => {
    const { provider, seen } = start({ getAllSms: ENVELOPES.notActive, getStatus: "STATUS_CANCEL", getHistory: "[]" });
    await provider.look(ID, NOW * 1000);
    const asked = seen.filter(({ action }) => action === "getHistory");
    expect(asked.map(({ params }) => [params.get("start"), params.get("end")])).toEqual([
      [String(NOW - 600), String(NOW + 600)],
    ]);
  });

  test("REST v1 is asked first, with the key in the header, and not again where it is absent", async () => {
    const routes = { getAllSms: ENVELOPES.notActive, getStatus: "STATUS_CANCEL" };
    const rest = start({
      ...routes,
      "v1/activations/history": `{"data":[{"id":${ID},"createDate":"2026-09-28T11:41:10.000000Z","service":"ot","country":187,"phone":15550000001,"moreCodes":"77","cost":0.6,"status":6,"phoneCode":1,"currency":840,"subtype":1}],"totals":{"sum":7.5494,"successCount":23},"meta":{"total":73}}`,
    });
    expect(await rest.provider.look(ID)).toMatchObject({ standing: "finished", messages: [{ code: "77" }] });
    expect(rest.seen.at(-1)?.headers.get("authorization")).toStartWith("ApiKey ");
    expect(rest.seen.at(-1)?.params.has("api_key")).toBe(false);

    const without = start({ ...routes, getHistory: onlyOnce(past('"status":"8"')) });
    await without.provider.look(ID);
    await without.provider.look(ID);
    expect(without.actions().filter((action) => action.startsWith("v1/"))).toHaveLength(1);
  });
});

describe("an answer that is no information throws and never moves the activation", () => {
  const ended = new Set<string>(["notFound", "notActive", "NO_ACTIVATION", "WRONG_ACTIVATION_ID"]);
  const replies: [string, Reply][] = [
    ...Object.entries(ENVELOPES),
    ...Object.entries(BROKEN),
    ...WORDS.map((word): [string, Reply] => [word, word]),
  ];
  for (const [name, reply] of replies.filter(([name]) => !ended.has(name))) {
    test(`${name} to getAllSms, and to getStatus`, async () => {
      await expect(start({ getAllSms: reply }).provider.look(ID)).rejects.toBeInstanceOf(ProviderUnavailable);
      const status = start({ getAllSms: ENVELOPES.notActive, getStatus: reply });
      await expect(status.provider.look(ID)).rejects.toBeInstanceOf(ProviderUnavailable);
    });
  }

  test("account trouble is named", async () => {
    const { provider } = start({ getAllSms: ENVELOPES.bannedGlobal });
    await expect(provider.look(ID)).rejects.toMatchObject({ trouble: "banned" });
  });

  test("a list with a row that is no message", async () => {
    await expect(start({ getAllSms: listOf(SMS, '"x"') }).provider.look(ID)).rejects.toThrow("unreadable message");
  });
});
