/**
 * Orders and events as they are written down, and read again. Of the policy that is frozen into an order only what differs from `USUAL_POLICY` is
 * written: it stands in each version of its row and in the event that opened it, and would be a fifth of both. The row of an order that has only
 * opened has no text: the event beside it says the same (ADR 38).
 */
import type { OrderEvent } from "../order/events.ts";
import { evolve } from "../order/evolve.ts";
import { type Policy, USUAL_POLICY } from "../order/policy.ts";
import { isUnpaid, type Order } from "../order/state.ts";
import type { Terms } from "../order/terms.ts";

export const orderText = (order: Order): string => JSON.stringify(writtenMembers(order));

/** What the column `state` of an order's row holds. To be read with `STATE`. */
export const rowText = (order: Order): string => (order.seq === 1 && isUnpaid(order) ? "" : orderText(order));

/** In a SELECT from `orders`: the text of an order, from its row or from the event that opened it. Rows of paid orders and of those that are over have one. */
export const STATE =
  "iif(orders.state = '' AND orders.seq = 1, (SELECT body FROM events WHERE order_id = orders.id AND seq = 1), orders.state) AS state";

/**
 * The order, in the present shape whatever version wrote it. There is one version so far.
 * @param text of an order, or of the event that opened it
 * @throws Error for a text that is neither
 */
export function parseOrder(text: string): Order {
  const written = JSON.parse(text) as (Order & { readonly type?: never }) | (OrderEvent & { readonly type: "Opened" });
  if (written.type === "Opened") return evolve(null, readEvent(written));
  if (written.v !== 1) throw new Error(`Order of unknown version ${String(written.v)}`);
  return readMembers(written);
}

/** The order, or null for a row that makes no sense: it is set aside when its turn comes, and must not stand in the way of the rest. */
export function readableOrder(text: string): Order | null {
  try {
    return parseOrder(text);
  } catch {
    return null;
  }
}

export function eventText(event: OrderEvent): string {
  switch (event.type) {
    case "Opened":
      return JSON.stringify({ ...event, terms: writtenTerms(event.terms) });
    case "Scrubbed":
      return JSON.stringify({ ...event, order: writtenMembers(event.order) });
    default:
      return JSON.stringify(event);
  }
}

/** @throws Error for a text that is no JSON */
export function parseEvent(text: string): OrderEvent {
  return readEvent(JSON.parse(text) as OrderEvent);
}

function readEvent(event: OrderEvent): OrderEvent {
  switch (event?.type) {
    case "Opened":
      return { ...event, terms: readTerms(event.terms) };
    case "Scrubbed":
      return { ...event, order: readMembers(event.order) };
    default:
      return event;
  }
}

export const writtenMembers = (order: Order) => ({ ...order, terms: writtenTerms(order.terms) });
const writtenTerms = (terms: Terms) => ({ ...terms, policy: unusual(terms.policy) });

/** What is no order, or has no terms, stays as it is: the doctor names it. */
export const readMembers = (order: Order): Order =>
  order?.terms ? { ...order, terms: readTerms(order.terms) } : order;

function readTerms(terms: Terms): Terms {
  const written: unknown = terms?.policy;
  return typeof written === "object" && written !== null ? { ...terms, policy: wholePolicy(written) } : terms;
}

/** Whole policies by what is written of them. There are as many as there were settings. */
const whole = new Map<string, Policy>();
const MOST_POLICIES = 1_000;

/** The same object for all orders of a policy: one of its own would be a tenth of an order in memory. */
function wholePolicy(written: Partial<Policy>): Policy {
  const key = JSON.stringify(written);
  const before = whole.get(key);
  if (before) return before;
  const policy: Policy = { ...USUAL_POLICY, ...written };
  if (whole.size >= MOST_POLICIES) whole.clear();
  whole.set(key, policy);
  return policy;
}

/** What is unusual of a policy, found once for it. */
const known = new WeakMap<Policy, Partial<Policy>>();

function unusual(policy: Policy): Partial<Policy> {
  const before = known.get(policy);
  if (before) return before;
  const members = Object.entries(policy).filter(
    ([name, value]) => !Bun.deepEquals(value, USUAL_POLICY[name as keyof Policy]),
  );
  const found: Partial<Policy> = Object.fromEntries(members);
  known.set(policy, found);
  return found;
}
