/**
 * Which relay URLs we connect to. A recipient's relay list is written by anybody, so without a check it would be a
 * way to make this server talk to hosts inside its own network (server-side request forgery).
 *
 * Only `wss://` with a public host name: no addresses in any notation, no local names, no credentials. What the name
 * resolves to is checked just before connecting; TLS then makes sure that the host answers for that name.
 */
import { BlockList, isIP } from "node:net";

export interface RelayUrlRules {
  /** Lets `ws://` and `wss://` to this host through: the sandbox's relay listens there. */
  readonly allowLoopback: boolean;
}

const MAX_URL = 256;
/** Names that never leave the local network (RFC 6761, 6762, 7686, 8375, 9476; ICANN's `internal`) and common habits. */
const LOCAL_SUFFIX =
  /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|private|arpa|onion|alt|test|invalid|example)$/;
const HOST_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;

/** A recipient's relay URL in normal form, or null when we do not connect there. */
export function publicRelayUrl(text: string, rules: RelayUrlRules): string | null {
  const url = parse(text);
  if (!url) return null;
  // The parser has turned 0x7f.1, 2130706433 and the like into dotted quads, and names into ASCII.
  const host = url.hostname.toLowerCase().replace(/\.$/, "");
  if (rules.allowLoopback && isLoopback(host)) return url.href;
  if (url.protocol !== "wss:") return null;
  return HOST_NAME.test(host) && !LOCAL_SUFFIX.test(host) ? url.href : null;
}

/** A relay URL of the operator's own configuration, which may be anywhere; null when it is none. */
export function configuredRelayUrl(text: string): string | null {
  return parse(text)?.href ?? null;
}

/** Whether an IP address is one of the open internet: not private, local, reserved, multicast or a tunnel. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !RESERVED_IPV4.check(address, "ipv4");
  return family === 6 && GLOBAL_IPV6.check(address, "ipv6") && !RESERVED_IPV6.check(address, "ipv6");
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function parse(text: string): URL | null {
  if (text.length > MAX_URL || !/^wss?:\/\/[!-~]+$/i.test(text)) return null;
  try {
    const url = new URL(text);
    return url.username === "" && url.password === "" && url.hash === "" ? url : null;
  } catch {
    return null;
  }
}

/** IANA's special-purpose registries: RFC 6890 and its successors. */
const RESERVED_IPV4 = subnets("ipv4", [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
]);
/** Everything that is not global unicast (mapped IPv4, link-local, unique local, NAT64) is out by not being in here. */
const GLOBAL_IPV6 = subnets("ipv6", [["2000::", 3]]);
/** Inside global unicast: protocol assignments and Teredo, documentation, 6to4. */
const RESERVED_IPV6 = subnets("ipv6", [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
]);

function subnets(family: "ipv4" | "ipv6", list: readonly (readonly [string, number])[]): BlockList {
  const block = new BlockList();
  for (const [net, prefix] of list) block.addSubnet(net, prefix, family);
  return block;
}
