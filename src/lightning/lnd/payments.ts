/**
 * Payments of an lnd node, so that a refund is paid exactly once. lnd refuses a second payment of a hash while one is
 * pending or done, and it alone knows how one ended: what it did not clearly say is `unknown` here
 * (lnd: lnrpc/routerrpc, router_server.go and router_backend.go; payments/db, payment_status.go).
 */
import { msats } from "../../../actors/order/money.ts";
import { AnswerLost } from "../../wire.ts";
import { hash32, type Json, provenPreimage, unlessLost, wordOf } from "../answers.ts";
import { namesAmount } from "../bolt11.ts";
import {
  MAX_ROUTE_BLOCKS,
  type MayPay,
  NodeUnavailable,
  type Payment,
  type PaymentHash,
  type PaymentOutcome,
  type PaymentState,
} from "../port.ts";
import { ask, hexToPath, int64, type LndError, type LndRest, NOT_FOUND, refused } from "./rest.ts";
import { type LndStream, openStream, type StreamItem } from "./stream.ts";

/** A payment comes with every attempt and its route: some kB for each, and hundreds of them in a minute that fails. */
const MAX_LINE = 16 * 1024 * 1024;
/** How much longer than the payment's own timeout its end is waited for. */
const GRACE_MS = 15_000;
const LOOKUP_TIMEOUT_MS = 15_000;
/** How long (real ms) a payment may keep a steered clock waiting; one that is held must not stop time. */
const CLOCK_PATIENCE_MS = 250;

/**
 * Refusals from before lnd makes a payment of a request (extractIntentFromSendRequest): no HTLC of it exists. It
 * checks them before it looks whether the hash is being paid already, so they say nothing about earlier attempts.
 */
const REFUSALS: readonly (readonly [start: string, reason: string])[] = [
  ["invoice expired. Valid until ", "invoice_expired"],
  ["self-payments not allowed", "self_payment"],
  ["amount must be specified when paying a zero amount invoice", "amount_missing"],
  ["amount must not be specified when paying a non-zero amount invoice", "amount_not_allowed"],
  ["payment request must contain either a payment address or blinded paths", "invalid_invoice"],
  ["invoice not for current active network ", "wrong_network"],
  ["the AMP flag (--amp or SendPaymentRequest.Amp) must be set to pay an AMP invoice", "unsupported_invoice"],
  ["cltv limit ", "time_lock_too_long"],
  // A node whose own --max-cltv-expiry is below ours (ValidateCLTVLimit).
  ["total time lock of ", "time_lock_not_allowed"],
];

/** Said of payments that are out. "invoice is already paid" needs proof, and a 409 from anybody on the way proves nothing. */
const IS_OUT: readonly string[] = ["payment is in transition", "payment already exists"];

const FAILURES: Readonly<Record<string, string>> = {
  FAILURE_REASON_TIMEOUT: "timeout",
  FAILURE_REASON_NO_ROUTE: "no_route",
  FAILURE_REASON_ERROR: "error",
  FAILURE_REASON_INCORRECT_PAYMENT_DETAILS: "incorrect_payment_details",
  FAILURE_REASON_INSUFFICIENT_BALANCE: "insufficient_balance",
  FAILURE_REASON_CANCELED: "canceled",
};

/** Pays, and waits for the end at most `timeoutSeconds` and 15 s. Never throws: whatever goes wrong is `unknown`. */
export async function pay(rest: LndRest, payment: Payment): Promise<PaymentOutcome> {
  try {
    return await send(rest, payment);
  } catch (error) {
    return { kind: "unknown", reason: error instanceof AnswerLost ? `answer_lost_${error.why}` : "adapter_error" };
  }
}

async function send(rest: LndRest, payment: Payment): Promise<PaymentOutcome> {
  const request: LndStream = {
    method: "POST",
    path: "/v2/router/send",
    body: {
      payment_request: payment.bolt11,
      ...(!namesAmount(payment.bolt11) && { amt: String(payment.amountSats) }),
      fee_limit_sat: String(payment.maxFeeSats),
      timeout_seconds: payment.timeoutSeconds,
      cltv_limit: MAX_ROUTE_BLOCKS,
      no_inflight_updates: false,
    },
    maxLine: MAX_LINE,
  };
  let last: PaymentOutcome = { kind: "unknown", reason: "no_answer" };
  try {
    for await (const item of follow(rest, request, payment.timeoutSeconds * 1000 + GRACE_MS)) {
      // An error after the first message is about the stream, not about the payment.
      if (!item.ok) return last.kind === "in_flight" ? last : await afterRefusal(rest, payment.paymentHash, item.error);
      last = toOutcome(item.result, payment.paymentHash);
      if (last.kind !== "in_flight") return last;
    }
  } catch (error) {
    // Once lnd has said that the payment is out, a lost connection changes nothing about it.
    if (error instanceof AnswerLost && last.kind === "in_flight") return last;
    throw error;
  }
  return last;
}

/** What a refused request proves, together with what lnd knows about the hash. */
async function afterRefusal(rest: LndRest, hash: PaymentHash, refusal: LndError): Promise<PaymentOutcome> {
  const isDuplicate = refusal.status === 409;
  const known = REFUSALS.find(([start]) => refusal.message.startsWith(start));
  if (!isDuplicate && !known) return { kind: "unknown", reason: `refused_http_${refusal.status}` };
  let state: PaymentState;
  try {
    state = await lookupPayment(rest, hash);
  } catch {
    return IS_OUT.includes(refusal.message)
      ? { kind: "in_flight" }
      : { kind: "unknown", reason: "refused_unconfirmed" };
  }
  if (state.kind === "never_sent" || state.kind === "failed") {
    if (known) return { kind: "failed", reason: known[1] };
    // A duplicate of a payment that has failed meanwhile; of one that was never sent it cannot be.
    return state.kind === "failed" ? state : { kind: "unknown", reason: "contradiction" };
  }
  return state;
}

/**
 * The state of the payment of a hash. `never_sent` holds unless somebody deletes payments at the node.
 * @throws NodeUnavailable
 */
export async function lookupPayment(rest: LndRest, hash: PaymentHash): Promise<PaymentState> {
  const what = "TrackPaymentV2";
  const request: LndStream = {
    path: `/v2/router/track/${hexToPath(hash)}?no_inflight_updates=false`,
    maxLine: MAX_LINE,
  };
  try {
    // The first message is the state as it is now; later ones would be news.
    for await (const item of follow(rest, request, LOOKUP_TIMEOUT_MS)) return toPaymentState(what, item, hash);
  } catch (error) {
    if (error instanceof AnswerLost) throw new NodeUnavailable(`${what}: ${error.why}`, { cause: error });
    throw error;
  }
  throw new NodeUnavailable(`${what}: the stream ended`);
}

function toPaymentState(what: string, first: StreamItem, hash: PaymentHash): PaymentState {
  if (first.ok) return toOutcome(first.result, hash);
  const { status, code, message } = first.error;
  // A missing route or a proxy says 404 as well.
  if (status === 404 && code === NOT_FOUND && message === "payment isn't initiated") return { kind: "never_sent" };
  throw refused(what, first.error);
}

/** Said before anything is looked at, the macaroon included, also with 500 (rpcperms: interceptor.go). */
const NOT_READY =
  /^(?:waiting to start|wallet not created|wallet locked|the RPC server is in the process of starting up)\b/;

/** Asks to pay nothing at all: a macaroon that may not pay is refused before the request is looked at. */
export async function mayPay(rest: LndRest): Promise<MayPay> {
  const what = "SendPaymentV2";
  const answer = await unlessLost(what, () => ask(rest, { method: "POST", path: "/v2/router/send", body: {} }));
  if (answer.ok) return { ok: true };
  const { status, message } = answer.error;
  if (message === "permission denied") {
    return { ok: false, reason: 'The macaroon may not pay: bake one that has "offchain:write"' };
  }
  // lnd has looked at the request and found nothing to pay in it.
  if ((status === 400 || status === 500) && !NOT_READY.test(message)) return { ok: true };
  throw refused(what, answer.error);
}

/** The messages of a stream for at most `limitMs`; then AnswerLost ("timeout"). */
async function* follow(rest: LndRest, request: LndStream, limitMs: number): AsyncGenerator<StreamItem> {
  const limit = new AbortController();
  const stopTimer = rest.world.at(rest.world.now() + limitMs, () => limit.abort());
  const release = rest.world.hold("lightning payment", CLOCK_PATIENCE_MS);
  try {
    yield* openStream(rest, request, limit.signal);
  } finally {
    stopTimer();
    release();
  }
}

export function toOutcome(payment: Json, hash: PaymentHash): PaymentOutcome {
  if (hash32(payment.payment_hash) !== hash) return { kind: "unknown", reason: "wrong_payment" };
  switch (payment.status) {
    case "INITIATED":
    case "IN_FLIGHT":
      return { kind: "in_flight" };
    case "FAILED":
      return { kind: "failed", reason: wordOf(FAILURES, payment.failure_reason) ?? "unspecified" };
    case "SUCCEEDED": {
      const preimage = provenPreimage(payment.payment_preimage, hash);
      if (!preimage) return { kind: "unknown", reason: "wrong_preimage" };
      const fee = int64(payment.fee_msat);
      return fee === null
        ? { kind: "unknown", reason: "malformed_answer" }
        : { kind: "succeeded", preimage, feeMsats: msats(fee) };
    }
    default:
      return { kind: "unknown", reason: "unexpected_status" };
  }
}
