/**
 * A lasting connection to one relay: one subscription, and events that are published on it (NIP-01, NIP-42 when the relay
 * insists). It ends by itself when the relay breaks a rule or goes away, and is not opened again: that is for whoever needs
 * it. What is heard is unchecked: checking a signature costs milliseconds, and only few events are worth it.
 */
import type { Filter } from "nostr-tools/filter";
import type { EventTemplate, NostrEvent } from "nostr-tools/pure";
import type { Socket } from "../../actors/runtime/sockets.ts";
import type { World } from "../../actors/runtime/world.ts";
import { Authentication, type Frame, readFrame, wantsAuth } from "./frames.ts";

export interface LineOptions {
  readonly world: World;
  readonly url: string;
  readonly filters: readonly Filter[];
  /** Signs the answer to a NIP-42 challenge. */
  readonly sign: (template: EventTemplate) => NostrEvent;
  /** An event that the relay says matches, as it came. */
  readonly heard: (event: unknown) => void;
  /** The subscription is in place. */
  readonly opened: () => void;
  /** The end, once. */
  readonly ended: () => void;
}

/** An answer of a wallet with a page of payments is some 90 kB when it is encrypted. */
const MAX_FRAME = 256 * 1024;
const CONNECT_MS = 15_000;
const SUBSCRIPTION = "1";
/** Events that the relay has not taken yet. */
const MAX_UNTAKEN = 1_000;

export class Line {
  readonly #options: LineOptions;
  readonly #socket: Socket;
  readonly #auth: Authentication;
  readonly #stopTimer: () => void;
  /** Published, and not taken or refused yet. */
  readonly #untaken = new Map<string, NostrEvent>();
  #state: "connecting" | "open" | "over" = "connecting";

  constructor(options: LineOptions) {
    this.#options = options;
    const { world, url, sign } = options;
    this.#auth = new Authentication(url, sign);
    this.#stopTimer = world.at(world.now() + CONNECT_MS, () => {
      if (this.#state === "connecting") this.close();
    });
    this.#socket = world.connect(url, {
      opened: () => this.#request(),
      received: (text) => this.#received(text),
      closed: () => this.#end(),
    });
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Sends the event, now or when the connection is there. */
  publish(event: NostrEvent): void {
    if (this.isOver || this.#untaken.size >= MAX_UNTAKEN) return;
    this.#untaken.set(event.id, event);
    if (this.#state === "open") this.#send("EVENT", event);
  }

  close(): void {
    this.#socket.close();
    this.#end();
  }

  #end(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#stopTimer();
    this.#options.ended();
  }

  /** Asks for everything that is wanted: on a new connection, and again when the relay knows who we are. */
  #request(): void {
    if (this.isOver) return;
    this.#state = "open";
    this.#stopTimer();
    this.#send("REQ", SUBSCRIPTION, ...this.#options.filters);
    for (const event of this.#untaken.values()) this.#send("EVENT", event);
  }

  #received(text: string): void {
    if (this.isOver) return;
    const frame = readFrame(text, MAX_FRAME);
    if (!frame || !this.#take(frame)) return this.close();
    const answer = this.#auth.answer();
    if (answer) this.#send("AUTH", answer);
  }

  /** False when nothing good can come of this connection any more. */
  #take(frame: Frame): boolean {
    switch (this.#auth.read(frame)) {
      case "waiting":
        return true;
      case "refused":
        return false;
      case "done":
        this.#request();
        return true;
      case "not_mine":
        break;
    }
    const [type, subject, third, fourth] = frame;
    if (type === "EVENT" && subject === SUBSCRIPTION) this.#options.heard(third);
    if (type === "EOSE" && subject === SUBSCRIPTION) this.#options.opened();
    if (type === "CLOSED" && subject === SUBSCRIPTION) return wantsAuth(third) && this.#auth.want();
    if (type === "OK" && typeof subject === "string") {
      if (third !== true && wantsAuth(fourth)) return this.#auth.want();
      this.#untaken.delete(subject);
    }
    return true;
  }

  #send(...frame: readonly unknown[]): void {
    this.#socket.send(JSON.stringify(frame));
  }
}
