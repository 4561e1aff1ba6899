/**
 * A node that runs phoenixd (0.7 or newer), over its HTTP API. `http-password` can do everything; the one with limited access
 * cannot pay.
 */
import { sats } from "../../actors/order/money.ts";
import type { World } from "../../actors/runtime/world.ts";
import { count, isObject, type Json, malformed, publicKey, wordOf } from "./answers.ts";
import { knownNetwork } from "./known-network.ts";
import { createHistory } from "./phoenixd/history.ts";
import {
  cancelInvoice,
  createInvoice,
  lookupInvoice,
  SETTLES_AFTER_EXPIRY_MS,
  settledFrom,
} from "./phoenixd/invoices.ts";
import { lookupPayment, mayPay, pay, TRAMPOLINE_FEE } from "./phoenixd/payments.ts";
import { demand, type Phoenixd } from "./phoenixd/rest.ts";
import { settlements } from "./phoenixd/settlements.ts";
import {
  type LightningNode,
  type Network,
  type NodeBalance,
  type NodeInfo,
  type NodeTraits,
  NodeUnavailable,
} from "./port.ts";

export interface PhoenixdOptions {
  readonly world: World;
  /** E.g. `http://127.0.0.1:9740`. */
  readonly baseUrl: string;
  readonly password: string;
}

const TRAITS: NodeTraits = {
  name: "phoenixd",
  provenBy: "invoices",
  settlesAfterExpiryMs: SETTLES_AFTER_EXPIRY_MS,
  feeLimit: "adapter",
  timeLimit: false,
  feeCap: TRAMPOLINE_FEE,
};

/** lightning-kmp's names of chains (bitcoin-kmp: Chain) and their BOLT 11 prefixes. */
const NETWORKS: Readonly<Record<string, Network>> = {
  mainnet: "bc",
  testnet: "tb",
  testnet3: "tb",
  testnet4: "tb",
  signet: "tbs",
  regtest: "bcrt",
};

export function createPhoenixd({ world, baseUrl, password }: PhoenixdOptions): LightningNode {
  const api: Phoenixd = {
    world,
    baseUrl: baseUrl.replace(/\/+$/, ""),
    // The name is ignored.
    authorization: `Basic ${Buffer.from(`:${password}`).toString("base64")}`,
  };
  const { info, network } = knownNetwork(async () => readInfo(await askInfo(api)));
  return {
    traits: TRAITS,
    info,
    balance: () => readBalance(api),
    createInvoice: async (wanted) => createInvoice(api, await network(), wanted),
    lookupInvoice: (hash) => lookupInvoice(api, hash),
    cancelInvoice: (hash) => cancelInvoice(api, hash),
    settlements: (cursor, signal) => settlements(api, cursor, signal),
    settledSince: (since) => settledFrom(api, since),
    pay: (payment) => pay(api, payment),
    lookupPayment: (hash) => lookupPayment(api, hash),
    mayPay: () => mayPay(api),
    history: createHistory(api),
  };
}

async function askInfo(api: Phoenixd): Promise<Json> {
  const body = await demand(api, "getinfo", { path: "/getinfo" });
  if (!isObject(body)) throw malformed("getinfo");
  return body;
}

function readInfo({ nodeId, chain, blockHeight }: Json): NodeInfo {
  const what = "getinfo";
  const pubkey = publicKey(nodeId);
  if (!pubkey) throw malformed(what);
  const network = wordOf(NETWORKS, chain);
  if (!network) throw new NodeUnavailable(`${what}: unsupported network`);
  return { pubkey, network, alias: "phoenixd", synced: count(blockHeight) !== null };
}

async function readBalance(api: Phoenixd): Promise<NodeBalance> {
  const [balance, { channels }] = await Promise.all([demand(api, "getbalance", { path: "/getbalance" }), askInfo(api)]);
  const outbound = isObject(balance) ? count(balance.balanceSat) : null;
  if (outbound === null) throw malformed("getbalance");
  if (!Array.isArray(channels)) throw malformed("getinfo");
  const inbound = (channels as unknown[]).reduce<number>((sum, channel) => {
    // A channel that is not there yet, or any more, says no amounts.
    return sum + ((isObject(channel) && count(channel.inboundLiquiditySat)) || 0);
  }, 0);
  return { outboundSats: sats(outbound), inboundSats: sats(inbound) };
}
