/**
 * The merchant's invoices as lnd offers them: its checks and words, its two indices, its subscription.
 * (lnd: lnrpc/invoicesrpc/addinvoice.go, invoices/invoiceregistry.go, channeldb/invoices.go.)
 */
import type { InvoiceRow } from "../books.ts";
import type { Invoices } from "../invoices.ts";
import { DEFAULT_FINAL_CLTV } from "../mint.ts";
import { NOT_FOUND, RESOURCE_EXHAUSTED, RpcError, UNKNOWN } from "./wire.ts";

export interface AddRequest {
  readonly memo: string;
  readonly r_preimage: string;
  readonly value: number;
  readonly value_msat: number;
  readonly expiry: number;
  readonly cltv_expiry: number;
}

export interface ListInvoices {
  readonly pending_only: boolean;
  readonly index_offset: number;
  readonly num_max_invoices: number;
  readonly reversed: boolean;
  readonly creation_date_start: number;
  readonly creation_date_end: number;
}

interface Subscriber {
  addIndex: number;
  settleIndex: number;
  readonly notify: (invoice: InvoiceRow) => void;
}

const DEFAULT_EXPIRY_SECONDS = 86_400;
const MAX_EXPIRY_SECONDS = 31_536_000;
const MAX_MEMO_BYTES = 1024;
/** The `d` field counts its length in ten bits of five-bit groups (BOLT 11). */
const MAX_DESCRIPTION_BYTES = 639;
const MIN_FINAL_CLTV = 18;
const MAX_FINAL_CLTV = 65_535;
const DEFAULT_PAGE = 100;
const MAX_SUBSCRIBERS = 100;

export class LndInvoices {
  readonly #invoices: Invoices;
  readonly #subscribers = new Set<Subscriber>();

  constructor(invoices: Invoices) {
    this.#invoices = invoices;
    invoices.listen((row) => this.#publish(row));
  }

  /** @throws RpcError */
  add(request: AddRequest): InvoiceRow {
    const valueMsat = amountMsat(request.value, request.value_msat);
    const memoBytes = Buffer.byteLength(request.memo);
    if (memoBytes > MAX_MEMO_BYTES) {
      throw new RpcError(UNKNOWN, `memo too large: ${memoBytes} bytes (maxsize=${MAX_MEMO_BYTES})`);
    }
    if (memoBytes > MAX_DESCRIPTION_BYTES) {
      throw new RpcError(UNKNOWN, `data length too big to fit within 10 bits: ${Math.ceil((memoBytes * 8) / 5)}`);
    }
    if (request.expiry > MAX_EXPIRY_SECONDS) {
      const limit = `greater than max expiry of ${MAX_EXPIRY_SECONDS} seconds`;
      throw new RpcError(UNKNOWN, `expiry of ${request.expiry} seconds ${limit}`);
    }
    const preimage = request.r_preimage || null;
    if (preimage !== null && preimage.length !== 64) {
      throw new RpcError(UNKNOWN, `invalid preimage length of ${preimage.length / 2}, want 32`);
    }
    const row = this.#invoices.add({
      preimage,
      valueMsat,
      memo: request.memo,
      expirySeconds: request.expiry > 0 ? request.expiry : DEFAULT_EXPIRY_SECONDS,
      finalCltv: cltv(request),
    });
    if (!row) throw new RpcError(UNKNOWN, "invoice with payment hash already exists");
    return row;
  }

  /** @throws RpcError NotFound */
  lookup(hash: string): InvoiceRow {
    const row = this.#invoices.find(hash);
    if (!row) throw new RpcError(NOT_FOUND, "unable to locate invoice");
    return row;
  }

  /** Idempotent for a cancelled invoice. @throws RpcError when it is settled or unknown. */
  cancel(hash: string): void {
    if (hash.length !== 64) throw new RpcError(UNKNOWN, `invalid hash length of ${hash.length / 2}, want 32`);
    const row = this.#invoices.find(hash);
    // A plain error here, unlike at a look-up: lnd does not turn this one into NotFound.
    if (!row) throw new RpcError(UNKNOWN, "unable to locate invoice");
    if (row.state === "SETTLED") throw new RpcError(UNKNOWN, "invoice already settled");
    this.#invoices.cancel(hash);
  }

  /** Ascending by add index, whichever way they were walked; offsets are exclusive. @throws RpcError */
  list(query: ListInvoices): InvoiceRow[] {
    const { creation_date_start: start, creation_date_end: end } = query;
    if (start !== 0 && end !== 0 && start >= end) {
      throw new RpcError(UNKNOWN, `start date(${start}) must be before end date(${end})`);
    }
    const from = query.reversed ? 0 : query.index_offset;
    const before = query.reversed && query.index_offset > 0 ? query.index_offset : Number.MAX_SAFE_INTEGER;
    const rows = this.#invoices.select(
      `add_index > ? AND add_index < ? AND (? = 0 OR state = 'OPEN')
       AND created_ms / 1000 >= ? AND (? = 0 OR created_ms / 1000 <= ?)
       ORDER BY add_index ${query.reversed ? "DESC" : "ASC"} LIMIT ?`,
      [from, before, query.pending_only ? 1 : 0, start, end, end, query.num_max_invoices || DEFAULT_PAGE],
    );
    return query.reversed ? rows.reverse() : rows;
  }

  /**
   * Adds and settlements with an index strictly greater than the one given, oldest first, then live ones; an index
   * of 0 asks for no backlog. Cancelled invoices are never told of.
   * @returns how to unsubscribe. @throws RpcError when too many subscribe.
   */
  subscribe(addIndex: number, settleIndex: number, notify: (invoice: InvoiceRow) => void): () => void {
    if (this.#subscribers.size >= MAX_SUBSCRIBERS) throw new RpcError(RESOURCE_EXHAUSTED, "too many subscribers");
    const subscriber: Subscriber = { addIndex, settleIndex, notify };
    this.#subscribers.add(subscriber);
    const backlog = (column: "add_index" | "settle_index", after: number) =>
      after === 0 ? [] : this.#invoices.select(`${column} > ? AND state != 'CANCELED' ORDER BY ${column}`, [after]);
    for (const row of [...backlog("add_index", addIndex), ...backlog("settle_index", settleIndex)]) notify(row);
    return () => void this.#subscribers.delete(subscriber);
  }

  #publish(row: InvoiceRow): void {
    for (const subscriber of [...this.#subscribers]) {
      // A client that claims a future index is spared what lies before it (invoiceregistry.go, dispatchToClients).
      if (row.settle_index !== null) {
        if (subscriber.settleIndex >= row.settle_index) continue;
        subscriber.settleIndex = row.settle_index;
      } else {
        if (subscriber.addIndex >= row.add_index) continue;
        subscriber.addIndex = row.add_index;
      }
      subscriber.notify(row);
    }
  }
}

/** lnd: lnrpc/marshall_utils.go, UnmarshallAmt. @throws RpcError */
export function amountMsat(sat: number, msat: number): number {
  if (sat !== 0 && msat !== 0) throw new RpcError(UNKNOWN, "sat and msat arguments are mutually exclusive");
  if (sat < 0 || msat < 0) throw new RpcError(UNKNOWN, "amount cannot be negative");
  const total = sat !== 0 ? sat * 1000 : msat;
  // lnd counts in 64 bits; what does not fit a safe integer is more than there is.
  if (!Number.isSafeInteger(total)) throw new RpcError(UNKNOWN, "amount is too large");
  return total;
}

function cltv(request: AddRequest): number {
  const delta = request.cltv_expiry;
  if (delta > MAX_FINAL_CLTV) {
    throw new RpcError(UNKNOWN, `CLTV delta of ${delta} is too large, max accepted is: ${MAX_FINAL_CLTV}`);
  }
  if (delta !== 0 && delta < MIN_FINAL_CLTV) {
    throw new RpcError(UNKNOWN, `CLTV delta of ${delta} must be greater than minimum of ${MIN_FINAL_CLTV}`);
  }
  return delta || DEFAULT_FINAL_CLTV;
}
