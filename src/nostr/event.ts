/** Events of NIP-01 with time and randomness from the world, which the library would take from the machine. */
import { schnorr } from "@noble/curves/secp256k1.js";
import { bytesToHex, hexToBytes } from "@noble/curves/utils.js";
import { type EventTemplate, getEventHash, type NostrEvent } from "nostr-tools/pure";
import type { World } from "../../actors/runtime/world.ts";

/** Signs an event with a key, its randomness from the world. Several ms of CPU. */
export function sign(world: World, template: EventTemplate, secretKey: Uint8Array): NostrEvent {
  const unsigned = { ...template, pubkey: publicKeyOf(secretKey) };
  const id = getEventHash(unsigned);
  return { ...unsigned, id, sig: bytesToHex(schnorr.sign(hexToBytes(id), secretKey, world.random(32))) };
}

/** 64 hex digits: the x coordinate alone (BIP 340). */
export function publicKeyOf(secretKey: Uint8Array): string {
  return bytesToHex(schnorr.getPublicKey(secretKey));
}

/** Unix time in whole seconds, as events carry it. */
export function seconds(world: World): number {
  return Math.floor(world.now() / 1000);
}
