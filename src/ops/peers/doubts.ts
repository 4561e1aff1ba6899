/**
 * Of which orders nobody can tell what became of them. After a restore the books do not know what was bought and paid since; node and provider
 * know, but not for whom. An order that a payment or a number of that time may have been for waits for a person: its money does not move.
 * All others are sure, and go on.
 */
import { floorToSats } from "../../../actors/order/money.ts";
import type { Order } from "../../../actors/order/state.ts";
import { iso, type Millis } from "../../../actors/runtime/world.ts";
import type { ActiveActivation, PastActivation } from "../../provider/port.ts";
import { isNumberOf, mayBeOfLane } from "../../provider/purchase-match.ts";
import type { Loss, OurBooks } from "./books.ts";
import { type Comparison, type DifferenceKind, EDGE_MS } from "./compare.ts";
import type { Evidence } from "./evidence.ts";

export interface Doubt {
  readonly orderId: string;
  readonly words: string;
}

/** While these stand, the order's money stays where it is. */
const CONTRADICTIONS: ReadonlySet<DifferenceKind> = new Set<DifferenceKind>([
  "received_differs",
  "not_received",
  "refund_out",
  "refund_unexplained",
]);

/** What node and provider did in the lost time that no order of ours explains. */
interface Unexplained {
  readonly takenAt: Millis;
  readonly from: Millis;
  /** Null when the node cannot list them: any order may have been refunded. */
  readonly payments: readonly { readonly hash: string; readonly sats: number; readonly at: Millis }[] | null;
  readonly numbers: readonly Candidate[];
}

interface Candidate {
  readonly row: ActiveActivation | PastActivation;
  readonly at: Millis | null;
  /** Null where the list does not say. */
  readonly rental: boolean | null;
}

/**
 * Every order that is in doubt now, whether it knows it or not.
 * @param loss null when these books were never lost. Once they were compared, it makes no order doubtful any more that was not.
 */
export function doubts(evidence: Evidence, books: OurBooks, loss: Loss | null, { differences }: Comparison): Doubt[] {
  const found: Doubt[] = [];
  const contradicted = new Map<string, string>();
  for (const { kind, orderId, words } of differences) {
    if (orderId !== null && CONTRADICTIONS.has(kind)) contradicted.set(orderId, words);
  }
  const lost = loss && unexplained(evidence, books, loss);
  for (const order of books.unsettled()) {
    const isNew = loss?.matchedAt === null || order.doubtSince !== undefined;
    const words =
      (order.owedMsats >= 1000 ? contradicted.get(order.id) : null) ??
      (lost && isNew ? lostOf(order, lost, evidence, books) : null);
    if (words !== null) found.push({ orderId: order.id, words });
  }
  return found;
}

function unexplained({ paid, active, past, until }: Evidence, books: OurBooks, loss: Loss): Unexplained {
  const from = loss.takenAt - EDGE_MS;
  const to = loss.matchedAt ?? until;
  const isOfThen = (at: Millis | null) => at === null || (at >= from && at <= to + EDGE_MS);
  const isNobodys = ({ row, at }: Candidate) => isOfThen(at) && books.byActivation(row.activationId) === null;
  const running = [...active.values()].map((row): Candidate => ({ row, at: row.boughtAt, rental: row.rental }));
  const ended = [...past.values()]
    // Given back: nobody was served with it.
    .filter(({ activationId, standing }) => standing !== "refunded" && !active.has(activationId))
    .map((row): Candidate => ({ row, at: row.at, rental: null }));
  return {
    takenAt: loss.takenAt,
    from,
    payments:
      paid &&
      [...paid.values()]
        .filter(({ state, startedAt }) => state.kind !== "failed" && isOfThen(startedAt))
        .filter(({ paymentHash }) => books.byRefundHash(paymentHash) === null)
        .map(({ paymentHash, amountMsats, startedAt }) => ({
          hash: paymentHash,
          sats: floorToSats(amountMsats),
          at: startedAt,
        })),
    numbers: [...running, ...ended].filter(isNobodys),
  };
}

function lostOf(order: Order, lost: Unexplained, { past }: Evidence, books: OurBooks): string | null {
  const { owedMsats, payment, messageIds, loose, terms } = order;
  if (!payment) return null;
  const earliest = Math.max(lost.from, payment.settledAt - EDGE_MS);
  if (loose !== null && loose.found === null) {
    const number = numberFor(order, lost.numbers, lost.from);
    if (number) return `${described(number)} may be its lost purchase, or another order's`;
  }
  if (owedMsats < 1000 || messageIds.length > 0) return null;
  if (lost.payments === null) return "The node cannot list what it paid since: this order may have been refunded";
  const refund = lost.payments.find(({ sats, at }) => sats === floorToSats(owedMsats) && at >= earliest);
  if (refund) {
    return `${refund.sats} sat that the node paid at ${iso(refund.at)} may be its refund (payment hash ${refund.hash})`;
  }
  if (!books.hadBought(order.id, lost.takenAt)) {
    const number = numberFor(order, lost.numbers, earliest);
    if (number) return `${described(number)} may have been bought for it`;
  }
  const last = books.numbersOf(order.id).at(-1);
  const charged = last !== undefined && past.get(last.activationId)?.standing === "finished";
  if (!charged || books.wasRefunding(order.id, lost.takenAt) || terms.good.type === "rent-number") return null;
  return `The provider charged for its number (activation ${last.activationId}): the SMS may have been shown`;
}

function numberFor({ terms: { good } }: Order, numbers: readonly Candidate[], from: Millis): Candidate | undefined {
  const rental = good.type === "rent-number";
  return numbers.find(
    ({ row, at, rental: isRental }) =>
      mayBeOfLane(row, good) &&
      isNumberOf(row.phoneNumber, good) &&
      (isRental ?? rental) === rental &&
      (at === null || at >= from),
  );
}

const described = ({ row, at }: Candidate): string =>
  `Activation ${row.activationId}${at === null ? "" : `, bought at ${iso(at)},`}`;
