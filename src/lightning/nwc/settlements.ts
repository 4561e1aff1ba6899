/**
 * Settlements of a wallet behind NWC as they happen: notifications where the wallet has them, else its list, often. Relays
 * need not keep a notification, so after connecting the list is read from the cursor on, which is the time of the last
 * settlement that was handed over.
 */
import { type Millis, sleep } from "../../../actors/runtime/world.ts";
import { hash32 } from "../answers.ts";
import { NodeUnavailable, type PaymentHash, type Settlement } from "../port.ts";
import { lookupInvoice, settledSince } from "./invoices.ts";
import type { Wallet } from "./wallet.ts";

/** Two payments may settle in one order and be told in the other; wallets count in seconds. */
const OVERLAP_MS = 60_000;
/** How often a wallet that tells nothing is asked. */
const POLL_MS = 15_000;
const MAX_WAITING = 10_000;

interface Told {
  readonly settlement: Settlement;
  readonly cursor: string;
}

/** @throws NodeUnavailable when the relays end it otherwise than by `signal`. @throws RangeError for a cursor that is none. */
export async function* settlements(wallet: Wallet, cursor: string | null, signal: AbortSignal): AsyncGenerator<Told> {
  if (cursor !== null && !/^\d{13,15}$/.test(cursor)) throw new RangeError("The cursor is not a time");
  const { world, client } = wallet;
  const tells = (await client.info()).notifications.includes("payment_received");
  const notifications = new Notifications(wallet, signal);
  try {
    let last: Millis = cursor === null ? world.now() : Number(cursor);
    const told = (settlement: Settlement): Told => {
      last = Math.max(last, settlement.settledAt);
      return { settlement, cursor: String(last) };
    };
    const since = async (time: Millis) =>
      (await settledSince(wallet, time)).reverse().sort((a, b) => a.settledAt - b.settledAt);
    // The answer comes by the subscription that the notifications come by: from here on none is missed.
    const missed = await since(cursor === null ? last : last - OVERLAP_MS);
    for (const settlement of missed) yield told(settlement);
    const seen = new Set<PaymentHash>();
    while (!signal.aborted) {
      if (tells) {
        const hash = await notifications.next();
        if (hash === null) return;
        // The notification is a hint; what the wallet answers is its word.
        const state = await lookupInvoice(wallet, hash);
        if (state.kind === "settled") yield told(state.settlement);
        continue;
      }
      await sleep(world, POLL_MS, signal).catch(() => {});
      if (signal.aborted) return;
      for (const settlement of await since(last - OVERLAP_MS)) {
        if (seen.has(settlement.paymentHash)) continue;
        seen.add(settlement.paymentHash);
        if (seen.size > MAX_WAITING) seen.clear();
        yield told(settlement);
      }
    }
  } finally {
    notifications.close();
  }
}

/** Notifications of received payments as a queue of their hashes. */
class Notifications {
  readonly #signal: AbortSignal;
  readonly #waiting: PaymentHash[] = [];
  readonly #close: () => void;
  #isOver = false;
  #wake: () => void = () => {};

  constructor({ client }: Wallet, signal: AbortSignal) {
    this.#signal = signal;
    const wake = () => this.#wake();
    const stop = client.link.listen(
      (event) => {
        const said = client.notification(event);
        const hash = said?.type === "payment_received" ? hash32(said.payment.payment_hash) : null;
        if (hash === null || this.#waiting.length >= MAX_WAITING) return;
        this.#waiting.push(hash);
        wake();
      },
      () => {
        this.#isOver = true;
        wake();
      },
    );
    signal.addEventListener("abort", wake, { once: true });
    this.#close = () => {
      stop();
      signal.removeEventListener("abort", wake);
    };
  }

  /** Null when nobody wants it any more. @throws NodeUnavailable when no relay is left. */
  async next(): Promise<PaymentHash | null> {
    for (;;) {
      if (this.#signal.aborted) return null;
      const hash = this.#waiting.shift();
      if (hash !== undefined) return hash;
      if (this.#isOver) throw new NodeUnavailable("the relays ended the connection");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#close();
  }
}
