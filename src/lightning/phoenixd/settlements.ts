/**
 * Settlements of a phoenixd node as they happen. Its WebSocket tells what is paid from now on and repeats nothing, so after
 * connecting the list is read from the cursor on, which is the time of the last settlement that was handed over.
 */
import type { Millis } from "../../../actors/runtime/world.ts";
import { hash32, parseObject } from "../answers.ts";
import { NodeUnavailable, type PaymentHash, type Settlement } from "../port.ts";
import { settledFrom, settlementOf } from "./invoices.ts";
import type { Phoenixd } from "./rest.ts";

const CONNECT_MS = 15_000;
/** Two payments may settle in one order and be told in the other. */
const OVERLAP_MS = 60_000;
const MAX_FRAME = 64 * 1024;
/** Payments that were told and not yet looked up. */
const MAX_WAITING = 10_000;

interface Told {
  readonly settlement: Settlement;
  readonly cursor: string;
}

/** @throws NodeUnavailable when the connection ends otherwise than by `signal`. @throws RangeError for a cursor that is none. */
export async function* settlements(api: Phoenixd, cursor: string | null, signal: AbortSignal): AsyncGenerator<Told> {
  if (cursor !== null && !/^\d{13,15}$/.test(cursor)) throw new RangeError("The cursor is not a time");
  const events = new Events(api, signal);
  try {
    if (!(await events.opened())) return;
    let last: Millis = cursor === null ? api.world.now() : Number(cursor);
    const told = (settlement: Settlement): Told => {
      last = Math.max(last, settlement.settledAt);
      return { settlement, cursor: String(last) };
    };
    if (cursor !== null) {
      const missed = await settledFrom(api, last - OVERLAP_MS);
      for (const settlement of missed.sort((a, b) => a.settledAt - b.settledAt)) {
        if (signal.aborted) return;
        yield told(settlement);
      }
    }
    for (;;) {
      const hash = await events.next();
      if (hash === null) return;
      // The event is a hint; the node's books are its word.
      const settlement = await settlementOf(api, hash);
      if (settlement) yield told(settlement);
    }
  } finally {
    events.close();
  }
}

/** The WebSocket as a queue of payment hashes. */
class Events {
  readonly #signal: AbortSignal;
  readonly #waiting: PaymentHash[] = [];
  readonly #close: () => void;
  #state: "connecting" | "open" | "over" = "connecting";
  #wake: () => void = () => {};

  constructor({ world, baseUrl, authorization }: Phoenixd, signal: AbortSignal) {
    this.#signal = signal;
    const to = (state: "open" | "over") => {
      if (this.#state !== "over") this.#state = state;
      this.#wake();
    };
    const socket = world.connect(
      `${baseUrl.replace(/^http/, "ws")}/websocket`,
      { opened: () => to("open"), received: (text) => this.#received(text), closed: () => to("over") },
      { headers: { Authorization: authorization } },
    );
    const tooLate = world.at(world.now() + CONNECT_MS, () => {
      if (this.#state === "connecting") to("over");
    });
    const stop = () => to("over");
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.#close = () => {
      tooLate();
      signal.removeEventListener("abort", stop);
      socket.close();
    };
  }

  /** False when nobody wants it any more. @throws NodeUnavailable */
  async opened(): Promise<boolean> {
    while (this.#state === "connecting") await this.#change();
    return this.#unlessOver();
  }

  /** Null when nobody wants it any more. @throws NodeUnavailable */
  async next(): Promise<PaymentHash | null> {
    for (;;) {
      const hash = this.#signal.aborted ? undefined : this.#waiting.shift();
      if (hash !== undefined) return hash;
      if (!this.#unlessOver()) return null;
      await this.#change();
    }
  }

  close(): void {
    this.#close();
  }

  #received(text: string): void {
    const event = text.length <= MAX_FRAME ? parseObject(text) : null;
    const hash = event?.type === "payment_received" ? hash32(event.paymentHash) : null;
    if (hash === null) return;
    this.#waiting.push(hash);
    if (this.#waiting.length > MAX_WAITING) this.#state = "over";
    this.#wake();
  }

  #unlessOver(): boolean {
    if (this.#signal.aborted) return false;
    if (this.#state === "over") throw new NodeUnavailable("websocket: the connection ended");
    return true;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
