/**
 * A Lightning network of two real nodes (LDK, as WebAssembly) in this process: the merchant's and a customer's, with one funded channel
 * between them. Messages, commitments, HTLCs and invoices are LDK's; only the blockchain and the sockets are played.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as ldk from "lightningdevkit";

/** What a node tells of the payments it takes part in. Hashes and preimages in lower-case hex. */
export interface Listener {
  received?(hash: string, msat: number): void;
  sent?(hash: string, preimage: string, feeMsat: number): void;
  failed?(hash: string): void;
}

export type Sent = "sent" | "duplicate" | "no_route" | "expired" | "unreadable";

const CHANNEL_SATS = 2_000_000n;
const PUSHED_MSATS = 800_000_000n;
const CONFIRMATIONS = 6;
/** Rounds of message exchange after which two nodes surely have nothing left to say about one payment. */
const ROUNDS = 60;
const QUIET_ROUNDS = 12;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const sha256d = (data: Uint8Array): Buffer =>
  createHash("sha256").update(createHash("sha256").update(data).digest()).digest();

/** The bindings' module is the same for all tests of a process. */
const wasm = new URL(import.meta.resolve("lightningdevkit/liblightningjs.wasm")).pathname;
await ldk.initializeWasmFromBinary(readFileSync(wasm));

/** LDK hands out what it could not do as a value of its own; here that is a broken test. */
function unwrap<T>(result: { is_ok(): boolean }, what: string): T {
  if (!result.is_ok()) throw new Error(`LDK: ${what} failed`);
  return (result as unknown as { res: T }).res;
}

interface NetworkHooks {
  /** Lets both nodes talk. */
  pump(): void;
  /** A node's clock is that of its last block. */
  catchUp(): void;
}

export class LdkNode {
  readonly #parts: ReturnType<typeof assemble>;
  readonly #network: NetworkHooks;
  /** Payments to these hashes are held: neither claimed nor failed until somebody says so. */
  readonly #held = new Map<string, Uint8Array>();
  /** Holds every payment that comes from now on. */
  holding = false;
  listener: Listener = {};

  constructor(seed: number, now: number, network: NetworkHooks) {
    this.#parts = assemble(seed, now);
    this.#network = network;
  }

  get parts() {
    return this.#parts;
  }

  /** Compressed public key. */
  get id(): string {
    return hex(this.#parts.channels.get_our_node_id());
  }

  /** What the channel could send and receive now. */
  balance(): { readonly outMsat: number; readonly inMsat: number } {
    const [channel] = this.#parts.channels.list_usable_channels();
    if (!channel) throw new Error("LDK: no usable channel");
    return {
      outMsat: Number(channel.get_outbound_capacity_msat()),
      inMsat: Number(channel.get_inbound_capacity_msat()),
    };
  }

  /** A BOLT 11 invoice of this node, without amount for null. */
  invoice(msat: number | null, description: string, expirySeconds: number): { bolt11: string; hash: string } {
    this.#network.catchUp();
    const amount = msat === null ? ldk.Option_u64Z.constructor_none() : ldk.Option_u64Z.constructor_some(BigInt(msat));
    const made = ldk.UtilMethods.constructor_create_invoice_from_channelmanager(
      this.#parts.channels,
      amount,
      description,
      expirySeconds,
      ldk.Option_u16Z.constructor_none(),
    );
    const invoice = unwrap<ldk.Bolt11Invoice>(made, "invoice");
    return { bolt11: invoice.to_str(), hash: hex(invoice.payment_hash()) };
  }

  /** Pays; `msat` is for invoices without an amount. What becomes of it is told to the listener. */
  pay(bolt11: string, msat?: number): Sent {
    const parsed = ldk.Bolt11Invoice.constructor_from_str(bolt11);
    if (!parsed.is_ok()) return "unreadable";
    const invoice = unwrap<ldk.Bolt11Invoice>(parsed, "invoice");
    const hash = invoice.payment_hash();
    const parameters =
      msat === undefined
        ? ldk.UtilMethods.constructor_payment_parameters_from_invoice(invoice)
        : ldk.UtilMethods.constructor_payment_parameters_from_variable_amount_invoice(invoice, BigInt(msat));
    if (!parameters.is_ok()) return "unreadable";
    const triple = unwrap<{
      get_b(): ldk.RecipientOnionFields;
      get_c(): ldk.RouteParameters;
    }>(parameters, "payment parameters");
    const result = this.#parts.channels.send_payment(
      hash,
      triple.get_b(),
      hash,
      triple.get_c(),
      ldk.Retry.constructor_attempts(1),
    );
    this.#network.pump();
    if (result.is_ok()) return "sent";
    switch ((result as ldk.Result_NoneRetryableSendFailureZ_Err).err) {
      case ldk.RetryableSendFailure.LDKRetryableSendFailure_DuplicatePayment:
        return "duplicate";
      case ldk.RetryableSendFailure.LDKRetryableSendFailure_PaymentExpired:
        return "expired";
      default:
        return "no_route";
    }
  }

  /** Whether a payment of this hash came and is being held. */
  holds(hash: string): boolean {
    return this.#held.has(hash);
  }

  /** Ends a payment that is held: takes it, or sends it back. */
  release(hash: string, how: "claim" | "fail"): void {
    const preimage = this.#held.get(hash);
    if (!preimage) throw new Error("Nothing is held for this hash");
    this.#held.delete(hash);
    if (how === "claim") this.#parts.channels.claim_funds(preimage);
    else this.#parts.channels.fail_htlc_backwards(bytes(hash));
    this.#network.pump();
  }

  handle(event: ldk.Event): void {
    if (event instanceof ldk.Event_PaymentClaimable) {
      const { purpose } = event;
      if (!(purpose instanceof ldk.PaymentPurpose_Bolt11InvoicePayment)) return;
      const known = purpose.payment_preimage;
      if (!(known instanceof ldk.Option_ThirtyTwoBytesZ_Some)) return;
      if (this.holding) this.#held.set(hex(event.payment_hash), known.some);
      else this.#parts.channels.claim_funds(known.some);
    } else if (event instanceof ldk.Event_PaymentClaimed) {
      this.listener.received?.(hex(event.payment_hash), Number(event.amount_msat));
    } else if (event instanceof ldk.Event_PaymentSent) {
      const fee = event.fee_paid_msat;
      const feeMsat = fee instanceof ldk.Option_u64Z_Some ? Number(fee.some) : 0;
      this.listener.sent?.(hex(event.payment_hash), hex(event.payment_preimage), feeMsat);
    } else if (event instanceof ldk.Event_PaymentFailed) {
      const hash = event.payment_hash;
      if (hash instanceof ldk.Option_ThirtyTwoBytesZ_Some) this.listener.failed?.(hex(hash.some));
    }
  }
}

function assemble(seed: number, now: number) {
  const network = ldk.Network.LDKNetwork_Regtest;
  const fees = ldk.FeeEstimator.new_impl({ get_est_sat_per_1000_weight: () => 253 });
  const broadcaster = ldk.BroadcasterInterface.new_impl({ broadcast_transactions() {} });
  const logger = ldk.Logger.new_impl({ log() {} });
  const done = ldk.ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_Completed;
  const store = ldk.Persist.new_impl({
    persist_new_channel: () => done,
    update_persisted_channel: () => done,
    archive_persisted_channel() {},
  });
  const noFilter = ldk.Option_FilterZ.constructor_none();
  const monitor = ldk.ChainMonitor.constructor_new(noFilter, broadcaster, logger, fees, store);
  const keys = ldk.KeysManager.constructor_new(new Uint8Array(32).fill(seed), BigInt(now), seed);
  const graph = ldk.NetworkGraph.constructor_new(network, logger);
  const decay = ldk.ProbabilisticScoringDecayParameters.constructor_default();
  const scorer = ldk.MultiThreadedLockableScore.constructor_new(
    ldk.ProbabilisticScorer.constructor_new(decay, graph, logger).as_Score(),
  );
  const entropy = keys.as_EntropySource();
  const scoring = ldk.ProbabilisticScoringFeeParameters.constructor_default();
  const router = ldk.DefaultRouter.constructor_new(graph, logger, entropy, scorer.as_LockableScore(), scoring);
  const channels = ldk.ChannelManager.constructor_new(
    fees,
    monitor.as_Watch(),
    broadcaster,
    router.as_Router(),
    ldk.DefaultMessageRouter.constructor_new(graph, entropy).as_MessageRouter(),
    logger,
    entropy,
    keys.as_NodeSigner(),
    keys.as_SignerProvider(),
    userConfig(),
    ldk.ChainParameters.constructor_new(network, ldk.BestBlock.constructor_from_network(network)),
    now,
  );
  const ignoring = ldk.IgnoringMessageHandler.constructor_new();
  const peers = ldk.PeerManager.constructor_new(
    channels.as_ChannelMessageHandler(),
    ignoring.as_RoutingMessageHandler(),
    ignoring.as_OnionMessageHandler(),
    ignoring.as_CustomMessageHandler(),
    now,
    entropy.get_secure_random_bytes(),
    logger,
    keys.as_NodeSigner(),
  );
  return { channels, monitor, peers };
}

/** Refunds of a few hundred sats are dust to a commitment: several may be out at once. */
function userConfig(): ldk.UserConfig {
  const config = ldk.UserConfig.constructor_default();
  const channel = config.get_channel_config();
  channel.set_max_dust_htlc_exposure(ldk.MaxDustHTLCExposure.constructor_fixed_limit_msat(1_000_000_000n));
  config.set_channel_config(channel);
  return config;
}

export class LdkNetwork {
  readonly merchant: LdkNode;
  readonly customer: LdkNode;
  readonly #clock: () => number;
  #blockTime: number;
  /** Socket data on its way: queued, because LDK must not be re-entered. */
  readonly #wire: { readonly to: LdkNode; readonly data: Uint8Array }[] = [];
  readonly #sockets = new Map<LdkNode, ldk.SocketDescriptor>();
  readonly #funding: ldk.Event_FundingGenerationReady[] = [];
  #tip: { hash: Uint8Array; height: number };
  #pumping = false;

  /** Connects the nodes, opens, funds and confirms a channel. `clock` tells seconds since 1970. */
  constructor(clock: () => number) {
    this.#clock = clock;
    this.#blockTime = clock();
    this.merchant = new LdkNode(1, this.#blockTime, this);
    this.customer = new LdkNode(2, this.#blockTime, this);
    const best = this.merchant.parts.channels.current_best_block();
    this.#tip = { hash: best.get_block_hash(), height: best.get_height() };
    this.#connect();
    this.#openChannel();
  }

  /** Lets both nodes talk until nothing is left to be said. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        for (let message = this.#wire.shift(); message; message = this.#wire.shift()) {
          message.to.parts.peers.read_event(this.#socketOf(message.to), message.data);
        }
        for (const node of this.#nodes) node.parts.peers.process_events();
        for (const node of this.#nodes) {
          node.parts.channels.process_pending_htlc_forwards();
          this.#events(node);
        }
        if (this.#wire.length === 0 && round > QUIET_ROUNDS) return;
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** A block, when the clock has gone on by more than a minute since the last one. */
  catchUp(): void {
    if (this.#clock() - this.#blockTime < 60) return;
    this.#mine(null);
    this.pump();
  }

  get #nodes(): readonly LdkNode[] {
    return [this.merchant, this.customer];
  }

  #socketOf(node: LdkNode): ldk.SocketDescriptor {
    const socket = this.#sockets.get(node);
    if (!socket) throw new Error("The nodes are not connected");
    return socket;
  }

  #events(node: LdkNode): void {
    const handler = ldk.EventHandler.new_impl({
      handle_event: (event) => {
        if (event instanceof ldk.Event_FundingGenerationReady) this.#funding.push(event);
        else node.handle(event);
        return ldk.Result_NoneReplayEventZ.constructor_ok();
      },
    });
    node.parts.channels.as_EventsProvider().process_pending_events(handler);
    node.parts.monitor.as_EventsProvider().process_pending_events(handler);
  }

  #connect(): void {
    const socket = (to: LdkNode, id: bigint) =>
      ldk.SocketDescriptor.new_impl({
        send_data: (data: Uint8Array) => {
          this.#wire.push({ to, data: Uint8Array.from(data) });
          return data.length;
        },
        disconnect_socket() {},
        eq: (other: ldk.SocketDescriptor) => other.hash() === id,
        hash: () => id,
      });
    this.#sockets.set(this.merchant, socket(this.customer, 1n));
    this.#sockets.set(this.customer, socket(this.merchant, 2n));
    const nowhere = ldk.Option_SocketAddressZ.constructor_none();
    this.customer.parts.peers.new_inbound_connection(this.#socketOf(this.customer), nowhere);
    const hello = this.merchant.parts.peers.new_outbound_connection(
      this.customer.parts.channels.get_our_node_id(),
      this.#socketOf(this.merchant),
      nowhere,
    );
    this.#wire.push({ to: this.customer, data: unwrap<Uint8Array>(hello, "connect") });
    this.pump();
  }

  #openChannel(): void {
    const { channels } = this.merchant.parts;
    const peer = this.customer.parts.channels.get_our_node_id();
    const none = null as unknown as ldk.ChannelId & ldk.UserConfig;
    channels.create_channel(peer, CHANNEL_SATS, PUSHED_MSATS, 1n, none, none);
    this.pump();
    const [ready] = this.#funding;
    if (!ready) throw new Error("LDK: the channel was not accepted");
    const transaction = fundingTransaction(ready.output_script, ready.channel_value_satoshis);
    channels.funding_transaction_generated(ready.temporary_channel_id, ready.counterparty_node_id, transaction.raw);
    this.pump();
    this.#mine(transaction);
    for (let blocks = 0; blocks < CONFIRMATIONS; blocks++) this.#mine(null);
    this.pump();
  }

  /** One block at regtest's difficulty, on both nodes. */
  #mine(transaction: { readonly raw: Uint8Array; readonly id: Uint8Array } | null): void {
    const header = Buffer.alloc(80);
    header.writeUInt32LE(4, 0);
    Buffer.from(this.#tip.hash).copy(header, 4);
    if (transaction) Buffer.from(transaction.id).copy(header, 36);
    this.#blockTime = this.#clock();
    header.writeUInt32LE(this.#blockTime, 68);
    header.writeUInt32LE(0x207fffff, 72);
    let hash: Buffer;
    for (let nonce = 0; ; nonce++) {
      header.writeUInt32LE(nonce, 76);
      hash = sha256d(header);
      if (((hash[31] ?? 0) & 0x80) === 0) break;
    }
    this.#tip = { hash, height: this.#tip.height + 1 };
    for (const { parts } of this.#nodes) {
      for (const confirm of [parts.channels.as_Confirm(), parts.monitor.as_Confirm()]) {
        if (transaction) {
          const position = ldk.TwoTuple_usizeTransactionZ.constructor_new(1, transaction.raw);
          confirm.transactions_confirmed(header, [position], this.#tip.height);
        }
        confirm.best_block_updated(header, this.#tip.height);
      }
    }
  }
}

/** A segwit transaction with one made-up input and the channel's output. */
function fundingTransaction(script: Uint8Array, sats: bigint): { raw: Uint8Array; id: Uint8Array } {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(sats);
  const input = [Buffer.from([1]), Buffer.alloc(32, 7), Buffer.alloc(4), Buffer.from([0, 255, 255, 255, 255])];
  const core = [...input, Buffer.from([1]), value, Buffer.from([script.length]), Buffer.from(script)];
  const witness = Buffer.from([1, 1, 255]);
  const lockTime = Buffer.alloc(4);
  return {
    raw: new Uint8Array(Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 1]), ...core, witness, lockTime])),
    id: new Uint8Array(sha256d(Buffer.concat([Buffer.from([2, 0, 0, 0]), ...core, lockTime]))),
  };
}

/** LDK's verdict on an invoice: what it read, or null when it refuses it. */
export function judge(bolt11: string): {
  readonly hash: string;
  readonly payee: string;
  readonly msat: number | null;
  readonly issuedAt: number;
  readonly expirySeconds: number;
  readonly minFinalCltv: number;
} | null {
  const parsed = ldk.Bolt11Invoice.constructor_from_str(bolt11);
  if (!parsed.is_ok()) return null;
  const invoice = unwrap<ldk.Bolt11Invoice>(parsed, "invoice");
  const amount = invoice.amount_milli_satoshis();
  return {
    hash: hex(invoice.payment_hash()),
    payee: hex(invoice.get_payee_pub_key()),
    msat: amount instanceof ldk.Option_u64Z_Some ? Number(amount.some) : null,
    issuedAt: Number(invoice.duration_since_epoch()) * 1000,
    expirySeconds: Number(invoice.expiry_time()),
    minFinalCltv: Number(invoice.min_final_cltv_expiry_delta()),
  };
}
