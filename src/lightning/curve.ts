/**
 * secp256k1, as BOLT 11 needs it: sign, and recover the key that signed. libsecp256k1 (the `secp256k1` package's addon) where it can be
 * loaded, because it is ten times as fast and every invoice passes here; @noble/curves elsewhere. Both choose the nonce by RFC 6979, so
 * the same message has the same signature either way.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { concatBytes } from "@noble/hashes/utils.js";

export interface Curve {
  /** @param hash 32 bytes. @returns 64 bytes in low-S form and the recovery id, 0 to 3. */
  sign(hash: Uint8Array, secretKey: Uint8Array): { readonly signature: Uint8Array; readonly recovery: number };
  /** The compressed public key that made the signature, in either form of s; null when there is none. */
  recover(hash: Uint8Array, signature: Uint8Array, recovery: number): Uint8Array | null;
}

/** The part of the package's interface that is used here. */
interface Addon {
  ecdsaSign(hash: Uint8Array, secretKey: Uint8Array): { signature: Uint8Array; recid: number };
  ecdsaRecover(signature: Uint8Array, recid: number, hash: Uint8Array): Uint8Array;
}

export const portableCurve: Curve = {
  sign(hash, secretKey) {
    const signed = secp256k1.sign(hash, secretKey, { prehash: false, format: "recovered" });
    return { signature: signed.slice(1), recovery: signed[0] ?? 0 };
  },
  recover(hash, signature, recovery) {
    if (!isRecovery(recovery)) return null;
    try {
      return secp256k1.recoverPublicKey(concatBytes(Uint8Array.of(recovery), signature), hash, { prehash: false });
    } catch {
      return null;
    }
  },
};

/** libsecp256k1, or null where its addon cannot be loaded. Never the package's own fallback: `elliptic` has CVE-2025-14505. */
export const nativeCurve: Curve | null = loadNative();

export const curve: Curve = nativeCurve ?? portableCurve;

function loadNative(): Curve | null {
  try {
    // Named where the compiler finds it: `scripts/build.ts` puts the addon of the target into the executable.
    const addon = require("secp256k1/bindings.js") as Addon;
    return {
      sign(hash, secretKey) {
        const { signature, recid } = addon.ecdsaSign(hash, secretKey);
        return { signature, recovery: recid };
      },
      recover(hash, signature, recovery) {
        if (!isRecovery(recovery)) return null;
        try {
          return addon.ecdsaRecover(signature, recovery, hash);
        } catch {
          return null;
        }
      },
    };
  } catch {
    return null;
  }
}

const isRecovery = (recovery: number): boolean => Number.isInteger(recovery) && recovery >= 0 && recovery <= 3;
