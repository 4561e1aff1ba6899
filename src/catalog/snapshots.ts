/**
 * What the provider offers, as last told, by country. One answer serves all readers for a minute and is asked for once at a time; while
 * the provider cannot be asked, the last one is shown for a while longer, and a question that failed is not repeated at once. Large
 * answers are sorted in slices, so that orders get their turn in between.
 */
import type { Millis, World } from "../../actors/runtime/world.ts";

/** One answer serves all readers for this long. */
export const FRESH_MS = 60_000;
/** While the provider cannot be asked, a snapshot is shown for this long; buying always asks anew. */
export const USABLE_MS = 15 * 60_000;
/** A failure is believed for this long: readers must not become a load on a provider in trouble, or on our budget of requests. */
const FAILED_MS = 5_000;
const MAX_KEPT = 200;
const MAX_FAILED = 500;
/** Offers handled in one turn of the event loop: a few milliseconds. */
export const SLICE = 2_000;

interface Offer {
  readonly country: number;
  readonly service: string;
}

export interface Snapshot<T> {
  readonly at: Millis;
  readonly byCountry: ReadonlyMap<number, readonly T[]>;
  /** Every service of which there is an offer. */
  readonly services: ReadonlySet<string>;
}

export interface SnapshotSource<T> {
  readonly world: World;
  /** @throws ProviderUnavailable */
  readonly ask: (key: string) => Promise<readonly T[]>;
  /** Whether an offer is shown at all. */
  readonly shown: (offer: T) => boolean;
  /** Keys that every reader needs: they are not forgotten in favour of others. */
  readonly lasting: ReadonlySet<string>;
}

export class Snapshots<T extends Offer> {
  readonly #source: SnapshotSource<T>;
  /** Least recently read first. */
  readonly #kept = new Map<string, Snapshot<T>>();
  /** Oldest first. */
  readonly #failed = new Map<string, { readonly at: Millis; readonly error: unknown }>();
  readonly #asking = new Map<string, Promise<Snapshot<T>>>();

  constructor(source: SnapshotSource<T>) {
    this.#source = source;
  }

  /** @throws ProviderUnavailable when nothing usable is known. */
  async read(key: string): Promise<Snapshot<T>> {
    const kept = this.#kept.get(key);
    if (kept) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
    }
    const age = kept ? this.#age(kept.at) : Number.POSITIVE_INFINITY;
    if (kept && age < FRESH_MS) return kept;
    try {
      return await this.#refresh(key);
    } catch (error) {
      if (kept && age < USABLE_MS) return kept;
      throw error;
    }
  }

  /** A clock that was set back makes nothing younger. */
  #age(at: Millis): number {
    return Math.abs(this.#source.world.now() - at);
  }

  async #refresh(key: string): Promise<Snapshot<T>> {
    const failed = this.#failed.get(key);
    if (failed && this.#age(failed.at) < FAILED_MS) throw failed.error;
    const asked = this.#asking.get(key);
    if (asked) return asked;
    const asking = this.#ask(key).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #ask(key: string): Promise<Snapshot<T>> {
    const { ask, world } = this.#source;
    this.#failed.delete(key);
    try {
      const offers = await ask(key);
      const snapshot = { at: world.now(), ...(await this.#sort(offers)) };
      this.#keep(key, snapshot);
      return snapshot;
    } catch (error) {
      this.#failed.set(key, { at: world.now(), error });
      const [oldest] = this.#failed.keys();
      if (this.#failed.size > MAX_FAILED && oldest !== undefined) this.#failed.delete(oldest);
      throw error;
    }
  }

  #keep(key: string, snapshot: Snapshot<T>): void {
    this.#kept.delete(key);
    this.#kept.set(key, snapshot);
    if (this.#kept.size <= MAX_KEPT) return;
    for (const oldest of this.#kept.keys()) {
      if (this.#source.lasting.has(oldest)) continue;
      this.#kept.delete(oldest);
      return;
    }
  }

  async #sort(offers: readonly T[]): Promise<Omit<Snapshot<T>, "at">> {
    const { world, shown } = this.#source;
    const byCountry = new Map<number, T[]>();
    const services = new Set<string>();
    const release = world.hold("catalog snapshot");
    try {
      for (const [index, offer] of offers.entries()) {
        if (index % SLICE === SLICE - 1) await turn(world);
        if (!shown(offer)) continue;
        services.add(offer.service);
        const group = byCountry.get(offer.country);
        if (group) group.push(offer);
        else byCountry.set(offer.country, [offer]);
      }
      return { byCountry, services };
    } finally {
      release();
    }
  }
}

/** Lets everything else that is ready go first. */
export const turn = (world: World): Promise<void> => new Promise((resolve) => world.soon(resolve));
