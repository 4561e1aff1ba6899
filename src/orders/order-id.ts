/** Names of orders. They begin with the time, so that rows of a moment lie together in every tree that is keyed by them (ADR 33). */
import type { OrderId } from "../../actors/order/terms.ts";
import type { World } from "../../actors/runtime/world.ts";

/** Enough for 8,900 years. */
const TIME_DIGITS = 12;
const RANDOM_BYTES = 10;

/** Its random part cannot be guessed, though knowing an id opens nothing. */
export function newOrderId(world: Pick<World, "now" | "random">): OrderId {
  return `${world.now().toString(16).padStart(TIME_DIGITS, "0")}${world.random(RANDOM_BYTES).toHex()}` as OrderId;
}
