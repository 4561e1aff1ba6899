/** A small Nostr relay on loopback (NIP-01, optional NIP-42) that can be told to misbehave. */
import type { ServerWebSocket } from "bun";
import { type Filter, matchFilter } from "nostr-tools/filter";
import { type Event, verifyEvent } from "nostr-tools/pure";

export interface RelayBehaviour {
  /** Demands NIP-42 before publishing, reading, or both. */
  auth?: "write" | "read" | "both";
  /** Refuses every authentication. */
  rejectAuth?: boolean;
  /** Goes on demanding authentication after it accepted one. */
  forgetsAuth?: boolean;
  /** The answer to an event, instead of taking it; null is silence. */
  onEvent?: (event: Event) => unknown[] | null;
  /** Raw frames sent as soon as somebody connects. */
  greeting?: string[];
  /** Frames sent before a subscription's stored events. */
  beforeStored?: (subscription: string) => unknown[][];
  /** Never answers anything. */
  silent?: boolean;
}

interface Peer {
  challenge: string;
  pubkey: string | null;
}

export class FakeRelay {
  readonly stored: Event[] = [];
  /** Every event anybody tried to publish, in order. */
  readonly received: Event[] = [];
  /** Every authentication event. */
  readonly authentications: Event[] = [];
  connections = 0;
  open = 0;
  behaviour: RelayBehaviour;
  readonly #server: Bun.Server<Peer>;

  constructor(behaviour: RelayBehaviour = {}) {
    this.behaviour = behaviour;
    this.#server = Bun.serve<Peer>({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, server) =>
        server.upgrade(request, { data: { challenge: crypto.randomUUID(), pubkey: null } })
          ? undefined
          : new Response("relay"),
      websocket: {
        open: (socket) => {
          this.connections++;
          this.open++;
          for (const frame of this.behaviour.greeting ?? []) socket.send(frame);
          if (this.behaviour.auth) send(socket, ["AUTH", socket.data.challenge]);
        },
        close: () => void this.open--,
        message: (socket, text) => this.#frame(socket, JSON.parse(String(text))),
      },
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.port}/`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  #frame(socket: ServerWebSocket<Peer>, frame: unknown[]): void {
    if (this.behaviour.silent) return;
    if (frame[0] === "AUTH") this.#auth(socket, frame[1] as Event);
    if (frame[0] === "EVENT") this.#event(socket, frame[1] as Event);
    if (frame[0] === "REQ") this.#request(socket, String(frame[1]), frame[2] as Filter);
  }

  #auth(socket: ServerWebSocket<Peer>, event: Event): void {
    this.authentications.push(event);
    const tags = Object.fromEntries(event.tags);
    const isGood = verifyEvent(event) && event.kind === 22242 && tags.challenge === socket.data.challenge;
    const ok = isGood && !this.behaviour.rejectAuth;
    if (ok && !this.behaviour.forgetsAuth) socket.data.pubkey = event.pubkey;
    send(socket, ["OK", event.id, ok, ok ? "" : "restricted: go away"]);
  }

  #event(socket: ServerWebSocket<Peer>, event: Event): void {
    this.received.push(event);
    if (this.#demandsAuth(socket, "write")) return send(socket, ["OK", event.id, false, "auth-required: who are you"]);
    if (this.behaviour.onEvent) {
      const answer = this.behaviour.onEvent(event);
      return answer === null ? undefined : send(socket, answer);
    }
    const ok = verifyEvent(event);
    if (ok) this.stored.push(event);
    send(socket, ["OK", event.id, ok, ok ? "" : "invalid: signature"]);
  }

  #request(socket: ServerWebSocket<Peer>, id: string, filter: Filter): void {
    if (this.#demandsAuth(socket, "read")) return send(socket, ["CLOSED", id, "auth-required: who are you"]);
    for (const frame of this.behaviour.beforeStored?.(id) ?? []) send(socket, frame);
    for (const event of this.stored) if (matchFilter(filter, event)) send(socket, ["EVENT", id, event]);
    send(socket, ["EOSE", id]);
  }

  #demandsAuth(socket: ServerWebSocket<Peer>, what: "write" | "read"): boolean {
    const { auth } = this.behaviour;
    return (auth === what || auth === "both") && socket.data.pubkey === null;
  }
}

function send(socket: ServerWebSocket<Peer>, frame: unknown[]): void {
  socket.send(JSON.stringify(frame));
}
