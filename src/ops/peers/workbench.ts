/**
 * The orders while nobody serves them: each can be told something, and it is written like any step. Nothing is performed: what a step asks of
 * the world stays in the database and is found interrupted, that is asked about, at the next start.
 */
import type { Command } from "../../../actors/order/commands.ts";
import type { Effect } from "../../../actors/order/effects.ts";
import type { OrderId } from "../../../actors/order/terms.ts";
import type { EffectHandlers } from "../../../actors/runtime/effects.ts";
import type { Journal } from "../../../actors/runtime/journal.ts";
import { META_BACKUP, META_RESTORED } from "../../../actors/runtime/schema.ts";
import { Supervisor } from "../../../actors/runtime/supervisor.ts";
import { iso, type Millis, type World } from "../../../actors/runtime/world.ts";
import { openJournal } from "../../database.ts";
import type { Settlement } from "../../lightning/port.ts";
import { lockDataDir } from "../../lock.ts";
import { settle } from "../../orders/settle.ts";

const MAX_RESIDENTS = 100;

const never = (): Promise<never> => Promise.reject(new Error("An effect was performed while nobody serves"));
const HANDLERS: EffectHandlers = {
  askNode: never,
  buy: never,
  findBuy: never,
  look: never,
  cancel: never,
  finish: never,
  release: never,
  resolve: never,
  refund: never,
  findRefund: never,
  notify: never,
};

export class Workbench {
  readonly journal: Journal;
  readonly #world: World;
  readonly #supervisor: Supervisor;
  readonly #release: () => void;

  /** @param release called when it is closed. */
  constructor(journal: Journal, world: World, release: () => void) {
    this.journal = journal;
    this.#world = world;
    this.#release = release;
    const engine = { world, journal, handlers: HANDLERS, maxResidents: MAX_RESIDENTS };
    this.#supervisor = new Supervisor({ ...engine, holds: () => true });
  }

  /** @throws AlreadyRunning while a server has the database, UnusableFile */
  static open(dataDir: string, world: World): Workbench {
    const unlock = lockDataDir(dataDir);
    try {
      return new Workbench(openJournal(dataDir, world), world, unlock);
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** Resolves once it is durable. @throws Quarantined, UnknownOrder, JournalUnavailable */
  async tell(orderId: string, command: Command): Promise<void> {
    const id = orderId as OrderId;
    const kind = this.#supervisor.read(id)?.state.kind;
    const open = this.#effectsOf(id);
    const { order } = await this.#supervisor.tell(id, command);
    if (order.state.kind === kind) return;
    // What it waited for is over, and the process that would have brought the answer is gone. A loose activation is looked for still.
    for (const { key, body } of open) {
      const effect = JSON.parse(body) as Effect;
      if (effect.kind === "release" || (effect.kind === "findBuy" && effect.last)) continue;
      await this.#supervisor.tell(id, { type: "EffectInterrupted", effect }, { finished: key });
    }
  }

  #effectsOf(orderId: OrderId): { readonly key: string; readonly body: string }[] {
    return this.journal.db
      .query<{ key: string; body: string }, [string]>("SELECT key, body FROM effects WHERE order_id = ?")
      .all(orderId);
  }

  /** What the stream of settlements would have told. An order whose row is gone comes back. */
  settled(settlement: Settlement): Promise<void> {
    return settle(settlement, { world: this.#world, journal: this.journal, supervisor: this.#supervisor });
  }

  /** These books were compared with node and provider: money moves again at the next start. */
  async matched(takenAt: Millis): Promise<void> {
    await this.journal.note((db) => {
      const value = JSON.stringify({ takenAt: iso(takenAt), matchedAt: iso(this.#world.now()) });
      db.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [
        META_RESTORED,
        value,
      ]);
      db.run("DELETE FROM meta WHERE key = ?", [META_BACKUP]);
      return null;
    });
  }

  async close(): Promise<void> {
    await this.#supervisor.drain(0);
    this.journal.close();
    this.#release();
  }
}
