/**
 * Invoices of a Core Lightning node: made under a label that is unique at the node, looked up by hash, deleted while they
 * are unpaid (doc/schemas: invoice, listinvoices, delinvoice).
 */
import { type Msats, msats } from "../../../actors/order/money.ts";
import { AnswerLost } from "../../wire.ts";
import { checkCreated, count, hash32, isObject, type Json, malformed } from "../answers.ts";
import {
  type CreatedInvoice,
  type InvoiceState,
  type Network,
  type NewInvoice,
  NodeUnavailable,
  type PaymentHash,
  type Settlement,
} from "../port.ts";
import { ask, type ClnRest, demand, msatOf, refused } from "./rest.ts";

/** "An invoice with the given label already exists." */
const LABEL_EXISTS = 900;
/** Ours among the invoices of the node. */
const LABEL_PREFIX = "l402-numbers:";

/** @throws NodeUnavailable, also when the node's own invoice is not for what was asked. */
export async function createInvoice(rest: ClnRest, network: Network, wanted: NewInvoice): Promise<CreatedInvoice> {
  const method = "invoice";
  const label = LABEL_PREFIX + wanted.key;
  const params = {
    amount_msat: wanted.amountSats * 1000,
    label,
    description: wanted.description,
    expiry: wanted.expirySeconds,
  };
  let made: Json | null = null;
  let failure: NodeUnavailable;
  try {
    const answer = await ask(rest, { method, params });
    if (answer.ok) made = answer.body;
    else if (answer.error.code !== LABEL_EXISTS) throw refused(method, answer.error);
    failure = new NodeUnavailable(`${method}: the label is taken`);
  } catch (error) {
    if (!(error instanceof AnswerLost)) throw error;
    failure = new NodeUnavailable(`${method}: ${error.why}`, { cause: error });
  }
  // The answer was lost, or this is not the first call for it: the label finds what was made.
  made ??= await one(rest, { label });
  if (!made || (made.status !== undefined && made.status !== "unpaid")) throw failure;
  const { payee, ...invoice } = checkCreated(
    method,
    { bolt11: made.bolt11, paymentHash: hash32(made.payment_hash) },
    wanted,
    network,
  );
  return { ...invoice, node: payee };
}

/** @throws NodeUnavailable */
export async function lookupInvoice(rest: ClnRest, hash: PaymentHash): Promise<InvoiceState> {
  return toState(await one(rest, { payment_hash: hash }), hash);
}

/**
 * Deletes an unpaid invoice, and then asks: the state afterwards is the answer, whatever became of the deletion.
 * @throws NodeUnavailable, also when the invoice is still open because the deletion failed.
 */
export async function cancelInvoice(rest: ClnRest, hash: PaymentHash): Promise<InvoiceState> {
  const method = "delinvoice";
  const before = await one(rest, { payment_hash: hash });
  const state = toState(before, hash);
  if (state.kind !== "open") return state;
  let failure: NodeUnavailable | null = null;
  try {
    // Refused when it has been paid meanwhile (906).
    await demand(rest, { method, params: { label: before?.label, status: "unpaid" } });
  } catch (error) {
    if (!(error instanceof NodeUnavailable)) throw error;
    failure = error;
  }
  const after = await lookupInvoice(rest, hash);
  if (after.kind === "open") throw failure ?? new NodeUnavailable(`${method}: the invoice is still there`);
  return after.kind === "missing" ? { kind: "dead" } : after;
}

/** The settlement in an entry of `listinvoices` or `waitanyinvoice` that is paid; null when a field of it is wrong. */
export function toSettlement(invoice: Json): Settlement | null {
  const paymentHash = hash32(invoice.payment_hash);
  const seconds = count(invoice.paid_at);
  const received = msatOf(invoice.amount_received_msat);
  if (!paymentHash || !seconds || received === null) return null;
  const receivedMsats: Msats = msats(received);
  return { paymentHash, settledAt: seconds * 1000, receivedMsats };
}

/** The key of an invoice of ours, or null. */
export const keyOf = (label: unknown): string | null =>
  typeof label === "string" && label.startsWith(LABEL_PREFIX) ? label.slice(LABEL_PREFIX.length) : null;

/** The one invoice that a label or a hash names, or null. @throws NodeUnavailable */
async function one(rest: ClnRest, params: Json): Promise<Json | null> {
  const method = "listinvoices";
  const { invoices } = await demand(rest, { method, params });
  if (!Array.isArray(invoices) || invoices.length > 1) throw malformed(method);
  const [invoice] = invoices as unknown[];
  if (invoice === undefined) return null;
  if (!isObject(invoice)) throw malformed(method);
  return invoice;
}

function toState(invoice: Json | null, hash: PaymentHash): InvoiceState {
  const method = "listinvoices";
  if (!invoice) return { kind: "missing" };
  if (invoice.payment_hash !== hash) throw malformed(method);
  switch (invoice.status) {
    case "unpaid":
      return { kind: "open" };
    // lightningd fails every HTLC that comes for it from now on (wallet/invoices.c).
    case "expired":
      return { kind: "dead" };
    case "paid": {
      const settlement = toSettlement(invoice);
      if (settlement) return { kind: "settled", settlement };
      throw malformed(method);
    }
    default:
      throw malformed(method);
  }
}
