/** Lanes let one buy through at a time and stay closed while its outcome is unknown. */
import type { Cancel, Millis, World } from "../../actors/runtime/world.ts";

interface Waiter {
  readonly key: string;
  readonly go: (entered: boolean) => void;
  readonly giveUp: Cancel;
}

interface Lane {
  /** Whose buy is under way or unknown. Several only after a restart. */
  readonly holders: Set<string>;
  readonly waiters: Waiter[];
}

export class Lanes {
  readonly #world: World;
  /** Only lanes in use exist. */
  readonly #lanes = new Map<string, Lane>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Holds the lane for `key` without waiting: its outcome is unknown already. */
  close(name: string, key: string): void {
    this.#lane(name).holders.add(key);
  }

  /** Keys of the buys that are under way or unknown in the lane. */
  holders(name: string): readonly string[] {
    return [...(this.#lanes.get(name)?.holders ?? [])];
  }

  /** How many wait for the lane. */
  waiting(name: string): number {
    return this.#lanes.get(name)?.waiters.length ?? 0;
  }

  /** Waits for the lane; false when `until` passes first. */
  enter(name: string, key: string, until: Millis): Promise<boolean> {
    const lane = this.#lane(name);
    if (lane.holders.size === 0) {
      lane.holders.add(key);
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const giveUp = this.#world.at(until, () => {
        lane.waiters.splice(lane.waiters.indexOf(waiter), 1);
        resolve(false);
      });
      const waiter: Waiter = { key, go: resolve, giveUp };
      lane.waiters.push(waiter);
    });
  }

  /** The outcome for `key` is known: the next one may go. */
  leave(name: string, key: string): void {
    const lane = this.#lanes.get(name);
    if (!lane?.holders.delete(key) || lane.holders.size > 0) return;
    const next = lane.waiters.shift();
    if (!next) {
      this.#lanes.delete(name);
      return;
    }
    next.giveUp();
    lane.holders.add(next.key);
    next.go(true);
  }

  #lane(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = { holders: new Set(), waiters: [] };
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}
