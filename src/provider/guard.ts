/**
 * Keeps the provider from banning us. HeroSMS bans a service and country after more than 100 numbers with less than 6 % success, the account
 * after five such pairs, and lets an account with 500 numbers and less than 3 % buy only a few at a time (its rules page). Customers who buy
 * and cancel cost themselves nothing and would drive us there, so sales of a pair stop well before, and come back as a trickle that
 * goes on as long as it brings SMS (docs/adr/0021-sales-stop-before-the-provider-bans.md).
 */
import type { Order } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import type { Millis, World } from "../../actors/runtime/world.ts";
import { ACCOUNT, type Pair, type Tally, type TrackRecord } from "./record.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The provider counts anew at 21:00 UTC. */
const RESET_MS = 21 * HOUR;
/** Without an SMS on the last one, the next number of a paused pair is sold this long after it. */
const TRICKLE_MS = HOUR / 2;

/** More than `numbers` in a day, of which less than `percent` got an SMS, and the provider acts. */
export interface BanRule {
  readonly numbers: number;
  /** 0 turns the guard off. */
  readonly percent: number;
}

export interface BanRules {
  readonly pair: BanRule;
  readonly account: BanRule;
}

export const DEFAULT_BAN_RULES: BanRules = {
  pair: { numbers: 100, percent: 6 },
  account: { numbers: 500, percent: 3 },
};

/** How far from the provider's own line we stay: part of its numbers, multiple of its percentage. */
interface Margin {
  readonly numbers: number;
  readonly percent: number;
}
/** No more invoices: what is paid already may still be bought. */
const SALES: Margin = { numbers: 0.6, percent: 2 };
/** No more numbers: who paid gets the money back. */
const BUYS: Margin = { numbers: 0.9, percent: 4 / 3 };

/** Whether `rule`, with room, allows `more` numbers of which nobody knows yet whether they get an SMS. */
export function allows(rule: BanRule, margin: Margin, { bought, delivered }: Tally, more: number): boolean {
  const all = bought + more;
  if (all <= rule.numbers * margin.numbers) return true;
  return delivered * 100 >= all * rule.percent * margin.percent;
}

/** When the provider last began to count anew. */
export const lastReset = (now: Millis): Millis => Math.floor((now - RESET_MS) / DAY) * DAY + RESET_MS;

export interface GuardOptions {
  readonly world: Pick<World, "now">;
  readonly record: TrackRecord;
  readonly rules: BanRules;
  /** Sales of a pair, or of everything (`ACCOUNT`), stopped or go on. */
  readonly onTurn: (pair: Pair, paused: boolean) => void;
}

const MAX_TOLD = 10_000;
const MAX_COUNTED = 1_000;
const COUNT_FRESH_MS = 5_000;
const nameOf = ({ service, country }: Pair): string => `${service}:${country}`;

export class Guard {
  readonly #options: GuardOptions;
  /** Orders that are paid and whose number is not bought, by id. */
  readonly #pending = new Map<string, string>();
  readonly #pendingOf = new Map<string, number>();
  /** Pairs that were last said to be paused. */
  readonly #told = new Set<string>();
  #counted: { readonly at: Millis; readonly pairs: number } | null = null;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Follows an order from its payment to its number. */
  follow({ id, state, terms }: Order): void {
    const pending = state.kind === "buying" || state.kind === "buyUnknown";
    const known = this.#pending.get(id);
    if (pending && known === undefined && terms.good.type !== "rent-number") {
      const name = nameOf(terms.good);
      this.#pending.set(id, name);
      this.#pendingOf.set(name, (this.#pendingOf.get(name) ?? 0) + 1);
    } else if (!pending && known !== undefined) {
      this.#pending.delete(id);
      const left = (this.#pendingOf.get(known) ?? 0) - 1;
      if (left > 0) this.#pendingOf.set(known, left);
      else this.#pendingOf.delete(known);
    }
  }

  /** Whether no more of this good is sold for now. Rentals are not judged by their SMS. */
  pauses(good: Good): boolean {
    return good.type !== "rent-number" && this.pausesPair(good);
  }

  pausesPair({ service, country }: Pair): boolean {
    const pair = { service, country };
    return this.#turned(pair, this.#isPaused(pair, this.#options.rules.pair, this.#pendingOf.get(nameOf(pair)) ?? 0));
  }

  /** Whether nothing that is judged by its SMS is sold for now. */
  pausesAll(): boolean {
    return this.#turned(ACCOUNT, this.#isPaused(ACCOUNT, this.#options.rules.account, this.#pending.size));
  }

  /** The last word before a number is bought: not one more that could bring the ban. */
  mayBuy(good: Good): boolean {
    if (good.type === "rent-number") return true;
    const { pair, account } = this.#options.rules;
    return this.#allows(good, pair, BUYS, 1) && this.#allows(ACCOUNT, account, BUYS, 1);
  }

  /** Pairs with enough numbers to be judged that are paused. */
  pausedPairs(limit: number): (Pair & Tally)[] {
    const { record, rules, world } = this.#options;
    const least = Math.floor(rules.pair.numbers * SALES.numbers);
    return record.busiest(world.now() - DAY, least, limit).filter((pair) => this.pausesPair(pair));
  }

  /** How many pairs are paused, as of a few seconds ago: anybody may ask. */
  pausedCount(): number {
    const now = this.#options.world.now();
    if (!this.#counted || Math.abs(now - this.#counted.at) >= COUNT_FRESH_MS) {
      this.#counted = { at: now, pairs: this.pausedPairs(MAX_COUNTED).length };
    }
    return this.#counted.pairs;
  }

  /** Of the numbers of the last 24 hours, the share that got an SMS; null without any. */
  successRatio(): number | null {
    const { bought, delivered } = this.#options.record.tally(ACCOUNT, this.#options.world.now() - DAY);
    return bought === 0 ? null : delivered / bought;
  }

  #isPaused(pair: Pair, rule: BanRule, pending: number): boolean {
    if (this.#allows(pair, rule, SALES, pending + 1)) return false;
    if (pending > 0 || !this.#allows(pair, rule, BUYS, 1)) return true;
    const newest = this.#options.record.newest(pair);
    return newest !== null && !newest.delivered && Math.abs(this.#options.world.now() - newest.at) < TRICKLE_MS;
  }

  /** The provider's day may be the calendar's or the last 24 hours, its page does not say: both must allow it. */
  #allows(pair: Pair, rule: BanRule, margin: Margin, more: number): boolean {
    if (rule.percent === 0) return true;
    const { record, world } = this.#options;
    const now = world.now();
    return [now - DAY, lastReset(now)].every((since) => allows(rule, margin, record.tally(pair, since), more));
  }

  #turned(pair: Pair, paused: boolean): boolean {
    const name = nameOf(pair);
    if (paused === this.#told.has(name)) return paused;
    if (paused && this.#told.size >= MAX_TOLD) this.#told.clear();
    if (paused) this.#told.add(name);
    else this.#told.delete(name);
    this.#options.onTurn(pair, paused);
    return paused;
  }
}
