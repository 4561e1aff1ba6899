/** What every status and every error code means, in words: one source for all documents. */
import type { Status } from "../../actors/order/status.ts";
import type { ProblemCode } from "../orders/problem.ts";

export const STATUS_GUIDE: Readonly<Record<Status, string>> = {
  pending_payment: "The invoice is not paid yet",
  paid: "Payment was shown or seen; waiting for the node's word or for the purchase to begin",
  allocating_number: "A number is being bought",
  waiting_for_sms: "`phoneNumber` is yours: use it now and poll for `code`",
  code_received: "`code` is there, `messages` has all of them; a few more may follow for a short while",
  rent_active: "The rental runs; `messages` grows until `expiresAt`",
  completed: "Over: you got what you paid for",
  refund_pending: "No code came; the refund is being paid",
  refunded: "Over: the refund was paid, `refund.preimage` proves it",
  refund_failed:
    "Your sats wait for you: post a fresh refundInvoice or a refundAddress, or take a link to withdraw them",
  failed: "Nothing could be delivered; if `refund.status` is `needs_destination`, post a refundInvoice",
  expired: "Over: never paid in time, or a type that is not refunded",
};

/** Statuses after which nothing more happens unless you act. */
export const FINAL_WORDS = "completed, refunded, failed, expired";

export const ERROR_GUIDE: Readonly<Record<ProblemCode, { readonly means: string; readonly remedy: string }>> = {
  VALIDATION_ERROR: {
    means: "`error.field` is missing, unknown or of a wrong form; `error.nearest` lists what is close",
    remedy: "Correct it",
  },
  INVALID_COUNTRY: {
    means: "No such country; `error.nearest` lists what is close",
    remedy: "Use one of those, or auto",
  },
  INVALID_REFUND_INVOICE: {
    means: "The refundInvoice cannot be paid: amount set, wrong network, used before, or malformed",
    remedy: "Make a fresh invoice without an amount",
  },
  INVALID_REFUND_ADDRESS: {
    means: "The refundAddress is no Lightning address or LNURL, or leads to no public HTTPS server",
    remedy: "Send name@wallet.com, or a refundInvoice instead",
  },
  REFUND_INVOICE_EXPIRES_TOO_SOON: {
    means: "The refundInvoice lives for less than 30 minutes from now",
    remedy: "Make one that is valid for two hours",
  },
  PAYMENT_REQUIRED: {
    means: "Not paid yet; the body has the invoice",
    remedy: "Pay, then come back with the credential",
  },
  INVALID_MACAROON: {
    means: "No credential, a foreign or broken one, or one without the needed capability",
    remedy: "Send the credential of this very order; do not pay again",
  },
  EXPIRED_MACAROON: {
    means: "The credential was good once",
    remedy: "Use the original macaroon if yours was narrowed; otherwise the order is long over",
  },
  NOT_FOUND: { means: "No such path, or no such order for you", remedy: "Check path, method and order id" },
  CANCEL_TOO_SOON: { means: "Cancelling is not open yet", remedy: "Wait until `cancelAvailableAt`, polling meanwhile" },
  CANCEL_SMS_RECEIVED: { means: "An SMS came: the order is delivered", remedy: "Read the order: the code is there" },
  CANCEL_NOT_ALLOWED: { means: "Rentals and reactivations cannot be cancelled", remedy: "Let it run" },
  REFUND_NOT_PENDING: {
    means: "A refund is being paid, or can no longer be due",
    remedy: "Read the order: `refund` says where your sats are",
  },
  IDEMPOTENCY_CONFLICT: {
    means: "This Idempotency-Key was used for another body, its order is paid, or its invoice expired",
    remedy: "Read that order, or use a new key",
  },
  PRICE_ABOVE_MAX: { means: "The price is above your maxPriceSats", remedy: "Raise it, or choose another country" },
  UNAVAILABLE: { means: "No number of that kind is to be had now", remedy: "Another country, `auto`, or later" },
  PAYLOAD_TOO_LARGE: { means: "The body is larger than 16 KiB", remedy: "Send only the fields of this API" },
  RATE_LIMITED: {
    means: "Too many requests or unpaid orders of your address, or refund destinations of one order",
    remedy: "Wait for `retryAfterSeconds`",
  },
  INTERNAL: { means: "A bug on our side; your order is safe", remedy: "Retry; then tell the operator the requestId" },
  TEMPORARILY_UNAVAILABLE: {
    means: "Node, provider or prices are down, so nothing is sold; paid orders go on",
    remedy: "Wait for `retryAfterSeconds`",
  },
};
