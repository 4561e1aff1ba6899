/**
 * How much cancelling we bear. The provider bans accounts whose numbers bring no SMS, and a customer who buys and cancels pays nothing for
 * that: one who only does so waits, and when the whole account is in danger all do.
 */
import type { Good } from "../../actors/order/terms.ts";
import { isRefundable } from "../../actors/order/terms.ts";
import type { Store } from "../../actors/runtime/store.ts";
import type { World } from "../../actors/runtime/world.ts";
import type { Guard } from "../provider/guard.ts";
import { temporarily } from "./admission.ts";
import { type Problem, problem } from "./problem.ts";

const HOUR_MS = 3_600_000;

export interface PatienceGates {
  readonly world: Pick<World, "now">;
  readonly store: Pick<Store, "outcomesOf">;
  readonly guard: Pick<Guard, "pausesAll">;
  /** Orders of one client and hour that may be given back without an SMS, unless half as many got one. */
  readonly maxCancelledPerClient: number;
}

/** Why this good is not sold to this client (a pseudonym) now, or null. */
export function impatience(client: string, good: Good, gates: PatienceGates): Problem | null {
  const { world, store, guard, maxCancelledPerClient } = gates;
  if (good.type !== "rent-number" && guard.pausesAll()) {
    return temporarily("Numbers are not sold for a while: too few of the last ones got an SMS", 600);
  }
  if (!isRefundable(good)) return null;
  const { givenBack, delivered } = store.outcomesOf(client, world.now() - HOUR_MS);
  if (givenBack < maxCancelledPerClient || givenBack <= 2 * delivered) return null;
  return problem("RATE_LIMITED", "Too many orders from this address ended without an SMS", {
    suggestion: "Use the numbers that you buy, or come back in an hour",
    retryAfterSeconds: 900,
  });
}
