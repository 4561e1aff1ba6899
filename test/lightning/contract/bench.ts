/**
 * One adapter and the sandbox's node that speaks its protocol, over real sockets, with a clock that can be moved and faults
 * that can be planned by what a call is for. Every adapter passes the same tests on it.
 */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { type Sats, sats } from "../../../actors/order/money.ts";
import { feeCapOf } from "../../../actors/order/policy.ts";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { MemoryOutbox } from "../../../src/lightning/outbox.ts";
import type { LightningNode, Payment } from "../../../src/lightning/port.ts";
import { checkRefundInvoice } from "../../../src/lightning/refund-invoice.ts";
import { SettlementFeed } from "../../../src/lightning/settlements.ts";
import { createNode, loopbackNode, type NodeKind } from "../../../src/node.ts";
import { brokenConnection } from "../../../src/sandbox/answers.ts";
import { ConnectionReset, Faults } from "../../../src/sandbox/faults.ts";
import { LightningPeer } from "../../../src/sandbox/lightning/peer.ts";
import type { Wallet } from "../../../src/sandbox/lightning/wallet.ts";
import { type SocketData, upgrade, websocket } from "../../../src/sandbox/sockets.ts";

/** What a call is for, whatever its name. */
export type Role = "create" | "lookup" | "list" | "follow" | "cancel" | "pay" | "track";

/** What differs between protocols. */
export interface Dialect {
  readonly kind: NodeKind;
  /** The call's name in the protocol; null where there is none. */
  readonly calls: Readonly<Record<Role, string | null>>;
  /** Faults that keep a call from the node, and how many of them one call meets (Bun repeats a GET). */
  readonly before: readonly string[];
  /** Faults that lose the answer after the node has acted. */
  readonly after: readonly string[];
  /** What the adapter says of failures that the network causes. */
  readonly reasons: Readonly<
    Record<"no_route" | "insufficient_balance" | "incorrect_details" | "invoice_expired", string>
  >;
  /** Whether a look-up repeats the reason of a failure. */
  readonly remembersReasons: boolean;
  /** Whether the settlement of an invoice that was paid is told again after a restart from a cursor before it. */
  readonly replays: boolean;
  /** Longest page of its lists; default 100. */
  readonly page?: number;
  /** How the node tells without a payment that it would not pay; default: as it would on paying. */
  readonly receiveOnly?: { readonly call: string; readonly fault: string };
  /** Those of `before` that say for sure that nothing was paid; default: none but "unauthorized". */
  readonly refusals?: readonly string[];
  /** Further faults of paying that the adapter must bear. */
  readonly payFaults?: readonly string[];
  /** How long a payment that never reached the node may still reach it, in seconds; default 0. */
  readonly mayComeLate?: number;
}

export interface Taken {
  readonly hash: string;
  readonly receivedMsats: number;
}

export class Bench {
  readonly dialect: Dialect;
  readonly world = new RealWorld();
  readonly faults = new Faults();
  readonly node: LightningNode;
  readonly feed: SettlementFeed;
  /** What the feed handed over. */
  readonly taken: Taken[] = [];
  cursor: string | null = null;
  readonly #peer: LightningPeer;
  readonly #server: Bun.Server<SocketData>;
  readonly #outbox = new MemoryOutbox();
  #keys = 0;

  constructor(dialect: Dialect) {
    this.dialect = dialect;
    const { world, faults } = this;
    this.#peer = new LightningPeer({ world, books: new Database(":memory:"), faults, kind: dialect.kind });
    this.#server = Bun.serve<SocketData>({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      websocket,
      fetch: async (request, server) => {
        try {
          const socket = this.#peer.socket(request);
          if (socket instanceof Response) return socket;
          if (socket) return upgrade(server, request, socket, () => new Response("no socket", { status: 400 }));
          return await this.#peer.fetch(request);
        } catch (error) {
          if (error instanceof ConnectionReset || request.signal.aborted) return brokenConnection();
          throw error;
        }
      },
    });
    this.node = this.client();
    this.feed = new SettlementFeed({
      world,
      node: this.node,
      loadCursor: () => this.cursor,
      onSettlement: async ({ paymentHash: hash, receivedMsats }) => {
        this.taken.push({ hash, receivedMsats });
      },
      saveCursor: async (cursor) => {
        this.cursor = cursor;
      },
      log: () => {},
    });
  }

  /** An adapter as after a restart: it knows what was stored, and nothing else. */
  client(): LightningNode {
    const address = loopbackNode(this.dialect.kind, `http://127.0.0.1:${this.#server.port}`);
    return createNode(this.world, address, this.#outbox);
  }

  async stop(): Promise<void> {
    await this.feed.stop();
    this.#peer.close();
    await this.#server.stop(true);
  }

  /** The customer's. */
  get wallet(): Wallet {
    return this.#peer.wallet;
  }

  /** The fault happens on the next calls of that role; on three of them when Bun might repeat one. */
  fault(role: Role, name: string, detail: Record<string, unknown> = {}, times = 1): void {
    const action = this.dialect.calls[role];
    if (action === null) throw new Error(`No call for "${role}"`);
    this.faults.plan({ peer: "node", action, fault: name, detail }, times);
  }

  /** Resolves when the planned faults have met their calls, and what the node then said has been read. */
  async struck(): Promise<void> {
    await until(() => this.faults.list().length === 0);
    await Bun.sleep(30);
  }

  /** Resolves when one of the planned faults has met a call: whoever asked waits for its answer now. */
  async met(): Promise<void> {
    const left = () => this.faults.list().reduce((sum, fault) => sum + fault.left, 0);
    const planned = left();
    await until(() => left() < planned);
  }

  /** Resolves when nothing is asked any more, or only what is not answered. */
  async quiet(): Promise<void> {
    await Bun.sleep(5);
    await this.world.drained(2_000);
  }

  forward(seconds: number): void {
    this.world.jump(this.world.now() + seconds * 1000);
  }

  invoice(amountSats = 1234, key = `order:${++this.#keys}`) {
    return this.node.createInvoice({
      key,
      amountSats: sats(amountSats),
      description: "One number",
      expirySeconds: 300,
    });
  }

  has(hash: string): () => boolean {
    return () => this.taken.some((event) => event.hash === hash);
  }

  /** A refund to an invoice of the customer's wallet, as the service would make it. */
  async refund(amountSats: Sats = sats(5_000), expirySeconds = 7200): Promise<Payment> {
    const { pubkey } = await this.node.info();
    const verdict = checkRefundInvoice({
      invoice: this.wallet.invoice({ expirySeconds }).invoice,
      network: "bcrt",
      now: this.world.now(),
      minLifeSeconds: 60,
      ownPubkey: pubkey,
    });
    if (!verdict.ok) throw new Error(verdict.message);
    return {
      bolt11: verdict.invoice,
      paymentHash: verdict.paymentHash,
      amountSats,
      maxFeeSats: feeCapOf(this.node.traits.feeCap, amountSats),
      timeoutSeconds: 60,
    };
  }

  refundsReceived() {
    return this.wallet.view().payments.filter(({ direction }) => direction === "in");
  }
}

/** Waits for what arrives by itself. The limit is for machines that are busy. */
export async function until(what: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!what() && performance.now() < deadline) await Bun.sleep(5);
  expect(what()).toBe(true);
}

export const sha256 = (hex: string): string => createHash("sha256").update(Buffer.from(hex, "hex")).digest("hex");
