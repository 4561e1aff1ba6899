/**
 * Whether the provider can be sold from: account-wide trouble stops new sales and leaves running orders alone; a barred pair stops
 * only that pair. Knowledge ages, and is renewed by asking for the balance.
 */
import type { OrderEvent } from "../../actors/order/events.ts";
import { type MicroUsd, microUsd } from "../../actors/order/money.ts";
import { type Cancel, type Millis, nextTick, type World } from "../../actors/runtime/world.ts";
import { type AccountTrouble, type NumberProvider, ProviderUnavailable } from "./port.ts";

const SECOND = 1_000;
const CHECK_MS = 60 * SECOND;
/** After a failed check, look again soon. */
const RETRY_MS = 10 * SECOND;
/** Without a good answer for this long, nothing is sold. */
const STALE_MS = 180 * SECOND;
/** Trouble that passes by itself, and how long it is believed. */
const PASSING: Partial<Record<AccountTrouble, number>> = { rate_limited: 2 * SECOND, blocked: 10 * SECOND };
/** All other trouble needs a person; it is believed for this long after it was last met, because the balance call may not show it. */
const STICKY_MS = 300 * SECOND;
const MAX_PAIRS = 10_000;
const UNKNOWN_BAR_MS = 30 * 60 * SECOND;

export class ProviderStanding {
  readonly #world: World;
  readonly #provider: Pick<NumberProvider, "balance">;
  readonly #onTrouble: (trouble: AccountTrouble) => void;
  readonly #onBarred: (service: string, country: number, until: Millis) => void;
  #balance: MicroUsd | null = null;
  #checkedAt: Millis | null = null;
  #troubledUntil: Millis = 0;
  /** Pairs the provider does not sell us, until when. */
  readonly #barred = new Map<string, Millis>();
  #timer: Cancel | null = null;
  #stopped = true;

  constructor(options: {
    readonly world: World;
    readonly provider: Pick<NumberProvider, "balance">;
    readonly onTrouble: (trouble: AccountTrouble) => void;
    /** Bars that an earlier process was told of. */
    readonly bars?: readonly { readonly service: string; readonly country: number; readonly until: Millis }[];
    /** A bar that should outlive this process. */
    readonly onBarred?: (service: string, country: number, until: Millis) => void;
  }) {
    this.#world = options.world;
    this.#provider = options.provider;
    this.#onTrouble = options.onTrouble;
    this.#onBarred = options.onBarred ?? (() => {});
    for (const { service, country, until } of options.bars ?? []) this.#barred.set(`${service}:${country}`, until);
  }

  async start(): Promise<void> {
    this.#stopped = false;
    await this.#check();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.();
  }

  /** The provider's balance as last read, or null when it is not known. */
  get balance(): MicroUsd | null {
    return this.#balance;
  }

  get checkedAt(): Millis | null {
    return this.#checkedAt;
  }

  /** What we buy and give back moves the balance at once, long before it is read again. */
  follow(events: readonly OrderEvent[]): void {
    for (const event of events) {
      if (event.type === "NumberBought" || event.type === "LooseFound") this.#moved(-event.number.cost);
      else if (event.type === "NumberEnded" && event.refunded) this.#moved(event.cost);
    }
  }

  #moved(by: number): void {
    if (this.#balance !== null) this.#balance = microUsd(Math.max(0, this.#balance + by));
  }

  met(trouble: AccountTrouble): void {
    const until = this.#world.now() + (PASSING[trouble] ?? STICKY_MS);
    // A trouble that passes soon does not hide one that lasts.
    this.#troubledUntil = Math.max(this.#troubledUntil, until);
    this.#onTrouble(trouble);
  }

  bar(service: string, country: number, until: Millis): void {
    if (this.#barred.size >= MAX_PAIRS) this.#barred.clear();
    const end = until > 0 ? until : this.#world.now() + UNKNOWN_BAR_MS;
    this.#barred.set(`${service}:${country}`, end);
    this.#onBarred(service, country, end);
  }

  /** How many pairs the provider does not sell us. */
  get bars(): number {
    const now = this.#world.now();
    return [...this.#barred.values()].filter((until) => until > now).length;
  }

  barred(service: string, country: number): boolean {
    return (this.#barred.get(`${service}:${country}`) ?? 0) > this.#world.now();
  }

  /** Whether sales may go on. */
  get ok(): boolean {
    const now = this.#world.now();
    // A clock that was set back makes no trouble last longer, and no answer younger.
    this.#troubledUntil = Math.min(this.#troubledUntil, now + STICKY_MS);
    if (this.#troubledUntil > now) return false;
    return this.#checkedAt !== null && Math.abs(now - this.#checkedAt) < STALE_MS;
  }

  async #check(): Promise<void> {
    let next = nextTick(this.#world.now(), CHECK_MS);
    try {
      this.#balance = await this.#provider.balance();
      this.#checkedAt = this.#world.now();
    } catch (error) {
      next = this.#world.now() + RETRY_MS;
      if (error instanceof ProviderUnavailable && error.trouble) this.met(error.trouble);
    }
    if (!this.#stopped) this.#timer = this.#world.at(next, () => void this.#check());
  }
}
