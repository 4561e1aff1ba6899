/**
 * A wallet behind Nostr Wallet Connect (NIP-47): Alby Hub, and others that speak it. It is known by the connection, because
 * its owner may give none of a node; whoever answers holds the wallet's key.
 */
import { sats } from "../../actors/order/money.ts";
import { DEFAULT_FEE_CAP } from "../../actors/order/policy.ts";
import type { World } from "../../actors/runtime/world.ts";
import { count, malformed } from "./answers.ts";
import { NwcClient } from "./nwc/client.ts";
import { createHistory } from "./nwc/history.ts";
import { cancelInvoice, createInvoice, lookupInvoice, SETTLES_AFTER_EXPIRY_MS, settledSince } from "./nwc/invoices.ts";
import { NwcPayments } from "./nwc/payments.ts";
import { settlements } from "./nwc/settlements.ts";
import type { NwcConnection } from "./nwc/uri.ts";
import { Wallet } from "./nwc/wallet.ts";
import type { Outbox } from "./outbox.ts";
import type { LightningNode, NodeTraits } from "./port.ts";

export interface NwcOptions {
  readonly world: World;
  readonly connection: NwcConnection;
  /** Where requests to pay are kept. */
  readonly outbox: Outbox;
}

const TRAITS: NodeTraits = {
  name: "Nostr Wallet Connect",
  provenBy: "answers",
  settlesAfterExpiryMs: SETTLES_AFTER_EXPIRY_MS,
  feeLimit: "nobody",
  timeLimit: false,
  feeCap: DEFAULT_FEE_CAP,
};

export function createNwc({ world, connection, outbox }: NwcOptions): LightningNode {
  const client = new NwcClient(world, connection);
  const wallet = new Wallet(world, client);
  const payments = new NwcPayments(wallet, outbox);
  return {
    traits: TRAITS,
    async info() {
      const { network, alias } = await wallet.facts();
      return { pubkey: client.identity, network, alias, synced: true };
    },
    async balance() {
      const balance = count((await client.demand("get_balance")).balance);
      if (balance === null) throw malformed("get_balance");
      return { outboundSats: sats(Math.floor(balance / 1000)), inboundSats: null };
    },
    createInvoice: (wanted) => createInvoice(wallet, wanted),
    lookupInvoice: (hash) => lookupInvoice(wallet, hash),
    cancelInvoice: (hash) => cancelInvoice(wallet, hash),
    settlements: (cursor, signal) => settlements(wallet, cursor, signal),
    settledSince: (since) => settledSince(wallet, since),
    pay: (payment) => payments.pay(payment),
    lookupPayment: (hash) => payments.lookup(hash),
    mayPay: () => payments.mayPay(),
    history: createHistory(wallet),
  };
}
