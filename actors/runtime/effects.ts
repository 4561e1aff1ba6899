/**
 * Runs effects after their commit. Each runs once and always comes back as a command: done, refused or unknown. A result that
 * cannot be committed yet (disk full) is offered again until it can, because forgetting it could mean paying twice.
 */
import type { Command } from "../order/commands.ts";
import { type Effect, type EffectKind, type EffectOf, lostResult, type ResultOf } from "../order/effects.ts";
import type { Order } from "../order/state.ts";
import type { OrderId } from "../order/terms.ts";
import { sleep, type World } from "./world.ts";

/** One handler per effect: effect -> port call -> result command. A handler that throws counts as a lost answer. */
export type EffectHandlers = {
  readonly [K in EffectKind]: (effect: EffectOf<K>, orderId: OrderId) => Promise<ResultOf[K]>;
};

export interface EffectRunnerOptions {
  readonly world: World;
  readonly handlers: EffectHandlers;
  readonly deliver: (orderId: OrderId, command: Command, key: string) => Promise<unknown>;
  /** Whether offering again is of no use: the order is set aside or gone. The effect is found interrupted at the next start. */
  readonly hopeless: (error: unknown) => boolean;
  /**
   * Whether an effect must not be performed in this life of the process. It stays where it was committed, and is found interrupted at the
   * next start. Default: none.
   */
  readonly holds?: (effect: Effect, order: Order) => boolean;
  /** A handler threw, or a result was not taken: a bug or a lost peer, told to the log. */
  readonly failed: (effect: EffectKind, error: unknown) => void;
}

const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000, 30_000] as const;

export class EffectRunner {
  readonly #options: EffectRunnerOptions;
  /** Keys under way: the same key never runs twice at once. */
  readonly #running = new Set<string>();
  #held = 0;
  #stopped = false;

  constructor(options: EffectRunnerOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Effects that were held back. */
  get held(): number {
    return this.#held;
  }

  perform(order: Order, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (this.#options.holds?.(effect, order)) this.#held++;
      else void this.#run(order.id, effect);
    }
  }

  /**
   * The last process died under this effect: the order is told, until that is durable. Resolves after the first try, so that
   * an order that cannot take it keeps nobody else waiting.
   */
  async interrupted(orderId: OrderId, effect: Effect): Promise<void> {
    const command: Command = { type: "EffectInterrupted", effect };
    if (await this.#offer(orderId, command, effect)) return;
    void sleep(this.#options.world, RETRY_MS[0]).then(() => this.#deliver(orderId, command, effect));
  }

  /** No new effects start; those under way finish, or are found interrupted at the next start. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(orderId: OrderId, effect: Effect): Promise<void> {
    if (this.#stopped || this.#running.has(effect.key)) return;
    this.#running.add(effect.key);
    try {
      const command = await this.#handle(orderId, effect);
      await this.#deliver(orderId, command, effect);
    } finally {
      this.#running.delete(effect.key);
    }
  }

  async #handle(orderId: OrderId, effect: Effect): Promise<Command> {
    try {
      // The record of handlers pairs each kind with its handler; indexing by the union loses that pairing.
      const handler = this.#options.handlers[effect.kind] as (effect: Effect, orderId: OrderId) => Promise<Command>;
      return await handler(effect, orderId);
    } catch (error) {
      this.#options.failed(effect.kind, error);
      return lostResult(effect);
    }
  }

  async #deliver(orderId: OrderId, command: Command, effect: Effect): Promise<void> {
    for (let attempt = 0; !this.#stopped; attempt++) {
      if (await this.#offer(orderId, command, effect)) return;
      const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] as number;
      await sleep(this.#options.world, wait);
    }
  }

  /** @returns whether this is over: taken, or of no use to offer again. */
  async #offer(orderId: OrderId, command: Command, effect: Effect): Promise<boolean> {
    const { deliver, hopeless, failed } = this.#options;
    try {
      await deliver(orderId, command, effect.key);
      return true;
    } catch (error) {
      failed(effect.kind, error);
      return hopeless(error);
    }
  }
}
