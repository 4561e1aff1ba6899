/** What a rule of docs/architecture.md ("Invariants") is to the checker: words, and the moments at which it looks. */
import type { Database } from "bun:sqlite";
import type { OrderEvent } from "../../../actors/order/events.ts";
import type { Order } from "../../../actors/order/state.ts";
import type { Store } from "../../../actors/runtime/store.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import type { Problem } from "../../../src/orders/problem.ts";
import type { OrderView } from "../../../src/orders/view.ts";
import type { Orders } from "../orders.ts";
import type { HttpAnswer, Ticket } from "../town.ts";

export type InvariantNumber =
  | 1
  | 2
  | 3
  | 4
  | 5
  | 6
  | 7
  | 8
  | 9
  | 10
  | 11
  | 12
  | 13
  | 14
  | 15
  | 16
  | 17
  | 18
  | 19
  | 20
  | 21
  | 22;

export class Violation extends Error {
  readonly invariant: InvariantNumber;

  constructor(invariant: InvariantNumber, what: string) {
    super(`Invariant ${invariant}: ${what}`);
    this.name = "Violation";
    this.invariant = invariant;
  }
}

/** What one order has been through, as far as the rules care. */
export interface Seen {
  /** Before the event, or after the step. */
  order: Order;
  /** A number is held, or was and its end is not booked. */
  held: boolean;
  /** It got its number once. */
  served: boolean;
  refunds: number;
  payments: number;
  /** Where it stood after each event. */
  readonly statuses: Set<string>;
}

/** The books of both sides, and what the customers know. */
export interface Evidence {
  readonly db: Database;
  readonly store: Store;
  /** The peers' own books (src/sandbox): tables `ln_...` and `provider_...`. */
  readonly books: Database;
  readonly orders: Orders;
  /** Who claimed each refund hash. */
  readonly destinations: Map<string, string>;
  /** Which order holds or held each activation. */
  readonly activations: Map<string, string>;
  /** Activations that somebody else with the same account bought. */
  readonly strangers: ReadonlySet<string>;
  /** Activations of which the provider said that they had ended, when they had not: they run out by themselves. */
  readonly misreported: ReadonlySet<string>;
  /** By how much the service's clock was set ahead within the last `withinMs`. */
  readonly setAhead: (withinMs: Millis) => Millis;
  /** Payment hashes of invoices that a wallet paid. */
  readonly paid: Set<string>;
  /** Texts that nobody but their customer may see. */
  readonly secrets: Set<string>;
  /** Codes and texts of SMS, with the number that they came to. */
  readonly sms: Map<string, string>;
}

/** At least one of the moments must be there. Each throws `Violation`. */
export interface Invariant {
  readonly says: string;
  /** An event of a committed step; `seen` is still as it was before. */
  readonly event?: (evidence: Evidence, seen: Seen, event: OrderEvent) => void;
  /** A step was committed; `before` is null for the first one. */
  readonly step?: (evidence: Evidence, order: Order, before: Order | null, seen: Seen) => void;
  /** A customer was told about an order. */
  readonly told?: (
    evidence: Evidence,
    ticket: Pick<Ticket, "orderId" | "paymentHash">,
    view: OrderView,
    seen: Seen,
  ) => void;
  /** A customer was given an invoice. */
  readonly challenged?: (evidence: Evidence, ticket: Ticket) => void;
  readonly refused?: (evidence: Evidence, problem: Problem) => void;
  readonly http?: (evidence: Evidence, answer: HttpAnswer, text: string) => void;
  /** A stranger tried a door: what it got for an order that is not theirs, and for one that is none. */
  readonly probed?: (evidence: Evidence, foreign: unknown, unknown: unknown) => void;
  readonly log?: (evidence: Evidence, line: string) => void;
  /** The process died; what is durable is all that there is. */
  readonly died?: (evidence: Evidence) => void;
  /** Everything has come to rest. */
  readonly rest?: (evidence: Evidence) => void;
  /** Long after the end: everything personal is over its time. */
  readonly forgotten?: (evidence: Evidence) => void;
}

export const MOMENTS = [
  "event",
  "step",
  "told",
  "challenged",
  "refused",
  "http",
  "probed",
  "log",
  "died",
  "rest",
  "forgotten",
] as const satisfies readonly (keyof Invariant)[];
