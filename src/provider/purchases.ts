/**
 * The only buyer. The provider has no idempotency key, so per lane (service, country, kind) at most one buy is under way or unknown:
 * only then can a lost answer be matched with what the provider's list shows. An activation is adopted only inside an open
 * unknown-buy window, with exactly one candidate; whatever no intent of ours explains belongs to somebody else. Which rows fit
 * goes by the provider's clock, because ours may be wrong; that nothing was bought is concluded only when both agree (ADR 34).
 */
import type { BuyAnswer, BuySearch } from "../../actors/order/commands.ts";
import type { EffectOf } from "../../actors/order/effects.ts";
import { type HeldNumber, numberOf, type Order } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import type { Journal } from "../../actors/runtime/journal.ts";
import { type Millis, sleep, type World } from "../../actors/runtime/world.ts";
import { agreedAge, aheadAt, CLOCK_DOUBT_MS } from "./clocks.ts";
import { Intents } from "./intents.ts";
import { Lanes } from "./lanes.ts";
import type {
  AccountTrouble,
  ActiveActivation,
  Bought,
  BuyOutcome,
  BuyRefusal,
  Listing,
  NumberProvider,
} from "./port.ts";
import { activeCandidates, endOf, mayBe, mayBeActive, mayBeOfLane, pastCandidates, within } from "./purchase-match.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** A buy may show up in the provider's list this long after it was sent; only scans after that prove its absence. */
const ABSENT_AFTER_MS = 180 * SECOND;
const COMPLETE_SCANS = 2;
/** Answers that no order holds: nearly all are held a moment later. */
const MAX_ANSWERED = 10_000;
/** More buys than this in one lane would not all be through within the buying window. */
const MAX_WAITING = 40;
/** The last search goes on until the provider itself would have ended the activation. */
const LAST_SEARCH_MS = 25 * MINUTE;
const LAST_SEARCH_PAUSE_MS = 15 * SECOND;

export interface PurchasesOptions {
  readonly world: World;
  readonly journal: Journal;
  readonly provider: NumberProvider;
  /** The provider's account is in trouble: sales stop. */
  readonly onTrouble: (trouble: AccountTrouble) => void;
  /** This pair is barred for us until a time. */
  readonly onBarred: (service: string, country: number, until: Millis) => void;
  /** Whether one more number of this kind may be bought without risking the account; see `Guard`. */
  readonly mayBuy: (good: Good) => boolean;
}

const laneOf = ({ type, service, country }: Good): string =>
  `${type === "rent-number" ? "rental" : "activation"}:${service}:${country}`;

/** Keys of buys begin with the id of their order. */
const orderOf = (key: string): string => key.slice(0, key.indexOf(":"));

/** Ids in this lane that are there before we buy: whosever they are, this buy is none of them. */
const idsOfLane = (rows: readonly ActiveActivation[], good: Good): string[] =>
  rows.filter((row) => mayBeOfLane(row, good)).map((row) => row.activationId);

export class Purchases {
  readonly #options: PurchasesOptions;
  readonly #lanes: Lanes;
  readonly #intents: Intents;
  /** Lanes closed by unknown buys, by the key of the buy. */
  readonly #stuck = new Map<string, string>();
  /** Complete scans that did not show the buy when it should have been there, by intent. */
  readonly #scans = new Map<string, number>();
  /** Activations given as an answer, with the key of the buy: nobody else's, though no order holds them before its commit. */
  readonly #answered = new Map<string, string>();

  constructor(options: PurchasesOptions) {
    this.#options = options;
    this.#lanes = new Lanes(options.world);
    this.#intents = new Intents(options.journal);
  }

  /** At start: a buy that was unknown when the process died keeps its lane closed until it is resolved. */
  restore(key: string, good: Good): void {
    this.#close(laneOf(good), key);
  }

  /** An order was set aside: nobody will ask about its buy any more, so it must keep nobody else from buying. */
  forget(orderId: string): void {
    for (const [key, lane] of [...this.#stuck]) if (orderOf(key) === orderId) this.#resolved(lane, key);
  }

  /** From the commit that gives an order its number, its row says whose the number is. */
  follow(order: Order): void {
    const number = numberOf(order) ?? order.loose?.found;
    if (number) this.#answered.delete(number.activationId);
  }

  /** Whether a buy of this kind would have to wait for one whose outcome is unknown, or behind too many others. */
  stuck(good: Good): boolean {
    const lane = laneOf(good);
    if (this.#lanes.waiting(lane) >= MAX_WAITING) return true;
    for (const closed of this.#stuck.values()) if (closed === lane) return true;
    return false;
  }

  async buy(effect: EffectOf<"buy">): Promise<BuyAnswer> {
    const { world } = this.#options;
    const { good, key, notAfter } = effect;
    const lane = laneOf(good);
    if (!(await this.#lanes.enter(lane, key, notAfter))) {
      return { kind: "refused", reason: "lane_closed", retry: "never" };
    }
    let known: readonly string[];
    try {
      const listing = await this.#options.provider.listing();
      known = idsOfLane(listing.rows, good);
      const at = world.now();
      const why = at >= notAfter ? "too_late" : this.#options.mayBuy(good) ? null : "account_protected";
      if (why !== null) {
        this.#lanes.leave(lane, key);
        return { kind: "refused", reason: why, retry: "never" };
      }
      await this.#intents.write(key, { at, toldAt: listing.toldAt }, known);
    } catch {
      // Nothing was sent: the list could not be read, or the intent could not be stored.
      this.#lanes.leave(lane, key);
      return { kind: "refused", reason: "provider_unreachable", retry: "later" };
    }
    const outcome = this.#believed(await this.#send(good), key, known);
    if (outcome.kind === "unknown") {
      this.#close(lane, key);
      if (this.#options.journal.store.isQuarantined(orderOf(key))) this.#resolved(lane, key);
      return { kind: "unknown", reason: outcome.detail };
    }
    if (outcome.kind === "bought") this.#answer(outcome.bought.activationId, key);
    this.#lanes.leave(lane, key);
    if (outcome.kind === "bought") return { kind: "bought", number: this.#held(outcome.bought, good) };
    return this.#refused(outcome.refusal, good);
  }

  /**
   * An answer that names a number which was there before, or which another order has, is not the answer to this buy, but an old one
   * (a purchase is a GET, and may be answered by a cache). To hand it out would show one customer's codes to another.
   */
  #believed(outcome: BuyOutcome, key: string, known: readonly string[]): BuyOutcome {
    if (outcome.kind !== "bought") return outcome;
    const { activationId } = outcome.bought;
    const isOld = known.includes(activationId) || !this.#isNobodys(activationId, key);
    return isOld ? { kind: "unknown", detail: "number_of_another" } : outcome;
  }

  /** Looks for the buy with this key; see `BuySearch`. */
  async find(effect: EffectOf<"findBuy">, orderId: string): Promise<BuySearch> {
    const key = `${orderId}:buy:${effect.attempt}`;
    const lane = laneOf(effect.good);
    if (!effect.last) {
      this.#close(lane, key);
      const answer = await this.#search(key, effect.good, false);
      if (answer.kind !== "unsure") this.#resolved(lane, key);
      return answer;
    }
    // The customer is served already: the lane opens for others, and the search goes on in peace.
    this.#open(lane, key);
    const until = this.#options.world.now() + LAST_SEARCH_MS;
    for (;;) {
      const answer = await this.#search(key, effect.good, true);
      if (answer.kind !== "unsure" || this.#options.world.now() >= until) {
        this.#resolved(lane, key);
        return answer;
      }
      await sleep(this.#options.world, LAST_SEARCH_PAUSE_MS);
    }
  }

  #resolved(lane: string, key: string): void {
    this.#scans.delete(key);
    this.#open(lane, key);
  }

  #close(lane: string, key: string): void {
    this.#lanes.close(lane, key);
    this.#stuck.set(key, lane);
  }

  #open(lane: string, key: string): void {
    this.#stuck.delete(key);
    this.#lanes.leave(lane, key);
  }

  #answer(activationId: string, key: string): void {
    this.#answered.set(activationId, key);
    const [oldest] = this.#answered.keys();
    if (this.#answered.size > MAX_ANSWERED && oldest !== undefined) this.#answered.delete(oldest);
  }

  /** @param last what is found is given back, in a lane that others buy in meanwhile. */
  async #search(key: string, good: Good, last: boolean): Promise<BuySearch> {
    const { provider } = this.#options;
    const intent = this.#intents.of(key);
    // The intent is durable before anything is sent: without one, nothing was.
    if (!intent) return { kind: "absent" };
    const sentAt = intent.toldAt ?? intent.at;
    const isNew = ({ activationId }: { readonly activationId: string }) =>
      !intent.known.has(activationId) && this.#isNobodys(activationId, key);
    let unexplained: number;
    let found: HeldNumber[];
    let misdated = 0;
    let listing: Listing;
    let ahead: number;
    try {
      listing = await provider.listing();
      ahead = aheadAt(listing) ?? aheadAt(intent) ?? 0;
      const now = intent.toldAt === null ? listing.at : listing.at - ahead;
      const active = listing.rows.filter((row) => mayBeActive(row, good) && isNew(row));
      unexplained = active.length;
      found = activeCandidates(active, good, sentAt, last);
      if (unexplained === 0) {
        const searched = { sentAt, from: sentAt - CLOCK_DOUBT_MS, to: now + MINUTE };
        const history = await provider.history(searched.from, searched.to);
        const past = history.filter((row) => mayBe(row, good, searched) && isNew(row));
        misdated = past.filter(({ at }) => at !== null && !within(at, sentAt)).length;
        unexplained = past.length - misdated;
        found = pastCandidates(past, good, sentAt);
      }
    } catch {
      return { kind: "unsure", reason: "provider_unreachable" };
    }
    // One of them may be ours, and its time (told without a zone) or its service (not told at all) misread: neither adopted nor
    // taken for absent.
    if (found.length < unexplained) return { kind: "unsure", reason: "unexplained_number" };
    const [only] = found;
    if (only && (found.length > 1 || this.#mayBeAnothers(only, key, good)))
      return { kind: "unsure", reason: "ambiguous" };
    if (only) {
      this.#answer(only.activationId, key);
      // The provider's times, by the clock that its order lives by.
      return { kind: "found", number: { ...only, boughtAt: only.boughtAt + ahead, endsAt: only.endsAt + ahead } };
    }
    // Ours, if its time is wrong or misread: no reason to look past one that fits, but one not to say that there is none.
    if (misdated > 0) return { kind: "unsure", reason: "unexplained_number" };
    const age = agreedAge(intent, listing);
    if (age === null) return { kind: "unsure", reason: "clocks_disagree" };
    if (age < ABSENT_AFTER_MS) return { kind: "unsure", reason: "not_seen_yet" };
    const scans = (this.#scans.get(key) ?? 0) + 1;
    this.#scans.set(key, scans);
    return scans >= COMPLETE_SCANS ? { kind: "absent" } : { kind: "unsure", reason: "not_seen_yet" };
  }

  /**
   * Whether a buy of ours in this lane, under way or unknown, was sent at such a time that it explains the number as well: its answer
   * may be on its way.
   */
  #mayBeAnothers({ activationId, boughtAt }: HeldNumber, key: string, good: Good): boolean {
    if (this.#answered.get(activationId) === key) return false;
    return this.#lanes.holders(laneOf(good)).some((other) => {
      const intent = other === key ? null : this.#intents.of(other);
      if (!intent || intent.known.has(activationId)) return false;
      // Sent by another clock than the number is dated by, it may have been at any time.
      return intent.toldAt === null || within(boughtAt, intent.toldAt);
    });
  }

  /** Whether no other buy of ours explains it. */
  #isNobodys(activationId: string, key: string): boolean {
    const answered = this.#answered.get(activationId);
    if (answered !== undefined && answered !== key) return false;
    return this.#options.journal.store.idByActivation(activationId) === null;
  }

  async #send(good: Good): Promise<BuyOutcome> {
    try {
      return await this.#ask(good);
    } catch {
      // An adapter never throws here; if it does, something may have been bought.
      return { kind: "unknown", detail: "adapter_failed" };
    }
  }

  #ask(good: Good): Promise<BuyOutcome> {
    const { provider } = this.#options;
    const { service, country, maxCost } = good;
    switch (good.type) {
      case "receive-sms":
        return provider.buyActivation({ service, country, maxCost });
      case "receive-sms-reactivate":
        return provider.reactivate({ activationId: good.parentActivationId, maxCost });
      case "rent-number":
        return provider.buyRental({ service, country, hours: good.hours, maxCost });
    }
  }

  #held(bought: Bought, good: Good): HeldNumber {
    const boughtAt = this.#options.world.now();
    const { activationId, phoneNumber, cost } = bought;
    if (bought.currency !== 840) this.#options.onTrouble("currency");
    return { activationId, phoneNumber, cost, boughtAt, endsAt: endOf(bought.endsAt, boughtAt, good) };
  }

  #refused(refusal: BuyRefusal, good: Good): BuyAnswer {
    const refused = (reason: string, retry: "soon" | "later" | "never"): BuyAnswer => ({
      kind: "refused",
      reason,
      retry,
    });
    switch (refusal.why) {
      case "no_numbers":
      case "price_above_cap":
      case "sim_offline":
        return refused(refusal.why, "soon");
      case "pair_barred":
        this.#options.onBarred(good.service, good.country, refusal.until);
        return refused(refusal.why, "never");
      case "invalid":
        return refused(refusal.why, "never");
      case "account": {
        this.#options.onTrouble(refusal.trouble);
        const passing = refusal.trouble === "rate_limited" || refusal.trouble === "blocked";
        return refused(refusal.trouble, passing ? "later" : "never");
      }
    }
  }
}
