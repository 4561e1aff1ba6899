/**
 * Whether the database holds all that customers were told. The events of an order are its whole history: each answer must be a state of
 * that history, and later answers later states. A step that was answered and then lost leaves an answer that fits nowhere.
 */
import type { OrderEvent } from "../../actors/order/events.ts";
import { evolve } from "../../actors/order/evolve.ts";
import { numberOf, type Order } from "../../actors/order/state.ts";
import { status } from "../../actors/order/status.ts";
import { DEFAULT_RETENTION } from "../../src/orders/retention.ts";
import { viewOf } from "../../src/orders/view.ts";
import type { Purchase, Sight } from "./heard.ts";

/** The states of an order, one after each event. */
export function statesOf(events: readonly OrderEvent[]): Order[] {
  const states: Order[] = [];
  for (const event of events) states.push(evolve(states.at(-1) ?? null, event));
  return states;
}

/**
 * For each sight the first state that it can have been, from the one before on; -1 from the first sight that fits nowhere.
 * Sights are in the order in which they were heard.
 */
export function placesOf(sights: readonly Sight[], states: readonly Order[]): number[] {
  let place = 0;
  return sights.map((sight) => {
    if (place >= 0) place = states.findIndex((state, index) => index >= place && fits(sight, state));
    return place;
  });
}

function fits(sight: Sight, order: Order): boolean {
  const view = viewOf(order, [], sight.at, { retentionMs: DEFAULT_RETENTION.scrubMs });
  return (
    view.status === sight.status &&
    view.phoneNumber === sight.phoneNumber &&
    view.paidAt === sight.paidAt &&
    Bun.deepEquals(view.refund, sight.refund) &&
    (sight.messages === order.messageIds.length || (sight.messages === 0 && mayBeErased(order, sight.at)))
  );
}

/** Texts go this long after the later of the order's end and the number's. */
function mayBeErased(order: Order, at: number): boolean {
  const { endedAt } = order;
  const over = endedAt === null ? null : Math.max(endedAt, numberOf(order)?.endsAt ?? 0);
  return over !== null && at >= over + DEFAULT_RETENTION.eraseMessagesMs;
}

/** Where the database breaks what the customer of `purchase` was told; `states` are all that are left of the order. */
export function brokenPromises(purchase: Purchase, events: readonly OrderEvent[], states: readonly Order[]): string[] {
  const broken: string[] = [];
  const last = states.at(-1);
  if (!last) return ["an order that was offered is gone"];
  // After a month only the outcome is kept.
  if (events[0]?.type === "Scrubbed" && last.state.kind === "done") return [];
  const { terms } = last;
  const { challenge } = purchase;
  const [first] = events;
  if (first?.type === "Opened" && first.terms.invoice !== challenge.invoice) broken.push("its invoice changed");
  if (terms.paymentHash !== challenge.paymentHash || terms.priceSats !== challenge.priceSats)
    broken.push("its offer changed");
  const lost = purchase.sights[placesOf(purchase.sights, states).indexOf(-1)];
  if (lost) {
    const { at, mark: _, ...shown } = lost;
    broken.push(`what was shown at ${new Date(at).toISOString()} is no state of it: ${JSON.stringify(shown)}`);
  }
  if (purchase.preimage !== null && !last.payment) broken.push("it was paid, and does not know");
  const refunded = states.some(({ state }) => state.kind === "refunding" || state.kind === "refundStuck");
  if (purchase.cancelled && last.cancelAskedAt === null && !refunded) broken.push("an accepted cancel is lost");
  const named = new Set(states.map(({ destination }) => destination?.invoice));
  if (purchase.destinations.some(({ invoice }) => !named.has(invoice)))
    broken.push("an accepted refund invoice is lost");
  if (purchase.sms > 0 && last.messageIds.length === 0) broken.push("an SMS that the provider took never came");
  return [...broken, ...wrongEnd(purchase, last)];
}

/** At least so many steps of the order are in the database from where the log was at `mark` on. */
export interface Need {
  readonly orderId: string;
  readonly seq: number;
  readonly mark: number;
}

/** What the answers that were heard ask of a database, whose complete history of the order is `states`. */
export function needsOf(
  { orderId, mark, sights, cancelled, destinations }: Purchase,
  states: readonly Order[],
): Need[] {
  const from = (index: number, mark: number): Need => ({ orderId, seq: index + 1, mark });
  const places = placesOf(sights, states);
  return [
    from(0, mark),
    ...sights.map((sight, index) => from(places[index] ?? -1, sight.mark)),
    ...(cancelled
      ? [
          from(
            states.findIndex(({ cancelAskedAt }) => cancelAskedAt !== null),
            cancelled.mark,
          ),
        ]
      : []),
    ...destinations.map(({ invoice, mark }) =>
      from(
        states.findIndex(({ destination }) => destination?.invoice === invoice),
        mark,
      ),
    ),
  ];
}

/** Everything had its time: a paid order that is not over, or over without reason, was forgotten. */
function wrongEnd({ preimage, type }: Purchase, order: Order): string[] {
  const word = status(order);
  if (preimage === null) return word === "expired" ? [] : [`it was never paid, and ends as ${word}`];
  if (word === "completed" && type !== "rent-number" && order.messageIds.length === 0)
    return ["completed without an SMS"];
  if (word === "refunded" && order.messageIds.length > 0) return ["refunded although an SMS was recorded"];
  return ["completed", "refunded", "refund_failed", "failed", "expired"].includes(word) ? [] : [`it rests as ${word}`];
}
