/**
 * Root keys of macaroons. Every token has its own root key, derived from a master key and the token's identifier
 * (HKDF-SHA256, RFC 5869), so an unpaid order costs no stored secret. The first byte of the token id names the master
 * key: keys rotate by putting a new one first, and a leaked one is revoked by taking it out.
 */
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import type { World } from "../../actors/runtime/world.ts";
import { hkdfExpand, hkdfExtract, hmacSha256 } from "./hmac.ts";
import { kidOf, TOKEN_ID_BYTES } from "./identifier.ts";

export interface RootKey {
  /** Key id, 0 to 255. */
  readonly kid: number;
  /** 32 secret bytes. */
  readonly key: Uint8Array;
}

const KEY_BYTES = 32;
const MAX_KEYS = 16;

export class RootKeys {
  /** By kid. Private, so that no log line or inspection shows a key. */
  readonly #keys = new Map<number, Uint8Array>();
  /** The half of every derivation that is the same, by kid. */
  readonly #extracted = new Map<number, Uint8Array>();
  readonly #mintingKid: number;

  /**
   * The first key mints, all verify.
   * @throws RangeError unless there are 1 to 16 keys of 32 bytes with different key ids of one byte.
   */
  constructor(keys: readonly RootKey[]) {
    const [first] = keys;
    if (!first || keys.length > MAX_KEYS) throw new RangeError(`Between 1 and ${MAX_KEYS} root keys are needed`);
    for (const { kid, key } of keys) {
      if (!Number.isInteger(kid) || kid < 0 || kid > 255) throw new RangeError(`Key id must be 0 to 255: ${kid}`);
      if (key.length !== KEY_BYTES) throw new RangeError(`Root key ${kid} must be ${KEY_BYTES} bytes`);
      if (this.#keys.has(kid)) throw new RangeError(`Key id ${kid} is used twice`);
      this.#keys.set(kid, Uint8Array.from(key));
      this.#extracted.set(kid, hkdfExtract(key));
    }
    this.#mintingKid = first.kid;
  }

  /** A fresh token id: the key id of the minting key, then 31 random bytes. */
  newTokenId(world: Pick<World, "random">): Uint8Array {
    return concatBytes(Uint8Array.of(this.#mintingKid), world.random(TOKEN_ID_BYTES - 1));
  }

  /**
   * A name for something that must not be stored as it is (a client's address): keyed, so that it cannot be found by trying
   * all addresses. It changes with the minting key.
   */
  pseudonym(text: string): string {
    const key = this.#keys.get(this.#mintingKid) as Uint8Array;
    return bytesToHex(hmacSha256(key, utf8ToBytes(`pseudonym:${text}`))).slice(0, 32);
  }

  /**
   * Secrets for another purpose than macaroons, one per master key, the minting one first. Their HKDF info is shorter than any
   * token identifier, so none of them is the root key of a token.
   */
  secretsFor(purpose: KeyPurpose): readonly Uint8Array[] {
    const kids = [this.#mintingKid, ...[...this.#keys.keys()].filter((kid) => kid !== this.#mintingKid)];
    return kids.map((kid) => hkdfExpand(this.#extracted.get(kid) as Uint8Array, utf8ToBytes(purpose)));
  }

  /** The root key of one token, or null when its key id is unknown (revoked) or the identifier is not ours. */
  rootKeyOf(identifier: Uint8Array): Uint8Array | null {
    const kid = kidOf(identifier);
    const extracted = kid === undefined ? undefined : this.#extracted.get(kid);
    return extracted ? hkdfExpand(extracted, identifier) : null;
  }
}

/** What keys other than those of macaroons are derived for. */
export type KeyPurpose = "payment-challenge";

export type ParsedRootKeys =
  | { readonly ok: true; readonly keys: RootKeys }
  /** `problem` names the entry, never its content. */
  | { readonly ok: false; readonly problem: string };

/** Reads `kid:hex,kid:hex` (minting key first), or 64 hex digits alone as key 0. White space around entries is ignored. */
export function parseRootKeys(text: string): ParsedRootKeys {
  const keys: RootKey[] = [];
  for (const [index, entry] of text.split(",").entries()) {
    const match = /^(?:(\d{1,3}):)?([0-9a-fA-F]{64})$/.exec(entry.trim());
    if (!match?.[2]) return { ok: false, problem: `Root key ${index + 1} is not "kid:<64 hex digits>"` };
    keys.push({ kid: Number(match[1] ?? 0), key: hexToBytes(match[2]) });
  }
  try {
    return { ok: true, keys: new RootKeys(keys) };
  } catch (error) {
    if (error instanceof RangeError) return { ok: false, problem: error.message };
    throw error;
  }
}

/** Text of a new random key as `parseRootKeys` reads it, to be kept in a file that is in no backup of the database. */
export function newRootKeyText(world: World, kid = 0): string {
  return `${kid}:${bytesToHex(world.random(KEY_BYTES))}`;
}
