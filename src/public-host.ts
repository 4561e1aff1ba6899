/**
 * Which hosts of strangers we talk to: a public name, and public addresses behind it. Without this, whoever names a relay or a refund
 * address could make this server talk to hosts inside its own network (server-side request forgery).
 */
import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

/** Names that never leave the local network (RFC 6761, 6762, 7686, 8375, 9476; ICANN's `internal`) and common habits. */
const LOCAL_SUFFIX =
  /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home|corp|private|arpa|onion|alt|test|invalid|example)$/;
const HOST_NAME = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;

/** Addresses of a host name. @throws when it has none, or the resolver does not answer */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const systemResolve: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/** The host of a parsed URL (which turned 0x7f.1, 2130706433 and the like into dotted quads, and names into ASCII) in one form. */
export const hostOf = (url: URL): string => url.hostname.toLowerCase().replace(/\.$/, "");

/** A name of the open internet: no address in any notation, no local name. */
export const isPublicName = (host: string): boolean => HOST_NAME.test(host) && !LOCAL_SUFFIX.test(host);

/** Whether an IP address is one of the open internet: not private, local, reserved, multicast or a tunnel. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !RESERVED_IPV4.check(address, "ipv4");
  return family === 6 && GLOBAL_IPV6.check(address, "ipv6") && !RESERVED_IPV6.check(address, "ipv6");
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
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
