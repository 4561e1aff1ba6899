/**
 * Nostr keys as people write them: NIP-19 texts in, raw keys out.
 */
import { schnorr } from "@noble/curves/secp256k1.js";
import { bytesToNumberBE, hexToBytes } from "@noble/curves/utils.js";
import { decode } from "nostr-tools/nip19";

/** An npub is 63 characters; anything much longer is not looked at. */
const MAX_KEY_TEXT = 100;

/** The public key (64 lower-case hex digits) of an `npub1...`, or null when it is none or no point of the curve. */
export function parseNpub(text: string): string | null {
  if (text.length > MAX_KEY_TEXT || !text.startsWith("npub1")) return null;
  try {
    const key = decode(text);
    if (key.type !== "npub") return null;
    // Half of all 32-byte numbers are no x coordinate (BIP 340, lift_x): nothing could be encrypted to them.
    schnorr.utils.lift_x(bytesToNumberBE(hexToBytes(key.data)));
    return key.data;
  } catch {
    return null;
  }
}

/** The secret key of an `nsec1...` or of 64 hex digits, or null when it is neither or out of range. */
export function parseSecretKey(text: string): Uint8Array | null {
  if (text.length > MAX_KEY_TEXT) return null;
  try {
    const key = /^[0-9a-fA-F]{64}$/.test(text) ? hexToBytes(text.toLowerCase()) : decodeNsec(text);
    if (key) schnorr.getPublicKey(key);
    return key;
  } catch {
    return null;
  }
}

function decodeNsec(text: string): Uint8Array | null {
  const key = decode(text);
  return key.type === "nsec" ? key.data : null;
}
