/** Invariants 18 to 22: the engine. */
import { replay } from "../../../actors/order/evolve.ts";
import { deadline, type Kind } from "../../../actors/order/state.ts";
import { status } from "../../../actors/order/status.ts";
import { withSharedHash } from "../../../actors/runtime/payment-hashes.ts";
import { countedStakes, keptStakes, type StakeSum } from "../../../actors/runtime/store.ts";
import { parseOrder, STATE } from "../../../actors/runtime/texts.ts";
import { same } from "../same.ts";
import { type Evidence, type Invariant, Violation } from "./invariant.ts";

/** Where an order may go from each kind in one step: docs/architecture.md and docs/lifecycle.md, in another form. */
const MOVES: Readonly<Record<Kind, readonly Kind[]>> = {
  unpaid: ["lapsed", "buying", "resolving", "refunding", "refundStuck", "done"],
  lapsed: ["buying", "resolving", "refunding", "refundStuck", "done"],
  buying: ["buyUnknown", "waiting", "closing", "renting", "resolving", "refunding", "refundStuck", "done"],
  buyUnknown: ["buying", "waiting", "closing", "renting", "resolving", "refunding", "refundStuck", "done"],
  waiting: ["closing", "delivered"],
  closing: ["waiting", "delivered", "resolving", "refunding", "refundStuck", "done"],
  delivered: ["finishing", "done"],
  finishing: ["done"],
  renting: ["done"],
  resolving: ["refunding", "refundStuck"],
  refunding: ["resolving", "refundUnknown", "refundStuck", "done"],
  refundUnknown: ["refunding", "refundStuck", "done"],
  refundStuck: ["resolving", "refunding"],
  done: ["resolving", "refunding", "refundStuck"],
};

export const tableOnly: Invariant = {
  says: "Only cells of the lifecycle table",
  step(_, order, before) {
    const { kind } = order.state;
    if (before === null) {
      if (kind !== "unpaid" && kind !== "lapsed") throw new Violation(18, `${order.id} begins as ${kind}`);
    } else if (before.state.kind !== kind && !MOVES[before.state.kind].includes(kind)) {
      throw new Violation(18, `${order.id} went from ${before.state.kind} to ${kind}`);
    }
  },
};

interface Row {
  readonly id: string;
  readonly seq: number;
  readonly kind: string;
  readonly state: string;
  readonly due: number | null;
  readonly unindexed: number | null;
}

const rowsOf = ({ db }: Evidence): Row[] =>
  db.query<Row, []>(`SELECT id, seq, kind, ${STATE}, due, unindexed FROM orders`).all();

export const replays: Invariant = {
  says: "Replaying the events gives the stored state",
  // Each step is compared with a second fold by the checker itself, which keeps it; here, with the rows.
  died: compareRows,
  rest: compareRows,
};

function compareRows(evidence: Evidence): void {
  for (const row of rowsOf(evidence)) {
    // A start looks among unpaid orders for payment hashes that the index lacks.
    if (row.unindexed !== null && row.kind !== "unpaid")
      throw new Violation(19, `${row.id}: it is ${row.kind}, and its payment hash in no index`);
    const stored = parseOrder(row.state);
    const known = evidence.orders.get(row.id);
    // What the checker knows was compared event by event; a row that it has not seen yet is replayed from its events.
    if (known?.seq === stored.seq && same(known, stored)) continue;
    const folded = replay(evidence.store.events(row.id));
    if (!same(folded, stored)) throw new Violation(19, `${row.id}: the fold of its events is not its row`);
  }
  const shared = withSharedHash(evidence.db);
  if (shared.length > 0) throw new Violation(19, `${shared.join(", ")}: another order has their payment hash`);
  // What a start believes instead of reading every row.
  const [kept, counted] = [keptStakes(evidence.db), countedStakes(evidence.db)].map(inWords);
  if (kept !== counted) throw new Violation(19, `sums by kind are kept as "${kept}", the rows come to "${counted}"`);
}

const inWords = (sums: readonly StakeSum[]): string =>
  sums
    .filter(({ orders, microUsd, sats, heldSats }) => orders !== 0 || microUsd !== 0 || sats !== 0 || heldSats !== 0)
    .map(({ kind, orders, microUsd, sats, heldSats }) => `${kind} ${orders} ${microUsd} ${sats} ${heldSats}`)
    .toSorted()
    .join(", ");

const UNTIMED: ReadonlySet<string> = new Set(["refundStuck", "done", "unpaid", "lapsed"]);

export const oneHostOneDeadline: Invariant = {
  says: "Every paid, unfinished order has exactly one host and one deadline",
  step(_, order) {
    const { kind } = order.state;
    if (!UNTIMED.has(kind) && deadline(order) === null)
      throw new Violation(20, `${order.id}: ${kind} without a deadline`);
  },
  died: compareDeadlines,
  rest: compareDeadlines,
};

function compareDeadlines(evidence: Evidence): void {
  for (const row of rowsOf(evidence)) {
    const stored = parseOrder(row.state);
    const isSetAside = evidence.store.isQuarantined(row.id);
    if (stored.seq !== row.seq || stored.state.kind !== row.kind)
      throw new Violation(20, `${row.id}: its row contradicts itself`);
    if (!isSetAside && row.due !== deadline(stored))
      throw new Violation(20, `${row.id}: its deadline is not in the queue`);
    const events = evidence.db
      .query<{ n: number; last: number }, [string]>(
        "SELECT count(*) AS n, max(seq) AS last FROM events WHERE order_id = ?",
      )
      .get(row.id);
    // Two hosts of one order would both have written the same number.
    if (events?.last !== row.seq)
      throw new Violation(20, `${row.id}: ${events?.last} events, and its row is the ${row.seq}th`);
  }
}

const MAX_BYTES_PER_ORDER = 64 * 1024;
const MAX_HINTS = 10_000;

export const bounded: Invariant = {
  says: "Memory, disk and queues are bounded",
  rest({ db, orders }) {
    const count = (sql: string) => db.query<{ n: number }, []>(sql).get()?.n ?? 0;
    if (count("SELECT count(*) AS n FROM effects") > orders.size) throw new Violation(21, "effects pile up");
    if (count("SELECT count(*) AS n FROM hints") > MAX_HINTS) throw new Violation(21, "hints pile up");
    const bytes = count("SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()");
    if (bytes > 1024 * 1024 + orders.size * MAX_BYTES_PER_ORDER)
      throw new Violation(21, `${bytes} bytes for ${orders.size} orders`);
  },
};

export const durableFirst: Invariant = {
  says: "No answer before its commit",
  told({ store, db }, { orderId }, view, seen) {
    if (db.inTransaction) throw new Violation(22, `${orderId}: answered within a transaction`);
    if (!seen.statuses.has(view.status)) throw new Violation(22, `${orderId}: told ${view.status}, which it never was`);
    const stored = store.order(orderId);
    if (!stored) throw new Violation(22, `${orderId}: told of, and there is no row`);
    // What was told is where it stands, or where it stood: then the row is further on.
    if (status(stored) !== view.status && stored.seq < seen.order.seq) {
      throw new Violation(22, `${orderId}: told ${view.status}, the row says ${status(stored)}`);
    }
  },
  challenged({ store }, { orderId, invoice }) {
    const stored = store.order(orderId);
    if (!stored || (stored.payment === null && stored.terms.invoice !== invoice))
      throw new Violation(22, `${orderId}: an invoice before its row`);
  },
};
