/** The merchant's payments as phoenixd makes them: 200 whatever comes of it, and a reason in words. (Api.kt; lightning-kmp.) */
import type { World } from "../../../../actors/runtime/world.ts";
import { type Fault, hang } from "../../faults.ts";
import type { Books, FailureReason } from "../books.ts";
import { type Payments, wrongPreimage } from "../payments.ts";
import { sentMessage } from "./messages.ts";
import { type Params, PhoenixdError, UNAUTHORIZED, wrongType } from "./wire.ts";

const REASONS: Readonly<Record<FailureReason, string>> = {
  NONE: "an unknown error occurred",
  TIMEOUT: "payment attempts exhausted without success",
  NO_ROUTE: "recipient node is offline or unreachable",
  INCORRECT_PAYMENT_DETAILS: "recipient node rejected the payment",
  INSUFFICIENT_BALANCE: "not enough funds in wallet to afford payment",
};

/** 4 sat and 0.4 %, in msats (conf/Lsp.kt). */
export const TRAMPOLINE_FEE = (msat: number): number => 4_000 + Math.floor((msat * 4_000) / 1_000_000);

export class PhoenixdPayments {
  readonly #world: World;
  readonly #books: Books;
  readonly #payments: Payments;

  constructor(world: World, books: Books, payments: Payments) {
    this.#world = world;
    this.#books = books;
    this.#payments = payments;
  }

  /** Pays to the end. Expired invoices are not looked at: their recipient refuses. @throws PhoenixdError */
  async pay(form: Params, fault: Fault | null, signal: AbortSignal): Promise<object> {
    if (fault?.fault === "forbidden") throw UNAUTHORIZED;
    const amountSat = form.integer("amountSat");
    const text = form.required("invoice");
    const invoice = this.#books.read(text);
    if (!invoice.ok) throw wrongType("invoice", "bolt11invoice");
    const valueMsat = amountSat === null ? invoice.amountMsat : amountSat * 1000;
    if (valueMsat === null) throw new PhoenixdError(400, "Request parameter amountSat is missing");
    const { paymentHash } = invoice;
    if (valueMsat <= 0) return { paymentHash, reason: "payment amount must be positive" };
    const known = this.#payments.find(paymentHash)?.status;
    if (known === "SUCCEEDED") return { paymentHash, reason: "this invoice has already been paid" };
    if (known === "IN_FLIGHT") return { paymentHash, reason: "another payment is in progress for that invoice" };
    const row = this.#payments.start({ invoice, bolt11: text, valueMsat, feeLimitMsat: null }, fault);
    const ended = (await this.#payments.ended(row, signal)) ?? (await hang(signal));
    if (ended.status === "FAILED") return { paymentHash, reason: REASONS[ended.failure_reason] };
    return sentMessage(fault?.fault === "wrong_preimage" ? wrongPreimage(this.#world, ended) : ended);
  }
}
