/**
 * Hears of every settlement of a node, whatever breaks. A stream with a cursor brings them at once; at each start, after each
 * reconnect and once a minute the node's list is read as well, because a stream can be silently dead, and because lnd
 * replays nothing before its first settle index.
 */
import { type Millis, nextTick, sleep } from "../../actors/runtime/world.ts";
import { Recent } from "../recent.ts";
import { backoff, describe, Handover, type HandoverOptions } from "./handover.ts";
import { type LightningNode, NodeUnavailable, type PaymentHash, type Settlement } from "./port.ts";

const POLL_MS = 60_000;
/** A stream this long without a settlement is opened anew: no node sends a heartbeat. */
const WATCHDOG_MS = 600_000;
const MAX_LIST_FAILURES = 3;
/** A connection that lived this long counts as good: the next back-off starts small again. */
const HEALTHY_MS = 60_000;
/** How far each look at the list reaches behind the last complete one; covers clocks apart and slow listings. */
const OVERLAP_MS = 900_000;
/** How far the first look reaches without a cursor: the stream replays nothing then. Longer gaps are looked up by hash. */
const FIRST_LOOK_MS = 86_400_000;
/** Hashes handed over in this life, so that a poll does not repeat them every minute; no longer than a few polls after the last that lists them. */
const KNOWN = { most: 10_000, forMs: 5 * POLL_MS };

export interface FeedOptions extends HandoverOptions {
  readonly node: LightningNode;
  /** The cursor that was saved last, or null before the first. */
  readonly loadCursor: () => string | null;
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
    const handover = new Handover({ ...this.#options, onSettlement: (one) => this.#take(one) }, stopping);
    let failures = 0;
    while (!stopping.aborted) {
      const begun = world.now();
      const events = this.#lastEventAt;
      const failure = await this.#connection(handover, stopping);
      if (stopping.aborted) break;
      if (world.now() - begun >= HEALTHY_MS || this.#lastEventAt !== events) failures = 0;
      if (failure === null) continue;
      this.#connected = false;
      const waitMs = backoff(failures++);
      log("settlements_lost", { reason: describe(failure), retryInMs: waitMs });
      await sleep(world, waitMs, stopping).catch(() => {});
    }
    this.#connected = false;
    await handover.closed();
  }

  /** One connection from opening to end. Resolves with what broke it, or null when only the watchdog ended it. */
  async #connection(handover: Handover, stopping: AbortSignal): Promise<unknown> {
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
    const work = [this.#readStream(link.signal, handover, () => end(null)), this.#readList(link.signal, handover)];
    await Promise.all(work.map((part) => part.catch(end)));
    stopping.removeEventListener("abort", stop);
    return failure;
  }

  /** Ends only when all that it brought is durable, so that the next one begins behind it. */
  async #readStream(link: AbortSignal, handover: Handover, onSilence: () => void): Promise<void> {
    const { world, node, loadCursor } = this.#options;
    let silence = world.at(world.now() + WATCHDOG_MS, onSilence);
    try {
      for await (const { settlement, cursor } of node.settlements(loadCursor(), link)) {
        silence();
        void handover.hand(settlement, cursor);
        await handover.room();
        silence = world.at(world.now() + WATCHDOG_MS, onSilence);
        if (link.aborted) return;
      }
    } finally {
      silence();
      await handover.done();
    }
    if (!link.aborted) throw new NodeUnavailable("the stream of settlements ended");
  }

  /** Looks at the list now and every minute until the link ends. */
  async #readList(link: AbortSignal, handover: Handover): Promise<void> {
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
        await this.#handList(settlements, handover);
        this.#seenUntil = now;
        this.#hasConnected(link);
      }
      await sleep(world, nextTick(world.now(), POLL_MS) - world.now(), link).catch(() => {});
    }
  }

  /** Hands over what the list brought and nobody has had yet, in the order in which it settled. Resolves once all of it is durable. */
  async #handList(settlements: readonly Settlement[], handover: Handover): Promise<void> {
    const now = this.#options.world.now();
    const handed: Promise<void>[] = [];
    for (const settlement of settlements.toSorted((a, b) => a.settledAt - b.settledAt)) {
      if (this.#known.get(settlement.paymentHash, now)) continue;
      await handover.room();
      handed.push(handover.hand(settlement, null));
    }
    await Promise.all(handed);
  }

  #hasConnected(link: AbortSignal): void {
    if (this.#connected || link.aborted) return;
    this.#connected = true;
    this.#options.log("settlements_connected");
  }

  async #take(settlement: Settlement): Promise<void> {
    const { world, onSettlement } = this.#options;
    await onSettlement(settlement);
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
