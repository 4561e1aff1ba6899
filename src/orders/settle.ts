/** From the node's word to the order: each settlement becomes one command. */
import { evolve } from "../../actors/order/evolve.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import { Quarantined } from "../../actors/runtime/actor.ts";
import type { Journal } from "../../actors/runtime/journal.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import { parseOrder } from "../../actors/runtime/texts.ts";
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

/** Resolves once the settlement is durable. Idempotent; settlements of other people's invoices change nothing. */
export async function settle(settlement: Settlement, options: SettleOptions): Promise<void> {
  const { paymentHash, settledAt, receivedMsats } = settlement;
  const id = options.journal.hashes.idOf(paymentHash) ?? (await revive(paymentHash, options));
  if (!id) return;
  try {
    await options.supervisor.tell(id, { type: "Settled", settledAt, receivedMsats });
  } catch (error) {
    // One that was set aside must not hold up the settlements of all others; a person looks into it.
    if (!(error instanceof Quarantined)) throw error;
  }
}

/** Resolves once it is durable how far the node's stream was taken. */
export function saveCursor(journal: Journal, position: string): Promise<void> {
  return journal.note((db) => {
    db.query("INSERT INTO cursors VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value").run(
      SETTLEMENT_CURSOR,
      position,
    );
    return null;
  });
}

/** Late money for an order whose row is gone: its tombstone becomes a lapsed order again. */
async function revive(paymentHash: string, { world, journal }: SettleOptions): Promise<OrderId | null> {
  const row = journal.db
    .query<{ state: string }, [string]>("SELECT state FROM tombstones WHERE payment_hash = ?")
    .get(paymentHash);
  if (!row) return null;
  const order = parseOrder(row.state);
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
  return order.id;
}
