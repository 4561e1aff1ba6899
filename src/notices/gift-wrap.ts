/**
 * NIP-17 private messages: an unsigned kind 14 rumor, in a kind 13 seal signed by the sender, in a kind 1059 gift wrap
 * signed by a key used once (NIP-59), encrypted by NIP-44 v2. Built from the library's parts instead of its
 * `wrapEvent`, which reads the clock and the random source itself and has no place for NIP-40's `expiration`.
 */
import { schnorr } from "@noble/curves/secp256k1.js";
import { encrypt, getConversationKey } from "nostr-tools/nip44";
import { getEventHash, type NostrEvent } from "nostr-tools/pure";
import type { World } from "../../actors/runtime/world.ts";
import { publicKeyOf, seconds, sign } from "../nostr/event.ts";

const PRIVATE_MESSAGE = 14;
const SEAL = 13;
const GIFT_WRAP = 1059;
/** NIP-59: times of seals and wraps are moved into the past by up to two days, against correlation. */
const MAX_BACKDATE_SECONDS = 2 * 24 * 60 * 60;

export interface PrivateMessage {
  /** Hex public key. */
  readonly to: string;
  readonly subject: string;
  readonly content: string;
}

/** The sealed message: only the recipient can read it and see who sent it. */
export function seal(world: World, message: PrivateMessage, secretKey: Uint8Array): NostrEvent {
  const rumor = {
    kind: PRIVATE_MESSAGE,
    pubkey: publicKeyOf(secretKey),
    created_at: seconds(world),
    tags: [
      ["p", message.to],
      ["subject", message.subject],
    ],
    content: message.content,
  };
  const content = encryptTo(world, message.to, secretKey, { ...rumor, id: getEventHash(rumor) });
  // NIP-59: a seal's tags must be empty, so the expiration stands on the wrap alone.
  return sign(world, { kind: SEAL, created_at: backdated(world), tags: [], content }, secretKey);
}

/** Wraps a seal for the relays, which see a recipient and an expiration but no sender. */
export function wrap(world: World, sealed: NostrEvent, to: string, ttlSeconds: number): NostrEvent {
  const ephemeral = schnorr.utils.randomSecretKey(world.random(48));
  const tags = [
    ["p", to],
    ["expiration", String(seconds(world) + ttlSeconds)],
  ];
  const content = encryptTo(world, to, ephemeral, sealed);
  return sign(world, { kind: GIFT_WRAP, created_at: backdated(world), tags, content }, ephemeral);
}

function encryptTo(world: World, to: string, secretKey: Uint8Array, content: object): string {
  return encrypt(JSON.stringify(content), getConversationKey(secretKey, to), world.random(32));
}

function backdated(world: World): number {
  const random = new DataView(world.random(4).slice().buffer).getUint32(0);
  return seconds(world) - Math.floor((random / 2 ** 32) * MAX_BACKDATE_SECONDS);
}
