/**
 * What the merchant's wallet does for NIP-47's methods, in the ways of Alby Hub: transactions are listed by their last
 * change, everything that has not settled is called expired once its invoice is over, and a hash is paid once.
 * (getAlby/hub: nip47/controllers, nip47/models/transactions.go, transactions/transactions_service.go.)
 */
import type { Fault } from "../../faults.ts";
import type { FailureReason, InvoiceRow, PaymentRow } from "../books.ts";
import type { Network } from "../network.ts";
import { wrongPreimage } from "../payments.ts";

/** The wallet's own "no". */
export class NwcError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = "NwcError";
    this.code = code;
  }
}

export type Params = Readonly<Record<string, unknown>>;
type Method = (params: Params, fault: Fault | null, signal: AbortSignal) => object | Promise<object>;

export const METHODS = [
  "get_info",
  "get_balance",
  "make_invoice",
  "lookup_invoice",
  "list_transactions",
  "pay_invoice",
] as const;

const MAX_LIST = 50;
const DEFAULT_EXPIRY_SECONDS = 86_400;
const FAILURES: Readonly<Record<FailureReason, readonly [code: string, message: string]>> = {
  NONE: ["INTERNAL", "unknown"],
  TIMEOUT: ["INTERNAL", "received payment failed event: TIMEOUT"],
  NO_ROUTE: ["INTERNAL", "received payment failed event: RouteNotFound"],
  INCORRECT_PAYMENT_DETAILS: ["INTERNAL", "received payment failed event: RecipientRejected"],
  INSUFFICIENT_BALANCE: ["INSUFFICIENT_BALANCE", "Insufficient balance remaining to make the requested payment"],
};

export interface WalletProfile {
  /** Whether transactions say their state; NIP-47 leaves it open. */
  readonly states: boolean;
}

export function walletMethods(network: Network, profile: WalletProfile): Record<(typeof METHODS)[number], Method> {
  const { world, books, invoices, payments } = network;
  const now = () => Math.floor(world.now());
  const seconds = (ms: number) => Math.floor(ms / 1000);
  const state = (settled: boolean, plain: string, expiresMs: number) => {
    if (!profile.states) return {};
    return { state: settled ? "settled" : now() >= expiresMs ? "expired" : plain };
  };

  const incoming = (row: InvoiceRow): object => {
    const expiresMs = row.created_ms + row.expiry_seconds * 1000;
    const label = invoices.labelOf(row.hash);
    return {
      type: "incoming",
      ...state(row.state === "SETTLED", "pending", expiresMs),
      invoice: row.bolt11,
      description: row.memo,
      description_hash: "",
      preimage: row.state === "SETTLED" ? row.preimage : "",
      payment_hash: row.hash,
      amount: row.state === "SETTLED" ? row.paid_msat : row.value_msat,
      fees_paid: 0,
      created_at: seconds(row.created_ms),
      expires_at: seconds(expiresMs),
      ...(row.settled_ms !== null && { settled_at: seconds(row.settled_ms) }),
      metadata: label === null ? null : { order: label },
    };
  };

  const outgoing = (row: PaymentRow): object => {
    const invoice = books.read(row.bolt11);
    const expiresMs = invoice.ok ? (invoice.timestamp + invoice.expirySeconds) * 1000 : now();
    const settled = row.status === "SUCCEEDED";
    return {
      type: "outgoing",
      ...state(settled, row.status === "FAILED" ? "failed" : "pending", expiresMs),
      invoice: row.bolt11,
      description: "",
      description_hash: "",
      preimage: settled ? row.preimage : "",
      payment_hash: row.hash,
      amount: row.value_msat,
      fees_paid: settled ? row.fee_msat : 0,
      created_at: seconds(row.created_ms),
      expires_at: seconds(expiresMs),
      ...(settled && { settled_at: seconds(row.resolved_ms ?? row.created_ms) }),
      metadata: null,
    };
  };

  const pay: Method = async (params, fault, signal) => {
    if (fault?.fault === "forbidden") throw new NwcError("RESTRICTED", "This app does not have the pay_invoice scope");
    const text = String(params.invoice ?? "").toLowerCase();
    const invoice = books.read(text);
    if (!invoice.ok) throw new NwcError("BAD_REQUEST", "Failed to decode bolt11 invoice");
    if (now() >= (invoice.timestamp + invoice.expirySeconds) * 1000) {
      throw new NwcError("INTERNAL", "this invoice has expired");
    }
    const valueMsat = invoice.amountMsat ?? Number(params.amount);
    if (!Number.isSafeInteger(valueMsat) || valueMsat <= 0) throw new NwcError("INTERNAL", "amount is missing");
    const known = payments.find(invoice.paymentHash)?.status;
    if (known === "SUCCEEDED") throw new NwcError("INTERNAL", "this invoice has already been paid");
    if (known === "IN_FLIGHT") {
      throw new NwcError("INTERNAL", "there is already a payment pending for this invoice");
    }
    const row = payments.start({ invoice, bolt11: text, valueMsat, feeLimitMsat: null }, fault);
    const ended = await payments.ended(row, signal);
    if (!ended) throw new NwcError("INTERNAL", "context canceled");
    if (ended.status === "FAILED") throw new NwcError(...FAILURES[ended.failure_reason]);
    const { preimage, fee_msat } = fault?.fault === "wrong_preimage" ? wrongPreimage(world, ended) : ended;
    return { preimage, fees_paid: fee_msat };
  };

  return {
    get_info: (_, fault) => {
      const methods = METHODS.filter((method) => fault?.fault !== "no_pay" || method !== "pay_invoice");
      const common = { color: "", network: "regtest", methods, notifications: ["payment_received", "payment_sent"] };
      return fault?.fault === "lnbits"
        ? { ...common, alias: "LNbits", block_height: 0, block_hash: "" }
        : {
            ...common,
            alias: "loopback-merchant",
            pubkey: books.publicKey("merchant"),
            block_height: 144,
            block_hash: "00".repeat(32),
            lud16: "",
          };
    },
    get_balance: () => ({ balance: books.balance("local") }),
    make_invoice: ({ amount, description, expiry, metadata }) => {
      if (typeof amount !== "number" || !Number.isSafeInteger(amount) || amount < 1_000 || amount % 1_000 !== 0) {
        throw new NwcError("INTERNAL", "the amount must be a whole number of satoshis");
      }
      const order = typeof metadata === "object" && metadata !== null && "order" in metadata ? metadata.order : null;
      const row = invoices.add({
        preimage: null,
        valueMsat: amount,
        memo: typeof description === "string" ? description : "",
        expirySeconds: typeof expiry === "number" && expiry > 0 ? expiry : DEFAULT_EXPIRY_SECONDS,
        ...(typeof order === "string" && { label: order }),
      });
      if (!row) throw new NwcError("INTERNAL", "duplicate");
      return incoming(row);
    },
    lookup_invoice: ({ payment_hash: hash }) => {
      const wanted = String(hash ?? "").toLowerCase();
      const [invoice, payment] = [invoices.find(wanted), payments.find(wanted)];
      if (invoice) return incoming(invoice);
      if (payment) return outgoing(payment);
      throw new NwcError("NOT_FOUND", "The transaction requested was not found");
    },
    list_transactions: (params) => {
      const number = (name: string) => (typeof params[name] === "number" ? (params[name] as number) : 0);
      const [from, until] = [number("from") * 1000, number("until") * 1000 || Number.MAX_SAFE_INTEGER];
      const unpaid = params.unpaid === true;
      const received = params.type === "outgoing" ? [] : invoices.select(unpaid ? "1" : "state = 'SETTLED'", []);
      const sent = params.type === "incoming" ? [] : payments.select(unpaid ? "1" : "status = 'SUCCEEDED'", []);
      const all = [
        ...received.map((row) => ({
          at: row.settled_ms ?? row.created_ms,
          index: row.add_index,
          show: () => incoming(row),
        })),
        ...sent.map((row) => ({
          at: row.resolved_ms ?? row.created_ms,
          index: row.payment_index,
          show: () => outgoing(row),
        })),
      ].filter(({ at }) => at >= from && at <= until);
      const limit = Math.min(number("limit") || MAX_LIST, MAX_LIST);
      const page = all
        .sort((a, b) => b.at - a.at || b.index - a.index)
        .slice(number("offset"))
        .slice(0, limit);
      return { transactions: page.map(({ show }) => show()), total_count: all.length };
    },
    pay_invoice: pay,
  };
}
