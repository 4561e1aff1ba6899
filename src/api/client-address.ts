/**
 * Who a request comes from. The socket says it, unless the socket belongs to a proxy we were told to believe: then the
 * right-most hop of X-Forwarded-For that is no such proxy. What stands left of it was written by the client and is
 * worth nothing.
 */
import { type Address, AddressSet, parseAddress } from "./address.ts";

export interface Client {
  /** Null when the connection has no internet address, as on a Unix socket. */
  readonly address: Address | null;
  /** What limits count by: IPv4 /32, IPv6 /64. */
  readonly bucket: string;
  /** The network around it, IPv4 /24 or IPv6 /48: what one owner of addresses is likely to have more of. */
  readonly network: string;
  /** The request came through a proxy we believe. */
  readonly proxied: boolean;
}

/** More proxies in a row than anyone runs. */
const MAX_HOPS = 16;
const MAX_HEADER = 2 * 1024;
const MAX_REMEMBERED = 10_000;

export class ClientAddresses {
  readonly #proxies: AddressSet;
  /** Who came without a proxy, by the socket's address: that alone says who they are, and they come again. */
  readonly #direct = new Map<string, Client>();

  /** @throws RangeError when an entry is no address or CIDR block. */
  constructor(trustedProxies: readonly string[]) {
    this.#proxies = new AddressSet(trustedProxies);
  }

  of(headers: Headers, socket: string | null): Client {
    const known = socket === null ? undefined : this.#direct.get(socket);
    if (known) return known;
    const direct = socket === null ? null : parseAddress(socket);
    const proxied = direct !== null && !this.#proxies.isEmpty && this.#proxies.has(direct);
    const address = proxied ? this.#behind(direct, headers.get("x-forwarded-for") ?? "") : direct;
    const client = { address, bucket: bucketOf(address), network: networkOf(address), proxied };
    if (socket !== null && !proxied) this.#remember(socket, client);
    return client;
  }

  #remember(socket: string, client: Client): void {
    if (this.#direct.size >= MAX_REMEMBERED) this.#direct.clear();
    this.#direct.set(socket, client);
  }

  #behind(proxy: Address, header: string): Address {
    let address = proxy;
    for (const hop of header.slice(-MAX_HEADER).split(",").slice(-MAX_HOPS).reverse()) {
      const next = parseAddress(withoutPort(hop.trim()));
      // Nobody vouches for what stands left of a hop that is no address.
      if (!next) return address;
      address = next;
      if (!this.#proxies.has(next)) return address;
    }
    return address;
  }
}

/** Some proxies write `192.0.2.1:443` and `[2001:db8::1]:443` (RFC 7239, section 6). */
function withoutPort(hop: string): string {
  const match = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(hop) ?? /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(hop);
  return match?.[1] ?? hop;
}

/** One subscriber is given a /64 or more (RFC 6177), so single IPv6 addresses cost an attacker nothing. */
function bucketOf(address: Address | null): string {
  if (!address) return "local";
  return address.length === 4 ? address.join(".") : `${prefix(address, 8)}/64`;
}

function networkOf(address: Address | null): string {
  if (!address) return "local";
  return address.length === 4 ? `${address.subarray(0, 3).join(".")}/24` : `${prefix(address, 6)}/48`;
}

const prefix = (address: Address, bytes: number): string => Buffer.from(address.subarray(0, bytes)).toString("hex");
