/** What waits for a person: for the operator to look, or for a customer to say where the refund goes. */
import { deadline, type Order } from "../../../actors/order/state.ts";
import { type Status, status } from "../../../actors/order/status.ts";
import { iso, type Millis } from "../../../actors/runtime/world.ts";
import { adviceFor, QUARANTINE } from "./advice.ts";
import type { Dossier } from "./dossier.ts";
import { MAX_KEPT } from "./report.ts";

export interface Waiting {
  readonly for: "operator" | "customer";
  readonly orderId: string;
  readonly status: Status;
  readonly reason: string;
  readonly since: Millis | null;
  readonly owedMsats: number;
  readonly advice: string;
}

const DAY = 86_400_000;
/** What an order that is over left to look at is brought up for this long; afterwards it is history. */
const REMIND_MS = 7 * DAY;
/** A deadline that passed longer ago than this was not acted on. */
const OVERDUE_MS = 10 * 60_000;

export class WaitingList {
  readonly kept: Waiting[] = [];
  operator = 0;
  customer = 0;
  /** Orders that are over and whose reason is older than a week. */
  past = 0;
  /** Refunds whose claim window is over. */
  unclaimed = 0;
  /** Deadlines that passed without being acted on: normal while the server is stopped. */
  overdue = 0;
  readonly #now: Millis;

  constructor(now: Millis) {
    this.#now = now;
  }

  take(order: Order, { quarantined, row }: Dossier): void {
    this.#operator(order, quarantined, row.attention_since);
    this.#customer(order);
    const due = deadline(order);
    if (due !== null && !quarantined && due < this.#now - OVERDUE_MS) this.overdue++;
  }

  /** The oldest first. */
  sorted(): Waiting[] {
    return this.kept.toSorted((a, b) => (a.since ?? 0) - (b.since ?? 0));
  }

  #operator(order: Order, quarantined: boolean, markedAt: Millis | null): void {
    const { attention, loose, state } = order;
    if (quarantined) this.#add("operator", order, "quarantined", markedAt, QUARANTINE);
    const looseOnly = loose && attention?.reason !== "loose_activation" ? loose.since : null;
    for (const [reason, since] of [
      [attention?.reason ?? null, attention?.since ?? null],
      [looseOnly === null ? null : "loose_activation", looseOnly],
    ] as const) {
      if (reason === null || since === null) continue;
      if (state.kind === "done" && since < this.#now - REMIND_MS) this.past++;
      else this.#add("operator", order, reason, since, adviceFor(reason));
    }
  }

  #customer(order: Order): void {
    const { state, id, endedAt, owedMsats } = order;
    const path = `POST /v2/l402/order/${id}/refund-invoice`;
    if (state.kind === "refundStuck") {
      if (state.due === null) {
        this.unclaimed++;
        return;
      }
      const since = state.due - order.terms.policy.claimWindowMs;
      const advice = `The customer names a fresh invoice with ${path}, until ${iso(state.due)}`;
      return this.#add("customer", order, state.why, since, advice);
    }
    if (state.kind === "done" && state.as === "failed" && owedMsats >= 1_000) {
      this.#add("customer", order, "failed_and_owed", endedAt, `The customer names an invoice with ${path}`);
    }
  }

  #add(who: Waiting["for"], order: Order, reason: string, since: Millis | null, advice: string): void {
    this[who]++;
    if (this.kept.length >= MAX_KEPT) return;
    const { id, owedMsats } = order;
    this.kept.push({ for: who, orderId: id, status: status(order), reason, since, owedMsats, advice });
  }
}
