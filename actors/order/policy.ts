/**
 * The rules of time that an order lives by. A copy is frozen into every order when it opens, so that deciding needs no
 * configuration and a change of configuration never moves the goalposts of an order that is under way. Times in ms.
 */
import { type Sats, sats } from "./money.ts";

/** The most that the routing of one refund may cost: `max(leastSats, baseSats + amount x ppm / 1,000,000)`, rounded up. */
export interface FeeCap {
  readonly leastSats: number;
  readonly baseSats: number;
  readonly ppm: number;
}

/** 0.5 %, and 2 sats for small amounts. */
export const DEFAULT_FEE_CAP: FeeCap = { leastSats: 2, baseSats: 0, ppm: 5_000 };

export function feeCapOf(cap: FeeCap, amount: Sats): Sats {
  return sats(Math.max(cap.leastSats, cap.baseSats + Math.ceil((amount * cap.ppm) / 1_000_000)));
}

export interface Policy {
  /** How long the invoice can be paid. */
  readonly invoiceExpiryMs: number;
  /** Without an SMS this long after payment the order is closed and refunded. */
  readonly smsTimeoutMs: number;
  /** The customer may cancel from this long after payment. */
  readonly cancelAfterMs: number;
  /** Buying stops this long after payment. */
  readonly buyWindowMs: number;
  /** Tries to buy while the provider surely has nothing at our price. */
  readonly buyAttempts: number;
  /** The provider refuses to cancel earlier than this after the buy. */
  readonly minActivationMs: number;
  /**
   * A settlement learned this long after it happened is late money: never a buy at a stale price. Of a type that promises no
   * refund it is late as soon as `buyWindowMs` is over: within the quoted cost it still buys.
   */
  readonly lateAfterMs: number;
  /** How long more SMS may arrive after the first code was read, before the number is given back. */
  readonly codeGraceMs: number;
  /** The number is finished this long before the provider would end it by itself. */
  readonly endMarginMs: number;
  /** How long the node may start new attempts of one refund. */
  readonly refundPayTimeoutMs: number;
  /** How long after its payment, of a rental after its term, an order without a usable refund destination waits for one. */
  readonly claimWindowMs: number;
  readonly refundFeeCap: FeeCap;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/**
 * What a member that is not written down in a stored order stands for (`runtime/texts.ts`). Orders of every version are read by it: never changed, also
 * when a default is.
 */
export const USUAL_POLICY: Policy = {
  invoiceExpiryMs: 5 * MINUTE,
  smsTimeoutMs: 20 * MINUTE,
  cancelAfterMs: 3 * MINUTE,
  buyWindowMs: 4 * MINUTE,
  buyAttempts: 4,
  minActivationMs: 2 * MINUTE,
  lateAfterMs: 5 * MINUTE,
  codeGraceMs: 30 * SECOND,
  endMarginMs: 90 * SECOND,
  refundPayTimeoutMs: 60 * SECOND,
  claimWindowMs: 90 * DAY,
  refundFeeCap: { leastSats: 2, baseSats: 0, ppm: 5_000 },
};

/** Of new orders. */
export const DEFAULT_POLICY: Policy = USUAL_POLICY;

/** A refund invoice must be valid for this long at creation; it covers the slowest refundable life. */
export const REFUND_INVOICE_LIFE_MS = 30 * MINUTE;
/** Room for the refund attempts at the end of that life. */
const REFUND_MARGIN_MS = 4 * MINUTE;
/** Clocks of the customer, the node and ours may differ by this much. */
const CLOCK_SKEW_MS = MINUTE;

/**
 * Why a policy cannot work, or null when it can: the slowest way to a refund must fit into the 30 minutes that a
 * customer's refund invoice is guaranteed to live.
 */
export function policyFault(policy: Policy): string | null {
  const slowest = policy.invoiceExpiryMs + policy.smsTimeoutMs + REFUND_MARGIN_MS + CLOCK_SKEW_MS;
  if (slowest > REFUND_INVOICE_LIFE_MS) {
    return `Invoice expiry, SMS timeout, refund margin and clock skew add up to ${slowest / SECOND} s, more than ${REFUND_INVOICE_LIFE_MS / SECOND} s`;
  }
  if (policy.minActivationMs >= policy.smsTimeoutMs)
    return "The SMS timeout is shorter than the provider's minimum activation time";
  if (policy.buyWindowMs >= policy.smsTimeoutMs) return "The buying window is longer than the SMS timeout";
  return null;
}
