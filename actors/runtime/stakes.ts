/**
 * By how much the sums by kind move with a group of steps (table `stakes`). Many steps move few sums: they are added up here, and written once,
 * in the commit of the group.
 */
import { type Stake, sameStake, stakeOf } from "../order/stake.ts";
import type { Kind, Order } from "../order/state.ts";

export interface StakeMove extends Stake {
  readonly orders: number;
}

export class StakeMoves {
  readonly #moves = new Map<Kind, StakeMove>();

  /** Takes note of a step that is written. */
  add(before: Order | null, order: Order): void {
    const was = before && stakeOf(before);
    const is = stakeOf(order);
    if (sameStake(was, is)) return;
    if (was) this.#move(-1, was);
    if (is) this.#move(1, is);
  }

  /** One for each kind, and forgotten here. */
  take(): StakeMove[] {
    const moves = [...this.#moves.values()];
    this.#moves.clear();
    return moves;
  }

  #move(sign: 1 | -1, { kind, microUsd, sats, heldSats }: Stake): void {
    const sum = this.#moves.get(kind) ?? { orders: 0, microUsd: 0, sats: 0, heldSats: 0 };
    this.#moves.set(kind, {
      kind,
      orders: sum.orders + sign,
      microUsd: sum.microUsd + sign * microUsd,
      sats: sum.sats + sign * sats,
      heldSats: sum.heldSats + sign * heldSats,
    });
  }
}
