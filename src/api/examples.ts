/** Values that stand for an order wherever the documents show one. Nothing here opens or pays anything. */
import type { OrderView } from "../orders/view.ts";

export const EXAMPLE_ID = "5f0c1d9ab27e4b6f8a3de4c0917b62fd";
const EXAMPLE_HASH = "4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0";

export const EXAMPLE_ORDER: OrderView = {
  orderId: EXAMPLE_ID,
  type: "receive-sms",
  status: "code_received",
  country: 16,
  service: "tg",
  phoneNumber: "+447700900123",
  code: "12345",
  messages: [{ code: "12345", text: "Your code is 12345", from: "Telegram", receivedAt: "2026-11-23T10:02:11.000Z" }],
  priceSats: 812,
  createdAt: "2026-11-23T10:00:00.000Z",
  paidAt: "2026-11-23T10:00:21.000Z",
  expiresAt: "2026-11-23T10:20:21.000Z",
  cancelAvailableAt: "2026-11-23T10:03:21.000Z",
  durationMinutes: null,
  refund: {
    status: "none",
    amountSats: null,
    paymentHash: null,
    preimage: null,
    refundedAt: null,
    address: null,
    claimUntil: null,
  },
  next: { action: "read_code", message: "The code is here; more messages may follow", afterSeconds: 10 },
};

export const EXAMPLE_CHALLENGE = {
  error: {
    code: "PAYMENT_REQUIRED",
    message: "Pay the invoice to get the number",
    suggestion: "Then poll statusUrl with Authorization: L402 <macaroon>:<preimage>",
    retryable: true,
    requestId: "b3k9Zt0QxW7a",
  },
  orderId: EXAMPLE_ID,
  status: "pending_payment",
  invoice: "lnbc8120n1p...",
  macaroon: "AgEEbHNhdAJCAAB...",
  priceSats: 812,
  paymentHash: EXAMPLE_HASH,
  expiresAt: "2026-11-23T10:05:00.000Z",
  statusUrl: `/v2/l402/order/${EXAMPLE_ID}`,
  pollIntervalMs: 5000,
};

export const EXAMPLE_REQUEST = {
  type: "receive-sms",
  country: "GB",
  service: "telegram",
  refundInvoice: "lnbc1p...",
  maxPriceSats: 2000,
};
