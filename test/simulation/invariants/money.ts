/** Invariants 1 to 10: money. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import type { OrderEvent } from "../../../actors/order/events.ts";
import { ledgerOf } from "../../../actors/order/ledger.ts";
import { REFUND_INVOICE_LIFE_MS } from "../../../actors/order/policy.ts";
import type { Order } from "../../../actors/order/state.ts";
import { isRefundable } from "../../../actors/order/terms.ts";
import type { InvoiceRow, PaymentRow, WalletInvoiceRow } from "../../../src/sandbox/lightning/books.ts";
import { type Evidence, type Invariant, type Seen, Violation } from "./invariant.ts";

const invoiceOf = ({ books }: Evidence, hash: string) =>
  books
    .query<Pick<InvoiceRow, "state" | "value_msat" | "paid_msat">, [string]>(
      "SELECT state, value_msat, paid_msat FROM ln_invoices WHERE hash = ?",
    )
    .get(hash);

const walletInvoiceOf = ({ books }: Evidence, hash: string) =>
  books.query<WalletInvoiceRow, [string]>("SELECT * FROM ln_wallet_invoices WHERE hash = ?").get(hash);

/** Sums of the ledger, by account and unit. */
function accounts({ store }: Evidence): (account: string, unit: "msat" | "µUSD") => number {
  const sums = new Map(store.ledger().map(({ account, unit, amount }) => [`${account} ${unit}`, amount]));
  return (account, unit) => sums.get(`${account} ${unit}`) ?? 0;
}

export const nodesWord: Invariant = {
  says: "No number is bought without the node's word that the invoice settled",
  event(evidence, { order }, event) {
    if (event.type !== "BuyStarted") return;
    if (!order.payment) throw new Violation(1, `${order.id}: a buy before the node's word`);
    const invoice = invoiceOf(evidence, order.terms.paymentHash);
    if (invoice?.state !== "SETTLED")
      throw new Violation(1, `${order.id}: a buy, and its invoice is ${invoice?.state}`);
    if (invoice.paid_msat < order.terms.priceSats * 1000)
      throw new Violation(1, `${order.id}: a buy for less than its price`);
  },
};

export const oneRefund: Invariant = {
  says: "At most one successful refund per order",
  event(_, seen, event) {
    const { order } = seen;
    if (event.type === "RefundPaid") {
      if (seen.refunds > 0) throw new Violation(2, `${order.id}: refunded twice`);
      if (bytesToHex(sha256(hexToBytes(event.preimage))) !== event.paymentHash)
        throw new Violation(2, `${order.id}: a refund is paid, and its preimage proves nothing`);
    }
    if (event.type !== "RefundStarted") return;
    const { state } = order;
    const pending = state.kind === "refundUnknown" || (state.kind === "refunding" && state.step === "paying");
    if (pending) throw new Violation(2, `${order.id}: a refund while another may succeed`);
    if (order.refund) throw new Violation(2, `${order.id}: a refund after one that was paid`);
  },
  rest({ books, orders, destinations }) {
    const paid = books
      .query<Pick<PaymentRow, "hash">, []>("SELECT hash FROM ln_payments WHERE status = 'SUCCEEDED'")
      .all();
    const counted = new Set<string>();
    for (const { hash } of paid) {
      const owner = destinations.get(hash);
      if (owner === undefined) throw new Violation(2, "the node paid an invoice that no order claimed");
      if (counted.has(owner)) throw new Violation(2, `${owner}: the node paid two of its refunds`);
      counted.add(owner);
      const { refund } = orders.get(owner) ?? {};
      if (refund?.paymentHash !== hash) throw new Violation(2, `${owner}: a refund arrived that it knows nothing of`);
    }
    for (const { id, refund } of orders.all()) {
      if (refund && !counted.has(id)) throw new Violation(2, `${id}: its refund never arrived`);
    }
  },
};

export const noRefundOfTheServed: Invariant = {
  says: "No refund after an SMS was recorded; none of a rental or reactivation that got its number, unless it ended empty",
  event(_, { order, served }, event) {
    if (event.type !== "RefundStarted") return;
    if (order.messageIds.length > 0) throw new Violation(3, `${order.id}: a refund after an SMS`);
    const { type } = order.terms.good;
    if (served && type === "receive-sms-reactivate")
      throw new Violation(3, `${order.id}: a refund of a ${type} that was had`);
    if (
      served &&
      type === "rent-number" &&
      order.state.kind !== "done" &&
      order.state.kind !== "refundStuck" &&
      order.refundAttempts === 0
    ) {
      throw new Violation(3, `${order.id}: a refund of a rental that runs`);
    }
  },
};

export const numberIsGone: Invariant = {
  says: "A refund starts only after the number is surely gone, or surely never was",
  event({ books }, { order, held }, event) {
    if (event.type === "RefundStarted" && held)
      throw new Violation(4, `${order.id}: a refund while the number is held`);
    if (event.type !== "NumberEnded" || !event.refunded || !("number" in order.state) || !order.state.number) return;
    const { activationId } = order.state.number;
    const row = books
      .query<{ endedAt: number | null; status: number }, [number]>(
        "SELECT endedAt, status FROM provider_activations WHERE id = ?",
      )
      .get(Number(activationId));
    if (row?.endedAt === null) throw new Violation(4, `${order.id}: given back, and the provider has it open`);
    if (row?.status !== 8 && row?.status !== 10)
      throw new Violation(4, `${order.id}: given back, and the provider charged it`);
  },
};

export const everyPaidOrderEnds: Invariant = {
  says: "Every paid order ends in exactly one way, or waits visibly",
  rest({ orders, paid }) {
    const byHash = new Map([...orders.all()].map((order) => [order.terms.paymentHash, order]));
    for (const hash of paid) {
      const order = byHash.get(hash);
      if (!order) throw new Violation(5, "money came in and no order knows of it");
      const { kind } = order.state;
      const rests = kind === "done" || kind === "refundStuck" || (kind === "refundUnknown" && order.attention !== null);
      if (!order.payment || !rests) throw new Violation(5, `${order.id} is paid and rests as ${kind}`);
      if (order.loose && !order.attention)
        throw new Violation(5, `${order.id} has a loose activation and nobody is told`);
      if (order.state.kind !== "done") continue;
      const { as } = order.state;
      const delivered = order.messageIds.length > 0 || order.terms.good.type === "rent-number";
      if (as === "completed" && !delivered) throw new Violation(5, `${order.id} completed without a message`);
      if (as === "refunded" && !order.refund) throw new Violation(5, `${order.id} is refunded without a refund`);
      if (as === "failed" && order.owedMsats < 1000 && order.payment.receivedMsats >= 1000) {
        throw new Violation(5, `${order.id} failed, and owes nothing`);
      }
    }
  },
};

export const everySat: Invariant = {
  says: "Sats in = kept + refunded + fees + owed + unclaimed; provider spent = numbers + loss",
  event(_, { order }, event: OrderEvent) {
    const sums = new Map<string, number>();
    for (const { unit, amount } of ledgerOf(order, event)) sums.set(unit, (sums.get(unit) ?? 0) + amount);
    for (const [unit, sum] of sums) {
      if (sum !== 0) throw new Violation(6, `${order.id}: ${event.type} is off by ${sum} ${unit}`);
    }
  },
  rest(evidence) {
    const { books, orders } = evidence;
    const account = accounts(evidence);
    const uses = ["kept", "refunded", "fees", "owed", "unclaimed"].reduce(
      (sum, name) => sum + account(name, "msat"),
      0,
    );
    if (-account("received", "msat") !== uses) throw new Violation(6, "received is not the sum of its uses");
    const owed = [...orders.all()].reduce((sum, order) => sum + order.owedMsats, 0);
    if (owed !== account("owed", "msat"))
      throw new Violation(6, `owed is ${account("owed", "msat")}, the orders say ${owed}`);

    const sum = (sql: string) => books.query<{ n: number | null }, []>(sql).get()?.n ?? 0;
    const received = sum("SELECT sum(paid_msat) AS n FROM ln_invoices WHERE state = 'SETTLED'");
    if (-account("received", "msat") !== received)
      throw new Violation(6, `the node received ${received}, the ledger says otherwise`);
    const refunded = sum("SELECT sum(value_msat) AS n FROM ln_payments WHERE status = 'SUCCEEDED'");
    const fees = sum("SELECT sum(fee_msat) AS n FROM ln_payments WHERE status = 'SUCCEEDED'");
    if (account("refunded", "msat") !== refunded)
      throw new Violation(6, `the node refunded ${refunded}, the ledger says otherwise`);
    if (account("fees", "msat") !== fees)
      throw new Violation(6, `the node paid fees of ${fees}, the ledger says otherwise`);

    const spent = -account("provider", "µUSD");
    if (spent !== account("numbers", "µUSD") + account("loss", "µUSD"))
      throw new Violation(6, "spent is not numbers + loss");
    const charged = sum("SELECT sum(cost) AS n FROM provider_activations WHERE status NOT IN (8, 10)");
    const unseen = unseenByUs(evidence);
    if (spent !== charged + unseen) {
      throw new Violation(
        6,
        `the provider charged ${charged} µUSD, the ledger says ${spent}, and ${unseen} is explained`,
      );
    }
    const balance = sum("SELECT balance AS n FROM provider_account");
    if (START_BALANCE - balance !== charged)
      throw new Violation(6, "the provider's balance and its activations disagree");
  },
};

const START_BALANCE = 100_000 * 1_000_000;

/**
 * By how much the ledger may differ from the provider's books, in µUSD: what we booked as spent, and the provider gave back without our
 * hearing of it; less what was bought by a buy that we gave up for lost, which waits for a person.
 */
function unseenByUs({ books, activations, orders, store }: Evidence): number {
  const rows = books
    .query<{ id: number; cost: number; status: number }, []>("SELECT id, cost, status FROM provider_activations")
    .all();
  let difference = 0;
  for (const { id, cost, status } of rows) {
    const owner = activations.get(String(id));
    const backed = status === 8 || status === 10;
    if (owner === undefined) {
      if (!backed) difference -= cost;
      continue;
    }
    if (backed && !isBookedAsBacked(String(id), owner, { orders, store })) difference += cost;
  }
  return difference;
}

/** Whether the owner's events say that this activation's money came back. */
function isBookedAsBacked(id: string, owner: string, { store }: Pick<Evidence, "orders" | "store">): boolean {
  let current: string | null = null;
  let loose: string | null = null;
  for (const event of store.events(owner)) {
    if (event.type === "NumberBought") current = event.number.activationId;
    if (event.type === "LooseFound") loose = event.number.activationId;
    if (event.type === "NumberEnded" && event.refunded && current === id) return true;
    if (event.type === "LooseSettled" && event.refunded && loose === id) return true;
  }
  return false;
}

export const refundInvoice: Invariant = {
  says: "A refund invoice is our customer's and lives long enough, has no amount unless it is the whole refund's, and its hash belongs to one order",
  event(evidence, { order }, event) {
    if (event.type === "Opened" && event.destination) return wellFormed(evidence, event.destination, event.at, null);
    if (event.type === "DestinationSet") {
      // What an address or the holder of a link gives is asked for on the spot: exactly the refund, and with less time.
      const exact = order.state.kind === "resolving" || order.withdrawLink ? order.owedMsats : null;
      return wellFormed(evidence, event.destination, event.at, exact);
    }
    if (event.type !== "RefundStarted") return;
    const { destinations } = evidence;
    const owner = destinations.get(event.paymentHash) ?? order.id;
    if (owner !== order.id) throw new Violation(7, `${order.id} and ${owner} share a refund invoice`);
    destinations.set(event.paymentHash, order.id);
    const claimed = evidence.store.claimOwner("refund_hash", event.paymentHash)?.orderId;
    if (claimed !== order.id) throw new Violation(7, `${order.id} pays to a hash that it does not own`);
  },
};

function wellFormed(
  evidence: Evidence,
  { paymentHash, expiresAt }: { paymentHash: string; expiresAt: number },
  at: number,
  owedMsats: number | null,
): void {
  const row = walletInvoiceOf(evidence, paymentHash);
  if (!row) throw new Violation(7, "a refund invoice that no customer made was taken");
  const life = row.amount_msat === null ? REFUND_INVOICE_LIFE_MS : ASKED_LIFE_MS;
  if (row.amount_msat !== null && (owedMsats === null || row.amount_msat !== owedMsats - (owedMsats % 1_000)))
    throw new Violation(7, `a refund invoice over ${row.amount_msat} msats was taken, ${owedMsats ?? "none"} may be`);
  if (row.expires_ms !== expiresAt) throw new Violation(7, "the life of a refund invoice was misread");
  // The answer of a slow peer may lie between the check and the commit, and a step of the clock.
  if (expiresAt - at < life - SLOWEST_OPENING_MS - evidence.setAhead(SLOWEST_OPENING_MS))
    throw new Violation(7, "a refund invoice was taken that soon expires");
}

const SLOWEST_OPENING_MS = 60_000;
/** An invoice that was asked for must leave time for one or two tries. */
const ASKED_LIFE_MS = 150_000;

export const frozenPrice: Invariant = {
  says: "The price is frozen; a buy costs no more than was quoted where the wire can cap it",
  event(evidence, { order }, event) {
    if (event.type === "Opened") {
      const { paymentHash, priceSats } = event.terms;
      const value = invoiceOf(evidence, paymentHash)?.value_msat;
      if (value !== priceSats * 1000)
        throw new Violation(8, `the invoice is for ${value} msat, the price is ${priceSats} sats`);
    }
    if (event.type !== "NumberBought" || order.terms.good.type !== "receive-sms") return;
    if (event.number.cost > order.terms.good.maxCost) throw new Violation(8, `${order.id}: dearer than its cap`);
  },
  step(_, order, before) {
    if (!before || before.terms === order.terms || (before.terms.invoice !== "" && order.terms.invoice === "")) return;
    if (JSON.stringify(before.terms) !== JSON.stringify(order.terms))
      throw new Violation(8, `${order.id}: its terms changed`);
  },
};

export const lateMoney: Invariant = {
  says: "Late money is honoured, returned or owed, never silent, and never buys at a stale price",
  event(_, { order }, event) {
    const { payment, terms } = order;
    if (event.type === "BuyStarted" && payment?.late && isRefundable(terms.good)) {
      throw new Violation(9, `${order.id}: late money buys at a stale price`);
    }
  },
  rest({ books, orders }) {
    const settled = books.query<{ hash: string }, []>("SELECT hash FROM ln_invoices WHERE state = 'SETTLED'").all();
    const known = new Map([...orders.all()].map((order) => [order.terms.paymentHash, order] as [string, Order]));
    for (const { hash } of settled) {
      if (!known.get(hash)?.payment) throw new Violation(9, "the node has money that no order knows of");
    }
  },
};

export const settledOnce: Invariant = {
  says: "Repeated settlement events change nothing",
  event(_, { order, payments }: Seen, event) {
    if (event.type === "PaymentSettled" && payments > 0)
      throw new Violation(10, `${order.id}: paid twice by one payment`);
  },
};
