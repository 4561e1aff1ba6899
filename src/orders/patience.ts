/**
 * How much cancelling we bear. The provider bans accounts whose numbers bring no SMS, and a customer who buys and cancels pays nothing for
 * that: one who only does so waits, and when the whole account is in danger all do.
 */
import type { Order } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import { isRefundable } from "../../actors/order/terms.ts";
import type { Store } from "../../actors/runtime/store.ts";
import type { Millis, World } from "../../actors/runtime/world.ts";
import type { Guard } from "../provider/guard.ts";
import { temporarily } from "./admission.ts";
import { type Problem, problem } from "./problem.ts";

const HOUR_MS = 3_600_000;

export interface PatienceGates {
  readonly world: Pick<World, "now">;
  readonly store: Pick<Store, "givenBackBy" | "servedTo">;
  readonly guard: Pick<Guard, "pausesAll">;
  /** Orders of one client and hour that may be given back without an SMS, unless half as many got one. */
  readonly maxCancelledPerClient: number;
}

/** A look at the outcomes is a transaction of its own; who opens orders in a burst is judged by the same one. */
const FRESH_MS = 1_000;
const MAX_REMEMBERED = 1_000;

export class Patience {
  readonly #gates: PatienceGates;
  /** By client; forgotten as soon as an order moves that may be an outcome. */
  readonly #looks = new Map<string, { readonly at: Millis; readonly givenBack: number }>();

  constructor(gates: PatienceGates) {
    this.#gates = gates;
  }

  /** Why this good is not sold to this client (a pseudonym) now, or null. */
  refusal(client: string, good: Good): Problem | null {
    const { guard, maxCancelledPerClient, store } = this.#gates;
    if (good.type !== "rent-number" && guard.pausesAll()) {
      return temporarily("Numbers are not sold for a while: too few of the last ones got an SMS", 600);
    }
    if (!isRefundable(good)) return null;
    const now = this.#gates.world.now();
    const givenBack = this.#givenBackBy(client, now);
    if (givenBack < maxCancelledPerClient || givenBack <= 2 * store.servedTo(client, now - HOUR_MS, now)) return null;
    return problem("RATE_LIMITED", "Too many orders from this address ended without an SMS", {
      suggestion: "Use the numbers that you buy, or come back in an hour",
      retryAfterSeconds: 900,
    });
  }

  /** A step was committed; `before` is null for an order that opens. */
  follow(order: Order, before: Order | null): void {
    if (before !== null && before.state.kind !== order.state.kind) this.#looks.clear();
  }

  #givenBackBy(client: string, now: Millis): number {
    const { store } = this.#gates;
    const look = this.#looks.get(client);
    if (look && Math.abs(now - look.at) < FRESH_MS) return look.givenBack;
    if (this.#looks.size >= MAX_REMEMBERED) this.#looks.clear();
    const givenBack = store.givenBackBy(client, now - HOUR_MS, now);
    this.#looks.set(client, { at: now, givenBack });
    return givenBack;
  }
}
