/** Core Lightning's messages: msats as numbers, times in seconds, hex, and fields left out where there is nothing to say (doc/schemas). */
import type { InvoiceRow, PaymentRow } from "../books.ts";

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** `listinvoices`, `waitanyinvoice` and `delinvoice`. */
export function invoiceMessage(row: InvoiceRow, label: string, updatedIndex: number | null): object {
  const status = row.state === "SETTLED" ? "paid" : row.state === "OPEN" ? "unpaid" : "expired";
  return {
    label,
    bolt11: row.bolt11,
    payment_hash: row.hash,
    ...(row.value_msat > 0 && { amount_msat: row.value_msat }),
    status,
    ...(row.settled_ms !== null && {
      pay_index: row.settle_index,
      amount_received_msat: row.paid_msat,
      paid_at: seconds(row.settled_ms),
      payment_preimage: row.preimage,
    }),
    description: row.memo,
    expires_at: seconds(row.created_ms) + row.expiry_seconds,
    created_index: row.add_index,
    ...(updatedIndex !== null && { updated_index: updatedIndex }),
  };
}

/** `listpays`. */
export function payMessage(row: PaymentRow): object {
  const status = { SUCCEEDED: "complete", IN_FLIGHT: "pending", FAILED: "failed" }[row.status];
  return {
    bolt11: row.bolt11,
    destination: row.payee,
    payment_hash: row.hash,
    status,
    created_at: seconds(row.created_ms),
    ...(row.status === "SUCCEEDED" && {
      completed_at: seconds(row.resolved_ms ?? row.created_ms),
      preimage: row.preimage,
    }),
    amount_msat: row.value_msat,
    amount_sent_msat: row.value_msat + row.fee_msat,
    number_of_parts: 1,
    created_index: row.payment_index,
  };
}

export function infoMessage(pubkey: string): object {
  return {
    id: pubkey,
    alias: "loopback-merchant",
    color: pubkey.slice(2, 8),
    num_peers: 1,
    num_pending_channels: 0,
    num_active_channels: 1,
    num_inactive_channels: 0,
    address: [],
    binding: [],
    version: "v26.06.6",
    blockheight: 144,
    network: "regtest",
    fees_collected_msat: 0,
    "lightning-dir": "/loopback/regtest",
    our_features: { init: "0898882a8a59a1", node: "8898882a8a59a1", channel: "", invoice: "02000002024100" },
  };
}

/** The one channel of `listpeerchannels`. In msats. */
export function channelMessage(peer: string, local: number, remote: number, out: number): object {
  return {
    peer_id: peer,
    peer_connected: true,
    state: "CHANNELD_NORMAL",
    short_channel_id: "101x1x0",
    direction: 0,
    to_us_msat: local,
    total_msat: local + remote + out,
    spendable_msat: local,
    receivable_msat: remote,
    htlcs: [],
  };
}
