/** What is remembered of a credential never outlives a revocation, an expiry, or the text it was proven from. */
import { describe, expect, test } from "bun:test";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import type { Judgement } from "../../src/l402/credential.ts";
import { hkdfExpand, hkdfExtract, hmacSha256 } from "../../src/l402/hmac.ts";
import { ProvenCredentials } from "../../src/l402/proven.ts";
import { sha256 as ourSha256 } from "../../src/sha256.ts";
import { ascii, hex, issue, KEYS, NOW, ORDER, PREIMAGE, toHex, VALID_UNTIL, withCaveats } from "./fixtures.ts";

const now: Judgement = { keys: KEYS, now: NOW, orderId: ORDER };
const headers = (authorization: string, more: Record<string, string> = {}) => new Headers({ authorization, ...more });
const good = `L402 ${issue()}:${PREIMAGE}`;

describe("a remembered credential", () => {
  test("is judged as it was the first time", () => {
    const proven = new ProvenCredentials();
    const first = proven.read(headers(good), now);
    expect(first.kind).toBe("paid");
    expect(proven.size).toBe(1);
    expect(proven.read(headers(good), now)).toEqual(first);
    expect(proven.size).toBe(1);
  });

  test("is refused as soon as it is revoked", () => {
    const proven = new ProvenCredentials();
    let generation = 0;
    const judgement = { ...now, revocations: { generationOf: () => generation } };
    expect(proven.read(headers(good), judgement).kind).toBe("paid");
    generation = 1;
    expect(proven.read(headers(good), judgement)).toEqual({ kind: "invalid" });
  });

  test("expires all the same", () => {
    const proven = new ProvenCredentials();
    expect(proven.read(headers(good), now)).toMatchObject({ kind: "paid", expired: false });
    expect(proven.read(headers(good), { ...now, now: VALID_UNTIL })).toMatchObject({ kind: "paid", expired: true });
  });

  test("lends nothing to one that differs in a single character", () => {
    const proven = new ProvenCredentials();
    proven.read(headers(good), now);
    const wrong = `${good.slice(0, -1)}${good.endsWith("0") ? "1" : "0"}`;
    expect(proven.read(headers(wrong), now).kind).toBe("unpaid");
    const bent = good.replace(/.(?=:)/, (char) => (char === "A" ? "B" : "A"));
    expect(proven.read(headers(bent), now).kind).toBe("invalid");
    const narrow = `L402 ${withCaveats(issue(), "sms_capabilities=read")}:${PREIMAGE}`;
    expect(proven.read(headers(narrow), now)).toMatchObject({ capabilities: new Set(["read"]) });
    expect(proven.read(headers(good), now)).toMatchObject({ capabilities: "all" });
  });

  test("does not hide what stands in another header", () => {
    const proven = new ProvenCredentials();
    proven.read(headers(good), now);
    const other = issue({ orderId: "ord_other", seed: 9 });
    const both = headers(good, { macaroon: toHex(Uint8Array.from(Buffer.from(other, "base64"))) });
    expect(proven.read(both, { ...now, orderId: "ord_other" })).toMatchObject({ kind: "paid", orderId: ORDER });
    expect(proven.size).toBe(1);
  });
});

test("what is much longer than clients make it is judged, and not remembered", () => {
  const proven = new ProvenCredentials();
  expect(proven.read(headers(`L402${" ".repeat(2_048)}${issue()}:${PREIMAGE}`), now).kind).toBe("paid");
  expect(proven.size).toBe(0);
});

test("nothing that costs nothing is remembered, and no more than there is room for", () => {
  const proven = new ProvenCredentials(2);
  for (const value of ["", "Bearer x", "L402 AAAA:00", `L402 ${issue()}`, `L402 ${issue()}:${"00".repeat(32)}`]) {
    proven.read(headers(value), now);
    expect(proven.size).toBe(0);
  }
  for (const seed of [1, 2, 3, 4]) {
    expect(proven.read(headers(`L402 ${issue({ seed })}:${PREIMAGE}`), now).kind).toBe("paid");
  }
  expect(proven.size).toBe(2);
});

test("hash, HMAC and HKDF are those of another implementation, and of RFC 5869", () => {
  // RFC 5869, appendix A.3: SHA-256, no salt. The first 32 bytes are the first block, whose info is empty.
  const key = hexToBytes("0b".repeat(22));
  expect(bytesToHex(hkdfExtract(key))).toBe("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
  expect(bytesToHex(hkdfExpand(hkdfExtract(key), new Uint8Array()))).toBe(
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
  );
  for (const length of [0, 1, 31, 66, 200]) {
    const info = ascii("i".repeat(length));
    expect(hkdfExpand(hkdfExtract(key), info)).toEqual(hkdf(sha256, key, undefined, info, 32));
    expect(ourSha256(info)).toEqual(sha256(info));
  }
  // RFC 4231, test case 1.
  expect(bytesToHex(hmacSha256(hex("0b".repeat(20)), ascii("Hi There")))).toBe(
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  );
});
