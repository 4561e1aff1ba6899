import { describe, expect, test } from "bun:test";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { type Curve, curve, nativeCurve, portableCurve } from "../../src/lightning/curve.ts";

const KEY = new Uint8Array(32).fill(0x42);
const PUBLIC = bytesToHex(secp256k1.getPublicKey(KEY));
const hashes = Array.from({ length: 20 }, (_, index) => sha256(utf8ToBytes(`message ${index}`)));
const all: readonly (readonly [string, Curve])[] = [
  ["portable", portableCurve],
  ["chosen", curve],
];

describe.each(all)("%s curve", (_, { sign, recover }) => {
  test("recovers the key that signed", () => {
    for (const hash of hashes) {
      const { signature, recovery } = sign(hash, KEY);
      expect(signature).toHaveLength(64);
      expect(bytesToHex(recover(hash, signature, recovery) ?? new Uint8Array())).toBe(PUBLIC);
      expect(secp256k1.verify(signature, hash, secp256k1.getPublicKey(KEY), { prehash: false })).toBeTrue();
    }
  });

  test("finds another key, or none, in what was changed", () => {
    const [hash, other] = hashes as [Uint8Array, Uint8Array];
    const { signature, recovery } = sign(hash, KEY);
    for (const found of [recover(other, signature, recovery), recover(hash, signature, recovery ^ 1)]) {
      expect(bytesToHex(found ?? new Uint8Array())).not.toBe(PUBLIC);
    }
  });

  test("recovers nothing from what is no signature", () => {
    const [hash] = hashes as [Uint8Array];
    const { signature } = sign(hash, KEY);
    for (const recovery of [4, -1, 255, 0.5, Number.NaN]) expect(recover(hash, signature, recovery)).toBeNull();
    expect(recover(hash, new Uint8Array(64), 0)).toBeNull();
    expect(recover(hash, new Uint8Array(64).fill(0xff), 0)).toBeNull();
    expect(recover(hash, signature.subarray(0, 63), 0)).toBeNull();
  });
});

test("the addon signs exactly as the portable one does, and recovers from both forms of s", () => {
  if (!nativeCurve) return expect(curve).toBe(portableCurve);
  const order = secp256k1.Point.Fn.ORDER;
  for (const hash of hashes) {
    const { signature, recovery } = portableCurve.sign(hash, KEY);
    expect(nativeCurve.sign(hash, KEY)).toEqual({ signature, recovery });
    const highS = (order - BigInt(`0x${bytesToHex(signature.subarray(32))}`)).toString(16).padStart(64, "0");
    const high = Uint8Array.from([...signature.subarray(0, 32), ...Buffer.from(highS, "hex")]);
    for (const { recover } of [nativeCurve, portableCurve]) {
      expect(bytesToHex(recover(hash, high, recovery ^ 1) ?? new Uint8Array())).toBe(PUBLIC);
    }
  }
});
