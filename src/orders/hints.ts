/**
 * News from the provider's webhook. For a number of ours the order is told to look; for one that no order holds yet the hint waits a
 * day, because a webhook can overtake the answer to the buy.
 */
import type { OrderEvent } from "../../actors/order/events.ts";
import type { Order } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import type { Journal } from "../../actors/runtime/journal.ts";
import type { Supervisor } from "../../actors/runtime/supervisor.ts";
import type { World } from "../../actors/runtime/world.ts";

/** Hints for ids that are not ours come from anybody who can post: they are bounded. */
const MAX_WAITING = 10_000;

export interface HintsOptions {
  readonly journal: Journal;
  readonly world: World;
  readonly supervisor: Supervisor;
  readonly failed: (error: unknown) => void;
}

export class Hints {
  readonly #options: HintsOptions;

  constructor(options: HintsOptions) {
    this.#options = options;
  }

  /** A webhook named this activation. Never fails. */
  heard(activationId: string): void {
    try {
      const id = this.#options.journal.store.idByActivation(activationId);
      if (id) this.#tell(id);
      else this.#keep(activationId);
    } catch (error) {
      this.#options.failed(error);
    }
  }

  /** A number was just bought: a hint may be waiting for it. */
  follow(order: Order, events: readonly OrderEvent[]): void {
    for (const event of events) {
      if (event.type !== "NumberBought") continue;
      const { activationId } = event.number;
      const waiting = this.#options.journal.db.query("SELECT 1 FROM hints WHERE activation_id = ?").get(activationId);
      if (waiting) this.#tell(order.id);
    }
  }

  #tell(id: OrderId): void {
    this.#options.supervisor.tell(id, { type: "Hinted" }).catch(this.#options.failed);
  }

  #keep(activationId: string): void {
    const { journal, world, failed } = this.#options;
    const kept = journal.db.query<{ n: number }, []>("SELECT count(*) AS n FROM hints").get()?.n ?? 0;
    if (kept >= MAX_WAITING) return;
    journal
      .note((db) => {
        db.run("INSERT INTO hints VALUES (?, ?) ON CONFLICT (activation_id) DO UPDATE SET at = excluded.at", [
          activationId,
          world.now(),
        ]);
        return null;
      })
      .catch(failed);
  }
}
