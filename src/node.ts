/**
 * Which node the service is paid through, and with what it may speak to it: from the URL that an operator writes to the
 * adapter. A new kind of node is a line in each of the tables here.
 */
import type { World } from "../actors/runtime/world.ts";
import { createCln } from "./lightning/cln.ts";
import { createLnd } from "./lightning/lnd.ts";
import { NWC_SCHEME, type NwcConnection, parseNwcUri } from "./lightning/nwc/uri.ts";
import { createNwc } from "./lightning/nwc.ts";
import type { Outbox } from "./lightning/outbox.ts";
import { createPhoenixd } from "./lightning/phoenixd.ts";
import type { LightningNode } from "./lightning/port.ts";

/** Where a node is, with its secrets. */
export type NodeAddress =
  | { readonly kind: "lnd"; readonly baseUrl: string; readonly macaroonHex: string; readonly tlsCa: string | null }
  | { readonly kind: "cln"; readonly baseUrl: string; readonly rune: string; readonly tlsCa: string | null }
  | { readonly kind: "phoenixd"; readonly baseUrl: string; readonly password: string }
  | { readonly kind: "nwc"; readonly connection: NwcConnection };

export type NodeKind = NodeAddress["kind"];
export const NODE_KINDS = ["lnd", "cln", "phoenixd", "nwc"] as const satisfies readonly NodeKind[];

/** For people, what a good `LIGHTNING_URL` looks like. */
export const NODE_URLS =
  "lnd+https://host:port, cln+https://host:port, phoenixd+http://host:port, nostr+walletconnect://... or sandbox:";

export type NodeUrl =
  | { readonly kind: Exclude<NodeKind, "nwc">; readonly baseUrl: string }
  | { readonly kind: "nwc"; readonly connection: NwcConnection };

/** What `kind+http(s)://host:port` or a wallet connection says; null when it is neither. */
export function parseNodeUrl(text: string): NodeUrl | null {
  if (text.startsWith(NWC_SCHEME)) {
    const connection = parseNwcUri(text);
    return connection && { kind: "nwc", connection };
  }
  const [, scheme, baseUrl = ""] = /^([a-z]+)\+(https?:\/\/[^\s/@?#]+)\/?$/.exec(text) ?? [];
  const kind = NODE_KINDS.filter((known) => known !== "nwc").find((known) => known === scheme);
  return kind && URL.canParse(baseUrl) ? { kind, baseUrl } : null;
}

/** @param outbox where a node whose requests may come late keeps them. */
export function createNode(world: World, address: NodeAddress, outbox: Outbox): LightningNode {
  switch (address.kind) {
    case "lnd":
      return createLnd({ world, ...address, tlsCa: address.tlsCa ?? undefined });
    case "cln":
      return createCln({ world, ...address, tlsCa: address.tlsCa ?? undefined });
    case "phoenixd":
      return createPhoenixd({ world, ...address });
    case "nwc":
      return createNwc({ world, connection: address.connection, outbox });
  }
}

/** Fit for the loopback node of the sandbox, which looks at the form of a secret only. */
const LOOPBACK_SECRETS = { macaroonHex: "5a4d", rune: "c2FuZGJveA".padEnd(44, "A"), password: "sandbox" } as const;

/** Public key of the sandbox's wallet service, whose secret key is no secret. */
export const LOOPBACK_WALLET = "eb438c2d4cf915085b70f66e4ea5ddfd60725a0be82c77d042d9888c97067a88";

/** The sandbox's node, which speaks the protocol of `kind` at `baseUrl`. */
export function loopbackNode(kind: NodeKind, baseUrl: string): NodeAddress {
  const { macaroonHex, rune, password } = LOOPBACK_SECRETS;
  switch (kind) {
    case "lnd":
      return { kind, baseUrl, macaroonHex, tlsCa: null };
    case "cln":
      return { kind, baseUrl, rune, tlsCa: null };
    case "phoenixd":
      return { kind, baseUrl, password };
    case "nwc": {
      const secretKey = new Uint8Array(32).fill(0x57);
      return {
        kind,
        connection: { wallet: LOOPBACK_WALLET, relays: [`${baseUrl.replace(/^http/, "ws")}/nwc`], secretKey },
      };
    }
  }
}
