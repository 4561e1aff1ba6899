/**
 * The merchant's payments as lnd offers them: what it refuses to start, and in which words.
 * (lnd: lnrpc/routerrpc/router_server.go and router_backend.go, payments/db.)
 */
import { iso, type World } from "../../../../actors/runtime/world.ts";
import type { Fault } from "../../faults.ts";
import type { Books, PaymentRow } from "../books.ts";
import type { ReadInvoice } from "../decode.ts";
import type { Payments } from "../payments.ts";
import { amountMsat } from "./invoices.ts";
import { ALREADY_EXISTS, NOT_FOUND, RpcError, UNKNOWN } from "./wire.ts";

export interface SendPayment {
  readonly payment_request: string;
  readonly amt: number;
  readonly amt_msat: number;
  readonly fee_limit_sat: number;
  readonly fee_limit_msat: number;
  /** Longest time lock of the whole route in blocks; 0 is the node's own limit. */
  readonly cltv_limit: number;
}

export interface ListPayments {
  readonly include_incomplete: boolean;
  readonly index_offset: number;
  readonly max_payments: number;
  readonly reversed: boolean;
  readonly creation_date_start: number;
  readonly creation_date_end: number;
}

const DEFAULT_PAGE = 100;
/** lnd: --max-cltv-expiry. */
const MAX_CLTV_EXPIRY = 2_016;
/** lnd adds it to the final delta, for blocks that are found meanwhile (routing: BlockPadding). */
export const BLOCK_PADDING = 3;

export class LndPayments {
  readonly #world: World;
  readonly #payments: Payments;
  readonly #books: Books;

  constructor(world: World, books: Books, payments: Payments) {
    this.#world = world;
    this.#books = books;
    this.#payments = payments;
  }

  /** Pays, or begins to. A refusal to start it is an RpcError. @throws RpcError */
  send(request: SendPayment, fault: Fault | null): PaymentRow {
    // What the bakery says of a macaroon that lacks a permission.
    if (fault?.fault === "forbidden") throw new RpcError(UNKNOWN, "permission denied");
    const invoice = this.#books.read(request.payment_request);
    if (!invoice.ok) throw new RpcError(UNKNOWN, invoice.reason);
    const feeLimitMsat = amountMsat(request.fee_limit_sat, request.fee_limit_msat);
    const valueMsat = this.#amountToPay(invoice, amountMsat(request.amt, request.amt_msat));
    const maxBlocks = blocksAllowed(request.cltv_limit, invoice.finalCltv);
    if (invoice.payee === this.#books.publicKey("merchant")) throw new RpcError(UNKNOWN, "self-payments not allowed");
    const known = this.#payments.find(invoice.paymentHash)?.status;
    if (known === "SUCCEEDED") throw new RpcError(ALREADY_EXISTS, "invoice is already paid");
    if (known === "IN_FLIGHT") throw new RpcError(ALREADY_EXISTS, "payment is in transition");
    return this.#payments.start(
      { invoice, bolt11: request.payment_request, valueMsat, feeLimitMsat, maxBlocks },
      fault,
    );
  }

  /** @throws RpcError NotFound */
  lookup(hash: string): PaymentRow {
    const row = this.#payments.find(hash);
    if (!row) throw new RpcError(NOT_FOUND, "payment isn't initiated");
    return row;
  }

  /** Ascending by index. Without `include_incomplete`, only what succeeded. @throws RpcError */
  list(query: ListPayments): PaymentRow[] {
    const { creation_date_start: start, creation_date_end: end } = query;
    if (start !== 0 && end !== 0 && start >= end) {
      throw new RpcError(UNKNOWN, `start date(${start}) must be before end date(${end})`);
    }
    const from = query.reversed ? 0 : query.index_offset;
    const before = query.reversed && query.index_offset > 0 ? query.index_offset : Number.MAX_SAFE_INTEGER;
    const rows = this.#payments.select(
      `payment_index > ? AND payment_index < ? AND (? = 1 OR status = 'SUCCEEDED')
       AND created_ms / 1000 >= ? AND (? = 0 OR created_ms / 1000 <= ?)
       ORDER BY payment_index ${query.reversed ? "DESC" : "ASC"} LIMIT ?`,
      [from, before, query.include_incomplete ? 1 : 0, start, end, end, query.max_payments || DEFAULT_PAGE],
    );
    return query.reversed ? rows.reverse() : rows;
  }

  /** lnd: router_backend.go, extractIntentFromSendRequest. */
  #amountToPay(invoice: ReadInvoice, requested: number): number {
    const validUntil = (invoice.timestamp + invoice.expirySeconds) * 1000;
    if (this.#world.now() > validUntil) {
      const goTime = `${iso(validUntil).slice(0, 19).replace("T", " ")} +0000 UTC`;
      throw new RpcError(UNKNOWN, `invoice expired. Valid until ${goTime}`);
    }
    if (invoice.paymentSecret === null) {
      throw new RpcError(UNKNOWN, "payment request must contain either a payment address or blinded paths");
    }
    if (invoice.amountMsat === null && requested === 0) {
      throw new RpcError(UNKNOWN, "amount must be specified when paying a zero amount invoice");
    }
    if (invoice.amountMsat !== null && requested !== 0) {
      throw new RpcError(UNKNOWN, "amount must not be specified when paying a non-zero amount invoice");
    }
    return invoice.amountMsat ?? requested;
  }
}

/** lnd: lnrpc/routerrpc and routing, both called ValidateCLTVLimit. @throws RpcError */
function blocksAllowed(limit: number, finalCltv: number): number {
  if (limit > MAX_CLTV_EXPIRY) {
    throw new RpcError(UNKNOWN, `total time lock of ${limit} exceeds max allowed ${MAX_CLTV_EXPIRY}`);
  }
  const allowed = limit || MAX_CLTV_EXPIRY;
  if (allowed <= finalCltv + BLOCK_PADDING) {
    throw new RpcError(UNKNOWN, `cltv limit ${allowed} should be greater than ${finalCltv + BLOCK_PADDING}`);
  }
  return allowed;
}
