/**
 * The fold of an order's events, row by row, so that an order with a hundred thousand events needs no more memory than one
 * with ten. Along with the state it keeps the postings that the events imply.
 */
import type { OrderEvent } from "../../../actors/order/events.ts";
import { evolve } from "../../../actors/order/evolve.ts";
import { ledgerOf } from "../../../actors/order/ledger.ts";
import { numberOf, type Order } from "../../../actors/order/state.ts";
import { parseEvent } from "../../../actors/runtime/texts.ts";
import { scrubText } from "../redact.ts";

export interface EventRow {
  readonly seq: number;
  readonly at: number;
  readonly v: number;
  readonly type: string;
  readonly body: string;
}

export interface Replayed {
  readonly order: Order | null;
  readonly events: number;
  readonly problems: readonly string[];
  /** The number it holds or held last: it stays known, so that it is never taken for another order's. */
  readonly activationId: string | null;
  /** Sums by `account unit`; null when they began in events that retention has removed. */
  readonly postings: ReadonlyMap<string, number> | null;
}

export const accountKey = (account: string, unit: string): string => `${account} ${unit}`;

export function replayRows(rows: Iterable<EventRow>): Replayed {
  const problems: string[] = [];
  const sums = new Map<string, number>();
  let complete = true;
  let order: Order | null = null;
  let activationId: string | null = null;
  let events = 0;
  for (const row of rows) {
    events++;
    const event = parsed(row);
    if (!event) {
      problems.push(`Event ${row.seq} cannot be read`);
      return { order: null, events, problems, activationId, postings: null };
    }
    if (event.type !== row.type || event.at !== row.at) problems.push(`Columns of event ${row.seq} differ from it`);
    if (event.type === "Scrubbed" && events > 1) problems.push(`Event ${row.seq} replaces what should be gone`);
    try {
      if (order) for (const { account, unit, amount } of ledgerOf(order, event)) add(sums, account, unit, amount);
      order = evolve(order, event);
      activationId = (numberOf(order) ?? order.loose?.found)?.activationId ?? activationId;
    } catch (error) {
      // The rule that broke, in the words of the fold; kinds and amounts, scrubbed all the same.
      const why = error instanceof Error ? scrubText(error.message) : "unknown error";
      problems.push(`Event ${row.seq} (${event.type}) cannot follow: ${why}`);
      return { order: null, events, problems, activationId, postings: null };
    }
    // A scrubbed order starts anew: its one event stands for all before it, payments included.
    if (event.type === "Scrubbed") complete = order.payment === null;
    else if (row.seq !== order.seq) problems.push(`Event ${row.seq} stands where event ${order.seq} should`);
  }
  return { order, events, problems: problems.slice(0, 5), activationId, postings: complete ? sums : null };
}

function parsed({ body, v }: EventRow): OrderEvent | null {
  if (v !== 1) return null;
  try {
    const event = parseEvent(body);
    return typeof event?.type === "string" ? event : null;
  } catch {
    return null;
  }
}

function add(sums: Map<string, number>, account: string, unit: string, amount: number): void {
  const key = accountKey(account, unit);
  sums.set(key, (sums.get(key) ?? 0) + amount);
}
