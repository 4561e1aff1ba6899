/**
 * Hands settlements over, many at once, so that they share a commit; and keeps the cursor behind them: it is made durable only up to the first
 * one that is not durable yet. After a crash the node tells again whatever was under way.
 */
import { sleep, type World } from "../../actors/runtime/world.ts";
import { NodeUnavailable, type PaymentHash, type Settlement } from "./port.ts";

const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
/** How long (real ms) handing over may keep a steered clock waiting. */
const CLOCK_PATIENCE_MS = 1_000;
/** One that is not taken lets so many others pass; then nothing more is read from the node. */
const MAX_OPEN = 256;

export type FeedLog = (event: string, detail?: Record<string, string | number | boolean | null>) => void;

export interface HandoverOptions {
  readonly world: World;
  /**
   * Takes a settlement and resolves once that is durable. Called for many at a time, in the order of the node; again for one that was
   * refused, and again for one it has had before. It must be idempotent.
   */
  readonly onSettlement: (settlement: Settlement) => Promise<void>;
  /** Keeps the position in the stream: everything up to it is durable. Never called while it works. */
  readonly saveCursor: (cursor: string) => Promise<void>;
  readonly log: FeedLog;
}

/** One that is handed over and not yet behind the cursor. */
interface Open {
  readonly paymentHash: PaymentHash;
  /** Null for one that a list showed: it has no position. */
  readonly cursor: string | null;
  isDurable: boolean;
  /** Rejects when it is stopped before. */
  readonly durable: Promise<void>;
}

export class Handover {
  readonly #options: HandoverOptions;
  readonly #stopping: AbortSignal;
  /** In the order in which they came. */
  readonly #open: Open[] = [];
  /** Stream and list may show the same one at the same time. */
  readonly #taking = new Map<PaymentHash, Promise<void>>();
  /** Where the cursor may go next. */
  #reached: string | null = null;
  #saving: Promise<void> | null = null;

  /** @param stopping ends it: from then on nothing is begun, nor tried again. */
  constructor(options: HandoverOptions, stopping: AbortSignal) {
    this.#options = options;
    this.#stopping = stopping;
  }

  /** Resolves once it is durable. @throws the reason of `stopping` (as a rejection) */
  hand(settlement: Settlement, cursor: string | null): Promise<void> {
    const { paymentHash } = settlement;
    const taken = this.#taking.get(paymentHash) ?? this.#take(settlement);
    const durable = taken.then(() => this.#advance(open));
    const open: Open = { paymentHash, cursor, isDurable: false, durable };
    this.#open.push(open);
    durable.catch(() => {});
    return durable;
  }

  /** Resolves once there is room for another. @throws the reason of `stopping` (as a rejection) */
  async room(): Promise<void> {
    for (let [first] = this.#open; first && this.#open.length >= MAX_OPEN; [first] = this.#open) await first.durable;
  }

  /** Resolves once everything is durable, the cursor included. @throws the reason of `stopping` (as a rejection) */
  async done(): Promise<void> {
    for (let [first] = this.#open; first; [first] = this.#open) await first.durable;
    await this.#saving;
  }

  /** After `stopping`: resolves once nothing is being taken any more. */
  async closed(): Promise<void> {
    await Promise.allSettled(this.#taking.values());
    await this.#saving;
  }

  #take(settlement: Settlement): Promise<void> {
    const { paymentHash } = settlement;
    if (this.#stopping.aborted) return Promise.reject(this.#stopping.reason);
    const isFirst = () => this.#open[0]?.paymentHash === paymentHash;
    const taken = this.#insist("settlement_not_taken", isFirst, () => this.#options.onSettlement(settlement)).finally(
      () => this.#taking.delete(paymentHash),
    );
    this.#taking.set(paymentHash, taken);
    return taken;
  }

  #advance(open: Open): void {
    open.isDurable = true;
    for (let [first] = this.#open; first?.isDurable; [first] = this.#open) {
      this.#reached = first.cursor ?? this.#reached;
      this.#open.shift();
    }
    if (this.#reached !== null) this.#saving ??= this.#save();
  }

  /** What is reached while it saves is saved next, in one go. */
  async #save(): Promise<void> {
    for (let cursor = this.#reached; cursor !== null; cursor = this.#reached) {
      const position = cursor;
      this.#reached = null;
      const always = () => true;
      // When it is stopped, the node tells again what comes after the last one that was kept.
      await this.#insist("settlement_cursor_not_kept", always, () => this.#options.saveCursor(position)).catch(
        () => {},
      );
    }
    this.#saving = null;
  }

  /**
   * Tries until it is done: to skip a settlement would lose a customer's money.
   * @param isTold whether a failure is worth a line of log: what fails for one mostly fails for all
   */
  async #insist(event: string, isTold: () => boolean, work: () => Promise<void>): Promise<void> {
    const { world, log } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const release = world.hold("settlement", CLOCK_PATIENCE_MS);
      let reason: string;
      try {
        return await work();
      } catch (error) {
        reason = describe(error);
      } finally {
        release();
      }
      if (this.#stopping.aborted) throw this.#stopping.reason;
      const waitMs = backoff(attempt - 1);
      if (isTold()) log(event, { reason, attempt, retryInMs: waitMs });
      await sleep(world, waitMs, this.#stopping);
    }
  }
}

/** The pause after so many failures in a row, ms. */
export function backoff(failures: number): number {
  return Math.min(BACKOFF_MIN_MS * 2 ** Math.min(failures, 16), BACKOFF_MAX_MS);
}

/** Only our own errors have texts that are surely fit for a log. */
export function describe(error: unknown): string {
  return error instanceof NodeUnavailable ? error.message : error instanceof Error ? error.name : "unknown";
}
