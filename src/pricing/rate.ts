/**
 * The rate book: the BTC/USD rate in use, refreshed on a clock, remembered over restarts, and withheld when it is too
 * old to sell by. Sales ask `current()`; null means that nothing can be priced, and they answer 503.
 */
import type { Cancel, Millis, World } from "../../actors/runtime/world.ts";
import { decideRate, type Rate } from "./median.ts";
import type { NoQuote, PriceSource, Quote } from "./sources.ts";
import { readCents } from "./units.ts";

export type { Rate } from "./median.ts";

/** Where the last rate is kept over restarts (SQLite). What it holds is validated like any other input. */
export interface RateCache {
  load(): Rate | null;
  save(rate: Rate): void;
}

/** A second cache, shared with other services. Its failure never blocks pricing; neither method throws. */
export interface SharedRateCache {
  read(): Promise<Rate | null>;
  /** Offers a rate; a newer one that is already there stays. */
  offer(rate: Rate): Promise<OfferOutcome>;
}

/** `newer_kept`: the shared cache already held a rate at least as new. */
export type OfferOutcome = "written" | "newer_kept" | "failed";

/** What happened at a refresh, for logs and metrics. */
export type RateEvent =
  | { readonly kind: "updated"; readonly rate: Rate; readonly missing: readonly NoQuote[] }
  /** Nothing to believe: the last rate, if there is one, stays until it is too old. */
  | { readonly kind: "kept"; readonly missing: readonly NoQuote[] }
  | { readonly kind: "cache_failed"; readonly error: unknown }
  | { readonly kind: "shared"; readonly outcome: OfferOutcome };

export interface RateBookOptions {
  /** CoinGecko first by convention; the order decides nothing. At least one. */
  readonly sources: readonly PriceSource[];
  readonly cache: RateCache;
  readonly shared?: SharedRateCache;
  /** Time between refreshes, ms. Default 5 min. */
  readonly refreshMs?: number;
  /** Age at which the last rate may no longer be used, ms. Default 1 h. */
  readonly maxAgeMs?: number;
  readonly observe?: (event: RateEvent) => void;
}

const DEFAULT_REFRESH_MS = 5 * 60_000;
const DEFAULT_MAX_AGE_MS = 60 * 60_000;
/** After a refresh that brought nothing; slow enough for the sources' own limits. */
const RETRY_MS = 60_000;
/** How far a rate may lie in the future before its clock, or ours, is not believed. */
const MAX_SKEW_MS = 60_000;

export class RateBook {
  readonly #world: World;
  readonly #options: RateBookOptions;
  readonly #refreshMs: number;
  readonly #maxAgeMs: number;
  #last: Rate | null = null;
  /** Whether `#last` is the shared cache's word, which no source has borne out yet. */
  #isHearsay = false;
  #state: "idle" | "running" | "stopped" = "idle";
  #cancel: Cancel | null = null;
  #refreshing: Promise<void> | null = null;

  /** @throws RangeError when no source is given. */
  constructor(world: World, options: RateBookOptions) {
    if (options.sources.length === 0) throw new RangeError("A rate book needs at least one source");
    this.#world = world;
    this.#options = options;
    this.#refreshMs = options.refreshMs ?? DEFAULT_REFRESH_MS;
    this.#maxAgeMs = options.maxAgeMs ?? DEFAULT_MAX_AGE_MS;
  }

  /** The rate to sell by, or null when there is none or it is too old. */
  current(): Rate | null {
    if (this.#last === null) return null;
    const age = this.#world.now() - this.#last.at;
    // Negative when the clock was set back: then nobody knows how old the rate is.
    return age <= this.#maxAgeMs && age >= -MAX_SKEW_MS ? this.#last : null;
  }

  /** Age of the last rate in ms, usable or not; null when there never was one. */
  ageMs(): number | null {
    return this.#last === null ? null : Math.max(0, this.#world.now() - this.#last.at);
  }

  /**
   * Takes the cached rate (usable at once), then the shared one if the cached one is due for a refresh, then asks the
   * sources, and again every `refreshMs`. Resolves after the first round; nobody needs to wait for it.
   */
  async start(): Promise<void> {
    if (this.#state !== "idle") return;
    this.#state = "running";
    this.#adopt(this.#load());
    const age = this.ageMs();
    if (this.#options.shared && (age === null || age >= this.#refreshMs)) {
      this.#isHearsay = this.#adopt(await this.#options.shared.read());
    }
    await this.refresh();
  }

  /** No further refreshes, for good; one that is under way changes nothing any more. */
  stop(): void {
    this.#state = "stopped";
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Asks all sources now; callers at the same time share one round. Never rejects. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    if (this.#isStopped()) return;
    const { sources } = this.#options;
    const answers = await Promise.all(sources.map((source) => source.quote(this.#world)));
    if (this.#isStopped()) return;
    const quotes = answers.filter((answer): answer is Quote => "cents" in answer);
    const silent = answers.filter((answer): answer is NoQuote => "reason" in answer);
    const { rate, rejected } = decideRate(quotes, this.current(), sources.length, this.#world.now());
    const missing = [...silent, ...rejected];
    this.#arm(rate === null ? Math.min(RETRY_MS, this.#refreshMs) : this.#refreshMs);
    if (rate === null) {
      // Better no sale than one by a stranger's rate that a source contradicts.
      if (this.#isHearsay && rejected.some(({ reason }) => reason === "outlier")) this.#last = null;
      return this.#observe({ kind: "kept", missing });
    }
    this.#last = rate;
    this.#isHearsay = false;
    this.#save(rate);
    this.#observe({ kind: "updated", rate, missing });
    // Not awaited: a slow shared cache must not delay the next refresh.
    this.#options.shared?.offer(rate).then((outcome) => this.#observe({ kind: "shared", outcome }));
  }

  #isStopped(): boolean {
    return this.#state === "stopped";
  }

  /** Only a started book asks again by itself. */
  #arm(waitMs: number): void {
    if (this.#state !== "running") return;
    this.#cancel?.();
    this.#cancel = this.#world.at(this.#world.now() + waitMs, () => void this.refresh());
  }

  /** Takes a remembered rate if it could be true and is newer than the one in hand; says whether it did. */
  #adopt(rate: Rate | null): boolean {
    if (!rate || readCents(rate.cents) === null || !Number.isSafeInteger(rate.at)) return false;
    if (rate.at > this.#world.now() + MAX_SKEW_MS || (this.#last !== null && rate.at <= this.#last.at)) return false;
    this.#last = rate;
    return true;
  }

  #load(): Rate | null {
    try {
      return this.#options.cache.load();
    } catch (error) {
      this.#observe({ kind: "cache_failed", error });
      return null;
    }
  }

  #save(rate: Rate): void {
    try {
      this.#options.cache.save(rate);
    } catch (error) {
      // The rate in memory is as good as ever; only a restart would have to ask again.
      this.#observe({ kind: "cache_failed", error });
    }
  }

  #observe(event: RateEvent): void {
    this.#options.observe?.(event);
  }
}

/**
 * A rate as another process stored it (`{cents, at, sources}`, times in ms), or null when it cannot be one. For caches
 * whose content anybody may have written.
 */
export function readRate(value: unknown): Rate | null {
  if (typeof value !== "object" || value === null) return null;
  const { cents, at, sources } = value as Record<string, unknown>;
  const price = readCents(cents);
  if (price === null || typeof at !== "number" || !Number.isSafeInteger(at) || at <= 0) return null;
  const names = Array.isArray(sources) ? sources.filter(isSourceName) : [];
  return { cents: price, at: at as Millis, sources: [...new Set(names)] };
}

function isSourceName(value: unknown): value is Rate["sources"][number] {
  return value === "coingecko" || value === "coinbase" || value === "kraken" || value === "mempool";
}
