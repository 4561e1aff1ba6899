/**
 * The identifier of an L402 macaroon (aperture, l402/identifier.go): version 0 as two bytes, the payment hash of the
 * invoice, and a token id. 66 bytes; clients find the payment hash in it.
 */
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js";

export interface Identifier {
  /** Lower-case hex, 64 digits. */
  readonly paymentHash: string;
  /** 32 bytes. */
  readonly tokenId: Uint8Array;
}

export const IDENTIFIER_BYTES = 66;
export const TOKEN_ID_BYTES = 32;
const HASH_START = 2;
const TOKEN_ID_START = IDENTIFIER_BYTES - TOKEN_ID_BYTES;

/** @throws RangeError unless the payment hash is 64 hex digits and the token id 32 bytes. */
export function encodeIdentifier({ paymentHash, tokenId }: Identifier): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(paymentHash)) throw new RangeError("Payment hash must be 64 lower-case hex digits");
  if (tokenId.length !== TOKEN_ID_BYTES) throw new RangeError(`Token id must be ${TOKEN_ID_BYTES} bytes`);
  return concatBytes(Uint8Array.of(0, 0), hexToBytes(paymentHash), tokenId);
}

const isIdentifier = (bytes: Uint8Array): boolean =>
  bytes.length === IDENTIFIER_BYTES && bytes[0] === 0 && bytes[1] === 0;

/** The id of the master key, which the first byte of the token id is. Undefined for any other length or version. */
export const kidOf = (bytes: Uint8Array): number | undefined =>
  isIdentifier(bytes) ? bytes[TOKEN_ID_START] : undefined;

/** @returns null for any other length or version. */
export function decodeIdentifier(bytes: Uint8Array): Identifier | null {
  if (!isIdentifier(bytes)) return null;
  return {
    paymentHash: bytesToHex(bytes).slice(2 * HASH_START, 2 * TOKEN_ID_START),
    tokenId: bytes.slice(TOKEN_ID_START),
  };
}
