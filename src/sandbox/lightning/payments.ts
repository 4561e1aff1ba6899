/**
 * What the merchant's node pays: one payment per hash, ever, unless the last one failed. As in lnd, the row is
 * written before an HTLC goes out, and a payment outlives the request that started it and a restart.
 * (lnd: lnrpc/routerrpc/router_server.go and router_backend.go, payments/db.)
 */
import { bytesToHex } from "@noble/hashes/utils.js";
import { type Cancel, iso, type World } from "../../../actors/runtime/world.ts";
import type { Fault } from "../faults.ts";
import type { Books, FailureReason, PaymentRow } from "./books.ts";
import type { ReadInvoice } from "./decode.ts";
import { amountMsat } from "./invoices.ts";
import type { Wallet } from "./wallet.ts";
import { ALREADY_EXISTS, NOT_FOUND, RpcError, UNKNOWN } from "./wire.ts";

export interface SendPayment {
  readonly payment_request: string;
  readonly amt: number;
  readonly amt_msat: number;
  readonly fee_limit_sat: number;
  readonly fee_limit_msat: number;
}

export interface ListPayments {
  readonly include_incomplete: boolean;
  readonly index_offset: number;
  readonly max_payments: number;
  readonly reversed: boolean;
  readonly creation_date_start: number;
  readonly creation_date_end: number;
}

/** A route costs 1 sat and 0.1 %. */
const BASE_FEE_MSAT = 1_000;
const FEE_DIVISOR = 1_000;
const DEFAULT_HOLD_SECONDS = 60;
const DEFAULT_PAGE = 100;
const FAULTY_REASONS: Readonly<Record<string, FailureReason>> = {
  no_route: "NO_ROUTE",
  insufficient_balance: "INSUFFICIENT_BALANCE",
  timeout: "TIMEOUT",
  incorrect_details: "INCORRECT_PAYMENT_DETAILS",
};

type Verdict = "pays" | "hangs" | FailureReason;

export class Payments {
  readonly #world: World;
  readonly #books: Books;
  readonly #wallet: Wallet;
  readonly #watchers = new Map<string, Set<(row: PaymentRow) => void>>();
  readonly #timers = new Map<string, Cancel>();

  /** Takes up what was in flight when the books were last used. */
  constructor(world: World, books: Books, wallet: Wallet) {
    this.#world = world;
    this.#books = books;
    this.#wallet = wallet;
    for (const row of books.db.query<PaymentRow, []>("SELECT * FROM ln_payments WHERE status = 'IN_FLIGHT'").all()) {
      this.#arm(row);
    }
  }

  /**
   * Pays, or begins to. The payment's fate is in the row; a refusal to start it is an RpcError.
   * @throws RpcError
   */
  send(request: SendPayment, fault: Fault | null): PaymentRow {
    const invoice = this.#books.read(request.payment_request);
    if (!invoice.ok) throw new RpcError(UNKNOWN, invoice.reason);
    const feeLimit = amountMsat(request.fee_limit_sat, request.fee_limit_msat);
    const value = this.#amountToPay(invoice, amountMsat(request.amt, request.amt_msat));
    if (invoice.payee === this.#books.publicKey("merchant")) {
      throw new RpcError(UNKNOWN, "self-payments not allowed");
    }
    this.#refuseDuplicate(invoice.paymentHash);
    const fee = BASE_FEE_MSAT + Math.floor(value / FEE_DIVISOR);
    const verdict = this.#verdict(invoice, value, fee, feeLimit, fault);
    const row = this.#books.atomically(() => {
      const initiated = this.#initiate(invoice, request.payment_request, value, fee, fault);
      if (verdict !== "pays" && verdict !== "hangs") return this.#finish(initiated.hash, "FAILED", verdict, null);
      this.#books.move("local", -(value + fee));
      return verdict === "pays" ? this.#succeed(initiated) : initiated;
    });
    if (verdict === "hangs") this.#arm(row);
    return row;
  }

  /** @throws RpcError NotFound */
  lookup(hash: string): PaymentRow {
    const row = this.#books.db.query<PaymentRow, [string]>("SELECT * FROM ln_payments WHERE hash = ?").get(hash);
    if (!row) throw new RpcError(NOT_FOUND, "payment isn't initiated");
    return row;
  }

  /** Calls `notify` once, when the payment has ended. @returns how to stop that. */
  watch(hash: string, notify: (row: PaymentRow) => void): () => void {
    const watchers = this.#watchers.get(hash) ?? new Set();
    this.#watchers.set(hash, watchers.add(notify));
    return () => {
      watchers.delete(notify);
      if (watchers.size === 0 && this.#watchers.get(hash) === watchers) this.#watchers.delete(hash);
    };
  }

  /** Ascending by index. Without `include_incomplete`, only what succeeded. @throws RpcError */
  list(query: ListPayments): PaymentRow[] {
    const { creation_date_start: start, creation_date_end: end } = query;
    if (start !== 0 && end !== 0 && start >= end) {
      throw new RpcError(UNKNOWN, `start date(${start}) must be before end date(${end})`);
    }
    const from = query.reversed ? 0 : query.index_offset;
    const before = query.reversed && query.index_offset > 0 ? query.index_offset : Number.MAX_SAFE_INTEGER;
    const rows = this.#books.db
      .query<PaymentRow, number[]>(
        `SELECT * FROM ln_payments WHERE payment_index > ? AND payment_index < ? AND (? = 1 OR status = 'SUCCEEDED')
         AND created_ms / 1000 >= ? AND (? = 0 OR created_ms / 1000 <= ?)
         ORDER BY payment_index ${query.reversed ? "DESC" : "ASC"} LIMIT ?`,
      )
      .all(from, before, query.include_incomplete ? 1 : 0, start, end, end, query.max_payments || DEFAULT_PAGE);
    return query.reversed ? rows.reverse() : rows;
  }

  count(): number {
    return this.#books.db.query<{ n: number }, []>("SELECT count(*) AS n FROM ln_payments").get()?.n ?? 0;
  }

  /** Millisats locked in HTLCs that are out. */
  inFlightMsat(): number {
    const sum = "SELECT coalesce(sum(value_msat + fee_msat), 0) AS msat FROM ln_payments WHERE status = 'IN_FLIGHT'";
    return this.#books.db.query<{ msat: number }, []>(sum).get()?.msat ?? 0;
  }

  close(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
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

  #refuseDuplicate(hash: string): void {
    const known = this.#books.db
      .query<{ status: PaymentRow["status"] }, [string]>("SELECT status FROM ln_payments WHERE hash = ?")
      .get(hash);
    if (known?.status === "SUCCEEDED") throw new RpcError(ALREADY_EXISTS, "invoice is already paid");
    if (known?.status === "IN_FLIGHT") throw new RpcError(ALREADY_EXISTS, "payment is in transition");
  }

  #verdict(invoice: ReadInvoice, value: number, fee: number, feeLimit: number, fault: Fault | null): Verdict {
    const forced = fault && FAULTY_REASONS[fault.fault];
    if (forced) return forced;
    const local = this.#books.balance("local");
    if (value > local) return "INSUFFICIENT_BALANCE";
    if (invoice.payee !== this.#wallet.pubkey || fee > feeLimit || value + fee > local) return "NO_ROUTE";
    if (!this.#wallet.accepts(invoice.paymentHash, invoice.paymentSecret ?? "", value)) {
      return "INCORRECT_PAYMENT_DETAILS";
    }
    return fault?.fault === "in_flight" ? "hangs" : "pays";
  }

  #initiate(invoice: ReadInvoice, bolt11: string, value: number, fee: number, fault: Fault | null): PaymentRow {
    const now = Math.floor(this.#world.now());
    // A payment that failed before is initialised anew under a new index, as in lnd.
    this.#books.db.run(
      `INSERT OR REPLACE INTO ln_payments (payment_index, hash, bolt11, payee, secret, value_msat, fee_msat, created_ms,
       status, failure_reason, resolve_ms, resolve)
       VALUES ((SELECT coalesce(max(payment_index), 0) + 1 FROM ln_payments), ?, ?, ?, ?, ?, ?, ?,
       'IN_FLIGHT', 'NONE', ?, ?)`,
      [
        invoice.paymentHash,
        bolt11,
        invoice.payee,
        invoice.paymentSecret ?? "",
        value,
        fee,
        now,
        resolveTime(fault, now),
        fault?.detail.resolve === "failed" ? "failed" : "succeeded",
      ],
    );
    return this.lookup(invoice.paymentHash);
  }

  /** The HTLC that is out is claimed. */
  #succeed(row: PaymentRow): PaymentRow {
    this.#books.move("remote", row.value_msat + row.fee_msat);
    return this.#finish(row.hash, "SUCCEEDED", "NONE", this.#wallet.receive(row.hash, row.value_msat));
  }

  /** The HTLC that is out comes back. */
  #fail(row: PaymentRow, reason: FailureReason): PaymentRow {
    this.#books.move("local", row.value_msat + row.fee_msat);
    return this.#finish(row.hash, "FAILED", reason, null);
  }

  #finish(hash: string, status: PaymentRow["status"], reason: FailureReason, preimage: string | null): PaymentRow {
    this.#books.db.run(
      "UPDATE ln_payments SET status = ?, failure_reason = ?, preimage = ?, resolved_ms = ? WHERE hash = ?",
      [status, reason, preimage, Math.floor(this.#world.now()), hash],
    );
    return this.lookup(hash);
  }

  #arm(row: PaymentRow): void {
    if (row.resolve_ms === null) return;
    this.#timers.set(
      row.hash,
      this.#world.at(row.resolve_ms, () => this.#resolve(row.hash)),
    );
  }

  #resolve(hash: string): void {
    this.#timers.delete(hash);
    const row = this.lookup(hash);
    const ended = this.#books.atomically(() =>
      // The customer took the HTLC when it arrived, so its invoice may have expired since.
      row.resolve === "succeeded" ? this.#succeed(row) : this.#fail(row, "TIMEOUT"),
    );
    const watchers = this.#watchers.get(hash);
    this.#watchers.delete(hash);
    for (const notify of watchers ?? []) notify(ended);
  }
}

/** What the payee's wallet would never say: a preimage that proves nothing. */
export function wrongPreimage(world: World, row: PaymentRow): PaymentRow {
  return { ...row, preimage: bytesToHex(world.random(32)) };
}

/** When an `in_flight` fault lets go; null is never. */
function resolveTime(fault: Fault | null, now: number): number | null {
  if (fault?.fault !== "in_flight" || fault.detail.resolveAfterSeconds === "never") return null;
  const seconds = Number(fault.detail.resolveAfterSeconds ?? DEFAULT_HOLD_SECONDS);
  return now + (Number.isFinite(seconds) && seconds >= 0 ? Math.floor(seconds * 1000) : DEFAULT_HOLD_SECONDS * 1000);
}
