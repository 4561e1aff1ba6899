/**
 * HMAC-SHA256 and HKDF-SHA256 of the runtime. Ten times as fast as in JavaScript, which matters because a forger decides how many links of a
 * chain are computed before a forgery is found: 8 tokens of 64 caveats fit into one header.
 */
import { createHmac, hkdfSync } from "node:crypto";

export const hmacSha256 = (key: Uint8Array, data: Uint8Array): Uint8Array =>
  new Uint8Array(createHmac("sha256", key).update(data).digest());

/** Without salt (RFC 5869, section 3.1). */
export const hkdfSha256 = (key: Uint8Array, info: Uint8Array, length: number): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", key, new Uint8Array(), info, length));
