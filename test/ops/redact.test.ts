import { expect, test } from "bun:test";
import fc from "fast-check";
import { isSecretName, scrub, scrubText } from "../../src/ops/redact.ts";
import { cpuMs } from "../support/cpu.ts";

const HEX = "3f0ce4a1b5d29786".repeat(4);

test("names of secrets are recognised in every spelling, and names of harmless fields are not", () => {
  for (const name of [
    ..."authorization Authorization code codes smsCode phone phoneNumber phone_number invoice refundInvoice".split(" "),
    ..."bolt11 payment_request preimage r_preimage macaroon adminMacaroon macaroonHex apiKey api_key API-KEY".split(
      " ",
    ),
    ..."HEROSMS_API_KEY secret webhookSecret password token parentCredential Idempotency-Key x-cg-pro-api-key".split(
      " ",
    ),
    ..."lnurl k1 refundAddress refund_address Cookie nsec npub text remoteAddress x-forwarded-for clientIp tokens".split(
      " ",
    ),
  ]) {
    expect([name, isSecretName(name)]).toEqual([name, true]);
  }
  for (const name of [
    ..."orderId status statusCode errorCode exitCode priceSats country service activationId msg err type".split(" "),
    ..."invoiceExpirySeconds kind attempt requestId durationMs route method".split(" "),
  ]) {
    expect([name, isSecretName(name)]).toEqual([name, false]);
  }
});

const masked: [string, string, string][] = [
  ["64 hex digits", `payment ${HEX} settled`, "payment [hex] settled"],
  ["upper-case hex", HEX.toUpperCase(), "[hex]"],
  ["hex glued to other text", `x${HEX}z`, "x[hex]z"],
  ["32 bytes in base64", `hash ${Buffer.from(HEX, "hex").toString("base64")}`, "hash [base64]"],
  ["a mainnet invoice", `paid lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqf now`, "paid [invoice] now"],
  ["a regtest invoice in upper case", "LNBCRT500N1PJZ5QQQSYQCYQ5RQWZQFQQQSYQ", "[invoice]"],
  ["a lightning: URI", "lightning:lntbs1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq", "lightning:[invoice]"],
  ["a phone number", "number +4915123456789 bought", "number [phone] bought"],
  ["a phone number with separators", "call +1 (202) 555-01-23 now", "call [phone] now"],
  ["a percent-encoded phone number", "/x?n=%2B4915123456789&y=1", "/x?n=[phone]&y=1"],
  ["a macaroon", `got AgEEbHNhdAJCAAD${"x9_-".repeat(12)}=`, "got [macaroon]"],
  ["an L402 header", `L402 AgEEbHNhdAJCAADxyz:${HEX}`, "L402 [masked]"],
  ["an LSAT header", `LSAT AgEEbHNhdAJCAADxyz:${HEX}`, "LSAT [masked]"],
  ["a challenge", 'L402 macaroon="AgEEbHNh", invoice="lnbc1x"', 'L402 macaroon="[masked]", invoice="[masked]"'],
  ["a header line", "Authorization: Weird abc def", "Authorization: [masked]"],
  ["a bearer token", "Bearer ya29.a0AfH", "Bearer [masked]"],
  ["basic credentials", "sent Basic dTpw to it", "sent Basic [masked] to it"],
  [
    "an API key in a query",
    "/stubs/handler_api.php?api_key=0a1b2c&action=x",
    "/stubs/handler_api.php?api_key=[masked]&action=x",
  ],
  ["a database secret in a query", "current.json?auth=s3cret", "current.json?auth=[masked]"],
  ["an API key in JSON", '{"apiKey":"0a1b2c","x":1}', '{"apiKey":"[masked]","x":1}'],
  ["a webhook secret in a path", "POST /v2/l402/webhooks/rent/hunter2?x=1", "POST /v2/l402/webhooks/rent/[masked]?x=1"],
  [
    "a withdraw link's secret",
    "GET /v2/l402/withdraw/5f0c1d9a/beef01?x=1",
    "GET /v2/l402/withdraw/5f0c1d9a/[masked]?x=1",
  ],
  [
    "a withdraw link's secret in a query",
    "/v2/l402/withdraw/5f0c1d9a?k1=beef01&pr=x",
    "/v2/l402/withdraw/5f0c1d9a?k1=[masked]&pr=x",
  ],
  ["an LNURL", "asked LNURL1DP68GURN8GHJ7UM9WFMXJCM99E3K7MF0V9CXJ0 twice", "asked [lnurl] twice"],
  ["a Lightning address", "asked jane.doe+tips@wallet.example.com twice", "asked [address] twice"],
  ["a password in a URL", "wss://me:hunter2@relay.example", "wss://[masked]@relay.example"],
  ["a Nostr secret key", `key nsec1${"q0".repeat(29)} read`, "key [nostr key] read"],
  ["a recipient", `to npub1${"q0".repeat(29)}`, "to [nostr key]"],
  ["a JSON web token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[token]"],
  ["an SMS code in a legacy answer", "answer STATUS_OK:483920", "answer STATUS_OK:[masked]"],
  ["a number in a legacy answer", "ACCESS_NUMBER:635468024:4915123456789", "ACCESS_NUMBER:[masked]"],
  ["an SMS in a JSON answer", '{"code":"48-39","text":"Your code is 48-39"}', '{"code":"[masked]","text":"[masked]"}'],
  ["a code in words", "the code is 483920", "the code is [masked]"],
  ["an IPv4 address", "from 203.0.113.7:5123", "from [ip]:5123"],
  ["an IPv6 address", "from [2001:db8::7]:5123", "from [[ip]]:5123"],
  ["a mapped IPv4 address", "from ::ffff:203.0.113.7", "from [ip]"],
];
for (const [name, text, expected] of masked) {
  test(`in a text, ${name} is masked`, () => {
    expect(scrubText(text)).toBe(expected);
  });
}

const kept = [
  "Listening on http://127.0.0.1:3000 and [::1]:3000",
  "at open (/app/src/orders/open.ts:25:35)",
  "Order 7f3c2b10-9a55-4f39-8d0e-1a2b3c4d5e6f moved from buying to waiting in 12 ms",
  "2026-01-02T03:04:05.678Z",
  "HTTP 503 from provider, errorCode ECONNREFUSED, retry in 2.5 s",
  "version 1.4.30, 1+2=3, 50% done, 12:34:56",
  "balance 1234567890123 msat",
];
for (const text of kept) {
  test(`nothing is masked in "${text}"`, () => {
    expect(scrubText(text)).toBe(text);
  });
}

test("control characters cannot forge lines or steer a terminal", () => {
  expect(scrubText("a\u001b[31mb\rc\u0000d\ne\tf\u009bg")).toBe("a [31mb c d\ne\tf g");
});

test("scrubbing what was scrubbed changes nothing", () => {
  for (const [, text] of masked) expect(scrubText(scrubText(text))).toBe(scrubText(text));
});

test("a long text is cut between words, so that half a secret cannot slip through", () => {
  const text = `${"word ".repeat(1_634)}${HEX} tail`; // the cut falls inside the hex digits
  expect(scrubText(text)).toBe(`${"word ".repeat(1_634)}[cut]`);
  expect(scrubText("a".repeat(100_000))).toBe("[cut]");
});

test("secret fields are masked whatever they hold, at any depth", () => {
  expect(
    scrub({ order: { code: 483920, phone: ["x"], invoice: { a: 1 }, messages: [{ text: "hi", id: 7 }] } }),
  ).toEqual({
    order: { code: "[masked]", phone: "[masked]", invoice: "[masked]", messages: [{ text: "[masked]", id: 7 }] },
  });
});

test("errors keep type, message, stack, causes and their system code, without secrets", () => {
  const cause = Object.assign(new TypeError(`inner ${HEX}`), { code: "ECONNREFUSED", api_key: "k" });
  const error = new AggregateError([new RangeError(`one ${HEX}`)], `outer ${HEX}`, { cause });
  const plain = scrub(error) as { stack: string };
  expect(plain).toMatchObject({
    type: "AggregateError",
    message: "outer [hex]",
    cause: { type: "TypeError", message: "inner [hex]", errorCode: "ECONNREFUSED", api_key: "[masked]" },
    errors: [{ type: "RangeError", message: "one [hex]" }],
  });
  expect(plain.stack).toContain("redact.test.ts");
  expect(JSON.stringify(plain)).not.toContain(HEX);
  expect(scrub(Object.assign(new Error("x"), { code: "483920" }))).not.toHaveProperty("errorCode");
  expect(scrub(Object.assign(new Error("x"), { code: "GKXWQP" }))).not.toHaveProperty("errorCode");
});

test("unusual values become plain data", () => {
  const circular: { a: number; self?: unknown } = { a: 1 };
  circular.self = circular;
  expect(scrub(circular)).toEqual({ a: 1, self: "[circular]" });
  const shared = { a: 1 };
  expect(scrub([shared, shared])).toEqual([shared, shared]);
  expect(
    scrub(
      new Map<unknown, unknown>([
        ["code", 1],
        [HEX, HEX],
      ]),
    ),
  ).toEqual({ code: "[masked]", "[hex]": "[hex]" });
  expect(scrub(new Set([HEX]))).toEqual(["[hex]"]);
  expect(scrub({ b: new Uint8Array(32), n: 12n, f: () => HEX, s: Symbol(HEX), d: new Date(0) })).toEqual({
    b: "[32 bytes]",
    n: "12",
    f: "[function]",
    s: "[symbol]",
    d: "1970-01-01T00:00:00.000Z",
  });
  expect(scrub(new URL("http://h/x?api_key=abc"))).toBe("http://h/x?api_key=[masked]");
  expect(
    scrub({
      get a() {
        throw new Error(HEX);
      },
    }),
  ).toBe("[unreadable]");
  expect(scrub(JSON.parse(`{"__proto__":{"x":"${HEX}"}}`))).not.toHaveProperty("x");
});

test("depth and size are bounded", () => {
  let deep: unknown = "bottom";
  for (let level = 0; level < 100; level++) deep = { deep };
  expect(JSON.stringify(scrub(deep))).toContain("[too deep]");
  expect(JSON.stringify(scrub(Array.from({ length: 100_000 }, () => HEX))).length).toBeLessThan(20_000);
  const long = Array.from({ length: 900 }, () => "word ".repeat(1_600));
  expect(JSON.stringify(scrub(long)).length).toBeLessThan(100_000);
});

test("half a surrogate pair cannot lend its escape's digits to a neighbour, nor an escape its letter", () => {
  for (const lead of ["\ud83d", "\b", "\f", "\u000a"]) {
    expect(JSON.stringify(scrub(lead + HEX.slice(4)))).not.toMatch(/[0-9a-f]{64}/i);
    expect(JSON.stringify(scrub(lead + HEX.slice(1)))).not.toMatch(/[0-9a-f]{64}/i);
  }
});

const junk = fc.string({ unit: "binary", maxLength: 12 });
const hex64 = fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF"), minLength: 64, maxLength: 70 });
const withHex = fc.tuple(junk, hex64, junk).map((parts) => parts.join(""));
const anything = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    withHex,
    fc.anything(),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(withHex, junk), tie("tree"), { maxKeys: 4 }),
    fc
      .tuple(withHex, tie("tree"))
      .map(([message, cause]) => Object.assign(new Error(message, { cause }), { extra: cause })),
  ),
})).tree;

test("no run of 64 hex digits survives, wherever it stands and whatever surrounds it", () => {
  fc.assert(
    fc.property(anything, (value) => {
      expect(JSON.stringify(scrub(value)) ?? "").not.toMatch(/[0-9a-f]{64}/i);
    }),
    { numRuns: 300 },
  );
});

test("hostile texts take no longer than friendly ones", () => {
  const pieces = [
    "a",
    "0",
    "f",
    "ln",
    "lnbc",
    "1.",
    "1:",
    ":",
    "://",
    "+1",
    "+1 ",
    "eyJ",
    "key=",
    '"code":"',
    "AgE",
    "\\",
  ];
  const pairs = [
    "api_key : ",
    "Bearer ",
    "L402 x",
    "1.2.3.4.",
    "::1:",
    "code is 1-",
    "nsec1",
    "/webhooks/rent/",
    "-_/",
  ];
  for (const piece of [...pieces, ...pairs, " ", "\n", "\u001b", "\ud800"]) {
    const text = piece.repeat(8_000).slice(0, 8_000);
    const spent = cpuMs(() => {
      for (let run = 0; run < 5; run++) scrubText(text);
    });
    // Quadratic behaviour would take seconds.
    expect(spent).toBeLessThan(400);
  }
});

test("a text is masked alike however often it comes, and whatever came before it", () => {
  const secrets = masked.map(([, text, clean]) => [text, clean] as const);
  for (let round = 0; round < 3; round++) {
    // More harmless ones than are remembered.
    for (let n = 0; n < 1_500; n++) expect(scrubText(`request ${n % 400}`)).toBe(`request ${n % 400}`);
    for (let n = 0; n < 1_500; n++) scrubText(`other ${round} ${n}`);
    for (const [text, clean] of secrets) expect([text, scrubText(text)]).toEqual([text, clean]);
  }
});

test("a short word is no secret by its look: searched at length, nothing is found in it either", () => {
  const pieces = [
    "eyJ",
    "AgE",
    "MDA",
    "ln",
    "lnbc",
    "lnurl1",
    "nsec1",
    "k1",
    "code",
    "otp",
    "L402",
    "1",
    "0",
    "a",
    "F",
    "_",
    "-",
  ];
  const word = fc
    .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.join("").slice(0, 12));
  fc.assert(
    // What follows the word makes the text one that is searched.
    fc.property(word, (text) => {
      expect(scrubText(text)).toBe(text);
      expect(scrubText(`${text} !`)).toBe(`${text} !`);
    }),
    { numRuns: 2_000 },
  );
});
