/**
 * The way to a wallet: its relays, kept open while anybody needs them. An event goes out over all of them; the first answer
 * counts. It carries sealed events and knows nothing of what is in them.
 */
import type { Event, EventTemplate, NostrEvent } from "nostr-tools/pure";
import { verifyEvent } from "nostr-tools/pure";
import type { Cancel, Millis, World } from "../../../actors/runtime/world.ts";
import { publicKeyOf, seconds, sign } from "../../nostr/event.ts";
import { Line } from "../../nostr/line.ts";
import { AnswerLost } from "../../wire.ts";
import { isObject } from "../answers.ts";
import type { NwcConnection } from "./uri.ts";

/** NIP-47, "Events". 23196 is what wallets send to clients of NIP-04. */
export const REQUEST = 23194;
const RESPONSE = 23195;
const NOTIFICATIONS: readonly number[] = [23197, 23196];

/** Connections that nobody needs are kept this long. */
const LINGER_MS = 10_000;
/** A relay that just ended is left alone, unless there is no other. */
const REST_MS = 5_000;
/** Whoever begins to listen does so on connections not older than this: a subscription can die in silence. */
const FRESH_MS = 60_000;
/** How far back a subscription reaches: clocks apart. Relays need not keep any of these events. */
const BACK_SECONDS = 600;
const MAX_PENDING = 1_000;
/** Notifications whose signature is checked, in a minute; the list has the others. */
const MAX_NOTIFICATIONS = 300;
/** How long (real ms) a request may keep a steered clock waiting. */
const CLOCK_PATIENCE_MS = 250;

type Heard = (event: Event) => void;

export class Link {
  readonly #world: World;
  readonly #connection: NwcConnection;
  /** Our public key. */
  readonly client: string;
  /** By relay; the last one of each, living or not. */
  readonly #lines = new Map<string, { line: Line; openedAt: Millis; endedAt: Millis | null }>();
  /** Requests that wait for their answer, by event id. */
  readonly #pending = new Map<string, { heard: Heard; lost: () => void }>();
  readonly #listeners = new Set<{ heard: Heard; ended: () => void }>();
  #users = 0;
  #linger: Cancel | null = null;
  #notifications = { minute: 0, count: 0 };

  constructor(world: World, connection: NwcConnection) {
    this.#world = world;
    this.#connection = connection;
    this.client = publicKeyOf(connection.secretKey);
  }

  sign(template: EventTemplate): NostrEvent {
    return sign(this.#world, template, this.#connection.secretKey);
  }

  /**
   * Publishes a request and waits for the wallet's answer to it, its signature checked.
   * @throws AnswerLost when none comes in time, or no relay can be reached.
   */
  async request(request: NostrEvent, timeoutMs: number): Promise<Event> {
    if (this.#pending.size >= MAX_PENDING) throw new AnswerLost("too_large");
    const release = this.#world.hold("wallet request", CLOCK_PATIENCE_MS);
    const leave = this.#enter();
    // A subscription from before the clock was set back leaves out what is written by the present one.
    this.#renew(Number.NEGATIVE_INFINITY);
    let stopTimer = () => {};
    try {
      return await new Promise<Event>((resolve, reject) => {
        const begun = this.#world.now();
        stopTimer = this.#world.at(begun + timeoutMs, () => {
          // Perhaps the wallet is away; perhaps this connection is dead and nobody said so.
          this.#renew(begun);
          reject(new AnswerLost("timeout"));
        });
        this.#pending.set(request.id, { heard: resolve, lost: () => reject(new AnswerLost("network")) });
        this.publish(request);
      });
    } finally {
      this.#pending.delete(request.id);
      stopTimer();
      leave();
      release();
    }
  }

  /** Publishes without waiting for an answer. */
  publish(request: NostrEvent): void {
    const leave = this.#enter();
    for (const { line } of this.#lines.values()) line.publish(request);
    leave();
  }

  /** Hears notifications until the returned function is called; `ended` when no relay is left. */
  listen(heard: Heard, ended: () => void): () => void {
    const listener = { heard, ended };
    this.#listeners.add(listener);
    const leave = this.#enter();
    this.#renew(this.#world.now() - FRESH_MS);
    return () => {
      if (this.#listeners.delete(listener)) leave();
    };
  }

  /** Opens what is not open. @returns how to say that the relays are not needed any more. */
  #enter(): () => void {
    this.#linger?.();
    this.#linger = null;
    this.#users++;
    const living = [...this.#lines.values()].some(({ line }) => !line.isOver);
    for (const url of this.#connection.relays) {
      const known = this.#lines.get(url);
      const resting = known?.endedAt != null && living && Math.abs(this.#world.now() - known.endedAt) < REST_MS;
      if (!known || (known.line.isOver && !resting)) this.#open(url);
    }
    let left = false;
    return () => {
      if (left) return;
      left = true;
      if (--this.#users > 0) return;
      this.#linger = this.#world.at(this.#world.now() + LINGER_MS, () => this.#close());
    };
  }

  #open(url: string): void {
    const { wallet } = this.#connection;
    const entry: { line: Line; openedAt: Millis; endedAt: Millis | null } = {
      openedAt: this.#world.now(),
      endedAt: null,
      line: new Line({
        world: this.#world,
        url,
        filters: [
          {
            kinds: [RESPONSE, ...NOTIFICATIONS],
            authors: [wallet],
            "#p": [this.client],
            since: seconds(this.#world) - BACK_SECONDS,
          },
        ],
        sign: (template) => this.sign({ ...template, created_at: seconds(this.#world) }),
        heard: (event) => this.#heard(event),
        opened: () => {},
        ended: () => {
          entry.endedAt = this.#world.now();
          if ([...this.#lines.values()].every(({ line }) => line === entry.line || line.isOver)) this.#allEnded();
        },
      }),
    };
    this.#lines.set(url, entry);
  }

  /**
   * Puts new connections in the place of those from before `since`, and of those that are of a time to come: the clock was set back after
   * them. Nobody who waits is told: the answer may come on a new one.
   */
  #renew(since: Millis): void {
    const now = this.#world.now();
    for (const [url, { line, openedAt }] of [...this.#lines]) {
      if (line.isOver || (openedAt >= since && openedAt <= now)) continue;
      this.#open(url);
      line.close();
    }
  }

  #allEnded(): void {
    for (const { lost } of [...this.#pending.values()]) lost();
    for (const { ended } of [...this.#listeners]) ended();
  }

  #close(): void {
    for (const { line } of this.#lines.values()) line.close();
    this.#lines.clear();
  }

  #heard(value: unknown): void {
    if (!isObject(value) || value.pubkey !== this.#connection.wallet || !Array.isArray(value.tags)) return;
    if (value.kind === RESPONSE) {
      const id = (value.tags as unknown[]).find((tag): tag is string[] => Array.isArray(tag) && tag[0] === "e")?.[1];
      const pending = id === undefined ? undefined : this.#pending.get(id);
      // Only an answer that somebody waits for is worth its check.
      if (pending && isGood(value)) pending.heard(value as unknown as Event);
      return;
    }
    if (!NOTIFICATIONS.includes(value.kind as number) || this.#listeners.size === 0 || !this.#mayCheck()) return;
    if (isGood(value)) for (const { heard } of [...this.#listeners]) heard(value as unknown as Event);
  }

  #mayCheck(): boolean {
    const minute = Math.floor(this.#world.now() / 60_000);
    if (this.#notifications.minute !== minute) this.#notifications = { minute, count: 0 };
    return ++this.#notifications.count <= MAX_NOTIFICATIONS;
  }
}

function isGood(value: object): boolean {
  try {
    return verifyEvent(value as Event);
  } catch {
    return false;
  }
}
