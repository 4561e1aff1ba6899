import { expect, test } from "bun:test";
import { createLog, type Log, type LogOptions } from "../../src/ops/logs.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function capture(options: Partial<LogOptions> = {}): {
  log: Log;
  text: () => string;
  lines: () => Record<string, unknown>[];
} {
  let text = "";
  const destination = {
    write(part: string) {
      text += part;
    },
  };
  const log = createLog({ level: "trace", pretty: false, name: "numbers", now: () => NOW, destination, ...options });
  const lines = () =>
    text
      .trim()
      .split("\n")
      .map((line): Record<string, unknown> => JSON.parse(line));
  return { log, text: () => text, lines };
}

test("a line is one JSON object with level, time, name, fields and message", () => {
  const { log, lines } = capture();
  log.info({ orderId: "o1", ms: 12 }, "Order opened");
  log.warn("Low balance");
  expect(lines()).toEqual([
    { level: "info", time: "2026-01-02T03:04:05.678Z", name: "numbers", orderId: "o1", ms: 12, msg: "Order opened" },
    { level: "warn", time: "2026-01-02T03:04:05.678Z", name: "numbers", msg: "Low balance" },
  ]);
});

test("the level decides what is written", () => {
  const { log, lines, text } = capture({ level: "warn" });
  log.info("not this");
  log.child({ peer: "node" }).debug("nor this");
  expect(text()).toBe("");
  log.fatal("this");
  expect(lines()).toMatchObject([{ level: "fatal", msg: "this" }]);
});

test("an error is logged with its stack, and its message where none is given", () => {
  const { log, lines } = capture();
  log.error(new TypeError("Bad thing"));
  log.error({ err: new TypeError("Bad thing"), orderId: "o1" }, "Handler failed");
  const [bare, named] = lines();
  expect(bare).toMatchObject({ msg: "Bad thing", err: { type: "TypeError", message: "Bad thing" } });
  expect(named).toMatchObject({ msg: "Handler failed", orderId: "o1", err: { type: "TypeError" } });
  expect(JSON.stringify(named)).toContain("logs.test.ts");
});

test("a short value that is no plain word is written as JSON, without what it hides", () => {
  const { log, lines } = capture();
  const short = { quote: 'a"b', slash: "a\\b", line: "a\nb", address: "1.2.3.4" };
  log.info(short, "Short");
  expect(lines()).toMatchObject([{ ...short, address: "[ip]" }]);
});

test("a message is no format string", () => {
  const { log, lines } = capture();
  log.info({ a: 1 }, "100 %s %d %o");
  log.info("50 %s");
  expect(lines().map(({ msg }) => msg)).toEqual(["100 %s %d %o", "50 %s"]);
});

test("children carry their fields, and a whole line break stays inside its line", () => {
  const { log, lines } = capture();
  log.child({ peer: "provider" }).child({ call: "getNumberV2" }).info("a\nb");
  expect(lines()).toMatchObject([{ peer: "provider", call: "getNumberV2", msg: "a\nb" }]);
});

test("readable lines for a terminal", () => {
  const { log, text } = capture({ pretty: true });
  log.warn({ orderId: "o1" }, "Refund failed");
  expect(text()).toContain("Refund failed");
  expect(text()).toContain("WARN");
  expect(text()).toContain("o1");
  expect(() => JSON.parse(text())).toThrow();
});

/** One canary of each kind. Those in `fields` have no look of their own: only their field's name gives them away. */
const HEX = "c0ffee5ec2e7d00d".repeat(4);
const looks = [
  HEX,
  `AgEEbHNhdAJCAAD${"Canary".repeat(8)}`,
  "lnbc2500u1pvjluezcanaryqqqsyqcyq5rqwzqfqqqsyqcyq5",
  "+4915777000111",
  "api_key=canary0a1b2c3d",
  "/v2/l402/webhooks/rent/canaryhook",
  `nsec1${"canarycanary".repeat(4)}qqqqqqqqqq`,
  "Bearer canary.bearer",
  "Basic Y2FuYXJ5OmNhbmFyeQ==",
  "198.51.100.77",
  "2001:db8:cafe::77",
];
const traces = ["c0ffee", "Canary", "canary", "15777000111", "Y2FuYXJ5", "198.51.100.77", "cafe::77", "739154"];
const fields = {
  authorization: "canary1",
  macaroon: "canary2",
  preimage: "canary3",
  code: "739154",
  phone: "4915777000111",
  invoice: "canary4",
  apiKey: "canary5",
};

for (const pretty of [false, true]) {
  test(`no canary comes out of any position (${pretty ? "pretty" : "JSON"})`, () => {
    const { log, text } = capture({ pretty });
    for (const canary of looks) {
      const error = new Error(`failed with ${canary}`, { cause: new Error(`because of ${canary}`) });
      log.info(canary);
      log.info(`before ${canary}, after`);
      log.info({ note: canary, list: [[canary]], deep: { deeper: { deepest: `x ${canary}` } }, [canary]: 1 }, canary);
      log.error(error);
      log.error({ err: error, other: { failure: error } }, "failed");
      log.error({ err: new AggregateError([error], canary) });
      log.error(Object.assign(new Error("own"), { request: { url: canary } }));
      log
        .child({ note: canary, list: [canary], err: error })
        .child({ more: { note: canary } })
        .warn("child");
      log.info({ map: new Map([["k", canary]]), set: new Set([canary]), json: { toJSON: () => canary } });
      log.info({ text: canary, body: JSON.stringify({ note: canary, code: "739154" }) });
    }
    log.info(fields, "by name");
    log.info({ list: [{ nested: fields }], headers: new Headers({ authorization: "canary" }) });
    log.child(fields).child({ nested: fields }).info("by name in children");
    log.error(Object.assign(new Error("by name"), fields));
    expect(text().length).toBeGreaterThan(5_000);
    for (const trace of traces) expect([trace, text().includes(trace)]).toEqual([trace, false]);
  });
}

test("a simple record and the same inside another are written alike", () => {
  const { log, text } = capture();
  const record = {
    requestId: "Zk-3_aB9xYz0",
    route: "GET /v2/l402/order/:id",
    status: 200,
    code: "482913",
    quote: '"\n',
  };
  log.child({ peer: "node" }).info(record, "Answered");
  log.child({ peer: "node" }).info({ ...record, more: null }, "Answered");
  const [simple, other] = text().split("\n");
  expect(simple).toContain('"code":"[masked]"');
  expect(other).toBe(String(simple).replace(',"msg"', ',"more":null,"msg"'));
});

test("what looks like a record and is none is written all the same", () => {
  const { log, lines, text } = capture();
  const broken = Object.defineProperty({ a: 1 }, "b", {
    enumerable: true,
    get() {
      throw new Error("no");
    },
  });
  log.info(broken, "Broken");
  log.info({ ratio: Number.NaN }, "Not a number");
  log.info({ long: "word ".repeat(5_000) }, "Long");
  expect(text()).toContain("[unreadable]");
  expect(
    lines()
      .slice(1)
      .map(({ msg }) => msg),
  ).toEqual(["Not a number", "Long"]);
  expect(JSON.stringify(lines()[2]).length).toBeLessThan(10_000);
});
