/** What the OpenAPI document says about the routes of orders. */
import { EXAMPLE_CHALLENGE, EXAMPLE_ID, EXAMPLE_ORDER, EXAMPLE_REQUEST } from "./examples.ts";
import type { AnswerDoc, ParameterDoc, RouteDoc } from "./openapi.ts";

const ORDER_200: AnswerDoc = {
  status: 200,
  description: "The order",
  headers: {
    "Payment-Receipt": "For a `Payment` credential: base64url of {status, method, challengeId, reference, timestamp}",
  },
  content: { type: "application/json", schema: "Order", example: EXAMPLE_ORDER },
};

const CHALLENGE_402: AnswerDoc = {
  status: 402,
  description: "PAYMENT_REQUIRED: pay the invoice, then send Authorization: L402 <macaroon>:<preimage>",
  headers: {
    "WWW-Authenticate":
      'L402 macaroon="...", invoice="...", version="0", token="...", Payment id="...", realm="...", method="lightning", ' +
      'intent="charge", request="...", expires="..."; with `Accept-Payment: lightning/charge` the other way round',
  },
  content: {
    type: "application/json",
    alsoAs: "application/problem+json",
    schema: "Challenge",
    example: EXAMPLE_CHALLENGE,
  },
};

const ORDER_ID: ParameterDoc = { in: "path", name: "id", description: "The order's id", example: EXAMPLE_ID };

const IDEMPOTENCY_KEY: ParameterDoc = {
  in: "header",
  name: "Idempotency-Key",
  description: "22 to 255 visible characters, random: the same key and body get the same invoice while it is unpaid",
  schema: { type: "string", minLength: 22, maxLength: 255 },
};

const ACCEPT_PAYMENT: ParameterDoc = {
  in: "header",
  name: "Accept-Payment",
  description:
    "`lightning/charge` puts the `Payment` challenge before the L402 one and makes the 402 a problem document " +
    "(application/problem+json, same members); with `;q=0` there is none",
};

const OF_ONE_ORDER = ["INVALID_MACAROON", "EXPIRED_MACAROON", "NOT_FOUND", "TEMPORARILY_UNAVAILABLE"] as const;

/** Payment discovery of machine-payment registries (draft-payment-discovery): no fixed amount. */
const PAYMENT_INFO = {
  "x-payment-info": {
    offers: [
      { intent: "charge", method: "lightning", amount: null, currency: "sat", description: "Quoted for each order" },
    ],
  },
};

export const PURCHASE_DOC: RouteDoc = {
  operationId: "createOrder",
  tag: "Orders",
  summary: "Create an order, or replay a paid one",
  description:
    "Without a credential: quotes, reserves and answers 402 with an invoice. `{}` or no body is receive-sms of any " +
    "service in any country. With the credential of a paid order and the same or an empty body: that order (200). Any " +
    "content type is taken as JSON. A stale, foreign or broken credential is ignored.",
  credential: "optional",
  parameters: [IDEMPOTENCY_KEY, ACCEPT_PAYMENT],
  body: { schema: "OrderRequest", required: false, example: EXAMPLE_REQUEST },
  answers: [{ ...ORDER_200, description: "The order that the credential opens" }, CHALLENGE_402],
  errors: [
    "VALIDATION_ERROR",
    "INVALID_COUNTRY",
    "INVALID_REFUND_INVOICE",
    "INVALID_REFUND_ADDRESS",
    "REFUND_INVOICE_EXPIRES_TOO_SOON",
    "INVALID_MACAROON",
    "EXPIRED_MACAROON",
    "IDEMPOTENCY_CONFLICT",
    "PRICE_ABOVE_MAX",
    "UNAVAILABLE",
    "TEMPORARILY_UNAVAILABLE",
  ],
  extensions: PAYMENT_INFO,
};

export const PROBE_DOC: RouteDoc = {
  operationId: "createDefaultOrder",
  tag: "Orders",
  summary: "Create the default order",
  description:
    "The same as POST with `{}`, for probes and clients that can only GET. It makes a real order, under the same limits. " +
    "HEAD makes none and answers 405.",
  credential: "optional",
  parameters: [IDEMPOTENCY_KEY, ACCEPT_PAYMENT],
  answers: [{ ...ORDER_200, description: "The order that the credential opens" }, CHALLENGE_402],
  errors: ["VALIDATION_ERROR", "IDEMPOTENCY_CONFLICT", "UNAVAILABLE", "TEMPORARILY_UNAVAILABLE"],
  extensions: PAYMENT_INFO,
};

export const ORDER_DOC: RouteDoc = {
  operationId: "readOrder",
  tag: "Orders",
  summary: "Read an order",
  description:
    "Poll this: `next.afterSeconds` says when to come back. With the macaroon alone (`L402 <macaroon>:`) an unpaid order " +
    "answers 402 with the same invoice.",
  credential: "needed",
  parameters: [ORDER_ID],
  answers: [ORDER_200, CHALLENGE_402],
  errors: OF_ONE_ORDER,
};

export const CANCEL_DOC: RouteDoc = {
  operationId: "cancelOrder",
  tag: "Orders",
  summary: "Cancel and refund",
  description:
    "receive-sms only, from `cancelAvailableAt` on and while no SMS came. The number is given back first, then the " +
    "refund is paid. Repeating it is harmless.",
  credential: "needed",
  parameters: [ORDER_ID],
  answers: [{ ...ORDER_200, description: "Accepted; `refund` tells how it goes" }, CHALLENGE_402],
  errors: [...OF_ONE_ORDER, "VALIDATION_ERROR", "CANCEL_TOO_SOON", "CANCEL_SMS_RECEIVED", "CANCEL_NOT_ALLOWED"],
};

export const REFUND_DOC: RouteDoc = {
  operationId: "setRefundInvoice",
  tag: "Orders",
  summary: "Say where a refund goes",
  description:
    "Sets a refundInvoice or a refundAddress where none is set, before a refund was tried, or after all tries surely failed. A BOLT 11 " +
    "invoice without an amount, valid for at least 30 minutes; two hours are better.",
  credential: "needed",
  parameters: [ORDER_ID],
  body: { schema: "RefundInvoiceRequest", required: true, example: { refundInvoice: "lnbc1p..." } },
  answers: [{ ...ORDER_200, description: "The order with its new destination" }, CHALLENGE_402],
  errors: [
    ...OF_ONE_ORDER,
    "VALIDATION_ERROR",
    "INVALID_REFUND_INVOICE",
    "INVALID_REFUND_ADDRESS",
    "REFUND_INVOICE_EXPIRES_TOO_SOON",
    "REFUND_NOT_PENDING",
  ],
};

export const LINK_DOC: RouteDoc = {
  operationId: "createRefundLink",
  tag: "Orders",
  summary: "A link to withdraw a refund with",
  description:
    "For an order whose refund waits for a destination: an LNURL-withdraw that whoever holds it can use once. A new one, a refundInvoice " +
    "or a refundAddress ends the one before. It is not the credential of the order.",
  credential: "needed",
  parameters: [ORDER_ID],
  answers: [
    { status: 200, description: "The link", content: { type: "application/json", schema: "RefundLink" } },
    CHALLENGE_402,
  ],
  errors: [...OF_ONE_ORDER, "VALIDATION_ERROR", "REFUND_NOT_PENDING", "UNAVAILABLE"],
};

const WITHDRAW: AnswerDoc = {
  status: 200,
  description: "As LUD-03 says, refusals too: `{status, reason}`",
  content: { type: "application/json", schema: "Withdraw" },
};
const SECRET: ParameterDoc = { in: "path", name: "secret", description: "Of the link" };

export const WITHDRAW_DOC: RouteDoc = {
  operationId: "readWithdrawRequest",
  tag: "Orders",
  summary: "What a withdraw link is good for",
  description: "LNURL-withdraw (LUD-03), first step: for wallets.",
  parameters: [ORDER_ID, SECRET],
  answers: [WITHDRAW],
};

export const WITHDRAW_PAY_DOC: RouteDoc = {
  operationId: "withdraw",
  tag: "Orders",
  summary: "Withdraw to an invoice",
  description:
    "LNURL-withdraw (LUD-03), second step: the invoice must be for exactly the amount of the link, which is over with that. " +
    "HEAD takes nothing and answers 405.",
  parameters: [
    ORDER_ID,
    { in: "query", name: "k1", description: "Secret of the link" },
    { in: "query", name: "pr", description: "BOLT 11 invoice" },
  ],
  answers: [WITHDRAW],
};
