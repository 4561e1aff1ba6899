/**
 * What the merchant's node pays, whatever protocol it speaks: one payment per hash, ever, unless the last one failed. The
 * row is written before an HTLC goes out, and a payment outlives the request that started it and a restart.
 */
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Cancel, World } from "../../../actors/runtime/world.ts";
import type { Fault } from "../faults.ts";
import type { Books, FailureReason, PaymentRow } from "./books.ts";
import type { ReadInvoice } from "./decode.ts";
import type { Wallet } from "./wallet.ts";

export interface Outgoing {
  readonly invoice: ReadInvoice;
  readonly bolt11: string;
  readonly valueMsat: number;
  /** Null where the protocol has no limit. */
  readonly feeLimitMsat: number | null;
  /** Longest time lock of the whole route; absent where the protocol has no such limit. */
  readonly maxBlocks?: number;
}

/** Faults of paying that the network causes; the same for every protocol. */
export const PAYMENT_FAULTS = [
  "no_route",
  "insufficient_balance",
  "timeout",
  "incorrect_details",
  "in_flight",
  "wrong_preimage",
] as const;

/** A route costs 1 sat and 0.1 %. */
export const ROUTE_FEE = (msat: number): number => 1_000 + Math.floor(msat / 1_000);
/** Blocks that the node in the middle keeps for itself. */
const ROUTER_DELTA = 80;
const DEFAULT_HOLD_SECONDS = 60;
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
  readonly #feeOf: (msat: number) => number;
  readonly #watchers = new Map<string, Set<(row: PaymentRow) => void>>();
  readonly #timers = new Map<string, Cancel>();

  /**
   * Takes up what was in flight when the books were last used.
   * @param feeOf what sending so many msats costs, in msats.
   */
  constructor(world: World, books: Books, wallet: Wallet, feeOf = ROUTE_FEE) {
    this.#world = world;
    this.#books = books;
    this.#wallet = wallet;
    this.#feeOf = feeOf;
    for (const row of books.db.query<PaymentRow, []>("SELECT * FROM ln_payments WHERE status = 'IN_FLIGHT'").all()) {
      this.#arm(row);
    }
  }

  /** Pays, or begins to. The payment's fate is in the row. @throws TypeError for a hash that is being or has been paid. */
  start(outgoing: Outgoing, fault: Fault | null): PaymentRow {
    const { invoice, valueMsat } = outgoing;
    const known = this.find(invoice.paymentHash);
    if (known && known.status !== "FAILED") throw new TypeError("Paid twice");
    const fee = this.#feeOf(valueMsat);
    const verdict = this.#verdict(outgoing, fee, fault);
    const row = this.#books.atomically(() => {
      const initiated = this.#initiate(outgoing, fee, fault);
      if (verdict !== "pays" && verdict !== "hangs") return this.#finish(initiated.hash, "FAILED", verdict, null);
      this.#books.move("local", -(valueMsat + fee));
      return verdict === "pays" ? this.#succeed(initiated) : initiated;
    });
    if (verdict === "hangs") this.#arm(row);
    return row;
  }

  find(hash: string): PaymentRow | null {
    return this.#books.db.query<PaymentRow, [string]>("SELECT * FROM ln_payments WHERE hash = ?").get(hash);
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

  /** The payment once it has ended; null when `signal` aborts first. */
  ended(row: PaymentRow, signal: AbortSignal): Promise<PaymentRow | null> {
    if (row.status !== "IN_FLIGHT") return Promise.resolve(row);
    return new Promise((resolve) => {
      const forget = this.watch(row.hash, resolve);
      const giveUp = () => {
        forget();
        resolve(null);
      };
      if (signal.aborted) giveUp();
      signal.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Rows by a condition of SQL over `ln_payments`; `where` is never text from outside. */
  select(where: string, values: readonly (number | string)[]): PaymentRow[] {
    return this.#books.db
      .query<PaymentRow, (number | string)[]>(`SELECT * FROM ln_payments WHERE ${where}`)
      .all(...values);
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

  #verdict({ invoice, valueMsat, feeLimitMsat, maxBlocks }: Outgoing, fee: number, fault: Fault | null): Verdict {
    const forced = fault && FAULTY_REASONS[fault.fault];
    if (forced) return forced;
    const local = this.#books.balance("local");
    if (valueMsat > local) return "INSUFFICIENT_BALANCE";
    const tooDear = feeLimitMsat !== null && fee > feeLimitMsat;
    const tooLong = maxBlocks !== undefined && invoice.finalCltv + ROUTER_DELTA > maxBlocks;
    if (invoice.payee !== this.#wallet.pubkey || tooDear || tooLong || valueMsat + fee > local) return "NO_ROUTE";
    if (!this.#wallet.accepts(invoice.paymentHash, invoice.paymentSecret ?? "", valueMsat)) {
      return "INCORRECT_PAYMENT_DETAILS";
    }
    return fault?.fault === "in_flight" ? "hangs" : "pays";
  }

  #initiate({ invoice, bolt11, valueMsat }: Outgoing, fee: number, fault: Fault | null): PaymentRow {
    const now = Math.floor(this.#world.now());
    // A payment that failed before is initialised anew under a new index, as in lnd.
    this.#books.db
      .query(`INSERT OR REPLACE INTO ln_payments (payment_index, hash, bolt11, payee, secret, value_msat, fee_msat, created_ms,
       status, failure_reason, resolve_ms, resolve)
       VALUES ((SELECT coalesce(max(payment_index), 0) + 1 FROM ln_payments), ?, ?, ?, ?, ?, ?, ?,
       'IN_FLIGHT', 'NONE', ?, ?)`)
      .run(
        invoice.paymentHash,
        bolt11,
        invoice.payee,
        invoice.paymentSecret ?? "",
        valueMsat,
        fee,
        now,
        resolveTime(fault, now),
        fault?.detail.resolve === "failed" ? "failed" : "succeeded",
      );
    return this.#row(invoice.paymentHash);
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
    this.#books.db
      .query("UPDATE ln_payments SET status = ?, failure_reason = ?, preimage = ?, resolved_ms = ? WHERE hash = ?")
      .run(status, reason, preimage, Math.floor(this.#world.now()), hash);
    return this.#row(hash);
  }

  #row(hash: string): PaymentRow {
    const row = this.find(hash);
    if (!row) throw new TypeError("No such payment");
    return row;
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
    const row = this.#row(hash);
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
