/**
 * lnd's messages about invoices and the node, in protobuf's JSON form: every field of the message is written, 64-bit integers are text, unset
 * messages are null, `bytes` are base64 and the hashes lnd types as `string` are hex. (lnd: lnrpc/lightning.proto.)
 */
import type { InvoiceRow } from "../books.ts";
import type { ReadInvoice } from "../decode.ts";
import { INVOICE_FEATURES } from "../mint.ts";
import { base64, sats, seconds } from "./wire.ts";

/** Block 101, transaction 1, output 0. */
export const CHANNEL_ID = String((101n << 40n) | (1n << 16n));
export const BLOCK_HEIGHT = 144;
/** lnd: lnwire/features.go. */
const FEATURE_LABELS: Readonly<Record<number, string>> = {
  8: "tlv-onion",
  9: "tlv-onion",
  14: "payment-addr",
  15: "payment-addr",
  16: "multi-path-payments",
  17: "multi-path-payments",
};

/** lnrpc.Invoice */
export function invoiceMessage(row: InvoiceRow): object {
  return {
    memo: row.memo,
    r_preimage: base64(row.preimage),
    r_hash: base64(row.hash),
    value: sats(row.value_msat),
    value_msat: String(row.value_msat),
    settled: row.state === "SETTLED",
    creation_date: seconds(row.created_ms),
    settle_date: row.settled_ms === null ? "0" : seconds(row.settled_ms),
    payment_request: row.bolt11,
    description_hash: "",
    expiry: String(row.expiry_seconds),
    fallback_addr: "",
    cltv_expiry: String(row.final_cltv),
    route_hints: [],
    private: false,
    add_index: String(row.add_index),
    settle_index: String(row.settle_index ?? 0),
    // In millisats, as lnd fills this deprecated field.
    amt_paid: String(row.paid_msat),
    amt_paid_sat: sats(row.paid_msat),
    amt_paid_msat: String(row.paid_msat),
    state: row.state,
    htlcs: row.settled_ms === null ? [] : [invoiceHtlc(row, row.settled_ms)],
    features: features(INVOICE_FEATURES),
    is_keysend: false,
    payment_addr: base64(row.secret),
    is_amp: false,
    amp_invoice_state: {},
    is_blinded: false,
    blinded_path_config: null,
  };
}

/** lnrpc.AddInvoiceResponse */
export function addInvoiceMessage(row: InvoiceRow): object {
  return {
    r_hash: base64(row.hash),
    payment_request: row.bolt11,
    add_index: String(row.add_index),
    payment_addr: base64(row.secret),
  };
}

/** lnrpc.ListInvoiceResponse */
export function invoiceListMessage(rows: readonly InvoiceRow[]): object {
  return {
    invoices: rows.map(invoiceMessage),
    last_index_offset: String(rows.at(-1)?.add_index ?? 0),
    first_index_offset: String(rows[0]?.add_index ?? 0),
  };
}

/** lnrpc.PayReq */
export function payReqMessage(invoice: ReadInvoice): object {
  return {
    destination: invoice.payee,
    payment_hash: invoice.paymentHash,
    num_satoshis: sats(invoice.amountMsat ?? 0),
    timestamp: String(invoice.timestamp),
    expiry: String(invoice.expirySeconds),
    description: invoice.description,
    description_hash: invoice.descriptionHash,
    fallback_addr: "",
    cltv_expiry: String(invoice.finalCltv),
    route_hints: [],
    payment_addr: base64(invoice.paymentSecret ?? "0".repeat(64)),
    num_msat: String(invoice.amountMsat ?? 0),
    features: features(invoice.features),
    blinded_paths: [],
  };
}

/** lnrpc.GetInfoResponse */
export function infoMessage(pubkey: string, nowMs: number): object {
  return {
    version: "0.21.2-beta commit=v0.21.2-beta",
    commit_hash: "",
    identity_pubkey: pubkey,
    alias: "loopback-merchant",
    color: "#3399ff",
    num_pending_channels: 0,
    num_active_channels: 1,
    num_inactive_channels: 0,
    num_peers: 1,
    block_height: BLOCK_HEIGHT,
    block_hash: "00".repeat(32),
    best_header_timestamp: seconds(nowMs),
    synced_to_chain: true,
    synced_to_graph: true,
    testnet: false,
    chains: [{ chain: "bitcoin", network: "regtest" }],
    uris: [],
    features: features(INVOICE_FEATURES),
    require_htlc_interceptor: false,
    store_final_htlc_resolutions: false,
    wallet_synced: true,
    graph_cache_status: "GRAPH_CACHE_STATUS_LOADED",
  };
}

/** lnrpc.ChannelBalanceResponse; HTLCs that are out count as the remote side's, unsettled. In millisats. */
export function balanceMessage(local: number, remote: number, outgoing: number): object {
  const amount = (msat: number) => ({ sat: sats(msat), msat: String(msat) });
  return {
    balance: sats(local),
    pending_open_balance: "0",
    local_balance: amount(local),
    remote_balance: amount(remote),
    unsettled_local_balance: amount(0),
    unsettled_remote_balance: amount(outgoing),
    pending_open_local_balance: amount(0),
    pending_open_remote_balance: amount(0),
    // One open channel without custom data, no pending one.
    custom_channel_data: base64("010000"),
  };
}

function invoiceHtlc(row: InvoiceRow, settledMs: number): object {
  return {
    chan_id: CHANNEL_ID,
    htlc_index: String((row.settle_index ?? 1) - 1),
    amt_msat: String(row.paid_msat),
    accept_height: BLOCK_HEIGHT,
    accept_time: seconds(settledMs),
    resolve_time: seconds(settledMs),
    expiry_height: BLOCK_HEIGHT + row.final_cltv,
    state: "SETTLED",
    custom_records: {},
    mpp_total_amt_msat: String(row.paid_msat),
    amp: null,
    custom_channel_data: "",
  };
}

function features(bits: readonly number[]): object {
  return Object.fromEntries(
    bits.map((bit) => {
      const name = FEATURE_LABELS[bit];
      return [bit, { name: name ?? "unknown", is_required: bit % 2 === 0, is_known: name !== undefined }];
    }),
  );
}
