/** phoenixd's messages (json/JsonSerializers.kt): sats where the name says so, fees in msats, times in ms. */
import type { InvoiceRow, PaymentRow } from "../books.ts";

const sats = (msat: number): number => Math.floor(msat / 1000);

/** `ApiType.IncomingPayment` */
export function incomingMessage(row: InvoiceRow, externalId: string | null, now: number): object {
  const expiresAt = row.created_ms + row.expiry_seconds * 1000;
  return {
    type: "incoming_payment",
    subType: "lightning",
    paymentHash: row.hash,
    preimage: row.preimage,
    externalId,
    description: row.memo,
    invoice: row.bolt11,
    isPaid: row.state === "SETTLED",
    isExpired: now > expiresAt,
    requestedSat: row.value_msat > 0 ? sats(row.value_msat) : null,
    receivedSat: sats(row.paid_msat),
    fees: 0,
    expiresAt,
    completedAt: row.settled_ms,
    createdAt: row.created_ms,
  };
}

/** `ApiType.OutgoingPayment` */
export function outgoingMessage(row: PaymentRow): object {
  const succeeded = row.status === "SUCCEEDED";
  const fees = succeeded ? row.fee_msat : 0;
  return {
    type: "outgoing_payment",
    subType: "lightning",
    paymentId: paymentId(row),
    paymentHash: row.hash,
    preimage: row.preimage,
    isPaid: succeeded,
    sent: sats(row.value_msat + fees),
    fees,
    invoice: row.bolt11,
    completedAt: row.status === "IN_FLIGHT" ? null : row.resolved_ms,
    createdAt: row.created_ms,
  };
}

/** `ApiType.PaymentSent` */
export function sentMessage(row: PaymentRow): object {
  return {
    recipientAmountSat: sats(row.value_msat),
    routingFeeSat: sats(row.fee_msat),
    paymentId: paymentId(row),
    paymentHash: row.hash,
    paymentPreimage: row.preimage,
  };
}

/** `ApiType.PaymentReceived`, as the WebSocket sends it. */
export function receivedEvent(row: InvoiceRow, externalId: string | null): object {
  return {
    type: "payment_received",
    timestamp: row.settled_ms,
    amountSat: sats(row.paid_msat),
    paymentHash: row.hash,
    externalId,
  };
}

/** A UUID by its looks. */
function paymentId({ hash, payment_index: index }: PaymentRow): string {
  const hex = `${hash.slice(0, 24)}${index.toString(16).padStart(8, "0")}`;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
