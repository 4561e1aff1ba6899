/**
 * The merchant's node as a wallet behind Nostr Wallet Connect (NIP-47), with a relay of its own at `/nwc`. Like Alby Hub it
 * drops a request that it has had before, without a word.
 */
import { schnorr } from "@noble/curves/secp256k1.js";
import { bytesToHex } from "@noble/curves/utils.js";
import { decrypt as decrypt04, encrypt as encrypt04 } from "nostr-tools/nip04";
import { decrypt as decrypt44, encrypt as encrypt44, getConversationKey } from "nostr-tools/nip44";
import { type EventTemplate, finalizeEvent, type NostrEvent } from "nostr-tools/pure";
import type { Fault } from "../../faults.ts";
import { RelayPeer } from "../../relay.ts";
import type { Accept, Conversation } from "../../sockets.ts";
import type { InvoiceRow } from "../books.ts";
import type { Network, NodeServer } from "../network.ts";
import { nwcFaults } from "./faults.ts";
import { METHODS, NwcError, type Params, walletMethods } from "./methods.ts";

/** No secret: everybody on this machine may be the wallet of the sandbox. */
export const WALLET_KEY = new Uint8Array(32).fill(0x4e);

const [INFO, REQUEST, RESPONSE, NOTIFICATION, NOTIFICATION_04] = [13194, 23194, 23195, 23197, 23196];
const NOTIFIES = /"kind":2319[67]/;
const MAX_REMEMBERED = 10_000;
const DEFAULT_LATE_SECONDS = 120;

export interface NwcProfile {
  /** What the info event says it understands; null leaves the tag out, as wallets of NIP-04 do. */
  readonly encryption: string | null;
  readonly notifications: boolean;
  readonly states: boolean;
}

export const ALBY_HUB: NwcProfile = { encryption: "nip44_v2 nip04", notifications: true, states: true };

export class NwcServer implements NodeServer {
  readonly #network: Network;
  readonly #profile: NwcProfile;
  readonly #relay: RelayPeer;
  readonly #toRelay: Conversation;
  readonly #methods: ReturnType<typeof walletMethods>;
  readonly #seen = new Set<string>();
  /** Whoever asked last, and how: notifications go there. */
  #client: { readonly pubkey: string; readonly modern: boolean } | null = null;

  constructor(network: Network, profile: NwcProfile = ALBY_HUB) {
    this.#network = network;
    this.#profile = profile;
    this.#relay = new RelayPeer({ world: network.world, faults: network.faults });
    this.#methods = walletMethods(network, profile);
    this.#toRelay = this.#relay.accept({ send: (text) => this.#hear(text), cut: () => {} });
    this.#say("REQ", "wallet", { kinds: [REQUEST], "#p": [bytesToHex(schnorr.getPublicKey(WALLET_KEY))] });
    const { encryption, notifications } = profile;
    this.#publish({
      kind: INFO ?? 0,
      tags: [
        ...(encryption === null ? [] : [["encryption", encryption]]),
        ...(notifications ? [["notifications", "payment_received payment_sent"]] : []),
      ],
      content: [...METHODS, ...(notifications ? ["notifications"] : [])].join(" "),
    });
    network.invoices.listen((row) => this.#tell(row));
  }

  serves(): boolean {
    return false;
  }

  async fetch(): Promise<Response> {
    return new Response("Only a relay lives here", { status: 404 });
  }

  socket(request: Request): Accept | null {
    return new URL(request.url).pathname === "/nwc" ? this.#accept : null;
  }

  /** A subscription that a fault makes silent hears no notification until its connection is over. */
  readonly #accept: Accept = (socket) => {
    let isSilent = false;
    const { message, ended } = this.#relay.accept({
      send: (text) => {
        if (!isSilent || !NOTIFIES.test(text)) socket.send(text);
      },
      cut: () => socket.cut(),
    });
    return {
      message: (text) => {
        const subscribes = text.startsWith('["REQ"') && text.includes(String(NOTIFICATION));
        if (subscribes) isSilent = this.#network.faults.take("node", "notification")?.fault === "silent_stream";
        message(text);
      },
      ended,
    };
  };

  #hear(text: string): void {
    const [type, , event] = JSON.parse(text) as [string, unknown, NostrEvent];
    if (type !== "EVENT" || this.#seen.has(event.id)) return;
    this.#seen.add(event.id);
    const [oldest] = this.#seen;
    if (this.#seen.size > MAX_REMEMBERED && oldest !== undefined) this.#seen.delete(oldest);
    // In a turn of its own, as it would be behind a relay on another machine.
    this.#network.world.soon(() => void this.#serve(event));
  }

  async #serve(event: NostrEvent): Promise<void> {
    const tag = event.tags.find(([name]) => name === "encryption")?.[1] ?? "nip04";
    const modern = tag === "nip44_v2";
    if (modern && !this.#profile.encryption?.includes("nip44_v2")) {
      return this.#answer(event, "nip44_v2", { error: { code: "UNSUPPORTED_ENCRYPTION", message: "no" } });
    }
    const { method, params } = JSON.parse(open(event, modern)) as { method: string; params: Params };
    this.#client = { pubkey: event.pubkey, modern };
    const known = METHODS.find((word) => word === method);
    const fault = known ? this.#network.faults.take("node", known) : null;
    if (fault?.fault === "hang") return;
    if (fault?.fault === "late") await this.#later(fault.detail.afterSeconds);
    const answer = await this.#run(known ?? null, params, fault);
    if (fault?.fault === "hang_after") return;
    const body = fault?.fault === "empty" ? { result_type: method } : { result_type: method, ...answer };
    this.#answer(event, tag, body, fault?.fault === "garbled");
  }

  #later(seconds: unknown): Promise<void> {
    const { world } = this.#network;
    const waitMs = (typeof seconds === "number" && seconds > 0 ? seconds : DEFAULT_LATE_SECONDS) * 1000;
    return new Promise((resolve) => void world.at(world.now() + waitMs, resolve));
  }

  async #run(method: (typeof METHODS)[number] | null, params: Params, fault: Fault | null): Promise<object> {
    const refuse = (code: string, message: string) => ({ error: { code, message }, result: null });
    if (method === null) return refuse("NOT_IMPLEMENTED", "Unknown method");
    switch (fault?.fault) {
      case "unauthorized":
        return refuse("UNAUTHORIZED", "This public key has no wallet connected.");
      case "internal_error":
        return refuse("INTERNAL", "database is locked");
      case "rate_limited":
        return refuse("RATE_LIMITED", "Too many requests");
    }
    if (fault && !nwcFaults(method).includes(fault.fault)) {
      return refuse("OTHER", `fault "${fault.fault}" does not apply to "${method}"`);
    }
    try {
      return { error: null, result: await this.#methods[method](params, fault, new AbortController().signal) };
    } catch (error) {
      if (error instanceof NwcError) return refuse(error.code, error.message);
      throw error;
    }
  }

  #answer(request: NostrEvent, encryption: string, body: object, garbled = false): void {
    const content = seal(body, request.pubkey, encryption === "nip44_v2");
    this.#publish({
      kind: RESPONSE ?? 0,
      tags: [
        ["p", request.pubkey],
        ["e", request.id],
      ],
      content: garbled ? content.slice(0, content.length >> 1) : content,
    });
  }

  #tell(row: InvoiceRow): void {
    const client = this.#client;
    if (row.state !== "SETTLED" || !client || !this.#profile.notifications) return;
    const notification = this.#methods.lookup_invoice({ payment_hash: row.hash }, null, new AbortController().signal);
    this.#publish({
      kind: (client.modern ? NOTIFICATION : NOTIFICATION_04) ?? 0,
      tags: [["p", client.pubkey]],
      content: seal({ notification_type: "payment_received", notification }, client.pubkey, client.modern),
    });
  }

  #publish(template: Omit<EventTemplate, "created_at">): void {
    const created_at = Math.floor(this.#network.world.now() / 1000);
    this.#say("EVENT", finalizeEvent({ ...template, created_at }, WALLET_KEY));
  }

  #say(...frame: readonly unknown[]): void {
    this.#toRelay.message(JSON.stringify(frame));
  }
}

function open(event: NostrEvent, modern: boolean): string {
  return modern
    ? decrypt44(event.content, getConversationKey(WALLET_KEY, event.pubkey))
    : decrypt04(WALLET_KEY, event.pubkey, event.content);
}

function seal(body: object, to: string, modern: boolean): string {
  const text = JSON.stringify(body);
  return modern ? encrypt44(text, getConversationKey(WALLET_KEY, to)) : encrypt04(WALLET_KEY, to, text);
}
