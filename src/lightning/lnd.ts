/**
 * A Lightning node that runs lnd, over its REST interface. The macaroon needs `info:read`, `invoices:read`,
 * `invoices:write`, `offchain:read` and `offchain:write` and nothing else (lncli bakemacaroon).
 */
import { type Sats, sats } from "../../actors/order/money.ts";
import { DEFAULT_FEE_CAP } from "../../actors/order/policy.ts";
import type { World } from "../../actors/runtime/world.ts";
import { isObject, malformed, publicKey, wordOf } from "./answers.ts";
import { knownNetwork } from "./known-network.ts";
import { createHistory } from "./lnd/history.ts";
import { cancelInvoice, createInvoice, lookupInvoice, settledSince, settlements } from "./lnd/invoices.ts";
import { lookupPayment, mayPay, pay } from "./lnd/payments.ts";
import { demand, int64, type LndRest } from "./lnd/rest.ts";
import {
  type LightningNode,
  type Network,
  type NodeBalance,
  type NodeInfo,
  type NodeTraits,
  NodeUnavailable,
} from "./port.ts";

export interface LndOptions {
  readonly world: World;
  /** Of the REST interface, e.g. `https://127.0.0.1:8080`. */
  readonly baseUrl: string;
  /** The bytes of the macaroon file in hex. */
  readonly macaroonHex: string;
  /** PEM text of the certificate, or of its authority, when the system does not trust it (lnd signs its own). */
  readonly tlsCa?: string | undefined;
}

/** lnd's names of networks (lncfg: NormalizeNetwork) and their BOLT11 prefixes. */
const NETWORKS: Readonly<Record<string, Network>> = {
  mainnet: "bc",
  testnet: "tb",
  testnet4: "tb",
  signet: "tbs",
  regtest: "bcrt",
};

const TRAITS: NodeTraits = {
  name: "LND",
  provenBy: "invoices",
  settlesAfterExpiryMs: 0,
  feeLimit: "node",
  timeLimit: true,
  feeCap: DEFAULT_FEE_CAP,
};

/** All bitcoin there will ever be. */
const MAX_SATS = 2_100_000_000_000_000;

/** @throws RangeError when the macaroon is not hex. */
export function createLnd({ world, baseUrl, macaroonHex, tlsCa }: LndOptions): LightningNode {
  if (!/^([0-9a-f]{2})+$/i.test(macaroonHex)) throw new RangeError("The macaroon is not hex");
  const rest: LndRest = {
    world,
    baseUrl: baseUrl.replace(/\/+$/, ""),
    headers: { "Grpc-Metadata-Macaroon": macaroonHex, "Content-Type": "application/json" },
    ...(tlsCa !== undefined && { tls: { ca: tlsCa } }),
  };
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
    pay: (payment) => pay(rest, payment),
    lookupPayment: (hash) => lookupPayment(rest, hash),
    mayPay: () => mayPay(rest),
    history: createHistory(rest),
  };
}

async function readInfo(rest: LndRest): Promise<NodeInfo> {
  const what = "GetInfo";
  const body = await demand(rest, what, { path: "/v1/getinfo" });
  const { alias, chains, synced_to_chain: synced } = body;
  const pubkey = publicKey(body.identity_pubkey);
  const chain: unknown = Array.isArray(chains) ? chains[0] : undefined;
  if (!pubkey || !isObject(chain)) throw malformed(what);
  const network = wordOf(NETWORKS, chain.network);
  if (!network) throw new NodeUnavailable(`${what}: unsupported network`);
  return { pubkey, network, alias: typeof alias === "string" ? alias : "", synced: synced === true };
}

async function readBalance(rest: LndRest): Promise<NodeBalance> {
  const what = "ChannelBalance";
  const body = await demand(rest, what, { path: "/v1/balance/channels" });
  const amount = (value: unknown): Sats => {
    const sat = isObject(value) ? int64(value.sat) : null;
    if (sat === null || sat > MAX_SATS) throw malformed(what);
    return sats(sat);
  };
  return { outboundSats: amount(body.local_balance), inboundSats: amount(body.remote_balance) };
}
