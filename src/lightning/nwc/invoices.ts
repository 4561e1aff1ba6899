/** Invoices of a wallet behind NWC: it chooses the preimage, cannot cancel, and may not even say what state one is in. */
import type { Millis } from "../../../actors/runtime/world.ts";
import { AnswerLost } from "../../wire.ts";
import { checkCreated, hash32, isObject, type Json, malformed, unlessLost } from "../answers.ts";
import type { CreatedInvoice, InvoiceState, NewInvoice, PaymentHash, Settlement } from "../port.ts";
import { refused } from "./client.ts";
import { type Transaction, toSettlement } from "./transactions.ts";
import type { Wallet } from "./wallet.ts";

/** As for phoenixd; a wallet may be anything. */
export const SETTLES_AFTER_EXPIRY_MS = 10 * 60_000;
/** Some list by creation instead of settlement. Ours live minutes. */
const CREATED_BEFORE_SETTLED_S = 3_600;

/** @throws NodeUnavailable, also when the wallet's own invoice is not for what was asked. */
export async function createInvoice(wallet: Wallet, wanted: NewInvoice): Promise<CreatedInvoice> {
  const method = "make_invoice";
  const network = await wallet.network();
  const begun = wallet.world.now();
  const params = {
    amount: wanted.amountSats * 1000,
    description: wanted.description,
    expiry: wanted.expirySeconds,
    metadata: { order: wanted.key },
  };
  const result = await unlessLost(method, async () => {
    try {
      const answer = await wallet.client.ask(method, params);
      if (answer.ok) return answer.result;
      throw refused(method, answer.code);
    } catch (error) {
      if (!(error instanceof AnswerLost)) throw error;
      // The same event again would be dropped in silence by a wallet that has had it. Where it keeps our name, it is listed.
      const made = await findByKey(wallet, wanted.key, begun);
      if (!made) throw error;
      return made;
    }
  });
  const made = { bolt11: result.invoice, paymentHash: hash32(result.payment_hash) };
  const { payee: _, ...invoice } = checkCreated(method, made, wanted, network);
  return { ...invoice, node: wallet.client.identity };
}

/** The unpaid invoice of that key, or null. */
async function findByKey(wallet: Wallet, key: string, begun: Millis): Promise<Json | null> {
  const params = { type: "incoming", unpaid: true, from: Math.floor(begun / 1000) - 60, limit: 20 };
  const { transactions } = await wallet.client.demand("list_transactions", params);
  const mine = (entry: unknown): entry is Json =>
    isObject(entry) && isObject(entry.metadata) && entry.metadata.order === key && entry.state !== "settled";
  return Array.isArray(transactions) ? ((transactions as unknown[]).find(mine) ?? null) : null;
}

/** @throws NodeUnavailable */
export async function lookupInvoice(wallet: Wallet, hash: PaymentHash): Promise<InvoiceState> {
  return (await lookup(wallet, hash)).state;
}

/**
 * There is no way to cancel: an invoice is surely unpaid when it has expired, and what came in its last second would have
 * settled. @throws NodeUnavailable
 */
export async function cancelInvoice(wallet: Wallet, hash: PaymentHash): Promise<InvoiceState> {
  const { state, expiresAt } = await lookup(wallet, hash);
  if (state.kind !== "dead" || expiresAt === null) return state;
  return wallet.world.now() >= expiresAt + SETTLES_AFTER_EXPIRY_MS ? state : { kind: "open" };
}

async function lookup(wallet: Wallet, hash: PaymentHash): Promise<{ state: InvoiceState; expiresAt: Millis | null }> {
  const transaction = await wallet.lookup(hash);
  if (transaction === null) return { state: { kind: "missing" }, expiresAt: null };
  if (transaction.type !== "incoming") throw malformed("lookup_invoice");
  const { expiresAt } = transaction;
  if (await hasSettled(wallet, transaction)) {
    const settlement = toSettlement(transaction);
    if (!settlement) throw malformed("lookup_invoice");
    return { state: { kind: "settled", settlement }, expiresAt };
  }
  // A wallet that says no state, or goes on to call it pending: no order could ever leave `unpaid`.
  const undecided = transaction.state === null || transaction.state === "pending";
  const over =
    transaction.state === "expired" ||
    transaction.state === "failed" ||
    (undecided && expiresAt !== null && expiresAt <= wallet.world.now());
  return { state: { kind: over ? "dead" : "open" }, expiresAt };
}

/**
 * Whether the money is there. A wallet that says no state is believed only when it lists the invoice among those that were
 * paid: its settle time alone may be that of a failure.
 */
async function hasSettled(wallet: Wallet, { state, settledAt, createdAt, paymentHash }: Transaction): Promise<boolean> {
  if (state !== null) return state === "settled";
  if (settledAt === null) return false;
  const times = [settledAt, createdAt ?? settledAt];
  const from = Math.floor(Math.min(...times) / 1000) - 1;
  const until = Math.ceil(Math.max(...times) / 1000) + 1;
  for await (const transaction of wallet.list({ type: "incoming", from, until })) {
    if (transaction.paymentHash === paymentHash) return true;
  }
  return false;
}

/** Every settlement at or after `since`, newest first. @throws NodeUnavailable, also when there are too many. */
export async function settledSince(wallet: Wallet, since: Millis): Promise<Settlement[]> {
  return (await receivedSince(wallet, since)).map(({ settlement }) => settlement);
}

/** The same, with what the wallet keeps beside it. */
export async function receivedSince(
  wallet: Wallet,
  since: Millis,
): Promise<{ readonly settlement: Settlement; readonly transaction: Transaction }[]> {
  const from = Math.floor(since / 1000);
  const found = new Map<PaymentHash, { readonly settlement: Settlement; readonly transaction: Transaction }>();
  const params = { type: "incoming", from: Math.max(0, from - CREATED_BEFORE_SETTLED_S) };
  for await (const transaction of wallet.list(params)) {
    if (transaction.type !== "incoming" || (transaction.state !== null && transaction.state !== "settled")) continue;
    const settlement = toSettlement(transaction);
    if (settlement && settlement.settledAt >= from * 1000) {
      found.set(settlement.paymentHash, { settlement, transaction });
    }
  }
  return [...found.values()];
}
