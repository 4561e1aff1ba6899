/**
 * The two ways to hear of settlements of a Core Lightning node: `waitanyinvoice`, which waits for the one after a pay index
 * and replays from any index, and `listinvoices`, walked back from the newest.
 */
import type { Millis } from "../../../actors/runtime/world.ts";
import { count, isObject, type Json, malformed, unlessLost } from "../answers.ts";
import { bigEndian, toWords } from "../bolt11-fields.ts";
import { NodeUnavailable, type Receipt, type Settlement } from "../port.ts";
import { keyOf, toSettlement } from "./invoices.ts";
import { ask, type ClnRest, demand, refused } from "./rest.ts";

/** "The timeout was reached without an invoice being paid." */
const NOTHING_PAID = 904;
/** How long one call waits. Below the minute after which proxies commonly cut a silent connection. */
const WAIT_SECONDS = 50;
const WAIT_LIMIT_MS = 65_000;
const PAGE = 200;
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** 100,000 invoices in one look back; a node with more needs a shorter one. */
const MAX_PAGES = 500;
/**
 * An invoice is listed by its creation, not by its settlement. Ours live minutes, so one that settled at or after
 * `since` was created less than an hour before it, clocks a little apart included.
 */
const CREATED_BEFORE_SETTLED_MS = 3_600_000;
const TIMESTAMP_WORDS = 7;

/**
 * Settlements with a pay index above the cursor, then live ones; a null cursor means from the newest on.
 * @throws NodeUnavailable when a call fails. @throws RangeError for a cursor that is none.
 */
export async function* settlements(
  rest: ClnRest,
  cursor: string | null,
  signal: AbortSignal,
): AsyncGenerator<{ settlement: Settlement; cursor: string }> {
  const method = "waitanyinvoice";
  if (cursor !== null && !/^\d{1,15}$/.test(cursor)) throw new RangeError("The cursor is not a pay index");
  let last = cursor === null ? await newestPayIndex(rest) : Number(cursor);
  while (!signal.aborted) {
    const params = { lastpay_index: last, timeout: WAIT_SECONDS };
    const call = { method, params, timeoutMs: WAIT_LIMIT_MS, idle: true, signal };
    const answer = await unlessLost(method, () => ask(rest, call)).catch((error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    });
    if (answer === null) return;
    if (!answer.ok) {
      if (answer.error.code === NOTHING_PAID) continue;
      throw refused(method, answer.error);
    }
    const index = count(answer.body.pay_index);
    const settlement = toSettlement(answer.body);
    // Going back would go round for ever.
    if (!settlement || index === null || index <= last) throw malformed(method);
    last = index;
    yield { settlement, cursor: String(last) };
  }
}

/** Every settlement at or after `since`, newest invoice first. @throws NodeUnavailable, also when there are too many. */
export async function settledSince(rest: ClnRest, since: Millis): Promise<Settlement[]> {
  return (await receivedSince(rest, since)).map(({ description: _, key: __, ...settlement }) => settlement);
}

/** The same, with what the invoices were made for. */
export async function receivedSince(rest: ClnRest, since: Millis): Promise<Receipt[]> {
  // Settle times have whole seconds, so `since` is compared in them.
  const from = Math.floor(since / 1000) * 1000;
  const found: Receipt[] = [];
  for await (const invoice of newestFirst(rest, "created")) {
    const createdAt = typeof invoice.bolt11 === "string" ? issuedAt(invoice.bolt11) : null;
    if (createdAt !== null && createdAt < from - CREATED_BEFORE_SETTLED_MS) return found;
    if (invoice.status !== "paid") continue;
    const settlement = toSettlement(invoice);
    if (!settlement) throw malformed("listinvoices");
    if (settlement.settledAt < from) continue;
    const description = typeof invoice.description === "string" ? invoice.description : null;
    found.push({ ...settlement, description, key: keyOf(invoice.label) });
  }
  return found;
}

/** The pay index of the invoice that was paid last, 0 before the first. @throws NodeUnavailable */
async function newestPayIndex(rest: ClnRest): Promise<number> {
  // An invoice is updated when it is paid and when it expires: among the newest updates is the newest payment.
  for await (const invoice of newestFirst(rest, "updated")) {
    if (invoice.status !== "paid") continue;
    const index = count(invoice.pay_index);
    if (index === null) throw malformed("listinvoices");
    return index;
  }
  return 0;
}

/** The invoices of the node from the newest of an index back. @throws NodeUnavailable, also when there are too many. */
async function* newestFirst(rest: ClnRest, index: "created" | "updated"): AsyncGenerator<Json> {
  const field = `${index}_index`;
  // Waiting for index 0 answers at once with the highest there is.
  const params = { subsystem: "invoices", indexname: index, nextvalue: 0 };
  let end = count((await demand(rest, { method: "wait", params }))[index]);
  if (end === null) throw malformed("wait");
  for (let page = 0; page < MAX_PAGES; page++) {
    if (end === 0) return;
    const start = Math.max(1, end - PAGE + 1);
    const listing = { index, start, limit: end - start + 1 };
    const { invoices } = await demand(rest, { method: "listinvoices", params: listing, maxBytes: MAX_PAGE_BYTES });
    if (!Array.isArray(invoices)) throw malformed("listinvoices");
    const entries: { at: number; invoice: Json }[] = [];
    for (const invoice of invoices as unknown[]) {
      const at = isObject(invoice) ? count(invoice[field]) : null;
      if (!isObject(invoice) || at === null) throw malformed("listinvoices");
      // A page with gaps reaches into the one before it.
      if (at <= end) entries.push({ at, invoice });
    }
    for (const { invoice } of entries.sort((a, b) => b.at - a.at)) yield invoice;
    end = start - 1;
  }
  throw new NodeUnavailable(`listinvoices: more than ${MAX_PAGES * PAGE} invoices`);
}

/** When a BOLT 11 invoice was made: the first 35 bits of its data. Null when it is none. */
function issuedAt(bolt11: string): Millis | null {
  const data = bolt11.slice(bolt11.lastIndexOf("1") + 1);
  const words = data.length >= TIMESTAMP_WORDS ? toWords(data.slice(0, TIMESTAMP_WORDS).toLowerCase()) : null;
  return words && bigEndian(words) * 1000;
}
