/** Who may open what with a `Payment` credential. */
import { describe, expect, test } from "bun:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { paymentChallenge } from "../../src/mpp/challenge.ts";
import { type JudgedPayment, judgePayment } from "../../src/mpp/credential.ts";
import { encodeJson } from "../../src/mpp/wire.ts";

const SECRET = new Uint8Array(32).fill(1);
const PREIMAGE = "5a".repeat(32);
const PAYMENT_HASH = bytesToHex(sha256(hexToBytes(PREIMAGE)));
const ORDER = "5f0c1d9ab27e4b6f8a3de4c0917b62fd";
const EXPIRES = Date.UTC(2026, 10, 23, 10, 5);

const header =
  paymentChallenge(SECRET, "sms.example.com", {
    orderId: ORDER,
    invoice: "lnbcrt8120n1pexample",
    paymentHash: PAYMENT_HASH,
    amountSats: 812,
    expires: new Date(EXPIRES).toISOString(),
  }) ?? "";
const challenge: Record<string, string> = Object.fromEntries(
  [...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
);
const credential = (echo: object = challenge, payload: object = { preimage: PREIMAGE }, more: object = {}): string =>
  `Payment ${encodeJson({ challenge: echo, payload, ...more })}`;
const judged = (authorization: string, secrets = [SECRET], now = EXPIRES - 1): JudgedPayment =>
  judgePayment(authorization, secrets, now);
const fault = (judgement: JudgedPayment) => (judgement.kind === "refused" ? judgement.fault : judgement.kind);

const PROVEN: JudgedPayment = {
  kind: "proven",
  proof: { orderId: ORDER, paymentHash: PAYMENT_HASH, challengeId: challenge.id ?? "" },
};

describe("a credential that answers our challenge with its preimage", () => {
  test("proves the payment of its order", () => {
    expect(judged(credential())).toEqual(PROVEN);
    expect(judged(credential(challenge, undefined, { source: "did:key:z6Mk" }))).toEqual(PROVEN);
  });

  test("does so in any case of the scheme, beside credentials of other schemes, and in padded base64", () => {
    const token = credential().slice("Payment ".length);
    const padded = Buffer.from(token, "base64url").toString("base64");
    for (const value of [
      `payment ${token}`,
      `PAYMENT  ${token}`,
      `L402 AgEEbHNhdA==:${PREIMAGE}, Payment ${token}`,
      `Payment ${token}, L402 AgEEbHNhdA==:${PREIMAGE}`,
      `Payment ${padded}`,
    ]) {
      expect(judged(value)).toEqual(PROVEN);
    }
  });

  test("still does after the challenge expired, because the money was taken", () => {
    expect(judged(credential(), [SECRET], EXPIRES + 86_400_000)).toEqual(PROVEN);
  });

  test("still does after a new key was put first, and no longer when its key was taken out", () => {
    const other = new Uint8Array(32).fill(2);
    expect(judged(credential(), [other, SECRET])).toEqual(PROVEN);
    expect(fault(judged(credential(), [other]))).toBe("unknown-challenge");
  });
});

describe("nothing is proven", () => {
  test("by no credential, by other schemes, or by a preimage alone", () => {
    for (const value of [
      "",
      `L402 AgEEbHNhdA==:${PREIMAGE}`,
      `Payment method="lightning", preimage="${PREIMAGE}"`,
      "Payment",
      "Payments abc",
      `Payment ${"a".repeat(9_000)}`,
    ]) {
      expect(judged(value)).toEqual({ kind: "none" });
    }
  });

  test("by anything whose form is wrong", () => {
    for (const value of [
      "Payment bm90IGpzb24",
      "Payment e30",
      credential({}),
      credential({ ...challenge, id: 7 }),
      credential(challenge, {}),
      credential(challenge, { preimage: PREIMAGE.toUpperCase() }),
      credential(challenge, { preimage: PREIMAGE.slice(2) }),
      credential(challenge, { preimage: [PREIMAGE] }),
    ]) {
      expect(fault(judged(value))).toBe("malformed-credential");
    }
  });

  test("by a challenge of which one letter was changed, or that was never ours", () => {
    for (const name of ["id", "realm", "method", "intent", "request", "expires"]) {
      const value = challenge[name] ?? "";
      for (const changed of [`${value}x`, value.slice(1), `|${value}`, ""]) {
        expect(fault(judged(credential({ ...challenge, [name]: changed })))).toBe("unknown-challenge");
      }
    }
  });

  test("by another preimage", () => {
    const wrong = credential(challenge, { preimage: "5b".repeat(32) });
    expect(fault(judged(wrong))).toBe("invalid-preimage");
    expect(fault(judged(wrong, [SECRET], EXPIRES))).toBe("expired-invoice");
  });

  test("by anything at all that is not it", () => {
    const tokens = fc.oneof(
      fc.string(),
      fc.json().map((text) => Buffer.from(text).toString("base64url")),
    );
    fc.assert(
      fc.property(tokens, fc.constantFrom("Payment ", "payment\t", ", Payment ", ""), (token, scheme) => {
        expect(judged(scheme + token).kind).not.toBe("proven");
      }),
    );
  });
});
