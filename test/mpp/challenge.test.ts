/** Challenges, against the vectors of aperture (mpp/testdata/vectors.json) and the rules that keep other schemes' readers whole. */
import { describe, expect, test } from "bun:test";
import { utf8ToBytes } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import { placeOf } from "../../src/mpp/accept.ts";
import { type Charge, challengeId, paymentChallenge } from "../../src/mpp/challenge.ts";
import { paymentReceipt } from "../../src/mpp/receipt.ts";
import { decodeJson, encodeJson } from "../../src/mpp/wire.ts";

const SECRET = utf8ToBytes("mpp-test-vector-secret");
const CHARGE: Charge = {
  orderId: "5f0c1d9ab27e4b6f8a3de4c0917b62fd",
  invoice: "lnbcrt8120n1pexample",
  paymentHash: "ab".repeat(32),
  amountSats: 812,
  expires: "2026-11-23T10:05:00.000Z",
};

describe("the id of a challenge", () => {
  const slots = { realm: "api.example.com", method: "lightning", intent: "charge" };

  test("is the one of the vectors", () => {
    expect(challengeId(SECRET, { ...slots, request: "eyJhbW91bnQiOiIxMDAifQ", expires: "" })).toBe(
      "_9D0WlPoPRltxAd6AdpQd6auVOOeQGJ_J8BkGeBE_bU",
    );
    expect(
      challengeId(SECRET, {
        ...slots,
        intent: "session",
        request: "eyJhbW91bnQiOiIzIn0",
        expires: "2026-03-15T12:05:00Z",
        digest: "sha-256=:X48E9q:",
        opaque: "eyJvcmRlcklkIjoiMTIzIn0",
      }),
    ).toBe("Wb8N5-PD4XjMfYGzuuY2bdpsrCQZzkQUX-A_ByIetHw");
  });

  test("is not made of slots with a pipe, because two challenges could share it", () => {
    for (const slot of [{ realm: "a|b" }, { method: "b|lightning" }, { expires: "|" }]) {
      expect(() => challengeId(SECRET, { ...slots, request: "cQ", expires: "", ...slot })).toThrow(RangeError);
    }
  });
});

describe("canonical JSON", () => {
  const textOf = (encoded: string): string => Buffer.from(encoded, "base64url").toString();

  test("is what the request of a challenge is written in, whatever the network", () => {
    for (const invoice of ["lnbc10n1p", "lntbs10n1p", "lnbcrt10n1p", "lntb10n1p"]) {
      const header = paymentChallenge(SECRET, "x", { ...CHARGE, invoice }) ?? "";
      const text = textOf(/request="([^"]*)"/.exec(header)?.[1] ?? "");
      expect(text).toBe(canonicalize(JSON.parse(text)) as string);
    }
  });

  test("is what a receipt is written in", () => {
    const proof = { orderId: CHARGE.orderId, paymentHash: CHARGE.paymentHash, challengeId: "<Weather & report>" };
    const text = textOf(paymentReceipt(proof, 1_774_000_000_000));
    expect(text).toBe(canonicalize(JSON.parse(text)) as string);
  });

  test("is read in either alphabet, padded or not, and only when it is an object", () => {
    const value = { text: "ÿ?>~" };
    const text = encodeJson(value);
    for (const form of [text, Buffer.from(text, "base64url").toString("base64")])
      expect(decodeJson(form)).toEqual(value);
    const wrong = ["", "!", "bm90IGpzb24", Buffer.from("[1]").toString("base64url"), "bnVsbA", "/////w=="];
    for (const form of wrong) expect(decodeJson(form)).toBeNull();
  });
});

describe("a challenge", () => {
  test("carries the invoice, its amount and the order", () => {
    const header = paymentChallenge(SECRET, "sms.example.com", CHARGE) ?? "";
    const parameters = Object.fromEntries(
      [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    expect(Object.keys(parameters)).toEqual(["id", "realm", "method", "intent", "request", "expires"]);
    expect(parameters).toMatchObject({
      realm: "sms.example.com",
      method: "lightning",
      intent: "charge",
      expires: CHARGE.expires,
    });
    expect(decodeJson(parameters.request ?? "")).toEqual({
      amount: "812",
      currency: "sat",
      externalId: CHARGE.orderId,
      methodDetails: { invoice: CHARGE.invoice, network: "regtest", paymentHash: CHARGE.paymentHash },
    });
  });

  test("names the network where the draft has a name for it", () => {
    const networkOf = (invoice: string) => {
      const request = /request="([^"]*)"/.exec(paymentChallenge(SECRET, "x", { ...CHARGE, invoice }) ?? "")?.[1] ?? "";
      return (decodeJson(request)?.methodDetails as { network?: string } | undefined)?.network;
    };
    expect(["lnbc10n1p", "lntbs10n1p", "lnbcrt10n1p", "lntb10n1p"].map(networkOf)).toEqual([
      "mainnet",
      "signet",
      "regtest",
      undefined,
    ]);
  });

  test("is left out when its id happens to hold the word of another scheme", () => {
    // Clients delete the first "LSAT" of the whole header, or search for lines with "L402". This one's id would be
    // JmXZG_MmrZAUsW66dcWXwoVwWPCO6xjL402yxwU7-1Y; the rest of a challenge is ASCII JSON, whose base64 cannot hold either word.
    expect(paymentChallenge(SECRET, "x", { ...CHARGE, orderId: "0000000000000000000000000001fab2" })).toBeNull();
    expect(paymentChallenge(SECRET, "x", { ...CHARGE, orderId: "0000000000000000000000000001fab3" })).not.toBeNull();
  });
});

describe("Accept-Payment", () => {
  test.each([
    [null, "after"],
    ["", "after"],
    ["*/*", "after"],
    ["tempo/charge", "after"],
    ["lightning/charge", "first"],
    ["Lightning/Charge;q=1", "first"],
    ["tempo/charge;q=0.9, lightning/charge; q=0.5", "first"],
    ["lightning/*", "first"],
    ["lightning/charge;q=0", "never"],
    ["*/*;q=0", "never"],
    ["lightning/charge;q=0, */*", "never"],
    ["*/*;q=0, lightning/charge;q=0.001", "first"],
    ["lightning/charge;q=nonsense", "first"],
    [`${"x/y,".repeat(1_000)}lightning/charge`, "after"],
  ] as const)("%p puts the challenge %s", (header, place) => {
    expect(placeOf(header)).toBe(place);
  });
});

test("a receipt names the payment and holds no secret", () => {
  const proof = { orderId: CHARGE.orderId, paymentHash: CHARGE.paymentHash, challengeId: "kM9xPqWvT2nJrHsY4aDfEb" };
  expect(decodeJson(paymentReceipt(proof, Date.UTC(2026, 2, 10, 21)))).toEqual({
    status: "success",
    method: "lightning",
    challengeId: proof.challengeId,
    reference: proof.paymentHash,
    timestamp: "2026-03-10T21:00:00.000Z",
  });
});
