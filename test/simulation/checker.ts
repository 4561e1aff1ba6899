/** The invariants of docs/architecture.md, checked after every committed step against a second fold of the events, and at the end against all books. */
import type { Database } from "bun:sqlite";
import type { OrderEvent } from "../../actors/order/events.ts";
import { evolve, replay } from "../../actors/order/evolve.ts";
import { ledgerOf } from "../../actors/order/ledger.ts";
import { deadline, type Order } from "../../actors/order/state.ts";
import { Store } from "../../actors/runtime/store.ts";
import type { LightningPeer } from "../../src/sandbox/lightning/peer.ts";
import type { ProviderPeer } from "../../src/sandbox/provider/peer.ts";

export class Violation extends Error {
  constructor(invariant: number, what: string) {
    super(`Invariant ${invariant}: ${what}`);
    this.name = "Violation";
  }
}

/** What one order has been through, as far as the rules care. */
interface Seen {
  order: Order;
  /** A number is held, or was and its end is not booked. */
  held: boolean;
  refunds: number;
}

const PAID_WAITING = new Set(["refundStuck", "done", "unpaid", "lapsed"]);

export class Checker {
  readonly #store: Store;
  readonly #seen = new Map<string, Seen>();
  readonly #destinations = new Map<string, string>();
  /** Cells of the lifecycle table and states that were reached. */
  readonly kinds = new Map<string, number>();
  steps = 0;

  constructor(db: Database) {
    this.#store = new Store(db);
  }

  committed(order: Order, events: readonly OrderEvent[]): void {
    this.steps++;
    this.kinds.set(order.state.kind, (this.kinds.get(order.state.kind) ?? 0) + 1);
    const seen = this.#seen.get(order.id);
    const known = seen && seen.order.seq + events.length === order.seq;
    const history = known ? events : this.#store.events(order.id);
    const state: Seen = known ? seen : { order: null as never, held: false, refunds: 0 };
    for (const event of history) this.#step(state, event);
    this.#seen.set(order.id, state);
    const folded = known ? state.order : replay(history);
    // Through JSON, as the database keeps it: undefined fields and the like do not count.
    if (JSON.stringify(folded) !== JSON.stringify(order))
      throw new Violation(19, `${order.id}: the fold of its events is not its state`);
    const { kind } = order.state;
    if (!PAID_WAITING.has(kind) && deadline(order) === null)
      throw new Violation(20, `${order.id}: ${kind} without a deadline`);
    if (new Set(order.messageIds).size !== order.messageIds.length)
      throw new Violation(13, `${order.id}: a message twice`);
  }

  #step(seen: Seen, event: OrderEvent): void {
    const before = seen.order;
    if (before) {
      const sums = new Map<string, number>();
      for (const { unit, amount } of ledgerOf(before, event)) sums.set(unit, (sums.get(unit) ?? 0) + amount);
      for (const [unit, sum] of sums)
        if (sum !== 0) throw new Violation(6, `${before.id}: ${event.type} is off by ${sum} ${unit}`);
    }
    switch (event.type) {
      case "BuyStarted":
        if (!before.payment) throw new Violation(1, `${before.id}: a buy before the node's word`);
        if (seen.held) throw new Violation(11, `${before.id}: a second number`);
        break;
      case "NumberBought":
        seen.held = true;
        break;
      case "NumberEnded":
        seen.held = false;
        break;
      case "RefundStarted":
        if (before.messageIds.length > 0) throw new Violation(3, `${before.id}: a refund after an SMS`);
        if (seen.held) throw new Violation(4, `${before.id}: a refund while the number is held`);
        if (before.state.kind === "refundUnknown")
          throw new Violation(2, `${before.id}: a refund while one is unknown`);
        this.#own(event.paymentHash, before.id);
        break;
      case "RefundPaid":
        if (++seen.refunds > 1) throw new Violation(2, `${before.id}: refunded twice`);
        break;
      default:
    }
    seen.order = evolve(before ?? null, event);
  }

  #own(hash: string, id: string): void {
    const owner = this.#destinations.get(hash) ?? id;
    if (owner !== id) throw new Violation(7, `${id} and ${owner} share a refund invoice`);
    this.#destinations.set(hash, id);
  }

  /** Everything has come to rest: the books of both sides must agree with ours. */
  settled(db: Database, lightning: LightningPeer, provider: ProviderPeer, paid: ReadonlySet<string>): void {
    const orders = db
      .query<{ state: string }, []>("SELECT state FROM orders")
      .all()
      .map((row) => JSON.parse(row.state) as Order);
    const byHash = new Map(orders.map((order) => [order.terms.paymentHash, order]));
    for (const hash of paid) {
      const order = byHash.get(hash);
      if (!order) throw new Violation(9, "money came in and no order knows of it");
      const { kind } = order.state;
      const rests = kind === "done" || kind === "refundStuck" || (order.attention !== null && kind === "refundUnknown");
      if (!order.payment || !rests) throw new Violation(5, `${order.id} is paid and rests as ${kind}`);
      if (
        kind === "done" &&
        order.state.kind === "done" &&
        order.state.as === "completed" &&
        order.messageIds.length === 0
      ) {
        if (order.terms.good.type !== "rent-number") throw new Violation(5, `${order.id} completed without a message`);
      }
    }
    this.#wallet(orders, lightning);
    this.#ledger(db, lightning, provider);
    this.#activations(orders, db, provider);
  }

  #wallet(orders: readonly Order[], lightning: LightningPeer): void {
    const refunds = new Map(
      orders.flatMap((order) => (order.refund ? [[order.refund.paymentHash, order]] : [])) as [string, Order][],
    );
    for (const { direction, paymentHash, amountSats } of lightning.wallet.view().payments) {
      if (direction === "out") continue;
      const order = refunds.get(paymentHash);
      if (!order?.refund) throw new Violation(2, `a refund of ${amountSats} sats arrived that no order knows of`);
      if (order.refund.amountSats !== amountSats) throw new Violation(6, `${order.id}: refund of another amount`);
      refunds.delete(paymentHash);
    }
    for (const order of refunds.values()) throw new Violation(6, `${order.id}: its refund never arrived`);
  }

  #ledger(db: Database, lightning: LightningPeer, provider: ProviderPeer): void {
    const account = (name: string, unit: string) =>
      db
        .query<{ sum: number | null }, [string, string]>(
          "SELECT sum(amount) AS sum FROM postings WHERE account = ? AND unit = ?",
        )
        .get(name, unit)?.sum ?? 0;
    const others = ["kept", "refunded", "fees", "owed", "unclaimed"].reduce(
      (sum, name) => sum + account(name, "msat"),
      0,
    );
    if (-account("received", "msat") !== others) throw new Violation(6, "received is not the sum of its uses");
    const sent = lightning.wallet.view().payments.filter((payment) => payment.direction === "out");
    const paidIn = sent.reduce((sum, payment) => sum + payment.amountSats * 1000, 0);
    if (-account("received", "msat") !== paidIn)
      throw new Violation(6, `received ${-account("received", "msat")}, the wallet paid ${paidIn}`);
    void provider;
  }

  /** Every activation belongs to one order, or gave the money back, or waits for a person as a loose one. */
  #activations(orders: readonly Order[], db: Database, provider: ProviderPeer): void {
    const known = new Map<string, string>();
    const rows = db
      .query<{ order_id: string; body: string }, []>(
        "SELECT order_id, body FROM events WHERE type IN ('NumberBought', 'LooseFound')",
      )
      .all();
    for (const { order_id, body } of rows) {
      const { number } = JSON.parse(body) as { number: { activationId: string } };
      const owner = known.get(number.activationId) ?? order_id;
      if (owner !== order_id) throw new Violation(11, `activation ${number.activationId} belongs to two orders`);
      known.set(number.activationId, order_id);
    }
    const loose = orders.filter((order) => order.loose !== null).length;
    const strangers = provider
      .view()
      .activations.filter(
        ({ activationId, status }) =>
          !known.has(activationId) && !["cancelled", "expired", "refunded"].includes(status),
      );
    if (strangers.length > loose) {
      throw new Violation(
        11,
        `no order explains ${strangers.map((row) => `${row.activationId} (${row.status}, ${row.boughtAt})`).join(", ")}`,
      );
    }
  }
}
