/**
 * Notices over Nostr: a gift-wrapped private message to the relays that the recipient named for such (NIP-17, kind
 * 10050), and to no others. It says that a code came for an order and nothing more, because relays may keep events for
 * ever: the code itself is fetched with the order's credential.
 *
 * A bounded queue, one notice at a time, every attempt limited in time. A notice that failed goes to the end of the
 * line, so that a recipient with dead relays does not hold up the others. Sealing and wrapping cost some 6 ms of CPU
 * each and run in turns of the event loop of their own.
 */
import type { EventTemplate, NostrEvent } from "nostr-tools/pure";
import { type Millis, sleep, type World } from "../../actors/runtime/world.ts";
import { seconds, sign } from "../nostr/event.ts";
import { type Conversation, fetchNewest, publish } from "../nostr/relay.ts";
import { configuredRelayUrl, publicRelayUrl } from "../nostr/relay-url.ts";
import { isLoopback, isPublicAddress, type Resolve, systemResolve } from "../public-host.ts";
import { seal, wrap } from "./gift-wrap.ts";
import { parseNpub } from "./keys.ts";
import type { NoticeOutcome, Notifier } from "./port.ts";

export interface NostrOptions {
  /** The service's own key: notices come from it, and it answers NIP-42 challenges. */
  readonly secretKey: Uint8Array;
  /** Relays where recipients' relay lists are looked up; `ws://` or `wss://`. */
  readonly discoveryRelays: readonly string[];
  /** Also deliver to relays on this host: for the sandbox only. */
  readonly allowLoopback?: boolean;
  /** Told the end of each notice, for logs and metrics. */
  readonly observe?: (outcome: NoticeOutcome, orderId: string) => void;
  readonly limits?: Partial<NostrLimits>;
  /** Addresses of a host name. Default: the system's resolver. */
  readonly resolve?: Resolve;
}

export interface NostrLimits {
  /** Notices that may wait; beyond it the oldest is dropped. */
  readonly queue: number;
  /** From queueing to giving up, retries included, ms. */
  readonly noticeMs: number;
  /** One conversation with one relay, ms. */
  readonly relayMs: number;
  /** Waits between attempts, ms; one attempt more than there are waits. */
  readonly retryMs: readonly number[];
  /** Life of the event on the relays (NIP-40), seconds. */
  readonly ttlSeconds: number;
}

const DEFAULT_LIMITS: NostrLimits = {
  queue: 200,
  noticeMs: 5 * 60_000,
  relayMs: 5_000,
  retryMs: [2_000, 20_000],
  ttlSeconds: 24 * 60 * 60,
};
const RELAY_LIST = 10050;
/** NIP-17 asks clients to list one to three; a list of hundreds would make us an amplifier. */
const MAX_RELAYS = 4;
const MAX_TAGS = 100;

interface Notice {
  readonly orderId: string;
  readonly to: string;
  readonly deadline: Millis;
  attempts: number;
  /** Built once, so that a retry is the same event and no relay shows it twice. */
  event: NostrEvent | null;
}

type RelayList = { readonly kind: "relays"; readonly urls: readonly string[] } | { readonly kind: "unreachable" };

export class NostrNotifier implements Notifier {
  readonly #world: World;
  readonly #options: NostrOptions;
  readonly #limits: NostrLimits;
  readonly #discovery: readonly string[];
  readonly #stopping = new AbortController();
  /** Oldest first. */
  readonly #ready: Notice[] = [];
  /** Waiting for their next attempt, with the timer that ends the wait. */
  readonly #resting = new Map<Notice, () => void>();
  #current: Promise<void> | null = null;

  /** @throws RangeError when no discovery relay is given or one is no relay URL. */
  constructor(world: World, options: NostrOptions) {
    this.#world = world;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#discovery = options.discoveryRelays.map((text) => {
      const url = configuredRelayUrl(text);
      if (url === null) throw new RangeError("Not a relay URL among the discovery relays");
      return url;
    });
    if (this.#discovery.length === 0) throw new RangeError("Notices need at least one discovery relay");
  }

  codeReceived(orderId: string, npub: string): void {
    const to = parseNpub(npub);
    if (to === null) return this.#report("bad_recipient", orderId);
    if (this.#stopping.signal.aborted) return this.#report("dropped", orderId);
    this.#ready.push({ orderId, to, deadline: this.#world.now() + this.#limits.noticeMs, attempts: 0, event: null });
    this.#dropExcess();
    this.#next();
  }

  pending(): number {
    return this.#ready.length + this.#resting.size + (this.#current ? 1 : 0);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const [notice, wake] of this.#resting) {
      wake();
      this.#report("dropped", notice.orderId);
    }
    this.#resting.clear();
    for (const notice of this.#ready.splice(0)) this.#report("dropped", notice.orderId);
    await this.#current;
  }

  /** Starts the next notice in a turn of its own, unless one is under way. */
  #next(): void {
    if (this.#current || this.#stopping.signal.aborted) return;
    const notice = this.#ready.shift();
    if (!notice) return;
    this.#current = this.#attempt(notice)
      // Nothing inside is expected to throw; if it does, it costs this notice and not the process.
      .catch((): NoticeOutcome => "failed")
      .then((outcome) => {
        this.#current = null;
        if (outcome) this.#report(outcome, notice.orderId);
        this.#next();
      });
  }

  /** One attempt; null when the notice waits for another. */
  async #attempt(notice: Notice): Promise<NoticeOutcome | null> {
    await this.#turn();
    if (this.#world.now() >= notice.deadline) return "expired";
    notice.attempts++;
    const list = await this.#relaysOf(notice.to);
    if (list.kind === "relays") {
      if (list.urls.length === 0) return "no_relays";
      const event = await this.#eventOf(notice);
      const outcomes = await Promise.all(list.urls.map((url) => publish(this.#conversation(url), event)));
      if (outcomes.includes("accepted")) return "sent";
    }
    if (this.#stopping.signal.aborted) return "dropped";
    return this.#rest(notice);
  }

  #rest(notice: Notice): NoticeOutcome | null {
    const wait = this.#limits.retryMs[notice.attempts - 1];
    if (wait === undefined) return "failed";
    const wakeAt = this.#world.now() + wait;
    if (wakeAt >= notice.deadline) return "expired";
    const cancel = this.#world.at(wakeAt, () => {
      this.#resting.delete(notice);
      this.#ready.push(notice);
      this.#next();
    });
    this.#resting.set(notice, cancel);
    this.#dropExcess();
    return null;
  }

  /** The relays the recipient reads private messages from, as far as we connect to them. */
  async #relaysOf(pubkey: string): Promise<RelayList> {
    const filter = { kinds: [RELAY_LIST], authors: [pubkey], limit: 1 };
    const answers = await Promise.all(this.#discovery.map((url) => fetchNewest(this.#conversation(url), filter)));
    const events = answers.flatMap((answer) => (answer.kind === "found" && answer.event ? [answer.event] : []));
    const newest = events.sort((a, b) => b.created_at - a.created_at)[0];
    if (newest) return this.#usable(newest.tags);
    // One that could not be asked may be the one that knows.
    return answers.every((answer) => answer.kind === "found") ? { kind: "relays", urls: [] } : { kind: "unreachable" };
  }

  async #usable(tags: readonly (readonly string[])[]): Promise<RelayList> {
    const rules = { allowLoopback: this.#options.allowLoopback ?? false };
    const named = tags
      .slice(0, MAX_TAGS)
      .filter(([name, value]) => name === "relay" && value !== undefined)
      .flatMap(([, value = ""]) => publicRelayUrl(value, rules) ?? []);
    const chosen = [...new Set(named)].slice(0, MAX_RELAYS);
    const places = await Promise.all(chosen.map((url) => this.#locate(url)));
    const urls = chosen.filter((_, index) => places[index] === "outside");
    return urls.length === 0 && places.includes("unresolved") ? { kind: "unreachable" } : { kind: "relays", urls };
  }

  /** Where the host's name leads; loopback gets this far only where it is allowed. */
  async #locate(url: string): Promise<"outside" | "inside" | "unresolved"> {
    const { hostname } = new URL(url);
    if (isLoopback(hostname)) return "outside";
    const limit = sleep(this.#world, this.#limits.relayMs, this.#stopping.signal).then(() => []);
    const resolved = (this.#options.resolve ?? systemResolve)(hostname);
    const addresses = await Promise.race([resolved, limit]).catch(() => []);
    if (addresses.length === 0) return "unresolved";
    return addresses.every(isPublicAddress) ? "outside" : "inside";
  }

  async #eventOf(notice: Notice): Promise<NostrEvent> {
    if (notice.event) return notice.event;
    const content = `Code received for order ${notice.orderId}`;
    await this.#turn();
    const sealed = seal(this.#world, { to: notice.to, subject: "Order", content }, this.#options.secretKey);
    await this.#turn();
    notice.event = wrap(this.#world, sealed, notice.to, this.#limits.ttlSeconds);
    return notice.event;
  }

  #conversation(url: string): Conversation {
    const { relayMs: timeoutMs } = this.#limits;
    const signEvent = (template: EventTemplate) =>
      sign(this.#world, { ...template, created_at: seconds(this.#world) }, this.#options.secretKey);
    return { world: this.#world, url, timeoutMs, signal: this.#stopping.signal, sign: signEvent };
  }

  /** Everybody else's turn first. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#world.soon(resolve));
  }

  #dropExcess(): void {
    while (this.#ready.length + this.#resting.size > this.#limits.queue) {
      const oldest = this.#ready.shift() ?? this.#resting.keys().next().value;
      if (!oldest) return;
      this.#resting.get(oldest)?.();
      this.#resting.delete(oldest);
      this.#report("dropped", oldest.orderId);
    }
  }

  #report(outcome: NoticeOutcome, orderId: string): void {
    try {
      this.#options.observe?.(outcome, orderId);
    } catch {
      // An observer's bug must not reach the order that asked for the notice.
    }
  }
}
