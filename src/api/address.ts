/** Internet addresses and CIDR blocks (RFC 4291, RFC 4632) as bytes, so that one address has one form. */
import { isIPv4, isIPv6 } from "node:net";

/** 4 or 16 bytes. */
export type Address = Uint8Array;

const MAX_TEXT = 64;
/** First bytes of an IPv4 address inside IPv6, `::ffff:0:0/96`. */
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** @returns null when the text is no address. IPv4 inside IPv6 becomes IPv4; a zone (`%eth0`) is dropped. */
export function parseAddress(text: string): Address | null {
  if (text.length > MAX_TEXT) return null;
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  const plain = text.split("%", 1)[0] ?? "";
  if (!isIPv6(plain)) return null;
  const bytes = expand(plain);
  return MAPPED.every((byte, index) => bytes[index] === byte) ? bytes.slice(12) : bytes;
}

/** The 16 bytes of an IPv6 text that is known to be well-formed. */
function expand(text: string): Uint8Array {
  const [head = "", tail] = text.split("::");
  const left = groups(head);
  const right = groups(tail ?? "");
  return Uint8Array.from([...left, ...new Array<number>(16 - left.length - right.length).fill(0), ...right]);
}

function groups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

export const isLoopback = (address: Address): boolean =>
  address.length === 4 ? address[0] === 127 : address.every((byte, index) => byte === (index === 15 ? 1 : 0));

/** A set of addresses given as addresses and CIDR blocks. */
export class AddressSet {
  readonly #blocks: readonly { readonly base: Address; readonly bits: number }[];

  /** @throws RangeError naming the entry that is no address or block. */
  constructor(entries: readonly string[]) {
    this.#blocks = entries.map((entry) => {
      const [text = "", length, ...rest] = entry.trim().split("/");
      const base = parseAddress(text);
      const most = (base?.length ?? 0) * 8;
      const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
      if (!base || !(bits <= most) || rest.length > 0) throw new RangeError(`Not an address or CIDR block: "${entry}"`);
      return { base, bits };
    });
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0;
  }

  has(address: Address): boolean {
    return this.#blocks.some(({ base, bits }) => base.length === address.length && sharesPrefix(base, address, bits));
  }
}

function sharesPrefix(a: Address, b: Address, bits: number): boolean {
  for (let index = 0, left = bits; left > 0; index++, left -= 8) {
    const mask = left >= 8 ? 0xff : 0xff << (8 - left);
    if ((((a[index] ?? 0) ^ (b[index] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}
