/**
 * Where a refund address leads: a Lightning address (LUD-16), an LNURL in bech32 (LUD-01) or a `lnurlp:` link (LUD-17), all of them to a URL
 * that answers a pay request (LUD-06).
 */
import { bech32 } from "@scure/base";
import { hostOf, isLoopback, isPublicName } from "../public-host.ts";

export interface AddressRules {
  /** Lets `http://` to this host through, also as the domain of a Lightning address: the sandbox's wallet lives there. */
  readonly allowLoopback: boolean;
}

/** Longest address that is read, in characters. */
export const MAX_ADDRESS = 512;
const MAX_URL = 1_024;
/** LUD-16, with the "+" of tags that wallets give out. */
const LIGHTNING_ADDRESS = /^([a-z0-9._+-]{1,64})@([a-z0-9.-]{1,253}(?::\d{1,5})?)$/;

/** The URL of the pay request behind an address, or null when it is none, or leads where we do not go. */
export function payRequestUrl(text: string, rules: AddressRules): string | null {
  const address = text.trim().replace(/^lightning:/i, "");
  if (address.length > MAX_ADDRESS) return null;
  const [, name, domain] = LIGHTNING_ADDRESS.exec(address.toLowerCase()) ?? [];
  if (name && domain) {
    const scheme = rules.allowLoopback && isLoopback(domain.replace(/:\d+$/, "")) ? "http" : "https";
    return publicUrl(`${scheme}://${domain}/.well-known/lnurlp/${name}`, rules);
  }
  if (/^lnurl1/i.test(address)) return publicUrl(decoded(address), rules);
  const [, rest] = /^lnurlp:(?:\/\/)?(.+)$/i.exec(address) ?? [];
  return rest ? publicUrl(`https://${rest}`, rules) : null;
}

/** A URL of a stranger in normal form, or null when we do not ask there: HTTPS, a public name, no credentials, no other port. */
export function publicUrl(text: string | null, { allowLoopback }: AddressRules): string | null {
  if (text === null || text.length > MAX_URL || !URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return null;
  url.hash = "";
  const host = hostOf(url);
  if (allowLoopback && isLoopback(host)) return /^https?:$/.test(url.protocol) ? url.href : null;
  return url.protocol === "https:" && url.port === "" && isPublicName(host) ? url.href : null;
}

/** @returns null for what is no bech32, or holds no text. */
function decoded(address: string): string | null {
  try {
    const { prefix, bytes } = bech32.decodeToBytes(address.toLowerCase());
    return prefix === "lnurl" ? new TextDecoder("utf-8", { fatal: true }).decode(bytes) : null;
  } catch {
    return null;
  }
}

/** A URL as an LNURL, upper case for QR codes (LUD-01). */
export const encodeLnurl = (url: string): string =>
  bech32.encode("lnurl", bech32.toWords(new TextEncoder().encode(url)), false).toUpperCase();
