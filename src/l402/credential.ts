/**
 * Judges what a request presented: is it a macaroon of ours, what does it open, and is it paid for. Order of checks as
 * in aperture (mint/mint.go, `VerifyLSAT`), except that a missing preimage is told apart from a broken token, because
 * the first may still pay.
 */
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Millis } from "../../actors/runtime/world.ts";
import { sha256Hex } from "../sha256.ts";
import type { Presentation, Presented } from "./authorization.ts";
import { type Rights, readCaveats } from "./caveats.ts";
import { LOCATIONS } from "./challenge.ts";
import { decodeIdentifier } from "./identifier.ts";
import type { RootKeys } from "./keys.ts";
import { verifyChain } from "./macaroon.ts";
import { isCurrent, NOTHING_REVOKED, type Revocations } from "./revocations.ts";

/** A macaroon of ours whose chain and caveats hold. */
export interface Grant {
  readonly orderId: string;
  /** Lower-case hex. */
  readonly paymentHash: string;
  readonly capabilities: Rights;
  readonly validUntil: Millis;
  /** `validUntil` has passed. Everything else about the grant holds. */
  readonly expired: boolean;
  /** The macaroon as presented, base64: what an answer may repeat, because it is no wider. A secret. */
  readonly macaroon: string;
}

export type Credential =
  /** The preimage of the invoice was presented too. */
  | ({ readonly kind: "paid" } & Grant)
  /** No preimage, or a wrong one. */
  | ({ readonly kind: "unpaid" } & Grant)
  /** Something was presented, nothing of it is ours and whole. */
  | { readonly kind: "invalid" }
  | { readonly kind: "none" };

export interface Judgement {
  readonly keys: RootKeys;
  readonly now: Millis;
  /** The order a request is about, when it names one. */
  readonly orderId?: string;
  /** Default: nothing was revoked. */
  readonly revocations?: Revocations;
}

const OUR_LOCATIONS = LOCATIONS.map((location) => bytesToHex(utf8ToBytes(location)));

/**
 * What a presented credential says of itself, once its chain, its caveats and its preimage were found good. It depends on the text and the
 * root keys only, so it may be kept; whether it still counts is asked each time (`standing`).
 */
export interface Proven extends Omit<Grant, "expired"> {
  /** The preimage of the invoice was presented too. */
  readonly paid: boolean;
  readonly tokenId: Uint8Array;
}

/**
 * The best of all presented credentials: paid before unpaid, then those of the order asked for, then unexpired ones, then
 * the one presented first. So a client that sends credentials of several orders at once opens each of them, and a paid
 * credential of another order is never answered with an invoice. Broken ones beside a good one are ignored.
 */
export function readCredential(presentation: Presentation, judgement: Judgement): Credential {
  const proven = presentation.credentials.map((presented) => prove(presented, judgement.keys));
  return bestOf(proven, presentation.malformed, judgement);
}

/** The same from what was proven before; null for what is not ours and whole. */
export function bestOf(proven: readonly (Proven | null)[], malformed: boolean, judgement: Judgement): Credential {
  let best: Credential = { kind: malformed ? "invalid" : "none" };
  let bestRank = -1;
  for (const one of proven) {
    const credential = standing(one, judgement);
    const rank = rankOf(credential, judgement.orderId);
    if (rank > bestRank) [best, bestRank] = [credential, rank];
  }
  return best;
}

function rankOf(credential: Credential, orderId: string | undefined): number {
  if (credential.kind !== "paid" && credential.kind !== "unpaid") return 0;
  const paid = credential.kind === "paid" ? 4 : 0;
  const asked = credential.orderId === orderId ? 2 : 0;
  return 1 + paid + asked + (credential.expired ? 0 : 1);
}

/** Everything that needs the credential alone. @returns null when any of it does not hold. */
export function prove({ macaroon, text, preimage }: Presented, keys: RootKeys): Proven | null {
  const identifier = decodeIdentifier(macaroon.identifier);
  // The chain does not cover the location; ours or none of ours, so that no bit of a token can change unnoticed.
  const location = macaroon.location && bytesToHex(macaroon.location);
  if (!identifier || !location || !OUR_LOCATIONS.includes(location)) return null;
  const rootKey = keys.rootKeyOf(macaroon.identifier);
  if (!rootKey || !verifyChain(macaroon, rootKey)) return null;
  const terms = readCaveats(macaroon.caveats);
  if (!terms) return null;
  if (preimage !== null && terms.preimage !== null && preimage !== terms.preimage) return null;
  const proof = preimage ?? terms.preimage;
  return {
    paid: proof !== null && sha256Hex(hexToBytes(proof)) === identifier.paymentHash,
    tokenId: identifier.tokenId,
    orderId: terms.orderId,
    paymentHash: identifier.paymentHash,
    capabilities: terms.capabilities,
    validUntil: terms.validUntil,
    macaroon: text,
  };
}

/** What changes with time: revoked or not, expired or not. Never kept. */
function standing(proven: Proven | null, { now, revocations = NOTHING_REVOKED }: Judgement): Credential {
  if (!proven || !isCurrent(proven.tokenId, proven.orderId, revocations)) return { kind: "invalid" };
  const { paid, orderId, paymentHash, capabilities, validUntil, macaroon } = proven;
  return {
    kind: paid ? "paid" : "unpaid",
    orderId,
    paymentHash,
    capabilities,
    validUntil,
    expired: now >= validUntil,
    macaroon,
  };
}
