/**
 * Payments of a wallet behind NWC, so that a refund is paid exactly once. The protocol has no fee limit, no time limit, and no
 * word for a payment that may still come: a relay can hand over a request late, and a wallet that was away acts on it then. So
 * a request is stored before it goes out; while it is fresh, only the same one goes out again; and "not found" is believed
 * only when no old request can come any more, and only of a wallet that has shown that it finds what it paid.
 */

import type { Event } from "nostr-tools/pure";
import { msats } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { AnswerLost } from "../../wire.ts";
import { count, isObject, parseJson, provenPreimage, wordOf } from "../answers.ts";
import { readInvoice } from "../bolt11.ts";
import type { KeptRequest, Outbox } from "../outbox.ts";
import type { MayPay, Payment, PaymentHash, PaymentOutcome, PaymentState } from "../port.ts";
import type { NwcAnswer, Sealed } from "./client.ts";
import { EXPIRED, outcomeOf } from "./transactions.ts";
import type { Wallet } from "./wallet.ts";

const PAY = "pay_invoice";
/** How much longer than the payment's own limit its answer is waited for; the request says that it is void then. */
const GRACE_MS = 15_000;
/** Wallets that do not heed that have been seen to act on requests of up to five minutes ago. */
const MAY_COME_LATE_MS = 10 * 60_000;

/** A wallet that was away finds old requests when it is back. So long it must have gone on knowing nothing before that is believed. */
const COME_BACK_MS = 60_000;
/** No receiver holds a payment for longer: time locks of 2,016 blocks at most, and some days for slow ones. */
const MAX_HELD_MS = 21 * 24 * 3_600_000;
/** How much earlier than it was sent the wallet may say that a payment was begun. */
const CLOCK_SKEW_MS = 10 * 60_000;

/** Payments that were not found, remembered at most. */
const MAX_MISSING = 1_000;

/** Codes of a request that the wallet did not act on. */
const REFUSALS: Readonly<Record<string, string>> = {
  RATE_LIMITED: "rate_limited",
  NOT_IMPLEMENTED: "unsupported",
  RESTRICTED: "not_permitted",
  UNAUTHORIZED: "not_permitted",
  QUOTA_EXCEEDED: "quota_exceeded",
  INSUFFICIENT_BALANCE: "insufficient_balance",
  UNSUPPORTED_ENCRYPTION: "unsupported",
  PAYMENT_FAILED: "failed",
};

/**
 * Alby Hub has one code for whatever goes wrong. These words it repeats of its node, of a payment that is over (lnclient: ldk.go, lnd.go); others,
 * as of a node that is being stopped, it also says of one that is out.
 */
const GIVEN_UP = ["received payment failed event: ", "FAILURE_REASON_"];

/** In place of a request that goes out no more. */
const ANSWERED = "";

const CANNOT_FIND: PaymentOutcome = { kind: "unknown", reason: "cannot_find_payments" };

export class NwcPayments {
  readonly #wallet: Wallet;
  readonly #outbox: Outbox;
  /** Whether the wallet was seen to find a payment that it made: else its "not found" says nothing. */
  #findsPayments = false;
  /** When the wallet first knew nothing of a payment whose request could not come any more. */
  readonly #missing = new Map<PaymentHash, Millis>();

  constructor(wallet: Wallet, outbox: Outbox) {
    this.#wallet = wallet;
    this.#outbox = outbox;
  }

  /** Pays, and waits for the answer at most `timeoutSeconds` and 15 s. Never throws: whatever goes wrong is `unknown`. */
  async pay(payment: Payment): Promise<PaymentOutcome> {
    try {
      return await this.#send(payment);
    } catch (error) {
      return { kind: "unknown", reason: error instanceof AnswerLost ? `answer_lost_${error.why}` : "adapter_error" };
    }
  }

  async #send(payment: Payment): Promise<PaymentOutcome> {
    const { paymentHash, timeoutSeconds } = payment;
    const { world } = this.#wallet;
    const kept = this.#outbox.get(paymentHash);
    const isOver = await this.#hasExpired(payment);
    if (kept !== null || isOver) {
      // What became of an earlier request comes first.
      const found = await this.#find(paymentHash);
      if (found !== null && found.kind !== "failed") {
        if (found.kind !== "unknown") await this.#answered(paymentHash, found);
        return found;
      }
      if (kept !== null && this.#mayCome(kept)) {
        const event = freshEvent(kept, world.now());
        if (!event) return { kind: "unknown", reason: "may_come_late" };
        return this.#ask(paymentHash, { method: PAY, event }, validUntil(event) - world.now());
      }
      if (isOver) return (await this.#canFind()) ? { kind: "failed", reason: "invoice_expired" } : CANNOT_FIND;
    }
    return this.#ask(paymentHash, await this.#seal(payment), timeoutSeconds * 1000 + GRACE_MS);
  }

  /** A wallet says in words of its own that an invoice is over, so it is not asked. @throws NodeUnavailable */
  async #hasExpired({ bolt11 }: Payment): Promise<boolean> {
    const read = readInvoice(bolt11, await this.#wallet.network());
    return read.ok && read.facts.expiresAt <= this.#wallet.world.now();
  }

  /** A new request, stored. @throws NodeUnavailable */
  async #seal({ bolt11, amountSats, paymentHash, timeoutSeconds }: Payment): Promise<Sealed> {
    const { client, world } = this.#wallet;
    const params = { invoice: bolt11, amount: amountSats * 1000 };
    const request = await client.seal(PAY, params, timeoutSeconds * 1000 + GRACE_MS);
    await this.#outbox.put(paymentHash, { text: JSON.stringify(request.event), sentAt: world.now() });
    this.#missing.delete(paymentHash);
    return request;
  }

  /** Publishes a stored request, and says what its answer proves. @throws AnswerLost */
  async #ask(paymentHash: PaymentHash, request: Sealed, timeoutMs: number): Promise<PaymentOutcome> {
    const answer = await this.#wallet.client.send(request, timeoutMs);
    if (!answer.ok) return await this.#afterError(paymentHash, answer);
    const preimage = provenPreimage(answer.result.preimage, paymentHash);
    if (!preimage) return { kind: "unknown", reason: "wrong_preimage" };
    await this.#outbox.drop(paymentHash);
    const fee = count(answer.result.fees_paid);
    // The look-up also shows whether the wallet finds what it paid.
    const state = fee === null || !this.#findsPayments ? await this.lookup(paymentHash).catch(() => null) : null;
    const known = state?.kind === "succeeded" ? state.feeMsats : null;
    // A wallet that says no fee may have taken one; then it is not known here.
    return { kind: "succeeded", preimage, feeMsats: msats(fee ?? known ?? 0) };
  }

  /** What an error proves, together with what the wallet knows about the hash. */
  async #afterError(hash: PaymentHash, { code, message }: NwcAnswer & { ok: false }): Promise<PaymentOutcome> {
    const givenUp = GIVEN_UP.some((start) => message.startsWith(start));
    const refusal = wordOf(REFUSALS, code) ?? (givenUp ? "failed" : undefined);
    const found = await this.#find(hash).catch(() => undefined);
    const isOut = found?.kind === "in_flight" || found?.kind === "succeeded";
    // Not acted on later; but until its end is known, the list is looked through for it.
    if (refusal !== undefined || isOut) await this.#answered(hash, found);
    if (found && found.kind !== "failed") return found;
    // INTERNAL, OTHER and the like are said of what was never begun, and of what went wrong halfway.
    if (found === undefined || refusal === undefined) return { kind: "unknown", reason: "refused_unconfirmed" };
    return { kind: "failed", reason: refusal };
  }

  /** The state of the payment of a hash; publishes a stored request again while it is fresh. @throws NodeUnavailable */
  async lookup(hash: PaymentHash): Promise<PaymentState> {
    const found = await this.#find(hash);
    const kept = this.#outbox.get(hash);
    if (found !== null && found.kind !== "failed") {
      // The wallet has had the request that was out, and does not act on it again.
      if (found.kind !== "unknown") await this.#answered(hash, found);
      return found;
    }
    // A failure may be that of the attempt before, while a request is still on its way.
    const { world, client } = this.#wallet;
    if (kept !== null && this.#mayCome(kept)) {
      const event = freshEvent(kept, world.now());
      if (!event) return { kind: "unknown", reason: "may_come_late" };
      // The same event: a wallet that has had it drops it.
      client.link.publish(event);
      return { kind: "unknown", reason: "published_again" };
    }
    if (kept !== null && kept.text !== ANSWERED && !this.#isMissing(hash)) {
      return { kind: "unknown", reason: "may_come_late" };
    }
    if (found !== null) return found;
    return (await this.#canFind()) ? { kind: "never_sent" } : CANNOT_FIND;
  }

  /** Whether the wallet has gone on knowing nothing new of it for long enough, and was there. */
  #isMissing(hash: PaymentHash): boolean {
    const now = this.#wallet.world.now();
    const since = this.#missing.get(hash);
    // Set back since, the clock counts anew.
    if (since !== undefined && since <= now) return now - since >= COME_BACK_MS;
    this.#missing.set(hash, now);
    const [oldest] = this.#missing.keys();
    if (this.#missing.size > MAX_MISSING && oldest !== undefined) this.#missing.delete(oldest);
    return false;
  }

  /** Whether the wallet may still act on a request that was never answered. */
  #mayCome({ text, sentAt }: KeptRequest): boolean {
    return text !== ANSWERED && this.#wallet.world.now() - sentAt < MAY_COME_LATE_MS;
  }

  /** The request goes out no more. When it was sent is kept for as long as the payment may be out. */
  async #answered(hash: PaymentHash, found: PaymentOutcome | null | undefined): Promise<void> {
    const kept = this.#outbox.get(hash);
    if (kept === null) return;
    if (found?.kind === "succeeded" || found?.kind === "failed" || found === null) await this.#outbox.drop(hash);
    else if (kept.text !== ANSWERED) await this.#outbox.put(hash, { text: ANSWERED, sentAt: kept.sentAt });
  }

  /** What the wallet says about the payment of a hash, or null when it knows of none. @throws NodeUnavailable */
  async #find(hash: PaymentHash): Promise<PaymentOutcome | null> {
    const transaction = await this.#wallet.lookup(hash);
    if (transaction !== null && transaction.type !== "outgoing") return { kind: "unknown", reason: "wrong_payment" };
    if (transaction !== null) this.#findsPayments = true;
    const shown = transaction && this.#unlessTooOld(hash, outcomeOf(transaction));
    const outcome = shown === null || shown.kind === "failed" ? ((await this.#listed(hash)) ?? shown) : shown;
    if (outcome !== null && outcome.kind !== "failed") this.#missing.delete(hash);
    return outcome;
  }

  /**
   * Alby Hub calls "expired" what is out and what failed alike, and once its invoice is over it never says which. What has not settled when no
   * time lock can last any more, has failed.
   */
  #unlessTooOld(hash: PaymentHash, outcome: PaymentOutcome): PaymentOutcome {
    if (outcome.kind !== "unknown" || outcome.reason !== EXPIRED) return outcome;
    const kept = this.#outbox.get(hash);
    return kept !== null && this.#wallet.world.now() - kept.sentAt > MAX_HELD_MS
      ? { kind: "failed", reason: EXPIRED }
      : outcome;
  }

  /**
   * What the list has of the attempts at a hash. A look-up may show the first of them, or call none found once there are two
   * (cln-nip47: nwc_lookups.rs); the one that is out counts. Without a request that is kept, none is out. @throws NodeUnavailable
   */
  async #listed(hash: PaymentHash): Promise<PaymentOutcome | null> {
    const kept = this.#outbox.get(hash);
    if (kept === null) return null;
    const from = Math.max(0, Math.floor((kept.sentAt - CLOCK_SKEW_MS) / 1000));
    let found: PaymentOutcome | null = null;
    for await (const transaction of this.#wallet.list({ type: "outgoing", unpaid: true, from })) {
      if (transaction.type !== "outgoing" || transaction.paymentHash !== hash) continue;
      const outcome = this.#unlessTooOld(hash, outcomeOf(transaction));
      if (outcome.kind === "succeeded") return outcome;
      if (found === null || found.kind === "failed" || outcome.kind === "in_flight") found = outcome;
    }
    return found;
  }

  /**
   * Whether "not found" means that there is no payment: the wallet finds one that it surely made, or it lists none at all, not
   * even one under way. @throws NodeUnavailable
   */
  async #canFind(): Promise<boolean> {
    if (this.#findsPayments) return true;
    for await (const { type, paymentHash } of this.#wallet.list({ type: "outgoing", unpaid: true })) {
      if (type !== "outgoing") continue;
      this.#findsPayments = (await this.#wallet.lookup(paymentHash))?.type === "outgoing";
      return this.#findsPayments;
    }
    return true;
  }

  /** By what the wallet says it can do for us. @throws NodeUnavailable */
  async mayPay(): Promise<MayPay> {
    const { methods, isLnbits } = await this.#wallet.facts();
    if (!methods.includes("pay_invoice")) {
      return { ok: false, reason: 'The connection may not pay: make one that allows "pay_invoice"' };
    }
    if (isLnbits) {
      return {
        ok: false,
        reason: "The wallet is LNbits, which cannot pay invoices without an amount, as refunds have",
      };
    }
    return { ok: true };
  }
}

/** The stored event while it is valid, else null. */
function freshEvent({ text }: KeptRequest, now: Millis): Event | null {
  const event = parseJson(text);
  if (!isObject(event) || typeof event.id !== "string" || !Array.isArray(event.tags)) return null;
  return now < validUntil(event as unknown as Event) ? (event as unknown as Event) : null;
}

/** In ms; NIP-40. */
function validUntil(event: Event): number {
  return Number(event.tags.find(([name]) => name === "expiration")?.[1] ?? 0) * 1000;
}
