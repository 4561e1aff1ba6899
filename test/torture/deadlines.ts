/** Whether every deadline was met: acted on when it came, or as soon as the service was up again. In the time of the sandbox, ms. */
import type { OrderEvent } from "../../actors/order/events.ts";
import { deadline, type Order } from "../../actors/order/state.ts";
import type { Downtime } from "./victim.ts";

/** For an event loop that is busy, on a machine that is busy: a start acts on all that came due meanwhile. */
const SLACK_MS = 6_000;
/** The sweep of expired invoices waits for late settlements, and runs at least once a minute. */
const SWEEP_MS = 15_000 + 60_000 + 5_000;

export interface Deadlines {
  /** Deadlines that passed, and were acted on. */
  readonly met: number;
  /** Longest time that one was acted on late beyond downtime. */
  readonly worstMs: number;
  readonly missed: readonly string[];
}

/** `states` is one per event. */
export function checkDeadlines(
  orders: Iterable<{ readonly id: string; readonly events: readonly OrderEvent[]; readonly states: readonly Order[] }>,
  downtimes: readonly Downtime[],
  now: number,
): Deadlines {
  const down = merged(downtimes);
  let met = 0;
  let worstMs = 0;
  const missed: string[] = [];
  const judge = (id: string, what: string, due: number, acted: number) => {
    if (acted < due) return;
    met++;
    const late = acted - due - downBetween(down, due, acted);
    worstMs = Math.max(worstMs, late);
    if (late > SLACK_MS) missed.push(`${id}: ${what} was acted on ${Math.round(late / 1_000)} s late`);
  };
  for (const { id, events, states } of orders) {
    states.forEach((state, index) => {
      const acted = events[index + 1]?.at ?? now;
      const due = deadline(state);
      // One that had passed when it was set counts from then.
      if (due !== null)
        judge(id, `the deadline of ${state.state.kind}`, Math.max(due, events[index]?.at ?? due), acted);
      if (state.state.kind === "unpaid")
        judge(id, "an expired invoice", state.terms.invoiceExpiresAt + SWEEP_MS, acted);
    });
    const twenty = timeout(states, events, now);
    if (twenty) judge(id, "20 minutes without an SMS", twenty.due, twenty.acted);
  }
  return { met, worstMs, missed };
}

/** Apart from what the state says of itself: a number without an SMS is on its way back 20 minutes after the payment. */
function timeout(states: readonly Order[], events: readonly OrderEvent[], now: number) {
  const waited = states.findLastIndex(({ state }) => state.kind === "waiting");
  const payment = states[waited]?.payment;
  return payment ? { due: payment.smsBy, acted: events[waited + 1]?.at ?? now } : null;
}

/** One after the other, without overlaps. */
function merged(downtimes: readonly Downtime[]): Downtime[] {
  const out: { from: number; to: number }[] = [];
  for (const { from, to } of downtimes.toSorted((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else out.push({ from, to });
  }
  return out;
}

function downBetween(downtimes: readonly Downtime[], from: number, to: number): number {
  let sum = 0;
  for (const down of downtimes) sum += Math.max(0, Math.min(to, down.to) - Math.max(from, down.from));
  return sum;
}
