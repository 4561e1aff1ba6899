/** From the node's word to the order: each settlement becomes one command, committed together with the stream's cursor. */

import { evolve } from "../../actors/order/evolve.ts";
import type { Order } from "../../actors/order/state.ts";
import { Quarantined } from "../../actors/runtime/actor.ts";
import type { Journal } from "../../actors/runtime/journal.ts";
import { upcast } from "../../actors/runtime/store.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import type { World } from "../../actors/runtime/world.ts";
import type { Settlement } from "../lightning/port.ts";

export const SETTLEMENT_CURSOR = "settlements";

/** In place of the client's bucket, which went with the row. */
const REVIVED = "-";

export interface SettleOptions {
  readonly world: World;
  readonly journal: Journal;
  readonly supervisor: Supervisor;
}

/** Resolves once the settlement is durable. Idempotent; settlements of other people's invoices only move the cursor. */
export async function settle(settlement: Settlement, position: string | null, options: SettleOptions): Promise<void> {
  const { journal, supervisor } = options;
  const { paymentHash, settledAt, receivedMsats } = settlement;
  const cursor = position === null ? null : { name: SETTLEMENT_CURSOR, value: position };
  const order = journal.store.orderByPaymentHash(paymentHash) ?? (await revive(paymentHash, options));
  const command = { type: "Settled", settledAt, receivedMsats } as const;
  if (order && (await told(supervisor.tell(order.id, command, cursor ? { cursor } : {})))) return;
  if (cursor) {
    await journal.note((db) => {
      db.run("INSERT INTO cursors VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", [
        cursor.name,
        cursor.value,
      ]);
      return null;
    });
  }
}

/** Whether the order took it. A quarantined one must not hold up the settlements of all others; a person looks into it. */
async function told(telling: Promise<unknown>): Promise<boolean> {
  try {
    await telling;
    return true;
  } catch (error) {
    if (error instanceof Quarantined) return false;
    throw error;
  }
}

/** Late money for an order whose row is gone: its tombstone becomes a lapsed order again. */
async function revive(paymentHash: string, { world, journal }: SettleOptions): Promise<Order | null> {
  const row = journal.db
    .query<{ state: string }, [string]>("SELECT state FROM tombstones WHERE payment_hash = ?")
    .get(paymentHash);
  if (!row) return null;
  const order = upcast(row.state);
  const event = { type: "Scrubbed", order, at: world.now() } as const;
  const none = { postings: [], effects: [], messages: [], claims: [] };
  const result = await journal.commit({
    before: null,
    order: evolve(null, event),
    events: [event],
    openedBy: REVIVED,
    ...none,
  });
  if (result.kind === "refused") throw result.error;
  return order;
}
