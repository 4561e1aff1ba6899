/** Bodies that nobody honest sends. Each is refused with a documented error or read as what it plainly says, in bounded time. */
import { beforeAll, describe, expect, test } from "bun:test";
import { mintInvoice } from "../../src/sandbox/lightning/mint.ts";
import { withNumber } from "../support/life.ts";
import type { Bought } from "../support/server.ts";
import { ORDER_FIELDS } from "./fields.ts";
import { hostileServer, ORDER } from "./server.ts";

const server = hostileServer();
/** Longest that any one body may take to be answered, ms; a millisecond is usual. */
const BOUNDED_MS = 2_000;
const KIB = 1024;

let paid: Bought;
beforeAll(async () => {
  ({ bought: paid } = await withNumber(server(), { service: "tg", country: "US" }));
});

interface Answered {
  readonly status: number;
  readonly code: string;
  readonly text: string;
}

async function send(
  body: RequestInit["body"] & {},
  headers: Record<string, string> = {},
  path: string = ORDER,
): Promise<Answered> {
  const began = performance.now();
  const response = await fetch(`${server().origin}${path}`, { method: "POST", body, headers });
  const text = await response.text();
  expect(performance.now() - began).toBeLessThan(BOUNDED_MS);
  const { error } = JSON.parse(text) as { error?: { code: string } };
  return { status: response.status, code: error?.code ?? "", text };
}

const refund = (body: RequestInit["body"] & {}) =>
  send(body, { authorization: paid.authorization }, `${ORDER}/${paid.orderId}/refund-invoice`);

describe("keys that are names of machinery", () => {
  test("are names like any other: unknown, and of no effect on this request or the next", async () => {
    for (const key of ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "problem", "then", ""]) {
      for (const value of ['{"service":"nope"}', '"x"', "1", "[]", "null", '{"type":"rent-number"}']) {
        expect([key, value, (await send(`{"${key}":${value}}`)).status]).toEqual([key, value, 402]);
      }
    }
    for (const body of [
      '{"__proto__":{"maxPriceSats":1}}',
      '{"constructor":{"prototype":{"maxPriceSats":1}}}',
      '{"notify":{"__proto__":{"nostr":"npub1x"}}}',
      '{"__proto__":{"__proto__":{"toString":null}}}',
    ]) {
      expect([body, (await send(body)).status]).toEqual([body, 402]);
    }
    expect((await send("{}")).status).toBe(402);
    expect((await refund('{"__proto__":{"refundInvoice":"lnbcrt1x"}}')).code).toBe("VALIDATION_ERROR");
  });

  test("as values are unknown names", async () => {
    for (const word of ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]) {
      expect(await send(JSON.stringify({ service: word }))).toMatchObject({ status: 400, code: "VALIDATION_ERROR" });
      expect(await send(JSON.stringify({ country: word }))).toMatchObject({ status: 400, code: "INVALID_COUNTRY" });
      expect(await send(JSON.stringify({ type: word }))).toMatchObject({ status: 400, code: "VALIDATION_ERROR" });
      const again = { type: "receive-sms-reactivate", orderId: word, parentCredential: word };
      expect(await send(JSON.stringify(again))).toMatchObject({ status: 403, code: "INVALID_MACAROON" });
    }
  });

  test("given twice: the last one counts, once", async () => {
    expect((await send('{"service":"nope","service":"tg"}')).status).toBe(402);
    expect((await send('{"service":"tg","service":"nope"}')).status).toBe(400);
    expect((await send('{"maxPriceSats":1,"maxPriceSats":99999999}')).status).toBe(402);
    expect((await send('{"maxPriceSats":99999999,"maxPriceSats":1}')).status).toBe(409);
    expect((await send('{"service":"tg","\\u0073ervice":"nope"}')).status).toBe(400);
    expect((await send(`{${'"service":"nope",'.repeat(800)}"service":"tg"}`)).status).toBe(402);
  });
});

describe("numbers that are none, or too much", () => {
  const not = ["NaN", "Infinity", "-Infinity", "0x10", "1_000", "01", "+1", ".5", "1.", "--1", "1e", "undefined", "1n"];
  for (const field of ["maxPriceSats", "durationMinutes", "country"]) {
    test(`in "${field}"`, async () => {
      for (const number of not) {
        const answer = await send(`{"${field}":${number}}`);
        expect([number, answer.status, answer.code]).toEqual([number, 400, "VALIDATION_ERROR"]);
      }
      for (const number of [
        "1e999",
        "-1e999",
        "1e400",
        "-1",
        "-0.5",
        "1.5",
        "1e-9",
        "9007199254740993",
        "18446744073709551616",
        "1".repeat(400),
        `0.${"0".repeat(400)}1`,
        '"1"',
        "true",
        "[1]",
        "{}",
        '{"valueOf":1}',
      ]) {
        const answer = await send(`{"${field}":${number}}`);
        const refused = answer.status === 400 && ["VALIDATION_ERROR", "INVALID_COUNTRY"].includes(answer.code);
        // A text is a country's id too.
        const isCountry = field === "country" && number === '"1"' && [402, 409].includes(answer.status);
        expect([number, refused || isCountry, answer.status]).toEqual([number, true, answer.status]);
      }
    });
  }

  test("in any spelling of a whole number are that number", async () => {
    for (const number of ["187", "187.0", "1.87e2", "1870e-1"]) {
      expect([number, (await send(`{"service":"tg","country":${number}}`)).status]).toEqual([number, 402]);
    }
    expect([400, 402, 409]).toContain((await send('{"country":-0}')).status);
  });
});

describe("shapes", () => {
  test("other than an object are refused", async () => {
    for (const body of [
      "[]",
      "[{}]",
      '"{}"',
      "1",
      "true",
      "null",
      "[[[]]]",
      '[{"service":"tg"}]',
      "{}{}",
      "{},",
      "//{}",
    ]) {
      expect([body, await send(body)]).toMatchObject([body, { status: 400, code: "VALIDATION_ERROR" }]);
    }
  });

  test("lists and objects in place of values are refused by the field's name", async () => {
    for (const field of ORDER_FIELDS) {
      for (const value of ['["tg"]', '{"tg":1}', "[]", "[[]]", '{"length":2}', "false", '{"toString":"tg"}']) {
        // An object is the form of `notify`; what it does not know it passes over.
        if (field === "notify" && value.startsWith("{")) continue;
        const { status, text } = await send(`{"${field}":${value}}`);
        expect([field, value, status]).toEqual([field, value, 400]);
        expect(JSON.parse(text)).toMatchObject({ error: { field: expect.stringContaining(field) } });
      }
    }
  });

  test("nested as deeply as a body allows are refused without their cost", async () => {
    for (const body of [
      "[".repeat(16 * KIB),
      `${"[".repeat(8 * KIB)}${"]".repeat(8 * KIB)}`,
      '{"a":'.repeat(3_000),
      `${'{"a":'.repeat(2_600)}1${"}".repeat(2_600)}`,
      `{"service":${"[".repeat(8_000)}"tg"${"]".repeat(8_000)}}`,
      `{"notify":${'{"nostr":'.repeat(1_500)}1${"}".repeat(1_500)}}`,
    ]) {
      expect(await send(body)).toMatchObject({ status: 400, code: "VALIDATION_ERROR" });
    }
    // Brackets inside a text are text.
    expect((await send(`{"note":"${"[{".repeat(4_000)}","service":"tg"}`)).status).toBe(402);
    expect((await send(`{"note":"\\"${"[".repeat(100)}\\\\","service":"tg"}`)).status).toBe(402);
  });

  test("wide to the limit are read", async () => {
    const many = Object.fromEntries(Array.from({ length: 1_400 }, (_, n) => [`k${n}`, n]));
    expect((await send(JSON.stringify(many))).status).toBe(402);
    expect((await send(`{"a":[${"1,".repeat(7_000)}1]}`)).status).toBe(402);
  });
});

describe("texts", () => {
  test("of confusable letters, blanks, controls and other scripts never name what they look like by accident", async () => {
    for (const [field, value, statuses] of [
      ["service", "tеlеgrаm", [402]], // Cyrillic е and а: the provider mixes them itself.
      ["service", "t\u0261", [400]],
      ["service", "tg\u0000", [400, 402]],
      ["service", "tg\u202e", [400]],
      ["service", "\u{1d431}", [400, 402, 409]],
      ["service", "𝓽𝓰", [400]],
      ["service", "t\u200bg", [400]],
      ["service", "\ud800", [400]],
      ["service", "\udfff\ud800", [400]],
      ["service", "\u0001", [400]],
      ["service", "😀", [400]],
      ["service", "ﷺ".repeat(64), [400]],
      ["service", "a\u0300".repeat(32), [400]],
      ["service", "İ", [400]],
      ["country", "ＵＳ", [402]],
      ["country", "\u{1f1fa}\u{1f1f8}", [400]],
      ["country", "ＵＳ\u0000", [400, 402]],
      ["country", "१८७", [400]],
      ["country", "187\n", [402]],
      ["country", "+187", [400]],
      ["country", "1e2", [400]],
      ["country", "0x bb", [400]],
      ["country", "\u202eSU", [400, 402, 409]],
    ] as const) {
      const { status } = await send(JSON.stringify({ [field]: value }));
      expect([field, value, (statuses as readonly number[]).includes(status), status]).toEqual([
        field,
        value,
        true,
        status,
      ]);
    }
  });

  test("of the greatest length in every field are refused, and none of them is repeated", async () => {
    const long = "CANARY".repeat(2_500);
    for (const field of ["type", "country", "service", "refundInvoice", "orderId", "parentCredential"]) {
      const { status, text } = await send(JSON.stringify({ [field]: long }));
      expect([field, status]).toEqual([field, 400]);
      expect(text).not.toContain("CANARY");
    }
    const { status, text } = await send(JSON.stringify({ notify: { nostr: `npub1${long}` } }));
    expect([status, text.includes("CANARY")]).toEqual([400, false]);
  });

  test("that are nearly a name cost no more than others", async () => {
    for (let n = 0; n < 40; n++) {
      const name = String.fromCharCode(97 + (n % 26)).repeat(1 + ((n * 7) % 64));
      expect([400, 402, 409]).toContain((await send(JSON.stringify({ service: name }))).status);
      expect([400, 402, 409]).toContain((await send(JSON.stringify({ country: name }))).status);
    }
  });
});

describe("refund invoices", () => {
  const now = Math.floor(Date.now() / 1000);
  const good = mintInvoice({ paymentHash: "5a".repeat(32), timestamp: now, expirySeconds: 7_200 });

  test("of mixed case, of 180 kB, of nothing but checksum, or cut anywhere are refused in moments", async () => {
    const mixed = good.slice(0, 30) + good.slice(30).toUpperCase();
    const bad = [
      mixed,
      `L${good.slice(1)}`,
      "LNBCRT1",
      "lnbcrt1",
      "lightning:",
      `lightning:lightning:${good}`,
      `lnbcrt1${"q".repeat(2_041)}`,
      `lnbcrt${"1".repeat(2_000)}`,
      `${good}${good}`,
      ...Array.from({ length: 20 }, (_, n) => good.slice(0, Math.floor((good.length * n) / 20) || 1)),
      ...Array.from({ length: 20 }, (_, n) => {
        const at = 7 + Math.floor(((good.length - 8) * n) / 20);
        return good.slice(0, at) + (good[at] === "q" ? "p" : "q") + good.slice(at + 1);
      }),
      good.replace("lnbcrt", "lnbc"),
      good.replace("lnbcrt1", "lnbcrt1m1"),
      good.replace("lnbcrt1", "lnbcrt99999999999999999999p1"),
      ` ${good}`,
      `${good}\n`,
      good.replace("q", "ｑ"),
    ];
    for (const refundInvoice of bad) {
      const body = JSON.stringify({ refundInvoice });
      expect([refundInvoice.slice(0, 60), (await send(body)).code]).toEqual([
        refundInvoice.slice(0, 60),
        "INVALID_REFUND_INVOICE",
      ]);
      expect((await refund(body)).status).toBe(400);
    }
    for (const size of [17 * KIB, 180 * KIB, 4 * KIB * KIB]) {
      const body = JSON.stringify({ refundInvoice: `lnbcrt1${"q".repeat(size)}` });
      expect(await send(body)).toMatchObject({ status: 413, code: "PAYLOAD_TOO_LARGE" });
      expect(await refund(body)).toMatchObject({ status: 413 });
    }
  });
});

describe("bytes", () => {
  test("under any content type are read as JSON, in any other encoding than UTF-8 as nothing", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "application/xml",
      "image/png",
      "x",
      "application/json; charset=utf-16",
    ]) {
      expect([type, (await send('{"service":"tg"}', { "content-type": type })).status]).toEqual([type, 402]);
    }
    for (const body of [
      "service=tg",
      "<service>tg</service>",
      '--x\r\nContent-Disposition: form-data; name="service"\r\n\r\ntg\r\n--x--',
      "service: tg",
      Bun.gzipSync('{"service":"tg"}'),
      Bun.deflateSync('{"service":"tg"}'),
      new Uint8Array([0xfe, 0xff, 0, 0x7b, 0, 0x7d]),
      new Uint8Array([0x7b, 0xff, 0x7d]),
      new Uint8Array([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
      new Uint8Array([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
      new Uint8Array([0x7b, 0x22, 0xf4, 0x90, 0x80, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
      new Uint8Array([0]),
      "\u0000{}",
      "{\u0000}",
      '{"service":"t\u0000g"}',
    ]) {
      expect(await send(body)).toMatchObject({ status: 400, code: "VALIDATION_ERROR" });
    }
    for (const encoding of ["gzip", "deflate", "br", "zstd", "identity, gzip"]) {
      expect((await send(Bun.gzipSync('{"service":"tg"}'), { "content-encoding": encoding })).status).toBe(400);
    }
    // A bomb stays as small as it came.
    const bomb = Bun.gzipSync(new Uint8Array(8 * KIB * KIB));
    expect(bomb.length).toBeLessThan(16 * KIB);
    expect((await send(bomb, { "content-encoding": "gzip" })).status).toBe(400);
  });

  test("with a byte order mark, or blank, are what stands behind it", async () => {
    expect((await send('\ufeff{"service":"tg"}')).status).toBe(402);
    expect((await send('\ufeff{"service":"nope"}')).status).toBe(400);
    for (const body of ["", " ", "\n\t\r ", "\ufeff"]) expect((await send(body)).status).toBe(402);
    expect((await send("\ufeff\ufeff{}")).status).toBe(400);
  });

  test("above 16 KiB are refused while they come, however they come", async () => {
    const stream = (chunk: number, chunks: number) =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          if (chunks-- > 0) controller.enqueue(new Uint8Array(chunk).fill(0x20));
          else controller.close();
        },
      });
    for (const [chunk, chunks] of [
      [1, 17 * KIB],
      [KIB, 5_000],
      [256 * KIB, 40],
    ] as const) {
      expect((await send(stream(chunk, chunks))).status).toBe(413);
      expect((await refund(stream(chunk, chunks))).status).toBe(413);
    }
    expect((await send(stream(1, 2_000))).status).toBe(402);
  });
});

test("and the process lives, as small as it was", async () => {
  expect((await server().read(paid)).orderId).toBe(paid.orderId);
  expect(server.rss()).toBeLessThan(400);
});
