/**
 * Checks the invariants of docs/architecture.md after every committed step, at every answer to a customer, at every death of the process and
 * at the end, against the books of both sides. The rules themselves are in `invariants/`; here they are fed. Every step is folded a second
 * time from its events, and compared.
 */
import type { Database } from "bun:sqlite";
import type { OrderEvent } from "../../actors/order/events.ts";
import { evolve } from "../../actors/order/evolve.ts";
import type { Order } from "../../actors/order/state.ts";
import { status } from "../../actors/order/status.ts";
import { Store } from "../../actors/runtime/store.ts";
import type { Millis } from "../../actors/runtime/world.ts";
import type { Problem } from "../../src/orders/problem.ts";
import type { OrderView } from "../../src/orders/view.ts";
import { type Evidence, type Seen, Violation } from "./invariants/invariant.ts";
import { checksAt } from "./invariants/table.ts";
import type { Orders } from "./orders.ts";
import { same } from "./same.ts";
import type { HttpAnswer, Listener, Ticket } from "./town.ts";

export { Violation };

const EVENT = checksAt("event");
const STEP = checksAt("step");
const TOLD = checksAt("told");
const CHALLENGED = checksAt("challenged");
const REFUSED = checksAt("refused");
const HTTP = checksAt("http");
const PROBED = checksAt("probed");
const LOG = checksAt("log");
const DIED = checksAt("died");
const REST = checksAt("rest");
const FORGOTTEN = checksAt("forgotten");

export interface CheckerOptions {
  readonly db: Database;
  readonly books: Database;
  readonly orders: Orders;
  /** Activations on the same account that are not ours; none by default. */
  readonly strangers?: ReadonlySet<string>;
  /** Activations of which the provider says that they have ended, when they have not; none by default. */
  readonly misreported?: ReadonlySet<string>;
  /** By how much the service's clock was set ahead within the last `withinMs`; never by default. */
  readonly setAhead?: (withinMs: Millis) => Millis;
  /** The first violation ends the run. */
  readonly violated: (violation: unknown) => void;
}

export class Checker implements Listener {
  readonly #evidence: Evidence;
  readonly #seen = new Map<string, Seen>();
  readonly #violated: (violation: unknown) => void;
  /** How often each kind was reached. */
  readonly kinds = new Map<string, number>();

  constructor(options: CheckerOptions) {
    const { db, books, orders, strangers = new Set(), misreported = new Set(), setAhead = () => 0, violated } = options;
    this.#violated = violated;
    this.#evidence = {
      db,
      books,
      orders,
      store: new Store(db),
      destinations: new Map(),
      activations: new Map(),
      strangers,
      misreported,
      setAhead,
      paid: new Set(),
      secrets: new Set(),
      sms: new Map(),
    };
  }

  /** Orders that were paid. */
  get paidOrders(): number {
    return this.#evidence.paid.size;
  }

  committed(order: Order, events: readonly OrderEvent[]): void {
    this.#guard(() => this.#committed(order, events));
  }

  #committed(order: Order, events: readonly OrderEvent[]): void {
    const { orders, store } = this.#evidence;
    const known = this.#seen.get(order.id);
    const before = known?.order ?? null;
    // What died between its commit and our hearing of it is caught up with from the rows.
    const isNext = before === null ? events[0]?.type === "Opened" : before.seq + events.length === order.seq;
    const seen = isNext ? (known ?? null) : null;
    const folded = this.#fold(seen, isNext ? events : store.events(order.id));
    this.#seen.set(order.id, folded);
    if (!same(folded.order, order)) throw new Violation(19, `${order.id}: the fold of its events is not its state`);
    folded.order = order;
    orders.follow(order);
    this.kinds.set(order.state.kind, (this.kinds.get(order.state.kind) ?? 0) + 1);
    for (const check of STEP) check(this.#evidence, order, isNext ? before : null, folded);
  }

  #fold(from: Seen | null, events: readonly OrderEvent[]): Seen {
    let seen = from;
    for (const event of events) {
      if (!seen) {
        if (event.type !== "Opened") throw new Violation(19, `${event.type} without an order`);
        const order = evolve(null, event);
        seen = { order, held: false, served: false, refunds: 0, payments: 0, statuses: new Set([status(order)]) };
        this.#check(seen, event);
        continue;
      }
      this.#check(seen, event);
      remember(seen, event);
      seen.order = evolve(seen.order, event);
      seen.statuses.add(status(seen.order));
    }
    if (!seen) throw new Violation(19, "an order without events");
    return seen;
  }

  #check(seen: Seen, event: OrderEvent): void {
    for (const check of EVENT) check(this.#evidence, seen, event);
  }

  /** The process died. What is durable is compared with what was heard of, and caught up with. */
  died(): void {
    this.#guard(() => {
      this.#catchUp();
      for (const check of DIED) check(this.#evidence);
    });
  }

  /** Steps that were committed, and nobody heard of. */
  #catchUp(): void {
    const { db, orders, store } = this.#evidence;
    const rows = db.query<{ id: string; seq: number }, []>("SELECT id, seq FROM orders").all();
    for (const { id, seq } of rows) {
      const known = this.#seen.get(id);
      if (known?.order.seq === seq) continue;
      const events = store.events(id);
      const fresh = known ? events.slice(events.length - (seq - known.order.seq)) : events;
      const folded = this.#fold(known ?? null, fresh);
      this.#seen.set(id, folded);
      const stored = store.order(id);
      if (!stored || !same(folded.order, stored))
        throw new Violation(19, `${id}: the fold of its events is not its row`);
      orders.follow(stored);
    }
  }

  /** Everything has come to rest: the books of both sides must agree with ours. */
  rested(): void {
    for (const check of REST) check(this.#evidence);
  }

  /** Long after. */
  forgotten(): void {
    for (const check of FORGOTTEN) check(this.#evidence);
  }

  told(ticket: Pick<Ticket, "orderId" | "paymentHash">, view: OrderView): void {
    if (view.phoneNumber !== null) this.secret(view.phoneNumber);
    const seen = this.#seen.get(ticket.orderId);
    this.#guard(() => {
      if (!seen) throw new Violation(22, `${ticket.orderId}: told of, and never committed`);
      for (const check of TOLD) check(this.#evidence, ticket, view, seen);
    });
  }

  challenged(ticket: Ticket): void {
    this.#guard(() => {
      for (const check of CHALLENGED) check(this.#evidence, ticket);
    });
  }

  refused(problem: Problem): void {
    this.#guard(() => {
      for (const check of REFUSED) check(this.#evidence, problem);
    });
  }

  http(answer: HttpAnswer, text: string): void {
    this.#guard(() => {
      for (const check of HTTP) check(this.#evidence, answer, text);
    });
  }

  probed(foreign: unknown, unknown: unknown): void {
    this.#guard(() => {
      for (const check of PROBED) check(this.#evidence, foreign, unknown);
    });
  }

  logged(line: string): void {
    this.#guard(() => {
      for (const check of LOG) check(this.#evidence, line);
    });
  }

  secret(text: string): void {
    this.#evidence.secrets.add(text.startsWith("+") ? text.slice(1) : text);
  }

  sms(phoneNumber: string, _: string, code: string | null): void {
    if (code === null) return;
    this.secret(code);
    this.#evidence.sms.set(code, phoneNumber);
  }

  paid(paymentHash: string): void {
    this.#evidence.paid.add(paymentHash);
  }

  /** How many paid orders ended in each way. */
  outcomes(): Record<string, number> {
    const outcomes: Record<string, number> = {};
    for (const { state, payment } of this.#evidence.orders.all()) {
      const outcome = state.kind === "done" ? state.as : state.kind;
      if (payment) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    return outcomes;
  }

  /** What the service calls may throw whatever it likes: the run ends in order, with the first violation. */
  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#violated(error);
    }
  }
}

function remember(seen: Seen, event: OrderEvent): void {
  switch (event.type) {
    case "NumberBought":
      seen.held = true;
      seen.served = true;
      break;
    case "NumberEnded":
      seen.held = false;
      break;
    case "SaleReversed":
      seen.served = false;
      break;
    case "RefundPaid":
      seen.refunds++;
      break;
    case "PaymentSettled":
      seen.payments++;
      break;
    default:
  }
}
