/**
 * The answer to a `Payment` challenge: `Authorization: Payment <base64url of {challenge, payload: {preimage}}>`
 * (draft-httpauth-payment-00, section "Credential"; draft-lightning-charge-00, "Verification"). The challenge's id is an HMAC over
 * everything that is echoed, so whoever presents it got the challenge from us; the preimage proves that its invoice was paid.
 *
 * The draft lets a challenge be used once. Here it opens its own order as often as it is shown, like the macaroon that was issued with it:
 * a lost answer must not cost a second payment.
 */
import { hexToBytes } from "@noble/hashes/utils.js";
import { iso, type Millis } from "../../actors/runtime/world.ts";
import { sha256Hex } from "../sha256.ts";
import { challengeId } from "./challenge.ts";
import { decodeJson, isObject } from "./wire.ts";

/** What a good credential proves. */
export interface PaymentProof {
  readonly orderId: string;
  /** Lower-case hex. */
  readonly paymentHash: string;
  readonly challengeId: string;
}

/** Names of problems as the draft has them, after `https://paymentauth.org/problems/lightning/`. */
export type PaymentFault = "malformed-credential" | "unknown-challenge" | "invalid-preimage" | "expired-invoice";

export type JudgedPayment =
  | { readonly kind: "none" }
  | { readonly kind: "proven"; readonly proof: PaymentProof }
  | { readonly kind: "refused"; readonly fault: PaymentFault };

/** Longest `Authorization` value that is read, in characters. */
const MAX_VALUE = 8 * 1024;
/** The scheme and its one token, alone or between credentials of other schemes; `Payment preimage="..."` is another form, and no proof. */
const CREDENTIAL = /(?:^|[\s,])payment +([A-Za-z0-9_/+-]+={0,2})(?=\s*(?:,|$))/i;
const PREIMAGE = /^[0-9a-f]{64}$/;

/** Judges the `Payment` credential of an `Authorization` value, if it has one. `secrets` are those of all keys in use. */
export function judgePayment(authorization: string, secrets: readonly Uint8Array[], now: Millis): JudgedPayment {
  const token = authorization.length > MAX_VALUE ? undefined : CREDENTIAL.exec(authorization)?.[1];
  if (token === undefined) return { kind: "none" };
  const { challenge, payload } = decodeJson(token) ?? {};
  if (!isObject(challenge) || !isObject(payload)) return refused("malformed-credential");
  const { id, realm, method, intent, request, expires } = challenge;
  const { preimage } = payload;
  if (
    typeof id !== "string" ||
    typeof realm !== "string" ||
    typeof method !== "string" ||
    typeof intent !== "string" ||
    typeof request !== "string" ||
    typeof expires !== "string" ||
    typeof preimage !== "string" ||
    !PREIMAGE.test(preimage)
  ) {
    return refused("malformed-credential");
  }
  const echoed = { realm, method, intent, request, expires };
  if (Object.values(echoed).some((slot) => slot.includes("|"))) return refused("unknown-challenge");
  if (!secrets.some((secret) => isSame(challengeId(secret, echoed), id))) return refused("unknown-challenge");
  // From here on everything is our own writing.
  const { externalId, methodDetails } = decodeJson(request) ?? {};
  const paymentHash = isObject(methodDetails) ? methodDetails.paymentHash : undefined;
  if (typeof externalId !== "string" || typeof paymentHash !== "string") return refused("unknown-challenge");
  if (sha256Hex(hexToBytes(preimage)) !== paymentHash) {
    // Both in the one form of `iso`, which sorts like the times it stands for.
    return refused(iso(now) >= expires ? "expired-invoice" : "invalid-preimage");
  }
  return { kind: "proven", proof: { orderId: externalId, paymentHash, challengeId: id } };
}

const refused = (fault: PaymentFault): JudgedPayment => ({ kind: "refused", fault });

/** Compares to the end, so that the time taken does not tell how much of it was right. */
function isSame(ours: string, theirs: string): boolean {
  let difference = ours.length ^ theirs.length;
  for (let index = 0; index < ours.length; index++) difference |= ours.charCodeAt(index) ^ theirs.charCodeAt(index);
  return difference === 0;
}
