/**
 * Base64 as L402 clients send it: standard or url-safe alphabet, padded or not (go-macaroon, `Base64Decode`), and
 * strict in everything else, so that one token has no second spelling by stray bits or characters.
 */

/** One alphabet at a time; a text that mixes them is nobody's encoding. */
const SHAPE = /^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/;

/** @returns null when the text is not base64: foreign characters, wrong padding, bits that belong to no byte. */
export function decodeBase64(text: string): Uint8Array | null {
  if (!SHAPE.test(text)) return null;
  if (text.endsWith("=") && text.length % 4 !== 0) return null;
  const alphabet = /[-_]/.test(text) ? "base64url" : "base64";
  try {
    // Strict about loose bits and odd digits; for that it wants the padding that clients may leave out.
    return Uint8Array.fromBase64(text + "=".repeat(-text.length & 3), { alphabet, lastChunkHandling: "strict" });
  } catch {
    return null;
  }
}

/** Standard alphabet with padding, the form of the L402 protocol specification. */
export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/** Whole bytes in hex of any case, or null. */
export function decodeHex(text: string): Uint8Array | null {
  return text.length % 2 === 0 && /^[0-9a-f]*$/i.test(text) ? new Uint8Array(Buffer.from(text, "hex")) : null;
}
