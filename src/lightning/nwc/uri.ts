/** The connection to a wallet as its owner hands it out: `nostr+walletconnect://` (NIP-47). It is itself a secret. */
import { schnorr } from "@noble/curves/secp256k1.js";
import { bytesToNumberBE, hexToBytes } from "@noble/curves/utils.js";
import { configuredRelayUrl } from "../../nostr/relay-url.ts";

export interface NwcConnection {
  /** Public key of the wallet service, hex. */
  readonly wallet: string;
  readonly relays: readonly string[];
  /** Signs our requests; the wallet knows us by its public key. */
  readonly secretKey: Uint8Array;
}

export const NWC_SCHEME = "nostr+walletconnect:";
const MAX_URI = 2_048;
const MAX_RELAYS = 4;

/** Null when it is no such URI, or names no relay. Some wallets leave out the slashes. */
export function parseNwcUri(text: string): NwcConnection | null {
  if (text.length > MAX_URI || !text.startsWith(NWC_SCHEME)) return null;
  const [, wallet = "", query = ""] = /^(?:\/\/)?([0-9a-fA-F]{64})\/?\?(.+)$/.exec(text.slice(NWC_SCHEME.length)) ?? [];
  const params = new URLSearchParams(query);
  const secret = params.get("secret") ?? "";
  const relays = params.getAll("relay").map(configuredRelayUrl);
  if (!/^[0-9a-fA-F]{64}$/.test(secret) || relays.length === 0 || relays.length > MAX_RELAYS) return null;
  try {
    // Half of all 32-byte numbers are no x coordinate (BIP 340, lift_x), and a secret key has a range.
    schnorr.utils.lift_x(bytesToNumberBE(hexToBytes(wallet.toLowerCase())));
    schnorr.getPublicKey(hexToBytes(secret));
  } catch {
    return null;
  }
  const good = relays.filter((relay) => relay !== null);
  if (good.length !== relays.length) return null;
  return { wallet: wallet.toLowerCase(), relays: [...new Set(good)], secretKey: hexToBytes(secret) };
}
