/**
 * The L402 challenge: a macaroon bound to one order and one invoice, and the `WWW-Authenticate` value that carries both.
 */
import type { Millis, World } from "../../actors/runtime/world.ts";
import { encodeBase64 } from "./base64.ts";
import { mintedCaveats } from "./caveats.ts";
import { encodeIdentifier } from "./identifier.ts";
import type { RootKeys } from "./keys.ts";
import { encodeMacaroon, mint } from "./macaroon.ts";

export interface MacaroonRequest {
  readonly keys: RootKeys;
  readonly world: Pick<World, "random">;
  /** Lower-case hex. Must be the invoice's: clients compare. */
  readonly paymentHash: string;
  readonly orderId: string;
  readonly validUntil: Millis;
}

export interface ChallengeRequest extends MacaroonRequest {
  readonly bolt11: string;
}

export interface Challenge {
  /** Standard base64 with padding. */
  readonly macaroon: string;
  /** Value of `WWW-Authenticate`; it rides on status 402 only. */
  readonly header: string;
}

/**
 * `lsat` is the location aperture mints with, so decoders that show one show the expected word. The others only shift
 * what follows by a byte, which gives a payment hash with an unlucky base64 text another one.
 */
export const LOCATIONS = ["lsat", "lsat/", "lsat//"] as const;

/** Alby's lightning-tools delete the first "L402" and "LSAT" of the whole header, also inside a macaroon. */
const UNLUCKY = /LSAT|L402/;
/** One attempt in 70,000 is unlucky; this many in a row mean that the source of randomness is broken. */
const MAX_ATTEMPTS = 30;

/** @throws RangeError when a part does not fit into a header; Error when randomness is broken. */
export function mintChallenge(request: ChallengeRequest): Challenge {
  const macaroon = mintMacaroon(request);
  return { macaroon, header: challengeHeader(macaroon, request.bolt11) };
}

/**
 * The macaroon alone, as text: an order that was scrubbed has no invoice any more, and a credential all the same.
 * @throws RangeError when a part does not fit; Error when randomness is broken.
 */
export function mintMacaroon({ keys, world, paymentHash, orderId, validUntil }: MacaroonRequest): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(orderId)) throw new RangeError("Order id must be 1 to 64 url-safe characters");
  if (!Number.isSafeInteger(validUntil) || validUntil <= 0) throw new RangeError("Expiry of a macaroon must be a time");
  const caveats = mintedCaveats(orderId, validUntil);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const identifier = encodeIdentifier({ paymentHash, tokenId: keys.newTokenId(world) });
    const rootKey = keys.rootKeyOf(identifier);
    if (!rootKey) throw new Error("The minting key does not know its own identifier");
    const location = LOCATIONS[attempt % LOCATIONS.length] ?? LOCATIONS[0];
    const macaroon = encodeBase64(encodeMacaroon(mint({ rootKey, identifier, location, caveats })));
    if (!UNLUCKY.test(macaroon)) return macaroon;
  }
  throw new Error("No macaroon without a reserved word could be minted");
}

/**
 * The one header shape every known L402 client reads: `macaroon` and `invoice` first and in this order, quoted, comma
 * and space between parameters; `version` and `token` are for readers of the newer protocol text (bLIP 26).
 * @throws RangeError when either part could break out of its quotes.
 */
export function challengeHeader(macaroon: string, bolt11: string): string {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(macaroon)) throw new RangeError("Macaroon must be standard base64");
  if (!/^ln[a-z0-9]{1,2046}$/.test(bolt11)) throw new RangeError("Invoice must be lower-case BOLT 11");
  return `L402 macaroon="${macaroon}", invoice="${bolt11}", version="0", token="${macaroon}"`;
}
