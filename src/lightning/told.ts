/**
 * Settlements of nodes that tell of payments without numbering them: what they tell is a hint, whose truth their books are asked for, and
 * the cursor is the time of the last settlement that was handed over.
 */
import type { Millis, World } from "../../actors/runtime/world.ts";
import { NodeUnavailable, type PaymentHash, type Settlement } from "./port.ts";

/** Two payments may settle in one order and be told in the other; some count in seconds. */
const OVERLAP_MS = 60_000;
/** Payments that were told and not yet looked up. */
const MAX_WAITING = 10_000;

export interface Told {
  readonly settlement: Settlement;
  readonly cursor: string;
}

/** Never ahead of our clock, whatever a node says: from a time to come on, nothing would be told again. */
export class TimeCursor {
  readonly #world: Pick<World, "now">;
  #last: Millis;

  /** @param last null for now. */
  constructor(world: Pick<World, "now">, last: Millis | null) {
    this.#world = world;
    this.#last = Math.min(last ?? world.now(), world.now());
  }

  /** The time that a cursor is; null for none. @throws RangeError for a cursor that is none */
  static parse(cursor: string | null): Millis | null {
    if (cursor !== null && !/^\d{13,16}$/.test(cursor)) throw new RangeError("The cursor is not a time");
    return cursor === null ? null : Number(cursor);
  }

  get last(): Millis {
    return this.#last;
  }

  /** From when on a list may hold what was not told. */
  get overlap(): Millis {
    return this.#last - OVERLAP_MS;
  }

  told(settlement: Settlement): Told {
    this.#last = Math.max(this.#last, Math.min(settlement.settledAt, this.#world.now()));
    return { settlement, cursor: String(this.#last) };
  }
}

/** Hashes that were told, in their order. */
export class ToldHashes {
  readonly #signal: AbortSignal;
  readonly #ended: string;
  readonly #waiting: PaymentHash[] = [];
  readonly #changed = () => this.#wake();
  #isOver = false;
  #wake: () => void = () => {};

  /** @param ended what is said when nothing will be told any more. */
  constructor(signal: AbortSignal, ended: string) {
    this.#signal = signal;
    this.#ended = ended;
    signal.addEventListener("abort", this.#changed, { once: true });
  }

  /** With too many waiting it is over: whoever listens begins anew, from the cursor on. */
  add(hash: PaymentHash): void {
    this.#waiting.push(hash);
    if (this.#waiting.length > MAX_WAITING) this.end();
    else this.#wake();
  }

  /** Nothing will be told any more. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  /** Null when nobody wants it any more. @throws NodeUnavailable when it is over */
  async next(): Promise<PaymentHash | null> {
    for (;;) {
      const hash = this.#signal.aborted ? undefined : this.#waiting.shift();
      if (hash !== undefined) return hash;
      if (!this.isWanted()) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** False when nobody wants it any more. @throws NodeUnavailable when it is over */
  isWanted(): boolean {
    if (this.#signal.aborted) return false;
    if (this.#isOver) throw new NodeUnavailable(this.#ended);
    return true;
  }

  close(): void {
    this.#signal.removeEventListener("abort", this.#changed);
  }
}
