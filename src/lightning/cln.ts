/**
 * A node that runs Core Lightning (24.11 or newer), over clnrest. The rune needs the methods `getinfo`, `listpeerchannels`,
 * `invoice`, `listinvoices`, `delinvoice`, `wait`, `waitanyinvoice`, `xpay` and `listpays` and no others.
 */
import { sats } from "../../actors/order/money.ts";
import { DEFAULT_FEE_CAP } from "../../actors/order/policy.ts";
import type { World } from "../../actors/runtime/world.ts";
import { isObject, malformed, publicKey, wordOf } from "./answers.ts";
import { createHistory } from "./cln/history.ts";
import { cancelInvoice, createInvoice, lookupInvoice } from "./cln/invoices.ts";
import { lookupPayment, mayPay, Over, pay } from "./cln/payments.ts";
import { type ClnRest, demand, msatOf } from "./cln/rest.ts";
import { settledSince, settlements } from "./cln/settlements.ts";
import { knownNetwork } from "./known-network.ts";
import {
  type LightningNode,
  type Network,
  type NodeBalance,
  type NodeInfo,
  type NodeTraits,
  NodeUnavailable,
} from "./port.ts";

export interface ClnOptions {
  readonly world: World;
  /** Of clnrest, e.g. `https://127.0.0.1:3010`. */
  readonly baseUrl: string;
  readonly rune: string;
  /** PEM text of the node's `ca.pem`, when the system does not trust it (Core Lightning makes its own). */
  readonly tlsCa?: string | undefined;
}

const TRAITS: NodeTraits = {
  name: "Core Lightning",
  provenBy: "invoices",
  settlesAfterExpiryMs: 0,
  feeLimit: "node",
  timeLimit: true,
  feeCap: DEFAULT_FEE_CAP,
};

/** Core Lightning's names of networks (bitcoin/chainparams.c) and their BOLT 11 prefixes. */
const NETWORKS: Readonly<Record<string, Network>> = {
  bitcoin: "bc",
  testnet: "tb",
  testnet4: "tb",
  signet: "tbs",
  regtest: "bcrt",
};

/** Channels that can send; one that is being spliced goes on to work. */
const USABLE: readonly unknown[] = ["CHANNELD_NORMAL", "CHANNELD_AWAITING_SPLICE"];

export function createCln({ world, baseUrl, rune, tlsCa }: ClnOptions): LightningNode {
  const rest: ClnRest = {
    world,
    baseUrl: baseUrl.replace(/\/+$/, ""),
    rune,
    ...(tlsCa !== undefined && { tls: { ca: tlsCa } }),
  };
  const over = new Over();
  const { info, network } = knownNetwork(() => readInfo(rest));
  return {
    traits: TRAITS,
    info,
    balance: () => readBalance(rest),
    createInvoice: async (wanted) => createInvoice(rest, await network(), wanted),
    lookupInvoice: (hash) => lookupInvoice(rest, hash),
    cancelInvoice: (hash) => cancelInvoice(rest, hash),
    settlements: (cursor, signal) => settlements(rest, cursor, signal),
    settledSince: (since) => settledSince(rest, since),
    pay: (payment) => pay(rest, over, payment),
    lookupPayment: (hash) => lookupPayment(rest, over, hash),
    mayPay: () => mayPay(rest),
    history: createHistory(rest, over),
  };
}

async function readInfo(rest: ClnRest): Promise<NodeInfo> {
  const method = "getinfo";
  const body = await demand(rest, { method });
  const { alias, network: name } = body;
  const pubkey = publicKey(body.id);
  if (!pubkey) throw malformed(method);
  const network = wordOf(NETWORKS, name);
  if (!network) throw new NodeUnavailable(`${method}: unsupported network`);
  const synced = body.warning_bitcoind_sync === undefined && body.warning_lightningd_sync === undefined;
  return { pubkey, network, alias: typeof alias === "string" ? alias : "", synced };
}

async function readBalance(rest: ClnRest): Promise<NodeBalance> {
  const method = "listpeerchannels";
  const { channels } = await demand(rest, { method, maxBytes: 16 * 1024 * 1024 });
  if (!Array.isArray(channels)) throw malformed(method);
  let [outbound, inbound] = [0, 0];
  for (const channel of channels as unknown[]) {
    if (!isObject(channel)) throw malformed(method);
    if (!USABLE.includes(channel.state)) continue;
    const [spendable, receivable] = [msatOf(channel.spendable_msat), msatOf(channel.receivable_msat)];
    if (spendable === null || receivable === null) throw malformed(method);
    outbound += spendable;
    inbound += receivable;
  }
  return { outboundSats: sats(Math.floor(outbound / 1000)), inboundSats: sats(Math.floor(inbound / 1000)) };
}
