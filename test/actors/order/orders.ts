/** Orders to tell things to: terms, numbers, messages and destinations with plain defaults. */
import type { IncomingMessage, Standing } from "../../../actors/order/commands.ts";
import { microUsd, msats, sats } from "../../../actors/order/money.ts";
import { DEFAULT_POLICY, type Policy } from "../../../actors/order/policy.ts";
import type { Destination, HeldNumber } from "../../../actors/order/state.ts";
import type { Good, OrderId, OrderType, Terms } from "../../../actors/order/terms.ts";

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** When every order of these tests opens. */
export const OPENED_AT = Date.UTC(2026, 0, 1);
/** When it is paid, unless a test says otherwise. */
export const PAID_AT = OPENED_AT + MINUTE;

export const ID = "0123456789abcdef0123456789abcdef" as OrderId;
export const PRICE = sats(1_500);
export const RECEIVED = msats(1_500_000);
export const QUOTED_COST = microUsd(250_000);

export function goodOf(type: OrderType): Good {
  const common = { service: "tg", country: 187, maxCost: QUOTED_COST };
  switch (type) {
    case "receive-sms":
      return { type, ...common };
    case "receive-sms-reactivate":
      return {
        type,
        ...common,
        parentOrderId: "f".repeat(32) as OrderId,
        parentActivationId: "900000001",
        parentPhoneNumber: "+15550000001",
      };
    case "rent-number":
      return { type, ...common, durationMinutes: 230, hours: 4 };
  }
}

export function termsOf(type: OrderType, policy: Policy = DEFAULT_POLICY): Terms {
  return {
    good: goodOf(type),
    priceSats: PRICE,
    createdAt: OPENED_AT,
    invoice: "lnbcrt1invoice",
    paymentHash: "aa".repeat(32),
    invoiceExpiresAt: OPENED_AT + policy.invoiceExpiryMs,
    node: `02${"11".repeat(32)}`,
    notifyNpub: null,
    requestDigest: "dd".repeat(32),
    policy,
  };
}

/** A refund invoice with its own hash; lives two hours, as customers are told. */
export function destination(n = 1, expiresAt = OPENED_AT + 2 * HOUR): Omit<Destination, "claimed"> {
  return { invoice: `lnbcrt1refund${n}`, paymentHash: n.toString(16).padStart(64, "0"), expiresAt };
}

export function heldNumber(boughtAt: number, type: OrderType, changes: Partial<HeldNumber> = {}): HeldNumber {
  const life = type === "rent-number" ? 4 * HOUR : 20 * MINUTE;
  return {
    activationId: "900000007",
    phoneNumber: "+15550000001",
    cost: QUOTED_COST,
    boughtAt,
    endsAt: boughtAt + life,
    ...changes,
  };
}

/** What an SMS says must never be in an event. */
export const SECRET_TEXT = "Your login is 424242";
export const SECRET_CODE = "424242";

export const sms = (id: string, changes: Partial<IncomingMessage> = {}): IncomingMessage => ({
  id,
  code: SECRET_CODE,
  text: SECRET_TEXT,
  from: "Telegram",
  receivedAt: PAID_AT + MINUTE,
  ...changes,
});

export const seen = (standing: Standing, ...messages: IncomingMessage[]) =>
  ({ type: "Looked", answer: { kind: "seen", standing, messages } }) as const;

export const notSeen = { type: "Looked", answer: { kind: "unavailable" } } as const;

export const PREIMAGE = "cc".repeat(32);
