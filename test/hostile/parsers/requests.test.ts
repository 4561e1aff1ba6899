/** What a customer writes: bodies, names, addresses, targets and headers, as values. (Over HTTP: bodies.test.ts, fuzz.test.ts.) */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AddressSet, isLoopback, parseAddress } from "../../../src/api/address.ts";
import { ClientAddresses } from "../../../src/api/client-address.ts";
import { cached, documentOfText, takesGzip } from "../../../src/api/documents.ts";
import { FieldReader, parseBody } from "../../../src/api/fields.ts";
import { methodsOf } from "../../../src/api/routes.ts";
import { isSameSecret } from "../../../src/api/same-secret.ts";
import { OrderFields, RefundFields } from "../../../src/api/schemas.ts";
import { targetOf } from "../../../src/api/target.ts";
import { loadCountries, SHIPPED_COUNTRIES } from "../../../src/catalog/countries.ts";
import { fold } from "../../../src/catalog/fold.ts";
import { checkCountryRows, checkServiceRows, formatRows } from "../../../src/catalog/rows.ts";
import { loadServices, SHIPPED_SERVICES } from "../../../src/catalog/services.ts";
import { isProblem, PROBLEMS } from "../../../src/orders/problem.ts";
import { digestOf, interpret } from "../../../src/orders/request.ts";
import { cpuMs } from "../../support/cpu.ts";
import { ORDER_FIELDS } from "../fields.ts";
import { runs, weird } from "./bent.ts";

const NAMES = {
  countries: SHIPPED_COUNTRIES,
  services: SHIPPED_SERVICES,
  blockedServices: new Set<string>(),
  blockedCountries: new Set<number>(),
};
const orders = new FieldReader(OrderFields);
const refunds = new FieldReader(RefundFields);

const name = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.constantFrom("US", "gb", "United Kingdom", "187", "auto", "tg", "Telegram", "other", "__proto__", "12x"),
);
const object = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constantFrom(...ORDER_FIELDS),
        fc.constantFrom("__proto__", "constructor", "problem"),
        fc.string({ maxLength: 5 }),
      ),
      fc.oneof(weird, name, fc.nat(9_999), fc.constantFrom("rent-number", "receive-sms")),
    ),
    { maxLength: 9 },
  )
  .map(
    (members) =>
      `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value) ?? "null"}`).join(",")}}`,
  );

test("half of a surrogate pair is no text: UTF-8 cannot hold it, so it would be another one after a restart", () => {
  for (const half of ["\\ud800", "\\uDFFF", "a\\ud83d b"]) {
    const body = parseBody(`{"refundAddress":"lnurlp:pay.example.com/u?x=${half}"}`);
    if (isProblem(body)) throw new Error("It is JSON");
    expect(refunds.read(body)).toMatchObject({
      problem: "INVALID_REFUND_ADDRESS",
      details: { field: "refundAddress" },
    });
  }
  const whole = parseBody('{"refundAddress":"lnurlp:pay.example.com/u?x=\\ud83d\\ude00"}');
  if (isProblem(whole)) throw new Error("It is JSON");
  expect(isProblem(refunds.read(whole))).toBe(false);
});

describe("a body", () => {
  test("is an order that can be understood, or a documented refusal; its digest is one and the same", () => {
    fc.assert(
      fc.property(fc.oneof(object, fc.json(), fc.string({ unit: "binary" })), (text) => {
        const body = parseBody(text);
        if (isProblem(body)) return expect(body.problem).toBe("VALIDATION_ERROR");
        for (const reader of [orders, refunds]) {
          const fields = reader.read(body);
          if (isProblem(fields)) {
            expect(Object.keys(PROBLEMS)).toContain(fields.problem);
            expect(fields.details?.field).toBeString();
          }
        }
        const fields = orders.read(body);
        if (isProblem(fields)) return;
        const { parentCredential: _, notify, ...rest } = fields;
        const request = { ...rest, ...(notify?.nostr !== undefined && { notify: { nostr: notify.nostr } }) };
        const wanted = interpret(request, NAMES);
        if (isProblem(wanted)) {
          expect(["VALIDATION_ERROR", "INVALID_COUNTRY", "UNAVAILABLE"]).toContain(wanted.problem);
          return;
        }
        expect(SHIPPED_SERVICES.byCode(wanted.service)).not.toBeNull();
        expect(wanted.country === null || SHIPPED_COUNTRIES.byId(wanted.country) !== null).toBe(true);
        expect(wanted.digest).toBe(digestOf(Object.fromEntries(Object.entries(request).reverse())));
      }),
      runs(1_500),
    );
  });

  test("of two different orders has two digests", () => {
    const request = fc.record(
      {
        service: name,
        country: fc.oneof(name, fc.nat(999)),
        maxPriceSats: fc.nat(),
        orderId: name,
        refundInvoice: name,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(request, request, (a, b) => {
        const same = JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
        expect(digestOf(a) === digestOf(b)).toBe(same);
      }),
      runs(500),
    );
  });
});

describe("a name", () => {
  test("is a row that is sold, or at most five that were meant, in a few milliseconds", () => {
    fc.assert(
      fc.property(name, (text) => {
        const country = SHIPPED_COUNTRIES.resolve(text);
        const service = SHIPPED_SERVICES.resolve(text);
        for (const answer of [country, service]) if (!answer.ok) expect(answer.nearest.length).toBeLessThanOrEqual(5);
        expect(fold(text)).toMatch(/^[\p{L}\p{N}]{0,64}$/u);
        expect(fold(fold(text))).toBe(fold(text));
      }),
      runs(1_000),
    );
    for (const text of [
      "a".repeat(64),
      "telegramtelegramtelegram",
      "ﷺ".repeat(64),
      "abcdefghijkl",
      "\u0300".repeat(64),
    ]) {
      const once = () => [SHIPPED_COUNTRIES.resolve(text), SHIPPED_SERVICES.resolve(text)];
      once();
      expect(Math.min(...[1, 2, 3, 4, 5].map(() => cpuMs(once)))).toBeLessThan(25);
    }
  });

  test("of every row finds that row's name again", () => {
    for (const row of SHIPPED_SERVICES.rows)
      expect(SHIPPED_SERVICES.resolve(row.code)).toMatchObject({ ok: true, service: row });
    for (const row of SHIPPED_COUNTRIES.rows)
      expect(SHIPPED_COUNTRIES.resolve(row.id)).toMatchObject({ ok: true, country: row });
  });

  test("in a list from a file is one that passed every check, or the list is refused; and is written as it is read", () => {
    const country = fc.record({ id: weird, iso: weird, name: weird, aliases: weird });
    const service = fc.record({ code: weird, name: weird });
    const good = fc.uniqueArray(
      fc.record({
        id: fc.nat(99_999),
        iso: fc.constantFrom(null, "US", "GB"),
        name: fc.stringMatching(/^[A-Za-z]{1,60}$/),
        aliases: fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { maxLength: 3 }),
      }),
      { selector: ({ id }) => id, minLength: 1, maxLength: 9 },
    );
    fc.assert(
      fc.property(
        fc.oneof(weird, fc.array(country, { maxLength: 3 })),
        fc.oneof(weird, fc.array(service, { maxLength: 3 })),
        good,
        (countries, services, rows) => {
          for (const loaded of [loadCountries(countries), loadServices(services), checkServiceRows(services)]) {
            if (!loaded.ok) expect(loaded.problem.length).toBeLessThan(200);
          }
          const checked = checkCountryRows(JSON.parse(formatRows(rows)));
          expect(checked).toEqual({ ok: true, rows });
        },
      ),
      runs(400),
    );
  });
});

describe("an address", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const written = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4Extended(),
    fc.string({ maxLength: 50 }),
    fc.ipV4().map((ip) => `::ffff:${ip}`),
    fc.ipV4().map((ip) => `${ip}:80`),
    fc.ipV6().map((ip) => `[${ip}]:80`),
  );

  test("has one form however it is written", () => {
    fc.assert(
      fc.property(bytes(4), bytes(16), (four, six) => {
        expect(parseAddress(four.join("."))).toEqual(four);
        expect(parseAddress(`::ffff:${four.join(".")}`)).toEqual(four);
        const groups = Array.from({ length: 8 }, (_, n) =>
          (((six[2 * n] ?? 0) << 8) | (six[2 * n + 1] ?? 0)).toString(16),
        );
        const long = groups.map((group) => group.padStart(4, "0").toUpperCase()).join(":");
        const short = new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
        expect(parseAddress(long)).toEqual(parseAddress(short));
        if (parseAddress(long)?.length === 16) expect(parseAddress(long)).toEqual(six);
      }),
      runs(500),
    );
  });

  test("of a forwarding header is the last that somebody vouches for, whatever stands in front", () => {
    const clients = new ClientAddresses(["127.0.0.0/8", "10.0.0.0/8"]);
    fc.assert(
      fc.property(fc.array(written, { maxLength: 20 }), fc.ipV4(), (hops, real) => {
        const of = (value: string) =>
          clients.of(new Headers({ "x-forwarded-for": value.replaceAll(/[^\x20-\x7e]/g, "?") }), "127.0.0.1");
        for (const client of [of(hops.join(",")), of(`${hops.join(", ")}, ${real}`)]) {
          expect(client.bucket).toMatch(/^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{16}\/64)$/);
          expect(client.network).toMatch(/^(?:\d{1,3}(?:\.\d{1,3}){2}\/24|[0-9a-f]{12}\/48)$/);
        }
        if (!/^(?:127|10)\./.test(real)) expect(of(`${hops.join(",")},${real}`).bucket).toBe(real);
        // Without a proxy that is believed the header is nothing.
        expect(new ClientAddresses([]).of(new Headers({ "x-forwarded-for": real }), "203.0.113.9").bucket).toBe(
          "203.0.113.9",
        );
      }),
      runs(500),
    );
  });

  test("belongs to a block by arithmetic, and what is no block is refused by a RangeError", () => {
    fc.assert(
      fc.property(bytes(4), bytes(4), fc.integer({ min: 0, max: 32 }), written, (base, other, bits, text) => {
        const number = (address: Uint8Array) => address.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
        const inside = number(base) >> BigInt(32 - bits) === number(other) >> BigInt(32 - bits);
        expect(new AddressSet([`${base.join(".")}/${bits}`]).has(other)).toBe(inside);
        try {
          expect(new AddressSet([text]).isEmpty).toBe(false);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
        expect(typeof isLoopback(other)).toBe("boolean");
      }),
      runs(500),
    );
  });
});

describe("a request's", () => {
  test("target is its path and query, whatever stands for a host", () => {
    const host = fc.oneof(fc.domain(), fc.string({ maxLength: 20 }), fc.constantFrom("", "[::1", "a b", "x:99999999"));
    const path = fc.webPath().map((text) => `/${text.replace(/^\/+/, "")}`);
    fc.assert(
      fc.property(host, path, fc.webQueryParameters(), (name, wanted, query) => {
        for (const url of [`http://${name.replace(/[/?#]/g, "")}${wanted}?${query}`, `${wanted}?${query}`]) {
          const target = targetOf({ url } as Request);
          expect(target.path).toBe(wanted);
          expect([...target.query]).toEqual([...new URLSearchParams(query)]);
          expect(Array.isArray(methodsOf(target.path))).toBe(true);
        }
      }),
      runs(500),
    );
  });

  test("conditional and encoding headers give the document, or 304, and never an error", () => {
    const document = documentOfText('{"a":1}', "application/json", "no-store");
    const value = fc.oneof(
      fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) }),
      fc.constantFrom(
        "*",
        document.etag,
        `W/${document.etag}`,
        `"x", ${document.etag}`,
        "gzip;q=0",
        "*;q=0.0",
        "gzip;q=1e9",
        ",,,",
        "gzip,gzip;q=0",
      ),
    );
    fc.assert(
      fc.property(value, value, (etag, encoding) => {
        const request = new Request("http://x/", {
          headers: { "if-none-match": etag.trim(), "accept-encoding": encoding.trim() },
        });
        expect([200, 304]).toContain(cached(request, document).status);
        expect(typeof takesGzip(encoding)).toBe("boolean");
      }),
      runs(500),
    );
  });

  test("secret is right when it is the same, and in no other case", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        // Lone halves of a pair have no bytes of their own.
        if (!a.isWellFormed() || !b.isWellFormed()) return;
        expect(isSameSecret(a, b)).toBe(a === b);
        expect(isSameSecret(a, a)).toBe(true);
      }),
      runs(300),
    );
  });
});
