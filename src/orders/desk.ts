/**
 * The desk is what HTTP, and whatever else will front the service, talks to: the application's verbs, free of Elysia and of
 * wire formats. Every method answers with a value or a `Problem`; an exception is a bug.
 */
import type { OrderType } from "../../actors/order/terms.ts";
import type { WithdrawRefused } from "./ladder.ts";
import type { Problem } from "./problem.ts";
import type { OrderView } from "./view.ts";

/** A purchase as the customer asked for it; every field optional, `{}` is a receive-sms of any service in any country. */
export interface OrderRequest {
  readonly type?: OrderType;
  /** HeroSMS id, ISO alpha-2, English name, alias or "auto". */
  readonly country?: string | number;
  /** Code, name or alias. */
  readonly service?: string;
  readonly refundInvoice?: string;
  /** Lightning address or LNURL-pay, asked for an invoice when there is no usable one. */
  readonly refundAddress?: string;
  readonly maxPriceSats?: number;
  /** rent-number only. */
  readonly durationMinutes?: number;
  /** receive-sms-reactivate only: the earlier order. */
  readonly orderId?: string;
  readonly notify?: { readonly nostr?: string };
}

/** What a verified credential proves. */
export interface Bearer {
  readonly orderId: string;
  readonly paymentHash: string;
  /** Full rights, or only the listed ones. */
  readonly capabilities: ReadonlySet<"read" | "cancel" | "refund" | "extend"> | "all";
}

export interface CreateInput {
  readonly request: OrderRequest;
  /** Whether the body had any field; an empty one replays any order of the credential. */
  readonly emptyBody: boolean;
  /** Address bucket of the client (IPv4 /32, IPv6 /64), for limits. */
  readonly client: string;
  /** The network around that address (IPv4 /24, IPv6 /48), for limits; the client alone when it is not given. */
  readonly network?: string;
  readonly idempotencyKey: string | null;
  /** A valid paid credential that came with the request: replay, or ownership proof of a reactivation. */
  readonly bearer: Bearer | null;
  /** Chain good, preimage missing or wrong: the same invoice again, with the macaroon that was presented. */
  readonly unpaidBearer: { readonly orderId: string; readonly macaroon: string } | null;
  /** From `parentCredential` in the body. */
  readonly parent: Bearer | null;
}

export interface Challenge {
  readonly kind: "challenge";
  readonly orderId: string;
  readonly invoice: string;
  /** Standard base64, padded. */
  readonly macaroon: string;
  /** The whole WWW-Authenticate value. */
  readonly header: string;
  readonly priceSats: number;
  readonly paymentHash: string;
  readonly expiresAt: string;
}

export type Created = Challenge | { readonly kind: "existing"; readonly order: OrderView } | Problem;

/** Without a promise where the answer is known at once. */
export type Eventually<T> = T | Promise<T>;

export interface OrderDesk {
  /** `POST /v2/l402/order`, with the replay and idempotency rules. */
  create(input: CreateInput): Promise<Created>;
  /** Reads the bearer's order; counts as reading the code when one is there. The same object while nothing about it changed. */
  read(bearer: Bearer): Eventually<OrderView | Problem>;
  /** The same challenge again while the order is unpaid; NOT as a Problem 402 but as a Challenge. Otherwise INVALID_MACAROON. */
  challengeAgain(orderId: string, macaroon: string): Promise<Challenge | Problem>;
  /** The macaroon of the bearer's own order, full rights; null when there is no such order. For who proved payment otherwise. */
  macaroonOf(bearer: Bearer): string | null;
  cancel(bearer: Bearer): Promise<OrderView | Problem>;
  setRefundInvoice(bearer: Bearer, refundInvoice: string): Promise<OrderView | Problem>;
  setRefundAddress(bearer: Bearer, refundAddress: string): Promise<OrderView | Problem>;
  /** A link for whoever holds it, while the refund waits for a destination. `secret` is in no other answer. */
  refundLink(bearer: Bearer): Promise<{ readonly order: OrderView; readonly secret: string } | Problem>;
  /** What such a link is good for, sats. */
  withdrawTerms(orderId: string, secret: string): number | WithdrawRefused;
  withdraw(orderId: string, secret: string, invoice: string): Promise<"taken" | WithdrawRefused>;
  /** News from the provider's webhook; a hint, confirmed with the provider. Never fails. */
  hint(activationId: string): void;
}
