/**
 * The books: of one order against its state, and of all orders together. Msats satisfy received = kept + refunded + fees +
 * owed + unclaimed, µUSD add up likewise; `received` and `provider` are negative, so every sum over a unit is zero.
 */
import type { Database } from "bun:sqlite";
import { hexToBytes } from "@noble/hashes/utils.js";
import type { Order } from "../../../actors/order/state.ts";
import { sha256Hex } from "../../sha256.ts";
import type { Dossier, PostingSum } from "./dossier.ts";
import type { Report } from "./order-checks.ts";
import { accountKey } from "./replayed.ts";

export function checkMoney({ postings, replayed }: Dossier, order: Order, report: Report): void {
  const booked = new Map(postings.map(({ account, unit, amount }) => [accountKey(account, unit), amount]));
  const msat = (account: string): number => booked.get(accountKey(account, "msat")) ?? 0;
  for (const [unit, sum] of unitSums(postings)) {
    if (sum !== 0) report("ledger", `Postings in ${unit} do not balance: ${sum} over`);
  }
  if (msat("owed") !== order.owedMsats) {
    report("ledger", `Postings owe ${msat("owed")} msat, the state ${order.owedMsats}`);
  }
  const received = order.payment?.receivedMsats ?? 0;
  if (-msat("received") !== received) {
    report("ledger", `Postings received ${-msat("received")} msat, the state ${received}`);
  }
  const refunded = (order.refund?.amountSats ?? 0) * 1_000;
  if (msat("refunded") !== refunded) {
    report("ledger", `Postings refunded ${msat("refunded")} msat, the state ${refunded}`);
  }
  if (replayed.postings) comparePostings(booked, replayed.postings, report);
  checkOutcome(order, report);
}

/** Account by account, what the events imply is what was posted. */
function comparePostings(
  booked: ReadonlyMap<string, number>,
  implied: ReadonlyMap<string, number>,
  report: Report,
): void {
  for (const key of new Set([...booked.keys(), ...implied.keys()])) {
    const [is, should] = [booked.get(key) ?? 0, implied.get(key) ?? 0];
    if (is !== should) report("ledger", `Account "${key}" holds ${is}, its events say ${should}`);
  }
}

function checkOutcome({ state, payment, refund, owedMsats }: Order, report: Report): void {
  if (payment === null && state.kind !== "unpaid" && state.kind !== "lapsed") {
    report("ledger", `"${state.kind}" without a payment`);
  }
  if (refund && !isProof(refund.preimage, refund.paymentHash)) {
    report("ledger", "The refund's preimage does not prove its payment");
  }
  if (state.kind !== "done") return;
  if ((state.as === "refunded") !== (refund !== null)) report("ledger", `"${state.as}", and the refund says otherwise`);
  if (state.as !== "failed" && owedMsats !== 0) report("ledger", `"${state.as}", and ${owedMsats} msat are still owed`);
}

/** BOLT 11: the payment hash is the SHA-256 of the preimage. */
function isProof(preimage: string, paymentHash: string): boolean {
  return /^[0-9a-f]{64}$/.test(preimage) && sha256Hex(hexToBytes(preimage)) === paymentHash;
}

function unitSums(postings: readonly PostingSum[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { unit, amount } of postings) sums.set(unit, (sums.get(unit) ?? 0) + amount);
  return sums;
}

/** The accounts of the whole house, and whether they balance. */
export function checkLedger(db: Database, report: Report): PostingSum[] {
  const sums = db
    .query<PostingSum, []>(
      "SELECT account, unit, sum(amount) AS amount FROM postings GROUP BY account, unit ORDER BY unit, account",
    )
    .all();
  for (const [unit, sum] of unitSums(sums)) {
    if (sum !== 0) report("ledger", `All postings in ${unit} together do not balance: ${sum} over`);
  }
  const steps = db
    .query<{ order_id: string; n: number }, []>(
      `SELECT order_id, count(*) AS n FROM (
         SELECT order_id FROM postings GROUP BY order_id, seq, unit HAVING sum(amount) <> 0
       ) GROUP BY order_id LIMIT 100`,
    )
    .all();
  for (const { order_id, n } of steps)
    report("ledger", `Order ${order_id}: ${n} steps post an amount without its counterpart`);
  return sums;
}
