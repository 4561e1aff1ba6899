import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeBase64, encodeBase64 } from "../../src/l402/base64.ts";
import { decodeIdentifier, encodeIdentifier } from "../../src/l402/identifier.ts";
import {
  attenuate,
  decodeMacaroon,
  encodeMacaroon,
  MAX_CAVEATS,
  MAX_MACAROON_BYTES,
  type Macaroon,
  mint,
  verifyChain,
} from "../../src/l402/macaroon.ts";
import { ascii, hex, toHex } from "./fixtures.ts";

const caveatTexts = (macaroon: Macaroon) => macaroon.caveats.map(({ id }) => new TextDecoder().decode(id));

function expectDecoded(bytes: Uint8Array | null): Macaroon {
  const macaroon = bytes && decodeMacaroon(bytes);
  if (!macaroon) throw new Error("Expected a macaroon");
  expect(toHex(encodeMacaroon(macaroon))).toBe(toHex(bytes));
  return macaroon;
}

const A_CAVEATS = ["services=sms4sats:0", "sms4sats_capabilities=order", "sms4sats_valid_until=1900000000"];
const A_BASE64 =
  "AgEEbHNhdAJCAABLsG+OTjp3FdIB1XPQqkI3YuVdq9YaLAInj6VsxtKU4Kurq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urAAITc2VydmljZXM9c21zNHNhdHM6MAACG3NtczRzYXRzX2NhcGFiaWxpdGllcz1vcmRlcgACH3NtczRzYXRzX3ZhbGlkX3VudGlsPTE5MDAwMDAwMDAAAAYgDROzJuXW33q5a6tQspp6cdVtVmr812IG97pOr7RTZdM=";
const PAYMENT_HASH = "4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0";

describe("macaroons of other implementations", () => {
  const rootKey = new Uint8Array(32).fill(9);
  const identifier = encodeIdentifier({ paymentHash: PAYMENT_HASH, tokenId: new Uint8Array(32).fill(0xab) });

  test("an L402 macaroon as go-macaroon and pymacaroons verify it is minted byte for byte", () => {
    const macaroon = mint({ rootKey, identifier, location: "lsat", caveats: A_CAVEATS });
    expect(encodeBase64(encodeMacaroon(macaroon))).toBe(A_BASE64);
    expect(toHex(macaroon.signature)).toBe("0d13b326e5d6df7ab96bab50b29a7a71d56d566afcd76206f7ba4eafb45365d3");
    const read = expectDecoded(decodeBase64(A_BASE64));
    expect(caveatTexts(read)).toEqual(A_CAVEATS);
    expect(verifyChain(read, rootKey)).toBe(true);
    expect(verifyChain(read, new Uint8Array(32).fill(8))).toBe(false);
  });

  test("the preimage caveat that lnget adds without the key continues the chain", () => {
    const paid = attenuate(expectDecoded(decodeBase64(A_BASE64)), `preimage=${"07".repeat(32)}`);
    expect(toHex(paid.signature)).toBe("6b53cae4cc6309279043ca0edcb33d6af60bfacb6d534fde431347b180a9c28a");
    expect(encodeBase64(encodeMacaroon(paid))).toBe(
      "AgEEbHNhdAJCAABLsG+OTjp3FdIB1XPQqkI3YuVdq9YaLAInj6VsxtKU4Kurq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urAAITc2VydmljZXM9c21zNHNhdHM6MAACG3NtczRzYXRzX2NhcGFiaWxpdGllcz1vcmRlcgACH3NtczRzYXRzX3ZhbGlkX3VudGlsPTE5MDAwMDAwMDAAAklwcmVpbWFnZT0wNzA3MDcwNzA3MDcwNzA3MDcwNzA3MDcwNzA3MDcwNzA3MDcwNzA3MDcwNzA3MDcwNzA3MDcwNzA3MDcwNzA3AAAGIGtTyuTMYwknkEPKDtyzPWr2C/rLbVNP3kMTR7GAqcKK",
    );
    expect(verifyChain(paid, rootKey)).toBe(true);
  });

  const goMacaroon = [
    {
      key: 1,
      location: null,
      caveats: [],
      signature: "1790bc6dc1964456355926bd4863e204d96b42629e94087abc906f85e91ccf93",
      binary: `02024200${"00"}${"aa".repeat(32)}${"bb".repeat(32)}00000620`,
    },
    {
      key: 2,
      location: "https://example.com",
      caveats: [],
      signature: "bf72e98fc5e23788a53dc0f03b6e5032689149d512847c463153d205c66642ac",
      binary: `02011368747470733a2f2f6578616d706c652e636f6d02420000${"cc".repeat(32)}${"dd".repeat(32)}00000620`,
    },
    {
      key: 3,
      location: null,
      caveats: ["services=my_api:0"],
      signature: "c794ae0e80b2b4af8ac81285f50e8d7af72722b79d06ea5ddb35beb1dd24b385",
      binary: `0202420000${"ee".repeat(32)}${"ff".repeat(32)}00021173657276696365733d6d795f6170693a3000000620`,
    },
    {
      key: 4,
      location: "https://api.example.com",
      caveats: ["services=my_api:0", "my_api_valid_until=1735689600"],
      signature: "ac9a2b0d1d1feb3611a3cb4d2f4fffe7d0667d1824103751b188a0c59a5ca809",
      binary:
        "02011768747470733a2f2f6170692e6578616d706c652e636f6d02420000101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f00021173657276696365733d6d795f6170693a3000021d6d795f6170695f76616c69645f756e74696c3d3137333536383936303000000620",
    },
  ];
  for (const vector of goMacaroon) {
    test(`go-macaroon vector ${vector.key} decodes, verifies and is minted alike`, () => {
      const read = expectDecoded(hex(vector.binary + vector.signature));
      const key = new Uint8Array(32).fill(vector.key);
      expect(caveatTexts(read)).toEqual(vector.caveats);
      expect(verifyChain(read, key)).toBe(true);
      expect(decodeIdentifier(read.identifier)).not.toBeNull();
      const minted = mint({
        rootKey: key,
        identifier: read.identifier,
        location: vector.location,
        caveats: vector.caveats,
      });
      expect(toHex(encodeMacaroon(minted))).toBe(vector.binary + vector.signature);
    });
  }

  // libmacaroons, test/unit/root_v2_1.vtest and caveat_v2_*.vtest
  const libmacaroons: [caveats: string[], text: string][] = [
    [[], "AgETaHR0cDovL2V4YW1wbGUub3JnLwIFa2V5aWQAAAYgfN7nklEcW8b1KEhYBd_psk54XijiqZMB-dcRxgnjjvc"],
    [
      ["account = 3735928559"],
      "AgETaHR0cDovL2V4YW1wbGUub3JnLwIFa2V5aWQAAhRhY2NvdW50ID0gMzczNTkyODU1OQAABiD1SAf23G7fiL8PcwazgiVio2JTPb9zObphdl2kvSWdhw",
    ],
    [
      ["account = 3735928559", "user = alice"],
      "AgETaHR0cDovL2V4YW1wbGUub3JnLwIFa2V5aWQAAhRhY2NvdW50ID0gMzczNTkyODU1OQACDHVzZXIgPSBhbGljZQAABiBL6WfNHqDGsmuvakqU7psFsViG2guoXoxCqTyNDhJe_A",
    ],
  ];
  for (const [caveats, text] of libmacaroons) {
    test(`libmacaroons vector with ${caveats.length} caveats decodes, verifies and is minted alike`, () => {
      const rootKey = ascii("this is the key");
      const read = expectDecoded(decodeBase64(text));
      expect(caveatTexts(read)).toEqual(caveats);
      expect(verifyChain(read, rootKey)).toBe(true);
      const minted = mint({ rootKey, identifier: ascii("keyid"), location: "http://example.org/", caveats });
      expect(Buffer.from(encodeMacaroon(minted)).toString("base64url")).toBe(text);
    });
  }

  // pymacaroons, tests/functional_tests/functional_tests.py
  const pymacaroons: [caveats: string[], signature: string][] = [
    [[], "e3d9e02908526c4c0039ae15114115d97fdd68bf2ba379b342aaf0f617d0552f"],
    [["test = caveat"], "197bac7a044af33332865b9266e26d493bdd668a660e44d88ce1a998c23dbd67"],
    [["test = acaveat"], "9449fd5dd6349427aa556ae5e7b3eeca6796dc14fc05ecf0d21163bdfdb07a28"],
  ];
  for (const [caveats, signature] of pymacaroons) {
    test(`pymacaroons signs ${JSON.stringify(caveats)} alike`, () => {
      const rootKey = ascii("this is our super secret key; only we should know it");
      const identifier = ascii("we used our secret key");
      expect(toHex(mint({ rootKey, identifier, location: "http://mybank/", caveats }).signature)).toBe(signature);
    });
  }

  test("a third-party caveat decodes, is marked, survives the round trip and never verifies", () => {
    const read = expectDecoded(
      hex(
        "02010e687474703a2f2f6d7962616e6b2f021c77652075736564206f7572206f7468657220736563726574206b65790002146163636f756e74203d2033373335393238353539000113687474703a2f2f617574682e6d7962616e6b2f0227746869732077617320686f772077652072656d696e642061757468206f66206b65792f707265640448000000000000000000000000000000000000000000000000d36ec502e05886d1f0279f055fa52554d16d16c1b14074bbb83ff0fdd79dc2fe098f0ed4a2b091130e6b5db46a20a86b00000620d27db2fd1f22760e4c3dae8137e2d8fc1df6c0741c18aed4b97256bf78d1f55c",
      ),
    );
    expect(read.caveats.map(({ vid }) => vid !== null)).toEqual([false, true]);
    expect(verifyChain(read, ascii("this is a different super-secret key; never use the same secret twice"))).toBe(
      false,
    );
  });
});

describe("the decoder", () => {
  const good = `02${"0104"}6c736174${"0203"}616263${"00"}${"0203"}783d31${"00"}${"00"}${"0620"}${"11".repeat(32)}`;
  const seal = `0620${"11".repeat(32)}`;

  test("reads a small macaroon", () => {
    expect(caveatTexts(expectDecoded(hex(good)))).toEqual(["x=1"]);
  });

  const broken: [why: string, text: string][] = [
    ["nothing", ""],
    ["version 1", `01${good.slice(2)}`],
    ["a trailing byte", `${good}00`],
    ["a missing byte", good.slice(0, -2)],
    ["a signature of 31 bytes", `020201610000061f${"11".repeat(31)}`],
    ["a signature of 33 bytes", `0202016100000621${"11".repeat(33)}`],
    ["no identifier", `02010161000000${seal}`],
    ["an identifier before the location", `02020161010161${"0000"}${seal}`],
    ["a repeated identifier", `02020161020161${"0000"}${seal}`],
    ["a verification id in the head", `02020161040161${"0000"}${seal}`],
    ["an unknown field type", `02020161030161${"0000"}${seal}`],
    ["a signature inside a section", `02020161${seal}0000${seal}`],
    ["no end of the caveats", `0202016100${seal}`],
    ["a first-party caveat with a location", `0202016100${"010161"}${"020161"}0000${seal}`],
    ["a caveat with a location only", `0202016100${"010161"}0000${seal}`],
    ["a caveat with a verification id only", `0202016100${"040161"}0000${seal}`],
    ["an empty verification id", `0202016100${"020161"}04000000${seal}`],
    ["an empty location", `020100020161${"0000"}${seal}`],
    ["a field longer than the rest", `02027f61`],
    ["a length in a longer form than needed", `0202810061${"0000"}${seal}`],
    ["a field type in a longer form than needed", `028200${"0161"}0000${seal}`],
    ["a length of 2^31", `02028080808008${"61"}0000${seal}`],
    ["a length beyond 32 bits", `0202ffffffffff0f${"61"}0000${seal}`],
    ["a length that never ends", `0202${"80".repeat(40)}`],
    ["the JSON form", toHex(ascii('{"v":2,"i":"a","s64":""}'))],
    ["the text form of version 1", toHex(ascii("0013location lsat\n"))],
  ];
  for (const [why, text] of broken) {
    test(`refuses ${why}`, () => expect(decodeMacaroon(hex(text))).toBeNull());
  }

  test("has a limit on bytes and on caveats, and the encoder keeps it", () => {
    const rootKey = new Uint8Array(32);
    const make = (caveats: string[]) => mint({ rootKey, identifier: ascii("id"), location: null, caveats });
    const full = make(Array.from({ length: MAX_CAVEATS }, () => "a=b"));
    expect(decodeMacaroon(encodeMacaroon(full))?.caveats.length).toBe(MAX_CAVEATS);
    expect(() => encodeMacaroon(attenuate(full, "a=b"))).toThrow(RangeError);
    expect(() => encodeMacaroon(make([`a=${"b".repeat(MAX_MACAROON_BYTES)}`]))).toThrow(RangeError);
    expect(decodeMacaroon(hex(`0202016100${"02016100".repeat(MAX_CAVEATS + 1)}00${seal}`))).toBeNull();
  });

  const field = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const anyMacaroon: fc.Arbitrary<Macaroon> = fc.record({
    location: fc.option(field),
    identifier: fc.uint8Array({ maxLength: 300 }),
    caveats: fc.array(
      fc.oneof(
        fc.record({ location: fc.constant(null), id: fc.uint8Array({ maxLength: 40 }), vid: fc.constant(null) }),
        fc.record({ location: fc.option(field), id: fc.uint8Array({ maxLength: 40 }), vid: field }),
      ),
      { maxLength: 5 },
    ),
    signature: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  });

  test("gives back whatever the encoder wrote", () => {
    fc.assert(
      fc.property(anyMacaroon, (macaroon) => expect(decodeMacaroon(encodeMacaroon(macaroon))).toEqual(macaroon)),
    );
  });

  test("reads every macaroon from one byte sequence only, and never throws", () => {
    const mutated = fc.tuple(anyMacaroon, fc.nat(), fc.nat(255)).map(([macaroon, at, byte]) => {
      const bytes = encodeMacaroon(macaroon);
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const read = decodeMacaroon(bytes);
        if (read) expect(encodeMacaroon(read)).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("base64", () => {
  // go-macaroon, marshal_test.go
  for (const text of ["Z29+IQ==", "Z29-IQ==", "Z29+IQ", "Z29-IQ"]) {
    test(`reads "${text}"`, () => expect(decodeBase64(text)).toEqual(ascii("go~!")));
  }
  test("reads the empty text as no bytes", () => expect(decodeBase64("")).toEqual(new Uint8Array()));
  const wrong = [
    "Z29+IQ===",
    "Z29+IQ=",
    "=",
    "====",
    "Z",
    "Z29+I",
    "Z29+IR==",
    "Z29+IQ==\n",
    " Z29+IQ",
    "Z29*",
    "a+_a",
    "Z2=9",
    "Zé==",
  ];
  for (const text of wrong) test(`refuses ${JSON.stringify(text)}`, () => expect(decodeBase64(text)).toBeNull());

  test("round trips in all four forms", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const standard = encodeBase64(bytes);
        const url = standard.replaceAll("+", "-").replaceAll("/", "_");
        for (const text of [standard, url, standard.replaceAll("=", ""), url.replaceAll("=", "")]) {
          expect(decodeBase64(text)).toEqual(bytes);
        }
      }),
    );
  });

  test("gives every byte sequence one text per alphabet and padding", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9+/]{0,12}$/), (text) => {
        const bytes = decodeBase64(text);
        if (bytes) expect(encodeBase64(bytes).replaceAll("=", "")).toBe(text);
      }),
    );
  });
});

describe("the identifier", () => {
  // aperture, l402: hash 01..20, token id 20..01
  const up = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
  const identifier = { paymentHash: toHex(up), tokenId: up.slice().reverse() };

  test("is version, payment hash and token id in 66 bytes", () => {
    const bytes = encodeIdentifier(identifier);
    expect(toHex(bytes)).toBe(`0000${toHex(up)}${toHex(identifier.tokenId)}`);
    expect(decodeIdentifier(bytes)).toEqual(identifier);
  });

  test("of another version or length is refused", () => {
    const bytes = encodeIdentifier(identifier);
    expect(decodeIdentifier(bytes.with(1, 1))).toBeNull();
    expect(decodeIdentifier(bytes.with(0, 1))).toBeNull();
    expect(decodeIdentifier(bytes.slice(0, 65))).toBeNull();
    expect(decodeIdentifier(Uint8Array.from([...bytes, 0]))).toBeNull();
    expect(() => encodeIdentifier({ ...identifier, paymentHash: "01" })).toThrow(RangeError);
    expect(() => encodeIdentifier({ ...identifier, tokenId: new Uint8Array(31) })).toThrow(RangeError);
  });
});
