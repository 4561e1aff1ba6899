/** The receipt of a paid request (draft-httpauth-payment-00, section "Payment-Receipt"): who asked can match it with the payment. */
import { iso, type Millis } from "../../actors/runtime/world.ts";
import type { PaymentProof } from "./credential.ts";
import { encodeJson } from "./wire.ts";

/** Value of `Payment-Receipt`. It never holds the preimage: receipts are kept where credentials must not be. */
export function paymentReceipt({ challengeId, paymentHash }: PaymentProof, at: Millis): string {
  return encodeJson({
    challengeId,
    method: "lightning",
    reference: paymentHash,
    status: "success",
    timestamp: iso(at),
  });
}
