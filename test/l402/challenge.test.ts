import { describe, expect, test } from "bun:test";
import { decodeBase64 } from "../../src/l402/base64.ts";
import { challengeHeader, mintChallenge } from "../../src/l402/challenge.ts";
import { decodeIdentifier } from "../../src/l402/identifier.ts";
import { verifyChain } from "../../src/l402/macaroon.ts";
import { BOLT11, decoded, hex, KEYS, ORDER, PAYMENT_HASH, seeded, toHex, VALID_UNTIL } from "./fixtures.ts";

const request = { keys: KEYS, paymentHash: PAYMENT_HASH, bolt11: BOLT11, orderId: ORDER, validUntil: VALID_UNTIL };
const mint = (seed: number) => mintChallenge({ ...request, world: seeded(seed) });

describe("the challenge", () => {
  test("has the one header shape all clients read", () => {
    const { macaroon, header } = mint(1);
    expect(header).toBe(`L402 macaroon="${macaroon}", invoice="${BOLT11}", version="0", token="${macaroon}"`);
    expect(macaroon).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
    expect(macaroon.length % 4).toBe(0);
  });

  test("carries a v2 macaroon with the invoice's hash, the order and the time limit", () => {
    const macaroon = decoded(mint(1).macaroon);
    expect(decodeIdentifier(macaroon.identifier)?.paymentHash).toBe(PAYMENT_HASH);
    expect(new TextDecoder().decode(macaroon.location ?? undefined)).toBe("lsat");
    expect(macaroon.caveats.map(({ id }) => new TextDecoder().decode(id))).toEqual([
      "services=sms:0",
      `order=${ORDER}`,
      `sms_valid_until=${VALID_UNTIL / 1000}`,
    ]);
    expect(verifyChain(macaroon, KEYS.rootKeyOf(macaroon.identifier) ?? new Uint8Array())).toBe(true);
  });

  test("keeps the promised time to the last millisecond", () => {
    const { macaroon } = mintChallenge({ ...request, world: seeded(), validUntil: 1_900_000_000_001 });
    expect(new TextDecoder().decode(decoded(macaroon).caveats[2]?.id)).toBe("sms_valid_until=1900000001");
  });

  test("is new every time", () => {
    const world = seeded();
    const macaroons = Array.from({ length: 50 }, () => mintChallenge({ ...request, world }).macaroon);
    expect(new Set(macaroons).size).toBe(50);
  });

  // What each client's published parser extracts (l402-requests, lnget and aperture, Fewsats, Alby lightning-tools).
  const parsers: [client: string, pattern: RegExp][] = [
    ["lnget", /^(LSAT|L402)\s+macaroon="(?<macaroon>[^"]+)",\s*invoice="(?<invoice>[^"]+)"/i],
    ["aperture", /(LSAT|L402) macaroon="(?<macaroon>.*?)", invoice="(?<invoice>.*?)"/],
    ["l402-requests", /(?:L402|LSAT)\s+macaroon="(?<macaroon>[^"]+)"\s*,\s*invoice="(?<invoice>[^"]+)"/i],
    ["Fewsats", /macaroon="(?<macaroon>[^ ]+)".*invoice="(?<invoice>[^ ]+)"/],
    ["402-mcp", /^(?:L402|LSAT)\s+.*\binvoice="(?<invoice>ln(?:bc|bcrt|tb)[^"]+)".*token="(?<macaroon>[^"]+)"/],
  ];
  for (const [client, pattern] of parsers) {
    test(`is read by the pattern of ${client}`, () => {
      const { macaroon, header } = mint(3);
      expect(pattern.exec(header)?.groups).toMatchObject({ macaroon, invoice: BOLT11 });
    });
  }

  test("survives Alby's removal of scheme words from the whole header", () => {
    const { macaroon, header } = mint(4);
    const pairs = [
      ...header
        .replace("L402", "")
        .replace("LSAT", "")
        .matchAll(/(\w+)="([^"]*)"/g),
    ];
    expect(Object.fromEntries(pairs.map(([, name, value]) => [name, value]))).toEqual({
      macaroon,
      invoice: BOLT11,
      version: "0",
      token: macaroon,
    });
  });

  test("is minted again when chance spells a scheme word", () => {
    // The random part of the token id starts at byte 44 of the macaroon, one byte before a group of three.
    const unlucky = hex(`00${toHex(decodeBase64("L402") ?? new Uint8Array())}${"00".repeat(27)}`);
    const after = seeded(5);
    let calls = 0;
    const world = { ...after, random: (length: number) => (calls++ === 0 ? unlucky : after.random(length)) };
    const { macaroon } = mintChallenge({ ...request, world });
    expect(calls).toBe(2);
    expect(macaroon).not.toMatch(/LSAT|L402/);
  });

  test("is minted also for a payment hash that spells a scheme word at its usual place", () => {
    // The hash starts at byte 11, one byte before a group of three.
    const paymentHash = `00${toHex(decodeBase64("LSAT") ?? new Uint8Array())}${"00".repeat(28)}`;
    const { macaroon } = mintChallenge({ ...request, paymentHash, world: seeded(6) });
    expect(macaroon).not.toMatch(/LSAT|L402/);
    expect(decodeIdentifier(decoded(macaroon).identifier)?.paymentHash).toBe(paymentHash);
  });

  test("does not loop when randomness is broken", () => {
    let calls = 0;
    const random = (length: number) => {
      if (++calls > 1000) throw new Error("Looped");
      // The word at offsets 0, 4 and 8: one of them meets a group of three whatever the location shifts.
      const word = [...(decodeBase64("L402") ?? [])];
      const bytes = [...word, 0, ...word, 0, ...word];
      return Uint8Array.from({ length }, (_, i) => bytes[i] ?? 0);
    };
    expect(() => mintChallenge({ ...request, world: { ...seeded(), random } })).toThrow(
      "No macaroon without a reserved word could be minted",
    );
    expect(calls).toBeLessThan(100);
  });

  test("refuses parts that could break out of the header, without repeating them", () => {
    const world = seeded();
    for (const orderId of ["", "a b", 'a"', "a=b", "a,b", "x".repeat(65), "ü"]) {
      expect(() => mintChallenge({ ...request, world, orderId })).toThrow(
        "Order id must be 1 to 64 url-safe characters",
      );
    }
    for (const bolt11 of ["", 'lnbc1", x="', "lnbc1\r\n", "LNBC1", `lnbc${"q".repeat(2047)}`]) {
      expect(() => mintChallenge({ ...request, world, bolt11 })).toThrow("Invoice must be lower-case BOLT 11");
    }
    for (const macaroon of ["", 'a"', "a-b", "a\n"]) {
      expect(() => challengeHeader(macaroon, BOLT11)).toThrow("Macaroon must be standard base64");
    }
    for (const validUntil of [0, Number.NaN, 1.5]) {
      expect(() => mintChallenge({ ...request, world, validUntil })).toThrow(RangeError);
    }
  });
});
