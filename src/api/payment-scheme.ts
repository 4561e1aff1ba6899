/**
 * The `Payment` scheme beside L402: its challenge over the same invoice, its credential for the same order, its receipt. What the
 * scheme itself says is in `src/mpp`.
 */
import type { World } from "../../actors/runtime/world.ts";
import type { HeaderSource } from "../l402/authorization.ts";
import type { RootKeys } from "../l402/keys.ts";
import type { Revocations } from "../l402/revocations.ts";
import { placeOf } from "../mpp/accept.ts";
import { paymentChallenge } from "../mpp/challenge.ts";
import { type JudgedPayment, judgePayment, type PaymentFault, type PaymentProof } from "../mpp/credential.ts";
import { paymentReceipt } from "../mpp/receipt.ts";
import type { Challenge } from "../orders/desk.ts";
import type { ApiConfig } from "./config.ts";

export class PaymentScheme {
  readonly #secrets: readonly Uint8Array[];
  readonly #world: World;
  readonly #realm: string;
  readonly #revocations: Revocations;

  constructor(
    keys: RootKeys,
    world: World,
    { publicUrl, serviceName }: Pick<ApiConfig, "publicUrl" | "serviceName">,
    revocations: Revocations,
  ) {
    this.#revocations = revocations;
    this.#secrets = keys.secretsFor("payment-challenge");
    this.#world = world;
    this.#realm = publicUrl === "" ? serviceName : new URL(publicUrl).host;
  }

  /** The value of `WWW-Authenticate`: the L402 challenge, and this scheme's before or after it as the client wishes. */
  challenges(challenge: Challenge, acceptPayment: string | null): string {
    const place = placeOf(acceptPayment);
    const [secret] = this.#secrets;
    // The credential of an order is revoked in all its forms, and this one has no generations.
    const revoked = this.#revocations.generationOf(challenge.orderId) > 0;
    if (place === "never" || !secret || revoked) return challenge.header;
    const { orderId, invoice, paymentHash, priceSats: amountSats, expiresAt: expires } = challenge;
    const payment = paymentChallenge(secret, this.#realm, { orderId, invoice, paymentHash, amountSats, expires });
    if (payment === null) return challenge.header;
    return place === "first" ? `${payment}, ${challenge.header}` : `${challenge.header}, ${payment}`;
  }

  judge(headers: HeaderSource): JudgedPayment {
    const judged = judgePayment(headers.get("authorization") ?? "", this.#secrets, this.#world.now());
    const revoked = judged.kind === "proven" && this.#revocations.generationOf(judged.proof.orderId) > 0;
    return revoked ? { kind: "refused", fault: "unknown-challenge" } : judged;
  }

  receipt(proof: PaymentProof): string {
    return paymentReceipt(proof, this.#world.now());
  }
}

const FAULTS: Readonly<Record<PaymentFault, string>> = {
  "malformed-credential": "The Payment credential cannot be read",
  "unknown-challenge": "The Payment credential does not answer a challenge of this server",
  "invalid-preimage": "The preimage of the Payment credential is not that of the invoice",
  "expired-invoice": "The invoice of the Payment credential expired unpaid",
};

/**
 * Members that make a 402 body a problem document as well (RFC 9457; draft-httpauth-payment-00, "Error responses"). Its optional
 * `status` is left out: the body has one, the order's.
 */
export function paymentProblem(fault: PaymentFault | null): Readonly<Record<string, unknown>> {
  return {
    type: `https://paymentauth.org/problems/${fault === null ? "payment-required" : `lightning/${fault}`}`,
    title: fault === null ? "Payment required" : "Payment credential refused",
    detail: fault === null ? "Pay the invoice of the challenge" : FAULTS[fault],
  };
}
