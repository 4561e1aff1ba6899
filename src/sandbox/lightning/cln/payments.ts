/**
 * The merchant's payments as `xpay` makes them: what it refuses, with which code, and that it may give up while a part of
 * the payment is still out. (plugins/xpay/xpay.c, plugins/askrene, lightningd/pay.c.)
 */
import type { World } from "../../../../actors/runtime/world.ts";
import type { Fault } from "../../faults.ts";
import type { Books, FailureReason, PaymentRow } from "../books.ts";
import { type Payments, wrongPreimage } from "../payments.ts";
import {
  ALREADY_PAID,
  ClnError,
  DESTINATION_PERM_FAIL,
  INSUFFICIENT_FUNDS,
  INVALID_PARAMS,
  INVOICE_EXPIRED,
  type Params,
  PLUGIN_ERROR,
  ROUTE_NOT_FOUND,
  UNSPECIFIED,
} from "./wire.ts";

export const XPAY = {
  invstring: "string",
  amount_msat: "msat?",
  maxfee: "msat?",
  retry_for: "u64?",
  label: "string?",
} as const;

const FAILURES: Readonly<Record<FailureReason, readonly [code: number, message: string]>> = {
  NONE: [UNSPECIFIED, "Unknown failure"],
  TIMEOUT: [UNSPECIFIED, "Timed out after 3 attempts. Payment of 1 part failed"],
  NO_ROUTE: [ROUTE_NOT_FOUND, "Failed: We could not find a usable set of paths."],
  INCORRECT_PAYMENT_DETAILS: [
    DESTINATION_PERM_FAIL,
    "Destination said it doesn't know invoice: incorrect_or_unknown_payment_details",
  ],
  INSUFFICIENT_BALANCE: [INSUFFICIENT_FUNDS, "Failed: There is not enough balance in our channels."],
};

export class ClnPayments {
  readonly #world: World;
  readonly #books: Books;
  readonly #payments: Payments;

  constructor(world: World, books: Books, payments: Payments) {
    this.#world = world;
    this.#books = books;
    this.#payments = payments;
  }

  /** Pays to the end. @throws ClnError, also for a payment that is over and failed; the signal's reason when the caller leaves. */
  async xpay(request: Params<typeof XPAY>, fault: Fault | null, signal: AbortSignal): Promise<object> {
    const row = this.#start(request, fault);
    if (fault?.fault === "early_failure") throw new ClnError(...FAILURES.NO_ROUTE);
    const ended = await this.#payments.ended(row, signal);
    if (!ended) throw signal.reason;
    if (ended.status === "FAILED") throw new ClnError(...FAILURES[ended.failure_reason]);
    return {
      payment_preimage: (fault?.fault === "wrong_preimage" ? wrongPreimage(this.#world, ended) : ended).preimage,
      amount_msat: ended.value_msat,
      amount_sent_msat: ended.value_msat + ended.fee_msat,
      failed_parts: 0,
      successful_parts: 1,
    };
  }

  #start(request: Params<typeof XPAY>, fault: Fault | null): PaymentRow {
    const invoice = this.#books.read(request.invstring);
    if (!invoice.ok) throw new ClnError(INVALID_PARAMS, `Invalid bolt11 invoice: ${invoice.reason}`);
    if (invoice.paymentSecret === null) throw new ClnError(INVALID_PARAMS, "need payment_secret");
    if (invoice.amountMsat === null && request.amount_msat === undefined) {
      throw new ClnError(INVALID_PARAMS, "amount_msat required");
    }
    if (invoice.amountMsat !== null && request.amount_msat !== undefined) {
      throw new ClnError(INVALID_PARAMS, "amount_msat unnecessary");
    }
    const now = Math.floor(this.#world.now() / 1000);
    const expired = now - (invoice.timestamp + invoice.expirySeconds);
    if (expired > 0) throw new ClnError(INVOICE_EXPIRED, `Invoice expired ${expired} seconds ago`);
    const known = this.#payments.find(invoice.paymentHash)?.status;
    if (known === "SUCCEEDED") throw new ClnError(ALREADY_PAID, "Already paid this invoice successfully");
    if (known === "IN_FLIGHT") {
      const inner = "Payment with groupid=1 still in progress, cannot retry before that completes";
      throw new ClnError(PLUGIN_ERROR, `Unexpected injectpaymentonion error 200: ${inner}`);
    }
    const valueMsat = invoice.amountMsat ?? request.amount_msat ?? 0;
    const feeLimitMsat = request.maxfee ?? Math.max(5_000, Math.floor(valueMsat / 100));
    const held = fault?.fault === "early_failure" ? { ...fault, fault: "in_flight" } : fault;
    return this.#payments.start({ invoice, bolt11: request.invstring, valueMsat, feeLimitMsat }, held);
  }
}
