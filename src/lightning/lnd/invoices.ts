/**
 * Invoices of an lnd node: create, look up, cancel, and the two ways to hear of settlements (lnd: lnrpc/lightning.proto,
 * Invoice; lnrpc/invoicesrpc).
 */
import { type Msats, msats } from "../../../actors/order/money.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import { sha256Hex } from "../../sha256.ts";
import { AnswerLost } from "../../wire.ts";
import { checkCreated, isObject, type Json, malformed, unlessLost } from "../answers.ts";
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
import { ask, demand, hashFromBase64, hexToBase64, int64, type LndRest, NOT_FOUND, refused } from "./rest.ts";
import { openStream } from "./stream.ts";

/** What lnd says when it has no such invoice (invoices/errors.go); any other 404 comes from something in between. */
const NO_SUCH_INVOICE = ["unable to locate invoice", "there are no existing invoices"];

/**
 * An invoice with all its HTLCs; a paid one is about 3 kB. But the payer chooses how many parts there are and what lies in them: the 483
 * that fit into one channel make 1 MB. A line that is too long would be sent again with every backlog, and stop all that come after.
 */
const MAX_LINE = 16 * 1024 * 1024;
const PAGE_SIZE = 200;
/** How many times fewer are asked for when a page is too long: a few payers of hundreds of parts fill one. */
const SMALLER = 5;
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** 100,000 invoices in one look back; a node with more needs a shorter one. */
const MAX_PAGES = 500;
/**
 * An invoice is listed by the time of its creation, not of its settlement. Ours live five minutes at most, so one that settled at or
 * after `since` was created less than a quarter of an hour before it, clocks five minutes apart included. Each look reads all of them, paid or not.
 */
const CREATED_BEFORE_SETTLED_S = 900;

/**
 * The preimage is chosen here, so that an invoice whose answer was lost can be asked for. Nobody keeps it: until it is paid
 * for, the node alone has it.
 * @throws NodeUnavailable, also when the node's own invoice is not for what was asked.
 */
export async function createInvoice(rest: LndRest, network: Network, wanted: NewInvoice): Promise<CreatedInvoice> {
  const what = "AddInvoice";
  const preimage = rest.world.random(32);
  const hash = sha256Hex(preimage);
  const body = {
    value: String(wanted.amountSats),
    memo: wanted.description,
    expiry: String(wanted.expirySeconds),
    r_preimage: Buffer.from(preimage).toString("base64"),
  };
  let made: Json;
  try {
    made = await demand(rest, what, { method: "POST", path: "/v1/invoices", body });
  } catch (error) {
    if (!(error instanceof NodeUnavailable && error.cause instanceof AnswerLost)) throw error;
    const found = await ask(rest, { path: `/v1/invoice/${hash}` }).catch(() => null);
    if (!found?.ok || found.body.state !== "OPEN") throw error;
    made = found.body;
  }
  const paymentHash = hashFromBase64(made.r_hash);
  const { payee, ...invoice } = checkCreated(what, { bolt11: made.payment_request, paymentHash }, wanted, network);
  return { ...invoice, node: payee };
}

/** @throws NodeUnavailable */
export async function lookupInvoice(rest: LndRest, hash: PaymentHash): Promise<InvoiceState> {
  const what = "LookupInvoice";
  const answer = await unlessLost(what, () => ask(rest, { path: `/v1/invoice/${hash}`, maxBytes: MAX_LINE }));
  if (!answer.ok) {
    const { status, code, message } = answer.error;
    if (status === 404 && code === NOT_FOUND && NO_SUCH_INVOICE.includes(message)) return { kind: "missing" };
    throw refused(what, answer.error);
  }
  if (hashFromBase64(answer.body.r_hash) !== hash) throw malformed(what);
  return toState(what, answer.body);
}

/**
 * Cancels, and then asks: the state afterwards is the answer, whatever became of the cancel itself.
 * @throws NodeUnavailable, also when the invoice is still open because the cancel failed.
 */
export async function cancelInvoice(rest: LndRest, hash: PaymentHash): Promise<InvoiceState> {
  const what = "CancelInvoice";
  let failure: NodeUnavailable | null = null;
  try {
    await demand(rest, what, {
      method: "POST",
      path: "/v2/invoices/cancel",
      body: { payment_hash: hexToBase64(hash) },
    });
  } catch (error) {
    if (!(error instanceof NodeUnavailable)) throw error;
    failure = error;
  }
  const state = await lookupInvoice(rest, hash);
  if (state.kind === "open" && failure) throw failure;
  // With gc-canceled-invoices-on-the-fly, lnd forgets an invoice in the moment it cancels it.
  return state.kind === "missing" && !failure ? { kind: "dead" } : state;
}

/**
 * Settlements with a settle index above the cursor, then live ones. lnd takes an index of 0 as "no backlog" (invoices:
 * deliverBacklogEvents), so a null cursor and "0" alike mean from now on.
 * @throws NodeUnavailable when the stream ends otherwise than by `signal`. @throws RangeError for a cursor that is none.
 */
export async function* settlements(
  rest: LndRest,
  cursor: string | null,
  signal: AbortSignal,
): AsyncGenerator<{ settlement: Settlement; cursor: string }> {
  const what = "SubscribeInvoices";
  const start = int64(cursor ?? "0");
  if (start === null) throw new RangeError("The cursor is not a settle index");
  let highest = start;
  try {
    const path = `/v1/invoices/subscribe${highest > 0 ? `?settle_index=${highest}` : ""}`;
    for await (const item of openStream(rest, { path, maxLine: MAX_LINE }, signal)) {
      if (!item.ok) throw refused(what, item.error);
      // New, held and cancelled invoices come on the same stream.
      if (!mayBeOursAndPaid(item.result)) continue;
      const settlement = toSettlement(item.result);
      const index = int64(item.result.settle_index);
      if (!settlement || index === null) throw malformed(what);
      highest = Math.max(highest, index);
      yield { settlement, cursor: String(highest) };
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof AnswerLost) throw new NodeUnavailable(`${what}: ${error.why}`, { cause: error });
    throw error;
  }
  if (!signal.aborted) throw new NodeUnavailable(`${what}: the stream ended`);
}

/** Every settlement at or after `since`, newest invoice first. @throws NodeUnavailable, also when there are too many. */
export async function settledSince(rest: LndRest, since: Millis): Promise<Settlement[]> {
  return (await receivedSince(rest, since)).map(({ description: _, key: __, ...settlement }) => settlement);
}

/** The same, with what the invoices were made for. lnd keeps no key. */
export async function receivedSince(rest: LndRest, since: Millis): Promise<Receipt[]> {
  const what = "ListInvoices";
  // Settle times have whole seconds, so `since` is compared in them. 0 would mean no limit at all.
  const sinceSeconds = Math.floor(since / 1000);
  const createdAfter = Math.max(1, sinceSeconds - CREATED_BEFORE_SETTLED_S);
  const found: Receipt[] = [];
  let offset = 0;
  let size = PAGE_SIZE;
  for (let page = 0; page < MAX_PAGES; page++) {
    const body = await demand(rest, what, {
      path: `/v1/invoices?reversed=true&num_max_invoices=${size}&creation_date_start=${createdAfter}&index_offset=${offset}`,
      maxBytes: MAX_PAGE_BYTES,
    }).catch((error: unknown) => {
      if (size > 1 && isTooLarge(error)) return null;
      throw error;
    });
    if (body === null) {
      size = Math.ceil(size / SMALLER);
      continue;
    }
    if (!Array.isArray(body.invoices)) throw malformed(what);
    for (const invoice of body.invoices as unknown[]) {
      if (!isObject(invoice)) throw malformed(what);
      if (!mayBeOursAndPaid(invoice)) continue;
      const settlement = toSettlement(invoice);
      if (!settlement) throw malformed(what);
      if (settlement.settledAt < sinceSeconds * 1000) continue;
      found.push({ ...settlement, description: typeof invoice.memo === "string" ? invoice.memo : null, key: null });
    }
    if (body.invoices.length < size) return found;
    const next = int64(body.first_index_offset);
    // Going back means smaller indexes; anything else would run in circles.
    if (next === null || next === 0 || (offset !== 0 && next >= offset)) throw malformed(what);
    if (next === 1) return found;
    offset = next;
  }
  throw new NodeUnavailable(`${what}: more than ${MAX_PAGES * PAGE_SIZE} invoices`);
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof NodeUnavailable && error.cause instanceof AnswerLost && error.cause.why === "too_large";

function toState(what: string, invoice: Json): InvoiceState {
  switch (invoice.state) {
    // ACCEPTED: parts of the payment are held until all have come; it may settle or be released.
    case "OPEN":
    case "ACCEPTED":
      return { kind: "open" };
    case "CANCELED":
      return { kind: "dead" };
    case "SETTLED": {
      const settlement = toSettlement(invoice);
      if (settlement) return { kind: "settled", settlement };
      throw malformed(what);
    }
    default:
      throw malformed(what);
  }
}

/**
 * Whether this may be an invoice of ours that was paid. AMP ones are never ours. lnd calls one settled as soon as one payment of it is, without a
 * settle time of its own, and without a hash where a payer made it up (CreateRPCInvoice): taken for ours, it would stop all that come after it.
 */
const mayBeOursAndPaid = (invoice: Json): boolean => invoice.state === "SETTLED" && invoice.is_amp !== true;

function toSettlement(invoice: Json): Settlement | null {
  const paymentHash = hashFromBase64(invoice.r_hash);
  const seconds = int64(invoice.settle_date);
  const received = int64(invoice.amt_paid_msat);
  if (!paymentHash || !seconds || received === null) return null;
  const receivedMsats: Msats = msats(received);
  return { paymentHash, settledAt: seconds * 1000, receivedMsats };
}
