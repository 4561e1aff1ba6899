/**
 * Which node the service is paid through, and with what it may speak to it: from the URL that an operator writes to the
 * adapter. A new kind of node is a line in each of the tables here.
 */
import type { World } from "../actors/runtime/world.ts";
import { createCln } from "./lightning/cln.ts";
import { createLnd } from "./lightning/lnd.ts";
import { createPhoenixd } from "./lightning/phoenixd.ts";
import type { LightningNode } from "./lightning/port.ts";

/** Where a node is, with its secrets. */
export type NodeAddress =
  | { readonly kind: "lnd"; readonly baseUrl: string; readonly macaroonHex: string; readonly tlsCa: string | null }
  | { readonly kind: "cln"; readonly baseUrl: string; readonly rune: string; readonly tlsCa: string | null }
  | { readonly kind: "phoenixd"; readonly baseUrl: string; readonly password: string };

export type NodeKind = NodeAddress["kind"];
export const NODE_KINDS = ["lnd", "cln", "phoenixd"] as const satisfies readonly NodeKind[];

/** For people, what a good `LIGHTNING_URL` looks like. */
export const NODE_URLS = "lnd+https://host:port, cln+https://host:port, phoenixd+http://host:port or sandbox:";

export type NodeUrl = { readonly kind: NodeKind; readonly baseUrl: string };

/** The kind and the address in `kind+http(s)://host:port`; null when it is no such URL. */
export function parseNodeUrl(text: string): NodeUrl | null {
  const [, scheme, baseUrl = ""] = /^([a-z]+)\+(https?:\/\/[^\s/@?#]+)\/?$/.exec(text) ?? [];
  const kind = NODE_KINDS.find((known) => known === scheme);
  return kind && URL.canParse(baseUrl) ? { kind, baseUrl } : null;
}

export function createNode(world: World, address: NodeAddress): LightningNode {
  switch (address.kind) {
    case "lnd":
      return createLnd({ world, ...address, tlsCa: address.tlsCa ?? undefined });
    case "cln":
      return createCln({ world, ...address, tlsCa: address.tlsCa ?? undefined });
    case "phoenixd":
      return createPhoenixd({ world, ...address });
  }
}

/** Fit for the loopback node of the sandbox, which looks at the form of a secret only. */
const LOOPBACK_SECRETS = { macaroonHex: "5a4d", rune: "c2FuZGJveA".padEnd(44, "A"), password: "sandbox" } as const;

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
  }
}
