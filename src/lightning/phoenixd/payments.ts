/**
 * Payments of a phoenixd node, so that a refund is paid exactly once. It answers 200 whether or not the payment was made,
 * and refuses a second payment of a hash that is being paid or has been; what became of a hash, its books say. It has
 * neither a fee limit nor a time limit: the fee is known beforehand, and the end may take as long as the recipient
 * likes (Api.kt: payinvoice; lightning-kmp: OutgoingPaymentHandler.kt, OutgoingPaymentFailure.kt).
 */
import { msats } from "../../../actors/order/money.ts";
import { type FeeCap, feeCapOf } from "../../../actors/order/policy.ts";
import { AnswerLost } from "../../wire.ts";
import { count, isObject, type Json, malformed, provenPreimage, unlessLost, wordOf } from "../answers.ts";
import type { MayPay, Payment, PaymentHash, PaymentOutcome, PaymentState } from "../port.ts";
import { ask, find, type Phoenixd, read, refused } from "./rest.ts";

/** What its peer takes for the way: 4 sat and 0.4 % (conf/Lsp.kt). */
export const TRAMPOLINE_FEE: FeeCap = { leastSats: 0, baseSats: 4, ppm: 4_000 };

/** How much longer than the payment's own limit its end is waited for. */
const GRACE_MS = 15_000;

/** Answers from before a payment of this call exists. Anything else may come from in between, or after it. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: "invalid_request",
  401: "not_permitted",
  403: "not_permitted",
};

/** Said of a hash that another call pays or has paid. */
const DUPLICATES: readonly unknown[] = [
  "this invoice has already been paid",
  "another payment is in progress for that invoice",
];

/** Its texts for failures (FinalFailure, Part.Status.Failed.Failure) in words that are safe to log; others are "failed". */
const REASONS: Readonly<Record<string, string>> = {
  "not enough funds in wallet to afford payment": "insufficient_balance",
  "not enough funds": "insufficient_balance",
  "the recipient was offline or did not have enough liquidity to receive the payment": "no_route",
  "recipient node is offline or unreachable": "no_route",
  "routing fees are insufficient": "no_route",
  "recipient node rejected the payment": "incorrect_payment_details",
  "payment request features not supported": "unsupported_invoice",
};

/** Pays, and waits for the end at most `timeoutSeconds` and 15 s. Never throws: whatever goes wrong is `unknown`. */
export async function pay(api: Phoenixd, payment: Payment): Promise<PaymentOutcome> {
  try {
    if (feeCapOf(TRAMPOLINE_FEE, payment.amountSats) > payment.maxFeeSats) {
      return await afterRefusal(api, payment.paymentHash, "fee_above_limit");
    }
    return await send(api, payment);
  } catch (error) {
    return { kind: "unknown", reason: error instanceof AnswerLost ? `answer_lost_${error.why}` : "adapter_error" };
  }
}

async function send(
  api: Phoenixd,
  { bolt11, amountSats, timeoutSeconds, paymentHash }: Payment,
): Promise<PaymentOutcome> {
  const answer = await ask(api, {
    path: "/payinvoice",
    form: { invoice: bolt11, amountSat: String(amountSats) },
    timeoutMs: timeoutSeconds * 1000 + GRACE_MS,
    once: true,
  });
  const refusal = REFUSALS[answer.status];
  if (refusal) return await afterRefusal(api, paymentHash, refusal);
  if (answer.status !== 200) return { kind: "unknown", reason: `http_${answer.status}` };
  const body = read(answer);
  if (!isObject(body) || body.paymentHash !== paymentHash) return { kind: "unknown", reason: "malformed_answer" };
  if (body.paymentPreimage === undefined) {
    if (typeof body.reason !== "string") return { kind: "unknown", reason: "malformed_answer" };
    const reason = DUPLICATES.includes(body.reason) ? null : (wordOf(REASONS, body.reason) ?? "failed");
    return await afterRefusal(api, paymentHash, reason);
  }
  const preimage = provenPreimage(body.paymentPreimage, paymentHash);
  if (!preimage) return { kind: "unknown", reason: "wrong_preimage" };
  const fee = await exactFee(api, paymentHash, count(body.routingFeeSat));
  return fee === null
    ? { kind: "unknown", reason: "malformed_answer" }
    : { kind: "succeeded", preimage, feeMsats: msats(fee) };
}

/** The answer has the fee in whole sats, the books have it in msats. */
async function exactFee(api: Phoenixd, hash: PaymentHash, feeSats: number | null): Promise<number | null> {
  const state = await lookupPayment(api, hash).catch(() => null);
  if (state?.kind === "succeeded") return state.feeMsats;
  return feeSats === null ? null : feeSats * 1000;
}

/**
 * What a refused call proves, together with what the node knows about the hash.
 * @param reason why this call paid nothing; null when another one is said to have.
 */
async function afterRefusal(api: Phoenixd, hash: PaymentHash, reason: string | null): Promise<PaymentOutcome> {
  let state: PaymentState;
  try {
    state = await lookupPayment(api, hash);
  } catch {
    return { kind: "unknown", reason: "refused_unconfirmed" };
  }
  if (state.kind !== "never_sent" && state.kind !== "failed") return state;
  return reason === null ? { kind: "unknown", reason: "contradiction" } : { kind: "failed", reason };
}

/** The state of the payment of a hash. A row is written before anything is sent. @throws NodeUnavailable */
export async function lookupPayment(api: Phoenixd, hash: PaymentHash): Promise<PaymentState> {
  const what = "payments/outgoingbyhash";
  const payment = await find(api, what, `/payments/outgoingbyhash/${hash}`);
  if (payment === null) return { kind: "never_sent" };
  if (payment.paymentHash !== hash) throw malformed(what);
  return outcomeOf(payment, hash, what);
}

/** What one row of its books says. @throws NodeUnavailable for one that makes no sense */
export function outcomeOf(payment: Json, hash: PaymentHash, what: string): PaymentOutcome {
  if (payment.isPaid === true) {
    const preimage = provenPreimage(payment.preimage, hash);
    const fee = count(payment.fees);
    if (!preimage) return { kind: "unknown", reason: "wrong_preimage" };
    return fee === null
      ? { kind: "unknown", reason: "malformed_answer" }
      : { kind: "succeeded", preimage, feeMsats: msats(fee) };
  }
  if (payment.isPaid !== false) throw malformed(what);
  return count(payment.completedAt) ? { kind: "failed", reason: "failed" } : { kind: "in_flight" };
}

/** Asks to pay nothing at all: a password that may not pay is refused before the request is looked at. */
export async function mayPay(api: Phoenixd): Promise<MayPay> {
  const what = "payinvoice";
  const answer = await unlessLost(what, () => ask(api, { path: "/payinvoice", form: {} }));
  // It looked for the invoice and found none.
  if (answer.status === 400) return { ok: true };
  if (answer.status !== 401) throw refused(what, answer);
  return { ok: false, reason: 'The password may not pay: use "http-password", not "http-password-limited-access"' };
}
