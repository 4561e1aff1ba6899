import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { read } from "../../../src/provider/herosms/dialect.ts";
import { phone } from "../../../src/provider/herosms/fields.ts";
import { parseTime } from "../../../src/provider/herosms/time.ts";

describe("reading an answer", () => {
  const cases: Record<string, [status: number, body: string, reading: object]> = {
    "plain text": [200, "STATUS_OK:12:34", { kind: "text", text: "STATUS_OK:12:34" }],
    "text in quotes": [200, '"STATUS_WAIT_CODE"', { kind: "text", text: "STATUS_WAIT_CODE" }],
    "text after a byte order mark": [200, "\uFEFFSTATUS_CANCEL\r\n", { kind: "text", text: "STATUS_CANCEL" }],
    "an object": [200, '{"a":1}', { kind: "json", value: { a: 1 } }],
    "an object in quotes": [200, '"{}"', { kind: "json", value: {} }],
    "PHP's empty object": [200, "[]", { kind: "json", value: [] }],
    "no content": [204, "", { kind: "empty", status: 204 }],
    "an empty 200": [200, " \n", { kind: "empty", status: 200 }],
    "an empty 500": [500, "", { kind: "garbled" }],
    "a redirect": [302, "", { kind: "garbled", status: 302 }],
    "cut JSON": [200, '{"187":{"ot":{"cost":0.6,"cou', { kind: "garbled" }],
    "JSON nested too deep": [200, "[".repeat(1_000_000), { kind: "garbled" }],
    "JSON at 500": [500, '{"a":1}', { kind: "garbled" }],
    "HTML at 200": [200, "<!DOCTYPE html><html></html>", { kind: "garbled" }],
    "HTML at 403": [403, "<html>Attention Required! | Cloudflare</html>", { kind: "blocked" }],
    "Cloudflare's text": [403, "error code: 1020", { kind: "blocked" }],
    "Cloudflare's text at 429": [429, "error code: 1015", { kind: "error", word: "RATE_LIMIT" }],
    "the bare 400 of the rate guard": [400, "", { kind: "blocked" }],
    "a word with a detail": [
      200,
      "WRONG_MAX_PRICE:0.025",
      { kind: "error", word: "WRONG_MAX_PRICE", info: { min: "0.025" } },
    ],
    "a word that is none": [200, "WRONG_MAX_PRICES", { kind: "text" }],
    "an envelope with a new title": [400, '{"title":"X<script>"}', { kind: "error", word: "UNRECOGNISED" }],
    "an envelope with an empty info": [409, '{"title":"OTP_RECEIVED","info":[]}', { kind: "error", info: {} }],
    "a title that every object has": [400, '{"title":"constructor"}', { kind: "error", word: "UNRECOGNISED" }],
    "the refusal of getPrices": [
      200,
      '{"status":"false","msg":"service is incorrect"}',
      { kind: "error", word: "SERVICE_IS_INCORRECT" },
    ],
    "the old empty list": [
      200,
      '{"status":"error","error":"NO_ACTIVATIONS"}',
      { kind: "error", word: "NO_ACTIVATIONS" },
    ],
    "a refused v1 key": [
      403,
      '{"title":"BAD_API_KEY","details":"Invalid API key"}',
      { kind: "error", word: "BAD_KEY" },
    ],
    "a missing v1 key": [401, '{"title":"Unauthenticated."}', { kind: "error", word: "BAD_KEY" }],
  };
  for (const [name, [status, body, reading]] of Object.entries(cases)) {
    test(name, () => {
      expect(read(status, body)).toMatchObject(reading);
    });
  }

  test("never throws, and repeats nothing of an error page", () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.string().map((text) => `{"title":${JSON.stringify(text)}}`),
    );
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), body, (status, text) => {
        const reading = read(status, text);
        expect(reading.status).toBe(status);
        if (status >= 300) expect(["error", "blocked", "garbled"]).toContain(reading.kind);
      }),
    );
  });
});

describe("reading a time", () => {
  test("agrees with Date on every ISO time with a zone", () => {
    const times = fc.date({ min: new Date("2000-01-02"), max: new Date("2199-12-30"), noInvalidDate: true });
    fc.assert(
      fc.property(times, fc.integer({ min: -14 * 60, max: 14 * 60 }), (time, offset) => {
        const local = new Date(time.getTime() + offset * 60_000).toISOString().slice(0, 23);
        const minutes = Math.abs(offset);
        const zone = `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
        expect(parseTime(`${local}${offset < 0 ? "-" : "+"}${zone}`)).toBe(time.getTime());
        expect(parseTime(time.toISOString())).toBe(time.getTime());
      }),
    );
  });

  test("a time without a zone is the provider's own, UTC+3", () => {
    expect(parseTime("2022-06-01 16:59:16")).toBe(Date.parse("2022-06-01T13:59:16Z"));
    expect(parseTime("2026-09-28T11:41:10.000000Z")).toBe(Date.parse("2026-09-28T11:41:10Z"));
    expect(parseTime(1_739_448_000)).toBe(1_739_448_000_000);
    expect(parseTime("1739448000")).toBe(1_739_448_000_000);
  });

  test("anything else is no time", () => {
    for (const text of [
      "",
      "0000-00-00 00:00:00",
      "2026-02-30 10:00:00",
      "2026-13-01T00:00:00Z",
      "soon",
      null,
      {},
      5,
      Number.NaN,
    ]) {
      expect(parseTime(text)).toBeNull();
    }
  });
});

test("phone numbers become a plus and digits, incomplete ones nothing", () => {
  expect(phone("79584123456")).toBe("+79584123456");
  expect(phone(" +7 (958) 412-34-56")).toBe("+79584123456");
  expect(phone(15550000001)).toBe("+15550000001");
  for (const text of ["7958412****", "", "0", "12345", "1234567890123456", "abc", null, 1.5])
    expect(phone(text)).toBeNull();
});
