/**
 * Orders and events as they are written down, and read again. Of the policy that is frozen into an order only what differs from `USUAL_POLICY` is
 * written: it stands in each version of its row and in the event that opened it, and would be a fifth of both.
 */
import type { OrderEvent } from "../order/events.ts";
import { withoutInvoice } from "../order/evolve.ts";
import { type Policy, USUAL_POLICY } from "../order/policy.ts";
import type { Order } from "../order/state.ts";
import type { Terms } from "../order/terms.ts";

export const orderText = (order: Order): string => JSON.stringify(writtenMembers(order));

/**
 * The order, in the present shape whatever version wrote it. There is one version so far.
 * @throws Error for a text that is none
 */
export function parseOrder(text: string): Order {
  const order = JSON.parse(text) as Order;
  if (order.v !== 1) throw new Error(`Order of unknown version ${String(order.v)}`);
  return readMembers(order);
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
  const event = JSON.parse(text) as OrderEvent;
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
export function readMembers(order: Order): Order {
  if (!order?.terms) return order;
  const terms = readTerms(order.terms);
  // Older versions kept the invoice that is paid.
  return { ...order, terms: order.payment && terms.invoice ? withoutInvoice(terms) : terms };
}

function readTerms(terms: Terms): Terms {
  const written: unknown = terms?.policy;
  if (typeof written !== "object" || written === null) return terms;
  // The same object for all: one of its own would be a tenth of an order in memory.
  const policy = Object.keys(written).length === 0 ? USUAL_POLICY : { ...USUAL_POLICY, ...written };
  return { ...terms, policy };
}

/** A process has one policy for all orders that it opens, and few others. */
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
