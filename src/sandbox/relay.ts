/**
 * A Nostr relay in memory: NIP-01 (EVENT, REQ, CLOSE), NIP-11 (who am I) and NIP-40 (expiration). Everyone may read and
 * write; what is published is gone with the process, as notices need no longer life.
 */
import { matchFilters } from "nostr-tools/filter";
import { isAddressableKind, isEphemeralKind, isReplaceableKind } from "nostr-tools/kinds";
import { verifyEvent } from "nostr-tools/pure";
import type { World } from "../../actors/runtime/world.ts";
import type { Faults } from "./faults.ts";
import { asEvent, asFilters, type NostrEvent, type NostrFilter } from "./relay-messages.ts";
import type { Accept, PeerSocket } from "./sockets.ts";

/** Actions of the peer "relay". */
export const RELAY_ACTIONS = ["publish"] as const;
/** Refused, never answered, or the connection closed without an answer. */
export const RELAY_FAULTS = ["reject", "silent", "disconnect"] as const;

/** One connection and its subscriptions by id. */
interface Client {
  readonly socket: PeerSocket;
  readonly subscriptions: Map<string, NostrFilter[]>;
}

const MAX_MESSAGE_BYTES = 64 * 1024;
const MAX_EVENTS = 1_000;
const MAX_SUBSCRIPTIONS = 20;
const DEFAULT_LIMIT = 500;

export class RelayPeer {
  readonly #world: World;
  readonly #faults: Faults;
  /** Oldest first, at most MAX_EVENTS. */
  readonly #events = new Map<string, NostrEvent>();
  readonly #clients = new Set<Client>();

  constructor(of: { world: World; faults: Faults }) {
    this.#world = of.world;
    this.#faults = of.faults;
  }

  readonly accept: Accept = (socket) => {
    const client: Client = { socket, subscriptions: new Map() };
    this.#clients.add(client);
    return {
      message: (text) => this.#hear(client, text),
      ended: () => void this.#clients.delete(client),
    };
  };

  /** NIP-11. */
  about(): Response {
    const body = {
      name: "sandbox relay",
      supported_nips: [1, 11, 40],
      limitation: { max_message_length: MAX_MESSAGE_BYTES, max_subscriptions: MAX_SUBSCRIPTIONS, auth_required: false },
    };
    return new Response(JSON.stringify(body), { headers: { "content-type": "application/nostr+json" } });
  }

  #hear(client: Client, message: string): void {
    const [verb, first, ...rest] = parseArray(message);
    if (verb === "EVENT") return this.#publish(client.socket, first);
    if (verb === "REQ" && isSubscriptionId(first)) return this.#subscribe(client, first, rest);
    if (verb === "CLOSE" && isSubscriptionId(first)) return void client.subscriptions.delete(first);
    say(client.socket, "NOTICE", "error: message makes no sense");
  }

  #publish(socket: PeerSocket, candidate: unknown): void {
    const event = asEvent(candidate);
    if (!event) return say(socket, "NOTICE", "invalid: not an event");
    const fault = this.#faults.take("relay", "publish")?.fault;
    if (fault === "silent") return;
    if (fault === "disconnect") return socket.cut();
    if (fault === "reject") return say(socket, "OK", event.id, false, "blocked: not on this relay");
    if (!verifyEvent({ ...event })) return say(socket, "OK", event.id, false, "invalid: bad id or signature");
    if (this.#isExpired(event)) return say(socket, "OK", event.id, false, "invalid: event is expired");
    if (this.#events.has(event.id)) return say(socket, "OK", event.id, true, "duplicate: already have this event");
    if (!this.#store(event)) return say(socket, "OK", event.id, true, "duplicate: have a newer event");
    say(socket, "OK", event.id, true, "");
    for (const client of this.#clients) {
      for (const [id, filters] of client.subscriptions) {
        if (matchFilters(filters, event)) say(client.socket, "EVENT", id, event);
      }
    }
  }

  #subscribe({ socket, subscriptions }: Client, id: string, candidates: unknown[]): void {
    const filters = asFilters(candidates);
    if (!filters) return say(socket, "CLOSED", id, "invalid: bad filter");
    if (!subscriptions.has(id) && subscriptions.size >= MAX_SUBSCRIPTIONS) {
      return say(socket, "CLOSED", id, "error: too many subscriptions");
    }
    subscriptions.set(id, filters);
    for (const event of this.#find(filters)) say(socket, "EVENT", id, event);
    say(socket, "EOSE", id);
  }

  /** Each filter has its own limit; newest first, at equal times the lower id first (NIP-01). */
  #find(filters: NostrFilter[]): Set<NostrEvent> {
    const sorted = [...this.#events.values()]
      .filter((event) => !this.#isExpired(event))
      .sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1));
    return new Set(
      filters.flatMap((filter) =>
        sorted.filter((event) => matchFilters([filter], event)).slice(0, filter.limit ?? DEFAULT_LIMIT),
      ),
    );
  }

  /** False when the relay has a newer version of what the event wants to replace. */
  #store(event: NostrEvent): boolean {
    if (isEphemeralKind(event.kind)) return true;
    const place = placeOf(event);
    const old = place === null ? undefined : [...this.#events.values()].find((other) => placeOf(other) === place);
    if (old && (old.created_at > event.created_at || (old.created_at === event.created_at && old.id < event.id))) {
      return false;
    }
    if (old) this.#events.delete(old.id);
    this.#events.set(event.id, event);
    const oldest = this.#events.keys().next().value;
    if (this.#events.size > MAX_EVENTS && oldest !== undefined) this.#events.delete(oldest);
    return true;
  }

  #isExpired(event: NostrEvent): boolean {
    const expiration = event.tags.find(([name]) => name === "expiration")?.[1];
    return expiration !== undefined && Number(expiration) * 1000 <= this.#world.now();
  }
}

/** Where a replaceable or addressable event lives, of which only the newest is kept; null for all others. */
function placeOf(event: NostrEvent): string | null {
  if (isReplaceableKind(event.kind)) return `${event.kind}:${event.pubkey}`;
  if (!isAddressableKind(event.kind)) return null;
  return `${event.kind}:${event.pubkey}:${event.tags.find(([name]) => name === "d")?.[1] ?? ""}`;
}

function isSubscriptionId(value: unknown): value is string {
  return typeof value === "string" && value.length >= 1 && value.length <= 64;
}

function parseArray(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function say(socket: PeerSocket, ...message: unknown[]): void {
  socket.send(JSON.stringify(message));
}
