/**
 * What was sold: frozen when the order opens. Afterwards nothing is added or changed; what nobody needs any more is left out.
 */
import type { MicroUsd, Sats } from "./money.ts";
import type { Policy } from "./policy.ts";

/** 32 lower-case hex digits: the time of its opening in ms, 12 digits, and 80 random bits; all random in orders of older versions (ADR 33). */
export type OrderId = string & { readonly of: "order" };

export const ORDER_TYPES = ["receive-sms", "receive-sms-reactivate", "rent-number"] as const;
export type OrderType = (typeof ORDER_TYPES)[number];

/** The provider's side of the sale, with the highest cost we accept: the cost that the price was quoted from. */
export type Good =
  | { readonly type: "receive-sms"; readonly service: string; readonly country: number; readonly maxCost: MicroUsd }
  | {
      readonly type: "receive-sms-reactivate";
      readonly service: string;
      readonly country: number;
      readonly maxCost: MicroUsd;
      readonly parentOrderId: OrderId;
      readonly parentActivationId: string;
      /** The number that must come back; also how a lost answer is told from somebody else's buy. */
      readonly parentPhoneNumber: string;
    }
  | {
      readonly type: "rent-number";
      readonly service: string;
      readonly country: number;
      readonly maxCost: MicroUsd;
      /** What the customer asked for. */
      readonly durationMinutes: number;
      /** The provider's smallest rental at least as long. */
      readonly hours: number;
    };

export interface Terms {
  readonly good: Good;
  readonly priceSats: Sats;
  readonly createdAt: number;
  /** Empty from its payment on: nobody pays it again, and the event that opened the order has it. */
  readonly invoice: string;
  /** Lower-case hex. */
  readonly paymentHash: string;
  readonly invoiceExpiresAt: number;
  /** Public key of the node that made the invoice: only that node's word counts for it. */
  readonly node: string;
  /** Hex public key of the Nostr account to tell when a code arrives. */
  readonly notifyNpub: string | null;
  /** Digest of the request that opened it: a replay of the same request means the same order. */
  readonly requestDigest: string;
  readonly policy: Policy;
}

/** How long a rental lasts, ms; 0 for what is sold at once. */
export const rentalMs = (good: Good): number => (good.type === "rent-number" ? good.hours * 3_600_000 : 0);

/** Only an SMS that never came is refunded; a reactivation or a rental is a sale of access, not of a message. */
export const isRefundable = (good: Good): boolean => good.type === "receive-sms";
