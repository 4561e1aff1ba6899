/**
 * Invoices of a phoenixd node. It chooses the preimage and cannot cancel; each carries our own name for it, by which one whose
 * answer was lost is found again.
 */
import { msats } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { AnswerLost } from "../../wire.ts";
import { checkCreated, count, hash32, isObject, type Json, malformed, unlessLost } from "../answers.ts";
import {
  type CreatedInvoice,
  type InvoiceState,
  type Network,
  type NewInvoice,
  NodeUnavailable,
  type PaymentHash,
  type Receipt,
  type Settlement,
} from "../port.ts";
import { ask, demand, find, type Phoenixd, read, refused } from "./rest.ts";

/** Ours among the invoices of the node. */
const ID_PREFIX = "l402-numbers:";
const PAGE = 100;
/** 50,000 payments in one look back; a node with more needs a shorter one. */
const MAX_PAGES = 500;

/**
 * How long a payment that came in time may be held: parts are waited for 60 s, and 30 s more while a channel is made for it
 * (lightning-kmp: IncomingPaymentHandler.kt). The rest is for a node that is slow or was away.
 */
export const SETTLES_AFTER_EXPIRY_MS = 10 * 60_000;

/** @throws NodeUnavailable, also when the node's own invoice is not for what was asked. */
export async function createInvoice(api: Phoenixd, network: Network, wanted: NewInvoice): Promise<CreatedInvoice> {
  const what = "createinvoice";
  const externalId = ID_PREFIX + wanted.key;
  const form = {
    amountSat: String(wanted.amountSats),
    description: wanted.description,
    expirySeconds: String(wanted.expirySeconds),
    externalId,
  };
  const body = await unlessLost(what, async () => {
    let failure: NodeUnavailable;
    try {
      const answer = await ask(api, { path: "/createinvoice", form });
      if (answer.status === 200) return read(answer);
      failure = refused(what, answer);
      // Refused before anything was made.
      if (answer.status < 500) throw failure;
    } catch (error) {
      if (!(error instanceof AnswerLost)) throw error;
      failure = new NodeUnavailable(`${what}: ${error.why}`, { cause: error });
    }
    const found = await findByName(api, what, externalId);
    if (!found) throw failure;
    return found;
  });
  if (!isObject(body)) throw malformed(what);
  const made = { bolt11: body.serialized ?? body.invoice, paymentHash: hash32(body.paymentHash) };
  const { payee, ...invoice } = checkCreated(what, made, wanted, network);
  return { ...invoice, node: payee };
}

/** The unpaid invoice of that name, or null. @throws NodeUnavailable */
async function findByName(api: Phoenixd, what: string, externalId: string): Promise<Json | null> {
  const query = new URLSearchParams({ externalId, all: "true", limit: "2" });
  const found = await demand(api, what, { path: `/payments/incoming?${query}` });
  if (!Array.isArray(found)) throw malformed(what);
  // A version that does not know the filter lists everybody's.
  const named = (found as unknown[]).filter((entry) => isObject(entry) && entry.externalId === externalId);
  const [invoice] = named;
  return isObject(invoice) && invoice.isPaid === false ? invoice : null;
}

/** @throws NodeUnavailable */
export async function lookupInvoice(api: Phoenixd, hash: PaymentHash): Promise<InvoiceState> {
  return (await lookup(api, hash)).state;
}

/**
 * There is no way to cancel: an invoice is surely unpaid when it has expired, and what came in its last second would have
 * settled. @throws NodeUnavailable
 */
export async function cancelInvoice(api: Phoenixd, hash: PaymentHash): Promise<InvoiceState> {
  const { state, expiresAt } = await lookup(api, hash);
  const surely = expiresAt === null || api.world.now() >= expiresAt + SETTLES_AFTER_EXPIRY_MS;
  return state.kind === "dead" && !surely ? { kind: "open" } : state;
}

async function lookup(api: Phoenixd, hash: PaymentHash): Promise<{ state: InvoiceState; expiresAt: Millis | null }> {
  const what = "payments/incoming";
  const payment = await find(api, what, `/payments/incoming/${hash}`);
  // Expired ones that nobody paid may be purged.
  if (payment === null) return { state: { kind: "missing" }, expiresAt: null };
  if (payment.paymentHash !== hash) throw malformed(what);
  const expiresAt = count(payment.expiresAt);
  if (payment.isPaid === true) {
    const settlement = toSettlement(payment);
    if (!settlement) throw malformed(what);
    return { state: { kind: "settled", settlement }, expiresAt };
  }
  if (payment.isPaid !== false || typeof payment.isExpired !== "boolean") throw malformed(what);
  return { state: { kind: payment.isExpired ? "dead" : "open" }, expiresAt };
}

/** Every settlement from `from` on, latest first. @throws NodeUnavailable, also when there are too many. */
export async function settledFrom(api: Phoenixd, from: Millis): Promise<Settlement[]> {
  const receipts = await receivedFrom(api, from);
  return receipts.map(({ paymentHash, settledAt, receivedMsats }) => ({ paymentHash, settledAt, receivedMsats }));
}

/** The same, with what each invoice was made for. */
export async function receivedFrom(api: Phoenixd, from: Millis): Promise<Receipt[]> {
  const what = "payments/incoming";
  const found = new Map<PaymentHash, Receipt>();
  for (let page = 0; page < MAX_PAGES; page++) {
    const query = new URLSearchParams({
      from: String(Math.max(0, Math.floor(from))),
      limit: String(PAGE),
      offset: String(page * PAGE),
    });
    const payments = await demand(api, what, { path: `/payments/incoming?${query}`, maxBytes: 8 * 1024 * 1024 });
    if (!Array.isArray(payments)) throw malformed(what);
    for (const payment of payments as unknown[]) {
      const receipt = isObject(payment) && payment.isPaid === true ? toReceipt(payment) : null;
      if (!receipt) throw malformed(what);
      // What settles meanwhile moves the pages: some come twice.
      if (receipt.settledAt >= Math.floor(from)) found.set(receipt.paymentHash, receipt);
    }
    // On-chain deposits are taken out of a page after it was counted off (Api.kt): a short one need not be the last.
    if (payments.length === 0) return [...found.values()];
  }
  throw new NodeUnavailable(`${what}: more than ${MAX_PAGES * PAGE} payments`);
}

/**
 * What the customer paid. phoenixd keeps back what a channel for it cost, so `receivedSat` may be less than was asked for
 * and paid: an invoice that is paid was paid in full.
 */
function toSettlement(payment: Json): Settlement | null {
  const paymentHash = hash32(payment.paymentHash);
  const settledAt = count(payment.completedAt);
  const received = count(payment.receivedSat);
  const requested = payment.requestedSat === undefined ? 0 : count(payment.requestedSat);
  if (!paymentHash || !settledAt || received === null || requested === null) return null;
  return { paymentHash, settledAt, receivedMsats: msats(Math.max(received, requested) * 1000) };
}

function toReceipt(payment: Json): Receipt | null {
  const settlement = toSettlement(payment);
  const { description, externalId } = payment;
  return (
    settlement && {
      ...settlement,
      description: typeof description === "string" ? description : null,
      key:
        typeof externalId === "string" && externalId.startsWith(ID_PREFIX) ? externalId.slice(ID_PREFIX.length) : null,
    }
  );
}

/** The settlement of one hash, or null while the node does not call it paid. @throws NodeUnavailable */
export async function settlementOf(api: Phoenixd, hash: PaymentHash): Promise<Settlement | null> {
  const { state } = await unlessLost("payments/incoming", () => lookup(api, hash));
  return state.kind === "settled" ? state.settlement : null;
}
