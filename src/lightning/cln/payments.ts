/**
 * Payments of a Core Lightning node by `xpay`, so that a refund is paid exactly once. Its error codes say why it gave up,
 * not that nothing is out: it answers at the first failure while other parts may still be under way, and says "plugin
 * error" of a hash that is being paid. So whatever it says, `listpays` has the last word; and of an `xpay` whose end was not
 * heard, only when it cannot try again any more (doc/schemas/xpay.json, plugins/xpay/xpay.c, lightningd/pay.c).
 */
import { msats } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { AnswerLost } from "../../wire.ts";
import { count, isObject, type Json, malformed, provenPreimage, unlessLost } from "../answers.ts";
import { namesAmount } from "../bolt11.ts";
import type { MayPay, Payment, PaymentHash, PaymentOutcome, PaymentState } from "../port.ts";
import {
  ask,
  BAD_RUNE,
  type ClnError,
  type ClnRest,
  demand,
  INVALID_PARAMS,
  msatOf,
  NO_RUNE,
  refused,
  UNKNOWN_METHOD,
} from "./rest.ts";

/** How much longer than the payment's own limit its end is waited for. */
const GRACE_MS = 15_000;
/** More attempts than there can be at one invoice: it lives a year, and is tried once an hour. Each entry carries it. */
const MAX_PAYS = 10_000;
const MAX_PAYS_BYTES = 32 * 1024 * 1024;
/**
 * Between two tries of an `xpay` its books show failures alone. A refund is tried for a minute; so old, nothing follows a
 * failure, clocks a minute apart included.
 */
const MAY_GO_ON_MS = 2 * 60_000;
const MAX_OVER = 10_000;

/**
 * Codes of an `xpay` that is over: nothing new of it will go out. Every other code, -1 and 209 and -3 above all, may be said
 * of a payment that is still out.
 */
const FAILURES: Readonly<Record<number, string>> = {
  203: "incorrect_payment_details",
  205: "no_route",
  207: "invoice_expired",
  215: "insufficient_balance",
  // Of a call that was never made.
  [NO_RUNE]: "not_permitted",
  [BAD_RUNE]: "not_permitted",
  [UNKNOWN_METHOD]: "unsupported",
  [INVALID_PARAMS]: "invalid_request",
};

/** The hashes whose last `xpay` told this process that it is over: of these a failure in the books is the end. */
export class Over {
  readonly #hashes = new Set<PaymentHash>();

  begin(hash: PaymentHash): void {
    this.#hashes.delete(hash);
  }

  end(hash: PaymentHash): void {
    // What is forgotten is believed two minutes later.
    if (this.#hashes.size >= MAX_OVER) this.#hashes.clear();
    this.#hashes.add(hash);
  }

  has(hash: PaymentHash): boolean {
    return this.#hashes.has(hash);
  }
}

/** Pays, and waits for the end at most `timeoutSeconds` and 15 s. Never throws: whatever goes wrong is `unknown`. */
export async function pay(rest: ClnRest, over: Over, payment: Payment): Promise<PaymentOutcome> {
  over.begin(payment.paymentHash);
  try {
    return await send(rest, over, payment);
  } catch (error) {
    return { kind: "unknown", reason: error instanceof AnswerLost ? `answer_lost_${error.why}` : "adapter_error" };
  }
}

async function send(rest: ClnRest, over: Over, payment: Payment): Promise<PaymentOutcome> {
  const answer = await ask(rest, {
    method: "xpay",
    params: {
      invstring: payment.bolt11,
      ...(!namesAmount(payment.bolt11) && { amount_msat: payment.amountSats * 1000 }),
      maxfee: payment.maxFeeSats * 1000,
      retry_for: payment.timeoutSeconds,
    },
    timeoutMs: payment.timeoutSeconds * 1000 + GRACE_MS,
    once: true,
  });
  return answer.ok
    ? toSuccess(answer.body, "payment_preimage", payment.paymentHash)
    : afterError(rest, over, payment, answer.error);
}

/** What an error proves, together with what the node has in its books about the hash. */
async function afterError(
  rest: ClnRest,
  over: Over,
  { paymentHash }: Payment,
  error: ClnError,
): Promise<PaymentOutcome> {
  const reason = error.code === null ? undefined : FAILURES[error.code];
  if (reason !== undefined) over.end(paymentHash);
  let state: PaymentState;
  try {
    state = await lookupPayment(rest, over, paymentHash);
  } catch {
    return { kind: "unknown", reason: "refused_unconfirmed" };
  }
  if (state.kind !== "never_sent" && state.kind !== "failed" && state !== MAY_GO_ON) return state;
  // The books show nothing under way; but only of a call that is over will nothing follow.
  return reason === undefined
    ? { kind: "unknown", reason: `code_${error.code ?? "none"}` }
    : { kind: "failed", reason };
}

/**
 * The state of the payment of a hash. `never_sent` may be said of an `xpay` that is still looking for its route: it has no
 * row before its first onion. Whoever asks knows how long ago that was. `unknown` while one that failed may still go on,
 * because a process that died does not end it at the node. @throws NodeUnavailable
 */
export async function lookupPayment(rest: ClnRest, over: Over, hash: PaymentHash): Promise<PaymentState> {
  const method = "listpays";
  const { pays } = await demand(rest, { method, params: { payment_hash: hash }, maxBytes: MAX_PAYS_BYTES });
  if (!Array.isArray(pays) || pays.length > MAX_PAYS) throw malformed(method);
  return stateOf(
    method,
    (pays as unknown[]).map((entry) => {
      if (!isObject(entry) || entry.payment_hash !== hash) throw malformed(method);
      return entry;
    }),
    hash,
    { now: rest.world.now(), isOver: over.has(hash) },
  );
}

const MAY_GO_ON: PaymentOutcome & { readonly kind: "unknown" } = { kind: "unknown", reason: "may_go_on" };

/**
 * What all entries of one hash say together. Failures alone are the end when they are old, or when the call is known to be over.
 * @throws NodeUnavailable
 */
export function stateOf(
  method: string,
  entries: readonly Json[],
  hash: PaymentHash,
  { now, isOver }: { readonly now: Millis; readonly isOver: boolean },
): PaymentState {
  const complete = entries.find(({ status }) => status === "complete");
  if (complete) return toSuccess(complete, "preimage", hash);
  if (entries.some(({ status }) => status === "pending")) return { kind: "in_flight" };
  if (entries.some(({ status }) => status !== "failed")) throw malformed(method);
  if (entries.length === 0) return { kind: "never_sent" };
  const begun = entries.map((entry) => count(entry.created_at));
  if (!isOver && begun.some((seconds) => seconds === null || now - seconds * 1000 < MAY_GO_ON_MS)) return MAY_GO_ON;
  return { kind: "failed", reason: "failed" };
}

/** Asks to pay nothing at all: a rune that may not pay is refused before the request is looked at. */
export async function mayPay(rest: ClnRest): Promise<MayPay> {
  const method = "xpay";
  const answer = await unlessLost(method, () => ask(rest, { method }));
  if (answer.ok || answer.error.code === INVALID_PARAMS) return { ok: true };
  switch (answer.error.code) {
    case NO_RUNE:
    case BAD_RUNE:
      return { ok: false, reason: 'The rune may not pay: make one that allows "xpay"' };
    case UNKNOWN_METHOD:
      return { ok: false, reason: 'The node has no "xpay": Core Lightning 24.11 or newer is needed' };
    default:
      throw refused(method, answer.error);
  }
}

function toSuccess(paid: Json, field: "preimage" | "payment_preimage", hash: PaymentHash): PaymentOutcome {
  const preimage = provenPreimage(paid[field], hash);
  if (!preimage) return { kind: "unknown", reason: "wrong_preimage" };
  const sent = msatOf(paid.amount_sent_msat);
  // What arrived is left out where the node does not know it; then the fee is not known either, and the money has arrived.
  const arrived = msatOf(paid.amount_msat) ?? sent;
  if (sent === null || arrived === null) return { kind: "unknown", reason: "malformed_answer" };
  return { kind: "succeeded", preimage, feeMsats: msats(Math.max(0, sent - arrived)) };
}
