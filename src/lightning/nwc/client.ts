/**
 * Requests to a wallet (NIP-47): which encryption it understands, sealing, and reading what it answers. What a lost answer
 * means is for the callers; a request that was sealed once can be published again as the same event.
 */
import type { Event, NostrEvent } from "nostr-tools/pure";
import type { World } from "../../../actors/runtime/world.ts";
import { seconds } from "../../nostr/event.ts";
import { fetchNewest } from "../../nostr/relay.ts";
import { AnswerLost } from "../../wire.ts";
import { isObject, type Json, parseObject, unlessLost } from "../answers.ts";
import { NodeUnavailable } from "../port.ts";
import { Cipher, type Encryption } from "./cipher.ts";
import { Link, REQUEST } from "./link.ts";
import type { NwcConnection } from "./uri.ts";

const INFO = 13194;
const INFO_MS = 10_000;
const REQUEST_MS = 20_000;

/** The message is for comparing only, never for logs. */
export type NwcAnswer =
  | { readonly ok: true; readonly result: Json }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** A request as it goes out, sealed. */
export interface Sealed {
  readonly method: string;
  readonly event: NostrEvent;
}

/** What a wallet announces of itself, before it is asked anything. */
export interface WalletInfo {
  readonly encryption: Encryption;
  readonly notifications: readonly string[];
}

export class NwcClient {
  readonly #world: World;
  readonly #connection: NwcConnection;
  readonly #cipher: Cipher;
  readonly link: Link;
  #info: WalletInfo | null = null;

  constructor(world: World, connection: NwcConnection) {
    this.#world = world;
    this.#connection = connection;
    this.#cipher = new Cipher(world, connection.secretKey, connection.wallet);
    this.link = new Link(world, connection);
  }

  /** The wallet and we: whoever answers under this name holds the wallet's key. */
  get identity(): string {
    return `nwc:${this.#connection.wallet}:${this.link.client}`;
  }

  /** @throws NodeUnavailable when no relay has the wallet's info event. */
  async info(): Promise<WalletInfo> {
    this.#info ??= await this.#fetchInfo();
    return this.#info;
  }

  /** Makes one request. @throws NodeUnavailable before anything is sent, AnswerLost when no answer came in time. */
  async ask(method: string, params: Json, timeoutMs = REQUEST_MS): Promise<NwcAnswer> {
    return this.send(await this.seal(method, params, timeoutMs), timeoutMs);
  }

  /**
   * Makes one request that must succeed.
   * @throws NodeUnavailable when it does not. The text names the method and the wallet's code and nothing it wrote.
   */
  async demand(method: string, params: Json = {}): Promise<Json> {
    const answer = await unlessLost(method, () => this.ask(method, params));
    if (answer.ok) return answer.result;
    throw refused(method, answer.code);
  }

  /** Encrypts and signs a request that no wallet should act on after `timeoutMs`. @throws NodeUnavailable */
  async seal(method: string, params: Json, timeoutMs: number): Promise<Sealed> {
    const { encryption } = await this.info();
    const now = seconds(this.#world);
    const event = this.link.sign({
      kind: REQUEST,
      created_at: now,
      tags: [
        ["p", this.#connection.wallet],
        // A wallet of NIP-04 may not know the tag, and its absence means NIP-04.
        ...(encryption === "nip04" ? [] : [["encryption", encryption]]),
        ["expiration", String(now + Math.ceil(timeoutMs / 1000))],
      ],
      content: this.#cipher.encrypt(encryption, JSON.stringify({ method, params })),
    });
    return { method, event };
  }

  /** Publishes a sealed request and waits. @throws AnswerLost */
  async send({ method, event }: Sealed, timeoutMs: number): Promise<NwcAnswer> {
    const answer = this.#open(await this.link.request(event, timeoutMs));
    if (!answer) throw new AnswerLost("network", { cause: new Error("The answer makes no sense") });
    const { error, result } = answer;
    if (isObject(error)) {
      const { code, message } = error;
      if (code === "UNSUPPORTED_ENCRYPTION") this.#info = null;
      return { ok: false, code: knownCode(code), message: typeof message === "string" ? message : "" };
    }
    if (answer.result_type !== method || !isObject(result)) {
      throw new AnswerLost("network", { cause: new Error("The answer is to another question") });
    }
    return { ok: true, result };
  }

  /** What a notification says, or null. */
  notification(event: Event): { readonly type: string; readonly payment: Json } | null {
    const { notification_type: type, notification: payment } = this.#open(event) ?? {};
    return typeof type === "string" && isObject(payment) ? { type, payment } : null;
  }

  #open(event: Event): Json | null {
    const text = this.#cipher.decrypt(event.content);
    return text === null ? null : parseObject(text);
  }

  async #fetchInfo(): Promise<WalletInfo> {
    const { wallet, relays } = this.#connection;
    const unaborted = new AbortController().signal;
    const answers = await Promise.all(
      relays.map((url) =>
        fetchNewest(
          {
            world: this.#world,
            url,
            timeoutMs: INFO_MS,
            signal: unaborted,
            sign: (template) => this.link.sign({ ...template, created_at: seconds(this.#world) }),
          },
          { kinds: [INFO], authors: [wallet], limit: 1 },
        ),
      ),
    );
    const found = answers.flatMap((answer) => (answer.kind === "found" && answer.event ? [answer.event] : []));
    const [newest] = found.sort((a, b) => b.created_at - a.created_at);
    if (newest) return readInfo(newest);
    const reached = answers.some(({ kind }) => kind === "found");
    throw new NodeUnavailable(reached ? "the relays know nothing of the wallet" : "no relay can be reached");
  }
}

export function refused(method: string, code: string): NodeUnavailable {
  return new NodeUnavailable(`${method}: ${code}`);
}

function readInfo(event: Event): WalletInfo {
  const words = (name: string): string[] =>
    (event.tags.find(([tag]) => tag === name)?.[1] ?? "").split(/\s+/).filter((word) => word !== "");
  // NIP-47: without the tag, the wallet understands NIP-04 only; with it, the better one must be used.
  const encryption = words("encryption").includes("nip44_v2") ? "nip44_v2" : "nip04";
  return { encryption, notifications: words("notifications") };
}

/** Codes are words; what else a wallet puts there is not repeated. */
function knownCode(code: unknown): string {
  return typeof code === "string" && /^[A-Z_]{1,40}$/.test(code) ? code : "OTHER";
}
