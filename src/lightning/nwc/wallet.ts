/** What is asked of a wallet in more than one place: who it is, what it can do, one payment, a list of payments. */
import type { World } from "../../../actors/runtime/world.ts";
import { isObject, type Json, malformed, unlessLost, wordOf } from "../answers.ts";
import { type Network, NodeUnavailable, type PaymentHash } from "../port.ts";
import { type NwcClient, refused } from "./client.ts";
import { readTransaction, type Transaction } from "./transactions.ts";

/** NIP-47's names of networks, and what some wallets say instead, with their BOLT 11 prefixes. */
const NETWORKS: Readonly<Record<string, Network>> = {
  mainnet: "bc",
  bitcoin: "bc",
  testnet: "tb",
  testnet4: "tb",
  signet: "tbs",
  mutinynet: "tbs",
  regtest: "bcrt",
};

/** Without these nothing can be sold. */
export const NEEDED_METHODS = [
  "get_info",
  "make_invoice",
  "lookup_invoice",
  "list_transactions",
  "get_balance",
] as const;

/**
 * Answers are encrypted in one piece of at most 64 kB, and a wallet says nothing when one is longer. Alby Hub keeps up to 4 kB beside a
 * payment, and whoever pays without an invoice (keysend) chooses them.
 */
const PAGE = 10;
/** 10,000 payments in one look back; a wallet with more needs a shorter one. */
const MAX_PAGES = 1_000;

export interface WalletFacts {
  readonly network: Network;
  readonly alias: string;
  readonly methods: readonly string[];
  /** LNbits: it has `pay_invoice`, but cannot pay an invoice without an amount, which every refund is. */
  readonly isLnbits: boolean;
}

export class Wallet {
  readonly world: World;
  readonly client: NwcClient;
  #network: Network | null = null;

  constructor(world: World, client: NwcClient) {
    this.world = world;
    this.client = client;
  }

  /** Asks. @throws NodeUnavailable, also when the wallet lacks what a shop needs. */
  async facts(): Promise<WalletFacts> {
    const method = "get_info";
    const {
      network: name,
      alias,
      methods,
      pubkey,
      block_height: height,
      block_hash: hash,
    } = await this.client.demand(method);
    const network = wordOf(NETWORKS, name);
    if (!network) throw new NodeUnavailable(`${method}: unsupported network`);
    if (!Array.isArray(methods)) throw malformed(method);
    const known = (methods as unknown[]).filter((word) => typeof word === "string");
    const missing = NEEDED_METHODS.filter((word) => word !== method && !known.includes(word));
    if (missing.length > 0) throw new NodeUnavailable(`the wallet does not offer ${missing.join(", ")}`);
    this.#network = network;
    const title = typeof alias === "string" ? alias.slice(0, 100) : "";
    // Its owner may give it any title, but it knows of no node and no chain behind it.
    const isLnbits = /lnbits/i.test(title) || (!pubkey && height === 0 && hash === "");
    return { network, alias: title, methods: known, isLnbits };
  }

  /** A wallet never changes its network. @throws NodeUnavailable */
  async network(): Promise<Network> {
    return this.#network ?? (await this.facts()).network;
  }

  /** The payment of a hash, or null when the wallet says that there is none. @throws NodeUnavailable */
  async lookup(hash: PaymentHash): Promise<Transaction | null> {
    const method = "lookup_invoice";
    const network = await this.network();
    const answer = await unlessLost(method, () => this.client.ask(method, { payment_hash: hash }));
    if (!answer.ok) {
      if (answer.code === "NOT_FOUND") return null;
      throw refused(method, answer.code);
    }
    const transaction = readTransaction(answer.result, network);
    if (transaction?.paymentHash !== hash) throw malformed(method);
    return transaction;
  }

  /** Payments, page by page. @throws NodeUnavailable, also when there are too many. */
  async *list(params: Json): AsyncGenerator<Transaction> {
    const method = "list_transactions";
    const network = await this.network();
    const seen = new Set<string>();
    let offset = 0;
    for (let page = 0; page < MAX_PAGES; page++) {
      const { transactions } = await this.client.demand(method, { ...params, limit: PAGE, offset });
      if (!Array.isArray(transactions)) throw malformed(method);
      // A wallet may give shorter pages than it was asked for: only an empty one is surely the last.
      if (transactions.length === 0) return;
      const before = seen.size;
      for (const entry of transactions as unknown[]) {
        if (!isObject(entry)) throw malformed(method);
        const { type, payment_hash: hash, created_at: createdAt } = entry;
        seen.add(`${type}:${hash}:${createdAt}`);
        // No Lightning payment: coinos lists what went on chain, or never left it, under a name of its own.
        if (typeof hash === "string" && !/^[0-9a-f]{64}$/i.test(hash)) continue;
        const transaction = readTransaction(entry, network);
        if (!transaction) throw malformed(method);
        yield transaction;
      }
      if (seen.size === before) throw new NodeUnavailable(`${method}: the same page again`);
      offset += transactions.length;
    }
    throw new NodeUnavailable(`${method}: more than ${MAX_PAGES * PAGE} payments`);
  }
}
