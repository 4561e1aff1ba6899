/**
 * Revoking the credential of one order. An order's token id is made from the order id and the number of times its credential was revoked:
 * raising that number makes every macaroon handed out so far another token, and the next one minted the only good one. Nothing else has to
 * be remembered, and no other order is touched.
 */
import { concatBytes } from "@noble/hashes/utils.js";
import { sha256 } from "../sha256.ts";
import { TOKEN_ID_BYTES } from "./identifier.ts";

export interface Revocations {
  /** How often the credential of this order was revoked; 0 for almost all. */
  generationOf(orderId: string): number;
}

export const NOTHING_REVOKED: Revocations = { generationOf: () => 0 };

/**
 * `length` bytes that stand for an order's credential of one generation. Token ids need to be distinct, not secret: the root key is derived
 * from the master key and the whole identifier.
 */
export function tokenBytes(orderId: string, generation: number, length: number): Uint8Array {
  const name = generation === 0 ? orderId : `${orderId}:${generation}`;
  return concatBytes(sha256(`token:${name}`), sha256(`more:${name}`)).slice(0, length);
}

/** Whether a token id (whose first byte names the master key) is of the generation that counts. The first one needs no proof. */
export function isCurrent(tokenId: Uint8Array, orderId: string, revocations: Revocations): boolean {
  const generation = revocations.generationOf(orderId);
  if (generation === 0) return true;
  const wanted = tokenBytes(orderId, generation, TOKEN_ID_BYTES - 1);
  return wanted.every((byte, index) => byte === tokenId[index + 1]);
}
