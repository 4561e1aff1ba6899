/**
 * Credentials in every form, as text and bytes. (That the macaroon codec and the header's reader never throw and round-trip is in test/l402; here
 * is what lies around them.)
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { presentedAs, presentedIn } from "../../../src/l402/authorization.ts";
import { decodeBase64, decodeHex, encodeBase64 } from "../../../src/l402/base64.ts";
import { CAPABILITIES, mintedCaveats, readCaveats } from "../../../src/l402/caveats.ts";
import { challengeHeader } from "../../../src/l402/challenge.ts";
import { readCredential } from "../../../src/l402/credential.ts";
import { decodeIdentifier, encodeIdentifier } from "../../../src/l402/identifier.ts";
import { newRootKeyText, parseRootKeys } from "../../../src/l402/keys.ts";
import { decodeMacaroon, encodeMacaroon } from "../../../src/l402/macaroon.ts";
import { placeOf } from "../../../src/mpp/accept.ts";
import { paymentChallenge } from "../../../src/mpp/challenge.ts";
import { judgePayment } from "../../../src/mpp/credential.ts";
import { decodeJson, encodeJson } from "../../../src/mpp/wire.ts";
import {
  BOLT11,
  decoded,
  hex,
  issue,
  KEYS,
  NOW,
  ORDER,
  PAYMENT_HASH,
  PREIMAGE,
  seeded,
  toHex,
} from "../../l402/fixtures.ts";
import { cpuMs } from "../../support/cpu.ts";
import { runs, weird } from "./bent.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const text = fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ maxLength: 60 }));

describe("round trips", () => {
  test("an identifier, and no other 66 bytes of another version", () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), fc.integer({ min: 1, max: 65_535 }), (hash, tokenId, version) => {
        const identifier = { paymentHash: toHex(hash), tokenId };
        const written = encodeIdentifier(identifier);
        expect(decodeIdentifier(written)).toEqual(identifier);
        expect(decodeIdentifier(Uint8Array.of(version >> 8, version & 255, ...written.slice(2)))).toBeNull();
        expect(decodeIdentifier(written.slice(0, version % 66))).toBeNull();
      }),
      runs(300),
    );
  });

  test("base64 and hex, and nothing else decodes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), text, (data, other) => {
        expect(decodeBase64(encodeBase64(data))).toEqual(data);
        expect(decodeHex(toHex(data))).toEqual(data);
        const read = decodeBase64(other);
        if (read)
          expect(encodeBase64(read).replace(/=+$/, "")).toBe(
            other.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/"),
          );
        const digits = decodeHex(other);
        if (digits) expect(toHex(digits)).toBe(other.toLowerCase());
      }),
      runs(1_000),
    );
  });

  test("the caveats of a new order, narrowed in any way that narrows", () => {
    const narrowing = fc.array(
      fc.oneof(
        fc.subarray([...CAPABILITIES], { minLength: 1 }).map((list) => `sms_capabilities=${list.join(",")}`),
        fc.integer({ min: 1, max: 1_900_000_000 }).map((time) => `sms_valid_until=${time}`),
        fc.constant(`preimage=${PREIMAGE}`),
      ),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
        fc.integer({ min: 1, max: 2e12 }),
        narrowing,
        (orderId, until, more) => {
          const caveat = (id: string) => ({ location: null, vid: null, id: new TextEncoder().encode(id) });
          const minted = readCaveats(mintedCaveats(orderId, until).map(caveat));
          expect(minted).toMatchObject({ orderId, capabilities: "all", preimage: null });
          expect(minted?.validUntil).toBeWithin(until, until + 1_000);
          const terms = readCaveats([...mintedCaveats(orderId, until), ...more].map(caveat));
          // Whatever was added: the same order, no longer, no wider, or nothing at all.
          if (terms) {
            expect(terms.orderId).toBe(orderId);
            expect(terms.validUntil).toBeLessThanOrEqual(minted?.validUntil ?? 0);
          }
        },
      ),
      runs(500),
    );
  });

  test("a challenge header, out of which no part can break", () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.constant(issue())), fc.oneof(text, fc.constant(BOLT11)), (macaroon, invoice) => {
        try {
          const header = challengeHeader(macaroon, invoice);
          expect(header).toMatch(
            /^L402 macaroon="[A-Za-z0-9+/=]+", invoice="ln[a-z0-9]+", version="0", token="[A-Za-z0-9+/=]+"$/,
          );
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
        }
      }),
      runs(500),
    );
  });

  test("root keys as they are written, and no error that shows one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), text, (kid, other) => {
        expect(parseRootKeys(newRootKeyText(seeded(kid + 1), kid)).ok).toBe(true);
        const secret = "c0ffee11".repeat(8);
        const parsed = parseRootKeys(`${kid}:${secret},${other}`);
        if (!parsed.ok) expect(parsed.problem).not.toContain("c0ffee");
      }),
      runs(300),
    );
  });
});

describe("whatever is presented", () => {
  const M = issue();
  const part = fc.oneof(
    fc.constantFrom("L402 ", "LSAT ", "Payment ", ":", ",", "=", '"', M, PREIMAGE, "preimage=", "token=", " "),
    text,
    fc.uint8Array({ maxLength: 200 }).map((data) => Buffer.from(data).toString("base64")),
    weird.map((value) => Buffer.from(JSON.stringify(value) ?? "").toString("base64url")),
  );
  const line = fc.array(part, { maxLength: 15 }).map((parts) => parts.join(""));

  test("is one of four things, and paid only with the preimage", () => {
    fc.assert(
      fc.property(line, line, (first, second) => {
        const headers = {
          get: (name: string) => (name === "authorization" ? first : name === "macaroon" ? second : null),
        };
        for (const presentation of [presentedIn(headers), presentedAs(first)]) {
          const credential = readCredential(presentation, { keys: KEYS, now: NOW, orderId: ORDER });
          expect(["paid", "unpaid", "invalid", "none"]).toContain(credential.kind);
          if (credential.kind === "paid") expect(`${first}${second}`).toContain(PREIMAGE);
          if ("macaroon" in credential)
            expect(decodeMacaroon(decodeBase64(credential.macaroon) ?? new Uint8Array())).not.toBeNull();
        }
      }),
      runs(1_000),
    );
  });

  test("as caveats is terms that name one order, or nothing", () => {
    const id = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(
          fc.constantFrom("services", "order", "sms_valid_until", "sms_capabilities", "preimage", "__proto__", ""),
          text,
        )
        .map(([name, value]) => new TextEncoder().encode(`${name}=${value}`)),
      fc.constantFrom(...mintedCaveats(ORDER, NOW).map((one) => new TextEncoder().encode(one))),
    );
    const caveat = fc.record({
      location: fc.constant(null),
      id,
      vid: fc.option(fc.uint8Array({ minLength: 1, maxLength: 5 }), { freq: 9 }),
    });
    fc.assert(
      fc.property(fc.array(caveat, { maxLength: 8 }), (caveats) => {
        const terms = readCaveats(caveats);
        if (!terms) return;
        expect(terms.orderId.length).toBeGreaterThan(0);
        expect(Number.isSafeInteger(terms.validUntil)).toBe(true);
        expect(caveats.some(({ vid }) => vid !== null)).toBe(false);
      }),
      runs(2_000),
    );
  });

  test("as a Payment credential is none, refused, or the order that its challenge was for", () => {
    const secret = new Uint8Array(32).fill(3);
    const charge = {
      orderId: ORDER,
      invoice: BOLT11,
      paymentHash: PAYMENT_HASH,
      amountSats: 812,
      expires: "2027-01-01T00:00:00.000Z",
    };
    const header = paymentChallenge(secret, "realm", charge) ?? "";
    const good = Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
    const challenge = fc.oneof(
      fc.constant<unknown>(good),
      weird,
      fc.tuple(fc.constantFrom(...Object.keys(good)), weird).map(([name, value]) => ({ ...good, [name]: value })),
    );
    const payload = fc.oneof(
      fc.constant<unknown>({ preimage: PREIMAGE }),
      weird,
      weird.map((preimage) => ({ preimage })),
    );
    fc.assert(
      fc.property(challenge, payload, line, (one, two, around) => {
        const token = Buffer.from(JSON.stringify({ challenge: one, payload: two })).toString("base64url");
        for (const value of [`Payment ${token}`, `${around}, payment ${token}`, around]) {
          const judged = judgePayment(value, [new Uint8Array(32), secret], NOW);
          expect(["none", "proven", "refused"]).toContain(judged.kind);
          if (judged.kind === "proven")
            expect(judged.proof).toMatchObject({ orderId: ORDER, paymentHash: PAYMENT_HASH });
        }
        expect(["first", "after", "never"]).toContain(placeOf(around));
      }),
      runs(1_000),
    );
  });

  test("as JSON in base64url is the object it was written from, or none", () => {
    const object = fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5 });
    fc.assert(
      fc.property(object, text, (value, other) => {
        expect(JSON.stringify(decodeJson(encodeJson(value)))).toBe(
          JSON.stringify(JSON.parse(Buffer.from(encodeJson(value), "base64url").toString())),
        );
        const read = decodeJson(other);
        expect(read === null || (typeof read === "object" && !Array.isArray(read))).toBe(true);
      }),
      runs(500),
    );
  });

  test("costs what 8 KiB can cost, whatever they are", () => {
    const fill = (piece: string) => piece.repeat(Math.ceil(8_192 / piece.length)).slice(0, 8_192);
    const wide = Buffer.from(
      encodeMacaroon({ ...decoded(M), caveats: new Array(64).fill(decoded(M).caveats[0]) }),
    ).toString("base64");
    for (const value of [
      fill("Payment "),
      fill("payment  "),
      `Payment ${fill("A").slice(8)}`,
      `Payment a${fill(" ").slice(9)}`,
      `${fill(",payment a").slice(0, 8_000)}!`,
      `Payment ${Buffer.from("[".repeat(6_000)).toString("base64url")}`,
      `L402 ${fill(`${wide},`).slice(5)}`,
      fill("L402 :"),
      fill(`L402 ${M}:${PREIMAGE},`),
    ]) {
      const headers = { get: (name: string) => (["authorization", "macaroon", "token"].includes(name) ? value : null) };
      const once = () => {
        judgePayment(value, [hex(PREIMAGE), hex(PREIMAGE)], NOW);
        readCredential(presentedIn(headers), { keys: KEYS, now: NOW });
        placeOf(value);
      };
      once();
      expect([value.slice(0, 20), Math.min(...[1, 2, 3, 4, 5].map(() => cpuMs(once))) < 20]).toEqual([
        value.slice(0, 20),
        true,
      ]);
    }
  });
});
