import { createHash } from "node:crypto";
import type { World } from "../../actors/runtime/world.ts";
import { decodeBase64, encodeBase64 } from "../../src/l402/base64.ts";
import { mintChallenge } from "../../src/l402/challenge.ts";
import { RootKeys } from "../../src/l402/keys.ts";
import { attenuate, decodeMacaroon, encodeMacaroon, type Macaroon } from "../../src/l402/macaroon.ts";

export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
export const sha256Hex = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A world of which only chance is used: xorshift bytes, the same on every run. */
export function seeded(seed = 1): World {
  let state = seed;
  const random = (length: number) =>
    Uint8Array.from({ length }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state & 0xff;
    });
  const unused = () => {
    throw new Error("Not part of this test");
  };
  return { random, now: unused, at: unused, soon: unused, fetch: unused, connect: unused, hold: unused };
}

export const NOW = 1_800_000_000_000;
export const VALID_UNTIL = NOW + 86_400_000;
export const PREIMAGE = "07".repeat(32);
export const PAYMENT_HASH = sha256Hex(hex(PREIMAGE));
export const ORDER = "ord_2Zq7";
export const BOLT11 = `lnbcrt1${"q".repeat(200)}`;
export const KEYS = new RootKeys([{ kid: 7, key: new Uint8Array(32).fill(9) }]);

/** A macaroon as the server hands it out. */
export function issue(options: { orderId?: string; preimage?: string; keys?: RootKeys; seed?: number } = {}): string {
  return mintChallenge({
    keys: options.keys ?? KEYS,
    world: seeded(options.seed ?? 1),
    paymentHash: sha256Hex(hex(options.preimage ?? PREIMAGE)),
    bolt11: BOLT11,
    orderId: options.orderId ?? ORDER,
    validUntil: VALID_UNTIL,
  }).macaroon;
}

export function decoded(text: string): Macaroon {
  const bytes = decodeBase64(text);
  const macaroon = bytes && decodeMacaroon(bytes);
  if (!macaroon) throw new Error("Not a macaroon");
  return macaroon;
}

export const encoded = (macaroon: Macaroon): string => encodeBase64(encodeMacaroon(macaroon));

/** What a client does that adds caveats before it sends a macaroon on. */
export const withCaveats = (text: string, ...caveats: string[]): string =>
  encoded(caveats.reduce(attenuate, decoded(text)));
