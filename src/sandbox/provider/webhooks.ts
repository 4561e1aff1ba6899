/**
 * The `sms-incoming` webhook: an unsigned POST with 3 s to answer; anything but 200 is repeated 25 s later, seven times
 * (HeroSMS docs, Webhooks). Deliveries wait in the books, so that a restart sends what is still owed.
 */
import type { Millis, World } from "../../../actors/runtime/world.ts";
import { AnswerLost, call } from "../../wire.ts";
import type { Faults } from "../faults.ts";
import type { Activation, Books, Message } from "./books.ts";
import { microTime } from "./times.ts";

const TIMEOUT_MS = 3_000;
const RETRY_MS = 25_000;
const MAX_RETRIES = 7;
const LATE_MS = 60_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_IN_FLIGHT = 64;
/** Beyond this many deliveries owed, new ones are dropped. */
const MAX_QUEUED = 10_000;

/** Faults of the action `webhook`. */
export const WEBHOOK_FAULTS = ["duplicate_webhook", "late_webhook", "early_webhook", "lost_webhook"] as const;
type WebhookFault = (typeof WEBHOOK_FAULTS)[number];

interface Delivery {
  readonly id: number;
  readonly url: string;
  readonly body: string;
  readonly attempts: number;
}

export class Webhooks {
  readonly #world: World;
  readonly #books: Books;
  readonly #faults: Faults;
  readonly #urls: () => readonly string[];
  readonly #changed: () => void;
  /** Queued to be sent at once, and not begun. Like those under way they have no due time in the books. */
  readonly #fresh = new Set<number>();
  /** Deliveries under way, by id. */
  readonly #inFlight = new Map<number, Promise<void>>();
  /** Deliveries that must be through before the answer to a buy goes out. */
  readonly #urgent = new Set<number>();
  /** When the next delivery is due; undefined when that has to be looked up. */
  #nextDue: Millis | null | undefined;
  #stopped = false;

  /** `changed` is called when a delivery ended and the next due time may be another. */
  constructor(world: World, books: Books, faults: Faults, urls: () => readonly string[], changed: () => void) {
    this.#world = world;
    this.#books = books;
    this.#faults = faults;
    this.#urls = urls;
    this.#changed = changed;
    // Whether a delivery that was under way arrived is not known: a real sender repeats it.
    books.db.query("UPDATE provider_webhooks SET dueAt = ? WHERE dueAt IS NULL").run(world.now());
  }

  /** Queues one message for every URL, as the planned fault wants it. Sends nothing yet. */
  announce(activation: Activation, message: Message, options: { urgent?: boolean } = {}): void {
    const fault = options.urgent ? null : this.#takeFault(["duplicate_webhook", "late_webhook", "lost_webhook"]);
    if (fault === "lost_webhook") return;
    const copies = fault === "duplicate_webhook" ? 2 : 1;
    const dueAt = fault === "late_webhook" ? this.#world.now() + LATE_MS : null;
    const body = JSON.stringify(event(activation, message));
    for (const url of this.#urls()) {
      for (let copy = 0; copy < copies; copy++) {
        const id = this.#queue(url, body, dueAt);
        if (options.urgent && id !== null) this.#urgent.add(id);
      }
    }
  }

  /** True once per planned `early_webhook`. */
  takeEarly(): boolean {
    return this.#takeFault(["early_webhook"]) !== null;
  }

  /** Starts every delivery that is due, as many as may be under way at once. */
  send(): void {
    if (this.#stopped) return;
    const room = MAX_IN_FLIGHT - this.#inFlight.size;
    const due = this.#takeDue(room);
    for (const delivery of [...due, ...this.#takeFresh(room - due.length)]) {
      const sent = this.#deliver(delivery).finally(() => this.#inFlight.delete(delivery.id));
      this.#inFlight.set(delivery.id, sent);
      void sent.then(this.#changed);
    }
  }

  /** Resolves once the early webhooks of a buy were answered or timed out. */
  async urgent(): Promise<void> {
    const waiting = [...this.#urgent].map((id) => this.#inFlight.get(id));
    this.#urgent.clear();
    await Promise.all(waiting);
  }

  /** When the next delivery is due; null when none waits or no more may be started. */
  nextDue(): Millis | null {
    if (this.#inFlight.size >= MAX_IN_FLIGHT) return null;
    if (this.#nextDue === undefined) {
      const sql = "SELECT min(dueAt) AS due FROM provider_webhooks";
      this.#nextDue = this.#books.db.query<{ due: number | null }, []>(sql).get()?.due ?? null;
    }
    return this.#nextDue;
  }

  stop(): void {
    this.#stopped = true;
  }

  #takeDue(room: number): Delivery[] {
    const next = this.nextDue();
    if (next === null || next > this.#world.now()) return [];
    const due = this.#books.db
      .query<Delivery, [number, number]>("SELECT * FROM provider_webhooks WHERE dueAt <= ? ORDER BY dueAt, id LIMIT ?")
      .all(this.#world.now(), room);
    for (const { id } of due) this.#setDue(id, null);
    return due;
  }

  /** What was undone with the step that queued it is not there any more, or another delivery has its id. */
  #takeFresh(room: number): Delivery[] {
    if (this.#fresh.size === 0) return [];
    const row = this.#books.db.query<Delivery, [number]>(
      "SELECT * FROM provider_webhooks WHERE id = ? AND dueAt IS NULL",
    );
    const ids = [...this.#fresh].slice(0, room);
    for (const id of ids) this.#fresh.delete(id);
    return ids.flatMap((id) => row.get(id) ?? []);
  }

  async #deliver({ id, url, body, attempts }: Delivery): Promise<void> {
    const accepted = await this.#post(url, body);
    if (this.#stopped) return;
    if (accepted || attempts >= MAX_RETRIES) {
      this.#books.db.query("DELETE FROM provider_webhooks WHERE id = ?").run(id);
      return;
    }
    this.#books.db.query("UPDATE provider_webhooks SET attempts = attempts + 1 WHERE id = ?").run(id);
    this.#setDue(id, this.#world.now() + RETRY_MS);
  }

  async #post(url: string, body: string): Promise<boolean> {
    try {
      const headers = { "content-type": "application/json" };
      const answer = await call(this.#world, {
        url,
        method: "POST",
        headers,
        body,
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_ANSWER_BYTES,
      });
      return answer.status === 200;
    } catch (error) {
      if (error instanceof AnswerLost) return false;
      throw error;
    }
  }

  /** @param dueAt null is at once */
  #queue(url: string, body: string, dueAt: Millis | null): number | null {
    const queued = this.#books.db.query<{ n: number }, []>("SELECT count(*) AS n FROM provider_webhooks").get()?.n ?? 0;
    if (queued >= MAX_QUEUED) return null;
    const { lastInsertRowid } = this.#books.db
      .query("INSERT INTO provider_webhooks (url, body, dueAt) VALUES (?, ?, ?)")
      .run(url, body, dueAt);
    const id = Number(lastInsertRowid);
    if (dueAt === null) this.#fresh.add(id);
    else this.#nextDue = undefined;
    return id;
  }

  #setDue(id: number, dueAt: Millis | null): void {
    this.#nextDue = undefined;
    this.#books.db.query("UPDATE provider_webhooks SET dueAt = ? WHERE id = ?").run(dueAt, id);
  }

  /** The next planned webhook fault if it is one of `wanted`: an early one waits for a buy, the others for an SMS. */
  #takeFault(wanted: readonly WebhookFault[]): WebhookFault | null {
    const mine = (action: string) => action === "webhook" || action === "*";
    const next = this.#faults.list().find(({ fault }) => fault.peer === "provider" && mine(fault.action));
    const name = wanted.find((candidate) => candidate === next?.fault.fault);
    if (!name) return null;
    this.#faults.take("provider", "webhook");
    return name;
  }
}

/** The body of a webhook. There is no event for cancel, expiry or refund. */
function event(activation: Activation, message: Message): Record<string, unknown> {
  return {
    activationId: String(activation.id),
    service: activation.service,
    text: message.text,
    code: message.code,
    country: activation.country,
    receivedAt: microTime(message.receivedAt),
    phoneFrom: message.phoneFrom,
  };
}
