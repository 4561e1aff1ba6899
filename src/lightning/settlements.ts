/**
 * Hears of every settlement of a node, whatever breaks. A stream with a cursor brings them at once; at each start, after each
 * reconnect and once a minute the node's list is read as well, because a stream can be silently dead, and because lnd
 * replays nothing before its first settle index.
 */
import { type Millis, nextTick, sleep, type World } from "../../actors/runtime/world.ts";
import { Recent } from "../recent.ts";
import { type LightningNode, NodeUnavailable, type PaymentHash, type Settlement } from "./port.ts";

const POLL_MS = 60_000;
/** A stream this long without a settlement is opened anew: no node sends a heartbeat. */
const WATCHDOG_MS = 600_000;
const MAX_LIST_FAILURES = 3;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
/** A connection that lived this long counts as good: the next back-off starts small again. */
const HEALTHY_MS = 60_000;
/** How far each look at the list reaches behind the last complete one; covers clocks apart and slow listings. */
const OVERLAP_MS = 900_000;
/** How far the first look reaches without a cursor: the stream replays nothing then. Longer gaps are looked up by hash. */
const FIRST_LOOK_MS = 86_400_000;
/** Hashes handed over in this life, so that a poll does not repeat them every minute: as long as it lists them, and a little more. */
const KNOWN = { most: 10_000, forMs: 2 * OVERLAP_MS };
/** How long (real ms) handing over may keep a steered clock waiting. */
const CLOCK_PATIENCE_MS = 1_000;

export type FeedLog = (event: string, detail?: Record<string, string | number | boolean | null>) => void;

export interface FeedOptions {
  readonly world: World;
  readonly node: LightningNode;
  /** The cursor last committed with a settlement, or null before the first. */
  readonly loadCursor: () => string | null;
  /**
   * Takes one settlement and resolves once it is durable, together with `cursor` unless that is null. Called for one at
   * a time; again for the same one until it resolves; and again for one it has had before. It must be idempotent.
   */
  readonly onSettlement: (settlement: Settlement, cursor: string | null) => Promise<void>;
  readonly log: FeedLog;
}

export interface FeedStatus {
  /** The node answered, and no connection to it has broken since. */
  readonly connected: boolean;
  /** When a settlement was last handed over. */
  readonly lastEventAt: Millis | null;
}

/** Thrown inside to end all work after `stop`. */
class Stopped extends Error {}

export class SettlementFeed {
  readonly #options: FeedOptions;
  readonly #known = new Recent<PaymentHash, true>(KNOWN);
  /** Aborts on `stop`; null while the feed does not run. */
  #stopping: AbortController | null = null;
  #running: Promise<void> = Promise.resolve();
  /** The end of the queue of settlements to hand over. Never rejects. */
  #handing: Promise<void> = Promise.resolve();
  #connected = false;
  #lastEventAt: Millis | null = null;
  /** Everything that settled before this time has been handed over. */
  #seenUntil: Millis | null = null;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Starts to follow the node; does nothing while it runs. */
  start(): void {
    if (this.#stopping) return;
    this.#stopping = new AbortController();
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Resolves once nothing runs any more; a settlement that is being taken is waited for. */
  async stop(): Promise<void> {
    this.#stopping?.abort(new Stopped());
    await this.#running;
    this.#stopping = null;
  }

  status(): FeedStatus {
    return { connected: this.#connected, lastEventAt: this.#lastEventAt };
  }

  async #run(stopping: AbortSignal): Promise<void> {
    const { world, log } = this.#options;
    let failures = 0;
    while (!stopping.aborted) {
      const begun = world.now();
      const events = this.#lastEventAt;
      const failure = await this.#connection(stopping);
      if (stopping.aborted) break;
      if (world.now() - begun >= HEALTHY_MS || this.#lastEventAt !== events) failures = 0;
      if (failure === null) continue;
      this.#connected = false;
      const waitMs = backoff(failures++);
      log("settlements_lost", { reason: describe(failure), retryInMs: waitMs });
      await sleep(world, waitMs, stopping).catch(() => {});
    }
    this.#connected = false;
  }

  /** One connection from opening to end. Resolves with what broke it, or null when only the watchdog ended it. */
  async #connection(stopping: AbortSignal): Promise<unknown> {
    const link = new AbortController();
    let failure: unknown = null;
    const end = (reason: unknown) => {
      if (link.signal.aborted) return;
      failure = reason;
      link.abort();
    };
    const stop = () => end(null);
    stopping.addEventListener("abort", stop, { once: true });
    // The list is read after the stream has been asked for: what settles in between comes on one of them.
    const work = [this.#readStream(link.signal, stopping, () => end(null)), this.#readList(link.signal, stopping)];
    await Promise.all(work.map((part) => part.catch(end)));
    stopping.removeEventListener("abort", stop);
    return failure;
  }

  async #readStream(link: AbortSignal, stopping: AbortSignal, onSilence: () => void): Promise<void> {
    const { world, node, loadCursor } = this.#options;
    let silence = world.at(world.now() + WATCHDOG_MS, onSilence);
    try {
      for await (const { settlement, cursor } of node.settlements(loadCursor(), link)) {
        silence();
        await this.#hand(settlement, cursor, stopping);
        silence = world.at(world.now() + WATCHDOG_MS, onSilence);
        if (link.aborted) return;
      }
    } finally {
      silence();
    }
    if (!link.aborted) throw new NodeUnavailable("the stream of settlements ended");
  }

  /** Looks at the list now and every minute until the link ends. */
  async #readList(link: AbortSignal, stopping: AbortSignal): Promise<void> {
    const { world, node, loadCursor } = this.#options;
    let failures = 0;
    while (!link.aborted) {
      const now = world.now();
      const from = Math.min(this.#seenUntil ?? now, now);
      const reach = this.#seenUntil === null && loadCursor() === null ? FIRST_LOOK_MS : OVERLAP_MS;
      const settlements = await unlessAborted(node.settledSince(Math.max(0, from - reach)), link).catch((error) => {
        // The stream may be well although the list is not: it is not given up for one failed look.
        if (!this.#connected || link.aborted || ++failures >= MAX_LIST_FAILURES) throw error;
        return null;
      });
      if (settlements !== null) {
        failures = 0;
        await this.#handList(settlements, stopping);
        this.#seenUntil = now;
        this.#hasConnected(link);
      }
      await sleep(world, nextTick(world.now(), POLL_MS) - world.now(), link).catch(() => {});
    }
  }

  /** Hands over what the list brought and nobody has had yet, in the order in which it settled. */
  async #handList(settlements: readonly Settlement[], stopping: AbortSignal): Promise<void> {
    const now = this.#options.world.now();
    for (const settlement of settlements.toSorted((a, b) => a.settledAt - b.settledAt)) {
      if (!this.#known.get(settlement.paymentHash, now)) await this.#hand(settlement, null, stopping);
    }
  }

  #hasConnected(link: AbortSignal): void {
    if (this.#connected || link.aborted) return;
    this.#connected = true;
    this.#options.log("settlements_connected");
  }

  /** Queues one settlement behind those before it; resolves once it was taken. */
  #hand(settlement: Settlement, cursor: string | null, stopping: AbortSignal): Promise<void> {
    const turn = this.#handing.then(() => this.#deliver(settlement, cursor, stopping));
    this.#handing = turn.catch(() => {});
    return turn;
  }

  /** Offers a settlement until it is taken: skipping one would lose a customer's money. */
  async #deliver(settlement: Settlement, cursor: string | null, stopping: AbortSignal): Promise<void> {
    const { world, onSettlement, log } = this.#options;
    for (let attempt = 1; ; attempt++) {
      if (stopping.aborted) throw stopping.reason;
      const release = world.hold("settlement", CLOCK_PATIENCE_MS);
      let reason: string;
      try {
        await onSettlement(settlement, cursor);
        break;
      } catch (error) {
        reason = describe(error);
      } finally {
        release();
      }
      const waitMs = backoff(attempt - 1);
      log("settlement_not_taken", { reason, attempt, retryInMs: waitMs });
      await sleep(world, waitMs, stopping);
    }
    this.#lastEventAt = world.now();
    this.#known.set(settlement.paymentHash, true, this.#lastEventAt);
  }
}

/** `work`, or a rejection as soon as `signal` aborts; then the result is of no interest any more. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

function backoff(failures: number): number {
  return Math.min(BACKOFF_MIN_MS * 2 ** Math.min(failures, 16), BACKOFF_MAX_MS);
}

/** Only our own errors have texts that are surely fit for a log. */
function describe(error: unknown): string {
  return error instanceof NodeUnavailable ? error.message : error instanceof Error ? error.name : "unknown";
}
