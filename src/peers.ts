/** The real peers of a service, made from its configuration: node, provider, price sources, shared rates, notices. */
import type { World } from "../actors/runtime/world.ts";
import type { ServicePeers } from "./assembly.ts";
import type { Config, Peers } from "./config.ts";
import { LateOutbox } from "./lightning/outbox.ts";
import { createNode, loopbackNode, type NodeAddress, type NodeKind } from "./node.ts";
import { FirebaseRates } from "./pricing/firebase.ts";
import { coinbase, coinGecko, kraken, mempoolSpace, type PriceSource } from "./pricing/sources.ts";
import { createHeroSms } from "./provider/herosms/adapter.ts";
import type { AccountTrouble } from "./provider/port.ts";

/** Where the peers are, when they are not the public ones. */
export interface PeerAddresses {
  readonly node: NodeAddress;
  readonly heroSms: { readonly baseUrl: string; readonly apiKey: string };
  /** Base URL per price source; null for the public ones. */
  readonly prices: ((name: string) => string) | null;
  readonly relays: readonly string[] | null;
  readonly sandbox: boolean;
}

/** Of the configured peers; those of a sandbox are where it runs. */
export const addressesOf = (peers: Peers, sandboxUrl: string): PeerAddresses =>
  peers.kind === "real" ? realAddresses(peers) : sandboxAddresses(sandboxUrl, peers.node);

const realAddresses = (peers: Peers & { kind: "real" }): PeerAddresses => ({
  node: peers.node,
  heroSms: peers.heroSms,
  prices: null,
  relays: null,
  sandbox: false,
});

/** The loopback peers under one URL speak the same protocols as the real ones. */
export const sandboxAddresses = (url: string, node: NodeKind = "lnd"): PeerAddresses => ({
  node: loopbackNode(node, url),
  heroSms: { baseUrl: url, apiKey: "sandbox" },
  prices: (name) => `${url}/prices/${name}`,
  relays: [`${url.replace(/^http/, "ws")}/relay`],
  sandbox: true,
});

export function createPeers(world: World, config: Config, addresses: PeerAddresses): ServicePeers {
  const { node, heroSms, relays, sandbox } = addresses;
  const outbox = new LateOutbox();
  const { providerCallsPerSecond: callsPerSecond } = config;
  const troubles = { listener: (_: AccountTrouble) => {} };
  return {
    node: createNode(world, node, outbox),
    provider: createHeroSms({
      world,
      ...heroSms,
      callsPerSecond,
      onTrouble: (trouble) => troubles.listener(trouble),
    }),
    priceSources: priceSources(config, addresses),
    sharedRates: sharedRates(world, config),
    notifier: config.nostr && { ...config.nostr, relays: relays ?? config.nostr.relays },
    sandbox,
    troubles,
    outbox,
  };
}

function priceSources({ priceSources: wanted, coinGecko: key }: Config, { prices }: PeerAddresses): PriceSource[] {
  const at = (name: string) => (prices ? { baseUrl: prices(name) } : {});
  const makers = {
    coingecko: () => coinGecko({ ...at("coingecko"), ...(key && { key: { plan: key.plan, value: key.apiKey } }) }),
    coinbase: () => coinbase(at("coinbase")),
    kraken: () => kraken(at("kraken")),
    mempool: () => mempoolSpace(at("mempool")),
  };
  return wanted.map((name) => makers[name]());
}

function sharedRates(world: World, { firebase }: Config): FirebaseRates | null {
  if (!firebase) return null;
  const { url: baseUrl, secret } = firebase;
  return new FirebaseRates(world, { baseUrl, ...(secret !== null && { auth: { kind: "secret", secret } as const }) });
}
