/**
 * Judges what a request presented: is it a macaroon of ours, what does it open, and is it paid for. Order of checks as
 * in aperture (mint/mint.go, `VerifyLSAT`), except that a missing preimage is told apart from a broken token, because
 * the first may still pay.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Millis } from "../../actors/runtime/world.ts";
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
 * The best of all presented credentials: paid before unpaid, then those of the order asked for, then unexpired ones, then
 * the one presented first. So a client that sends credentials of several orders at once opens each of them, and a paid
 * credential of another order is never answered with an invoice. Broken ones beside a good one are ignored.
 */
export function readCredential(presentation: Presentation, judgement: Judgement): Credential {
  let best: Credential = { kind: presentation.malformed ? "invalid" : "none" };
  let bestRank = -1;
  for (const presented of presentation.credentials) {
    const credential = judge(presented, judgement);
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

function judge({ macaroon, text, preimage }: Presented, judgement: Judgement): Credential {
  const { keys, now, revocations = NOTHING_REVOKED } = judgement;
  const identifier = decodeIdentifier(macaroon.identifier);
  // The chain does not cover the location; ours or none of ours, so that no bit of a token can change unnoticed.
  const location = macaroon.location && bytesToHex(macaroon.location);
  if (!identifier || !location || !OUR_LOCATIONS.includes(location)) return { kind: "invalid" };
  const rootKey = keys.rootKeyOf(macaroon.identifier);
  if (!rootKey || !verifyChain(macaroon, rootKey)) return { kind: "invalid" };
  const terms = readCaveats(macaroon.caveats);
  if (!terms || !isCurrent(identifier.tokenId, terms.orderId, revocations)) return { kind: "invalid" };
  if (preimage !== null && terms.preimage !== null && preimage !== terms.preimage) return { kind: "invalid" };
  const proof = preimage ?? terms.preimage;
  const paid = proof !== null && bytesToHex(sha256(hexToBytes(proof))) === identifier.paymentHash;
  return {
    kind: paid ? "paid" : "unpaid",
    orderId: terms.orderId,
    paymentHash: identifier.paymentHash,
    capabilities: terms.capabilities,
    validUntil: terms.validUntil,
    expired: now >= terms.validUntil,
    macaroon: text,
  };
}
