/**
 * lnd's messages about payments, in protobuf's JSON form. Every payment goes over one router, which earns the fee.
 * (lnd: lnrpc/lightning.proto; lnrpc/routerrpc/router_backend.go, MarshallPayment.)
 */
import type { PaymentRow } from "../books.ts";
import { DEFAULT_FINAL_CLTV } from "../mint.ts";
import { BLOCK_HEIGHT, CHANNEL_ID } from "./messages.ts";
import { base64, nanoseconds, sats, seconds } from "./wire.ts";

/** What lnd writes until a payment is settled. */
const NO_PREIMAGE = "0".repeat(64);

/** lnrpc.Payment. `router` is the public key of the node in the middle. */
export function paymentMessage(row: PaymentRow, router: string): object {
  const settled = row.status === "SUCCEEDED";
  const fee = settled ? row.fee_msat : 0;
  return {
    payment_hash: row.hash,
    value: sats(row.value_msat),
    creation_date: seconds(row.created_ms),
    fee: sats(fee),
    payment_preimage: row.preimage ?? NO_PREIMAGE,
    value_sat: sats(row.value_msat),
    value_msat: String(row.value_msat),
    payment_request: row.bolt11,
    status: row.status,
    fee_sat: sats(fee),
    fee_msat: String(fee),
    creation_time_ns: nanoseconds(row.created_ms),
    htlcs: row.status === "FAILED" ? [] : [htlcAttempt(row, router)],
    payment_index: String(row.payment_index),
    failure_reason: `FAILURE_REASON_${row.failure_reason}`,
    first_hop_custom_records: {},
  };
}

/** The payment as it was when only its row was written: lnd calls that IN_FLIGHT unless told to say INITIATED. */
export function initiatedMessage(row: PaymentRow): object {
  const started: PaymentRow = {
    ...row,
    status: "IN_FLIGHT",
    failure_reason: "NONE",
    preimage: null,
    resolved_ms: null,
  };
  return { ...paymentMessage(started, ""), htlcs: [] };
}

/** lnrpc.ListPaymentsResponse; `total` is 0 unless it was asked for. */
export function paymentListMessage(rows: readonly PaymentRow[], router: string, total: number): object {
  return {
    payments: rows.map((row) => paymentMessage(row, router)),
    first_index_offset: String(rows[0]?.payment_index ?? 0),
    last_index_offset: String(rows.at(-1)?.payment_index ?? 0),
    total_num_payments: String(total),
  };
}

function htlcAttempt(row: PaymentRow, router: string): object {
  const total = row.value_msat + row.fee_msat;
  const expiry = BLOCK_HEIGHT + DEFAULT_FINAL_CLTV;
  return {
    attempt_id: String(row.payment_index),
    status: row.status,
    route: {
      total_time_lock: expiry + DEFAULT_FINAL_CLTV,
      total_fees: sats(row.fee_msat),
      total_amt: sats(total),
      hops: [
        hop(router, row.value_msat, row.fee_msat, expiry, null),
        hop(row.payee, row.value_msat, 0, expiry, {
          total_amt_msat: String(row.value_msat),
          payment_addr: base64(row.secret),
        }),
      ],
      total_fees_msat: String(row.fee_msat),
      total_amt_msat: String(total),
      first_hop_amount_msat: "0",
      custom_channel_data: "",
    },
    attempt_time_ns: nanoseconds(row.created_ms),
    resolve_time_ns: row.resolved_ms === null ? "0" : nanoseconds(row.resolved_ms),
    failure: null,
    preimage: base64(row.preimage ?? ""),
  };
}

function hop(pubkey: string, forwardMsat: number, feeMsat: number, expiry: number, mpp: object | null): object {
  return {
    chan_id: CHANNEL_ID,
    chan_capacity: "100000000",
    amt_to_forward: sats(forwardMsat),
    fee: sats(feeMsat),
    expiry,
    amt_to_forward_msat: String(forwardMsat),
    fee_msat: String(feeMsat),
    pub_key: pubkey,
    tlv_payload: true,
    mpp_record: mpp,
    amp_record: null,
    custom_records: {},
    metadata: "",
    blinding_point: "",
    encrypted_data: "",
    total_amt_msat: "0",
  };
}
