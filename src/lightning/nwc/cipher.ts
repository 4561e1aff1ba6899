/**
 * What client and wallet say to each other is encrypted by NIP-44, or by NIP-04 where the wallet knows nothing better. The
 * library's NIP-04 takes its initialisation vector from the machine, so that half is done here.
 */
import { createCipheriv } from "node:crypto";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { hexToBytes } from "@noble/curves/utils.js";
import { decrypt as decrypt04 } from "nostr-tools/nip04";
import { decrypt as decrypt44, encrypt as encrypt44, getConversationKey } from "nostr-tools/nip44";
import type { World } from "../../../actors/runtime/world.ts";

export const ENCRYPTIONS = ["nip44_v2", "nip04"] as const;
export type Encryption = (typeof ENCRYPTIONS)[number];

/** NIP-44 ends at 64 kB of plain text; its padding and base64 make some 90 kB of that. */
const MAX_CONTENT = 128 * 1024;

export class Cipher {
  readonly #world: World;
  readonly #secretKey: Uint8Array;
  readonly #peer: string;
  readonly #conversationKey: Uint8Array;

  /** @param peer public key of the other side, hex. */
  constructor(world: World, secretKey: Uint8Array, peer: string) {
    this.#world = world;
    this.#secretKey = secretKey;
    this.#peer = peer;
    this.#conversationKey = getConversationKey(secretKey, peer);
  }

  encrypt(encryption: Encryption, text: string): string {
    if (encryption === "nip44_v2") return encrypt44(text, this.#conversationKey, this.#world.random(32));
    const shared = secp256k1.getSharedSecret(this.#secretKey, hexToBytes(`02${this.#peer}`)).subarray(1, 33);
    const iv = this.#world.random(16);
    const cipher = createCipheriv("aes-256-cbc", shared, iv);
    const content = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return `${content.toString("base64")}?iv=${Buffer.from(iv).toString("base64")}`;
  }

  /** Either encryption, told by its look; null when it is neither, or not from the other side. */
  decrypt(content: string): string | null {
    if (content.length > MAX_CONTENT) return null;
    try {
      return content.includes("?iv=")
        ? decrypt04(this.#secretKey, this.#peer, content)
        : decrypt44(content, this.#conversationKey);
    } catch {
      return null;
    }
  }
}
