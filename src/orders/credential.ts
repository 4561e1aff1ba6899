/** The credential of an order: made again whenever it is needed, never stored. */
import type { Order } from "../../actors/order/state.ts";
import { rentalMs } from "../../actors/order/terms.ts";
import type { Millis } from "../../actors/runtime/world.ts";
import { mintMacaroon } from "../l402/challenge.ts";
import type { RootKeys } from "../l402/keys.ts";
import { type Revocations, tokenBytes } from "../l402/revocations.ts";

/** A credential outlives every refund: the claim window, and time to read how it ended. */
const CREDENTIAL_SLACK_MS = 30 * 86_400_000;

/** The macaroon of an order, base64. Asked for again it is the same, so that nothing new is handed out. */
export function macaroonFor(
  order: Order,
  { keys, revocations }: { readonly keys: RootKeys; readonly revocations: Revocations },
): string {
  const { id: orderId, terms } = order;
  const generation = revocations.generationOf(orderId);
  return mintMacaroon({
    keys,
    world: { random: (length) => tokenBytes(orderId, generation, length) },
    paymentHash: terms.paymentHash,
    orderId,
    validUntil: validUntil(order),
  });
}

function validUntil({ terms }: Order): Millis {
  return terms.createdAt + rentalMs(terms.good) + terms.policy.claimWindowMs + CREDENTIAL_SLACK_MS;
}
