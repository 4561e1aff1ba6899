/** A wallet behind a relay on a real socket that answers what a test tells it to, and remembers every request as it came. */
import { schnorr } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/curves/utils.js";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { Cipher, type Encryption } from "../../../src/lightning/nwc/cipher.ts";
import type { NwcConnection } from "../../../src/lightning/nwc/uri.ts";
import { createNwc } from "../../../src/lightning/nwc.ts";
import { MemoryOutbox, type Outbox } from "../../../src/lightning/outbox.ts";
import type { LightningNode } from "../../../src/lightning/port.ts";
import { publicKeyOf, sign } from "../../../src/nostr/event.ts";
import { Faults } from "../../../src/sandbox/faults.ts";
import { RelayPeer } from "../../../src/sandbox/relay.ts";
import type { NostrEvent } from "../../../src/sandbox/relay-messages.ts";
import { type Conversation, type SocketData, upgrade, websocket } from "../../../src/sandbox/sockets.ts";

const WALLET_KEY = new Uint8Array(32).fill(0x21);
const CLIENT_KEY = new Uint8Array(32).fill(0x43);

export type Json = Readonly<Record<string, unknown>>;
/** Undefined says nothing at all. */
type Script = (params: Json, times: number) => Json | { error: { code: string; message: string } } | undefined;

export interface Asked {
  readonly event: NostrEvent;
  readonly method: string;
  readonly params: Json;
}

export interface Announced {
  /** Content of the info event's tag; null leaves it out. */
  readonly encryption?: string | null;
  readonly notifications?: boolean;
}

export const INFO: Json = {
  alias: "scripted",
  pubkey: `02${"5".repeat(64)}`,
  network: "regtest",
  block_height: 9,
  block_hash: "9".repeat(64),
  methods: ["get_info", "get_balance", "make_invoice", "lookup_invoice", "list_transactions", "pay_invoice"],
};

export class ScriptedWallet {
  readonly world = new RealWorld();
  /** Every request that reached the wallet, also twice the same. */
  readonly asked: Asked[] = [];
  readonly #relay: RelayPeer;
  readonly #server: Bun.Server<SocketData>;
  readonly #toRelay: Conversation;
  readonly #cipher: Cipher;
  readonly #scripts = new Map<string, Script>([["get_info", () => INFO]]);
  readonly #encryption: Encryption;

  constructor({ encryption = "nip44_v2 nip04", notifications = true }: Announced = {}) {
    const { world } = this;
    this.#encryption = encryption?.includes("nip44_v2") ? "nip44_v2" : "nip04";
    this.#cipher = new Cipher(world, WALLET_KEY, publicKeyOf(CLIENT_KEY));
    this.#relay = new RelayPeer({ world, faults: new Faults() });
    this.#server = Bun.serve<SocketData>({
      port: 0,
      hostname: "127.0.0.1",
      websocket,
      fetch: (request, server) => upgrade(server, request, this.#relay.accept, () => this.#relay.about()),
    });
    this.#toRelay = this.#relay.accept({ send: (text) => this.#hear(text), cut: () => {} });
    this.#toRelay.message(JSON.stringify(["REQ", "w", { kinds: [23194], "#p": [publicKeyOf(WALLET_KEY)] }]));
    this.publish(13194, "pay_invoice", [
      ...(encryption === null ? [] : [["encryption", encryption]]),
      ...(notifications ? [["notifications", "payment_received"]] : []),
    ]);
  }

  get connection(): NwcConnection {
    const wallet = bytesToHex(schnorr.getPublicKey(WALLET_KEY));
    return { wallet, relays: [`ws://127.0.0.1:${this.#server.port}/`], secretKey: CLIENT_KEY };
  }

  /** A client of its own, as after a restart; what it must remember is in the outbox. */
  client(outbox: Outbox = new MemoryOutbox()): LightningNode {
    return createNwc({ world: this.world, connection: this.connection, outbox });
  }

  on(method: string, script: Script): this {
    this.#scripts.set(method, script);
    return this;
  }

  requests(method: string): Asked[] {
    return this.asked.filter((one) => one.method === method);
  }

  forward(seconds: number): void {
    this.world.jump(this.world.now() + seconds * 1000);
  }

  /** Signed by `key`, which need not be the wallet's. */
  publish(kind: number, content: string, tags: string[][], key: Uint8Array = WALLET_KEY): void {
    const created_at = Math.floor(this.world.now() / 1000);
    this.#toRelay.message(JSON.stringify(["EVENT", sign(this.world, { kind, created_at, tags, content }, key)]));
  }

  notify(payment: Json): void {
    const text = JSON.stringify({ notification_type: "payment_received", notification: payment });
    const kind = this.#encryption === "nip44_v2" ? 23197 : 23196;
    this.publish(kind, this.#cipher.encrypt(this.#encryption, text), [["p", publicKeyOf(CLIENT_KEY)]]);
  }

  /** Answers a request, whoever signs. */
  answer({ event, method }: Asked, body: Json, key: Uint8Array = WALLET_KEY): void {
    const text = JSON.stringify(
      "error" in body ? { result_type: method, ...body } : { result_type: method, result: body },
    );
    const tags = [
      ["p", event.pubkey],
      ["e", event.id],
    ];
    this.publish(23195, this.#cipher.encrypt(this.#encryption, text), tags, key);
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  #hear(text: string): void {
    const [type, , event] = JSON.parse(text) as [string, unknown, NostrEvent];
    if (type !== "EVENT") return;
    const { method, params } = JSON.parse(this.#cipher.decrypt(event.content) ?? "{}") as Omit<Asked, "event">;
    const asked = { event, method, params };
    this.asked.push(asked);
    const body = this.#scripts.get(method)?.(params, this.requests(method).length);
    if (body) this.world.soon(() => this.answer(asked, body));
  }
}
