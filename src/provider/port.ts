/**
 * What the service asks of the provider of phone numbers. `herosms/` implements it; the words are the provider's where
 * the wire is touched: an activation is a number bought for one service, a rental is one held for hours.
 *
 * The provider has no idempotency key. Every method that spends money says apart: done, refused (surely nothing
 * bought), and unknown (the answer was lost; never repeat it blindly).
 */
import type { MicroUsd } from "../../actors/order/money.ts";
import type { Millis } from "../../actors/runtime/world.ts";
import type { Moment } from "./clocks.ts";

export type ActivationId = string;

/** The provider's numeric country id, e.g. 187 for the United States. */
export type CountryId = number;
/** The provider's service code, e.g. "tg". */
export type ServiceCode = string;

/** A number that is ours, as the provider described it. */
export interface Bought {
  readonly activationId: ActivationId;
  /** Digits with a leading "+". */
  readonly phoneNumber: string;
  readonly cost: MicroUsd;
  /** ISO 4217 numeric. Anything but 840 raises an alarm and stops new sales. */
  readonly currency: number;
  readonly country: CountryId;
  readonly service: ServiceCode;
  /** When the provider ends the activation or rental; null when it did not say. */
  readonly endsAt: Millis | null;
}

export type BuyRefusal =
  /** Nothing to sell at or below the cap; another try may find some. */
  | { readonly why: "no_numbers" }
  | { readonly why: "price_above_cap"; readonly minimum: MicroUsd | null }
  /** This country/service pair is barred for us until a time (0 = unknown). */
  | { readonly why: "pair_barred"; readonly until: Millis }
  /** The request itself is wrong (bad country, service, duration): trying again cannot help. */
  | { readonly why: "invalid"; readonly detail: string }
  /** The number to reactivate cannot be reached now. */
  | { readonly why: "sim_offline" }
  /** Trouble with our account or with the provider as a whole: no balance, bad key, ban, rate limit. */
  | { readonly why: "account"; readonly trouble: AccountTrouble };

export type AccountTrouble =
  | "bad_key"
  | "no_balance"
  | "inactive"
  | "banned"
  | "channels_limit"
  | "rate_limited"
  | "blocked"
  | "currency";

export type BuyOutcome =
  | { readonly kind: "bought"; readonly bought: Bought }
  | { readonly kind: "refused"; readonly refusal: BuyRefusal }
  /** Something may have been bought. `detail` is a short word, safe to log. */
  | { readonly kind: "unknown"; readonly detail: string };

export interface BuyActivation {
  readonly service: ServiceCode;
  readonly country: CountryId;
  /** The provider must not charge more than this. */
  readonly maxCost: MicroUsd;
}

export interface BuyRental {
  readonly service: ServiceCode;
  readonly country: CountryId;
  readonly hours: number;
  /** Rentals have no cap on the wire: the adapter re-reads the price just before and refuses above this. */
  readonly maxCost: MicroUsd;
}

export interface Reactivate {
  readonly activationId: ActivationId;
  readonly maxCost: MicroUsd;
}

/**
 * Prefix of the id of a message to which the provider gave none: the rest is a digest of its content, good for telling such messages
 * apart in memory. It must not be stored: a code of six digits can be found from its digest.
 */
export const ANONYMOUS = "~";

/** One SMS or call as the provider's own message list tells it. */
export interface ProviderMessage {
  /** The provider's id of the message; or one that begins with `ANONYMOUS`. */
  readonly id: string;
  /** As the provider parsed it; null when it found none. Codes are text: they have leading zeros, dashes, letters. */
  readonly code: string | null;
  readonly text: string | null;
  readonly from: string | null;
  readonly receivedAt: Millis | null;
}

/** How an activation stands, by the best word the provider has. */
export type ActivationStanding =
  | "open"
  /** Cancelled or expired with our money back; no code was delivered. */
  | "refunded"
  /** Ended successfully: charged. */
  | "finished"
  /** Ended, but the provider does not say how (yet). */
  | "ended"
  /** The provider does not know this id. */
  | "missing";

export interface Look {
  readonly standing: ActivationStanding;
  /** Complete list while open; empty when the provider no longer shows messages, unless history still held a code. */
  readonly messages: readonly ProviderMessage[];
}

export type CancelOutcome =
  /** Confirmed: cancelled and our money is back. */
  | { readonly kind: "cancelled" }
  /** Too early; allowed from `minActivationSeconds` after the buy. */
  | { readonly kind: "too_early"; readonly minActivationSeconds: number }
  /** An SMS arrived: nothing was cancelled. `messages` as far as the refusal carried them. */
  | { readonly kind: "sms_arrived"; readonly messages: readonly ProviderMessage[] }
  /** The provider no longer cancels for free. */
  | { readonly kind: "too_late" }
  /** Already ended, one way or the other: look to learn which. */
  | { readonly kind: "not_active" }
  | { readonly kind: "unknown"; readonly detail: string };

export type FinishOutcome =
  | { readonly kind: "finished" }
  | { readonly kind: "sms_arrived"; readonly messages: readonly ProviderMessage[] }
  | { readonly kind: "not_active" }
  /** The provider will not end it successfully because no SMS came. */
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "unknown"; readonly detail: string };

/** One row of the provider's list of active activations and rentals. Null is what it does not tell, or not readably. */
export interface ActiveActivation {
  readonly activationId: ActivationId;
  readonly service: ServiceCode | null;
  readonly country: CountryId | null;
  readonly phoneNumber: string | null;
  readonly cost: MicroUsd | null;
  readonly boughtAt: Millis | null;
  readonly endsAt: Millis | null;
  readonly rental: boolean;
  /** A short digest of the newest code or text in the row, or null when it shows none. Changes when a message arrives. */
  readonly newest: string | null;
  /** The newest message itself, where the row shows it in plain text. */
  readonly message: Pick<ProviderMessage, "code" | "text"> | null;
}

/** The active list, and when its reading began. */
export interface Listing extends Moment {
  readonly rows: readonly ActiveActivation[];
}

/** One row of the provider's history, for reconciliation. */
export interface PastActivation {
  readonly activationId: ActivationId;
  readonly phoneNumber: string | null;
  readonly cost: MicroUsd | null;
  readonly at: Millis | null;
  readonly service: ServiceCode | null;
  readonly country: CountryId | null;
  readonly standing: ActivationStanding;
}

/**
 * What a question about prices is for: opening an order (the default), or showing the catalog. Neither may delay what was paid for, and
 * the catalog waits for orders.
 */
export type OfferPurpose = "quote" | "catalog";

/** Price and real stock of one service in one country. */
export interface SmsOffer {
  readonly country: CountryId;
  readonly service: ServiceCode;
  /** Price of the cheapest tier that really has stock. */
  readonly cost: MicroUsd;
  readonly stock: number;
}

export interface RentalOffer {
  readonly country: CountryId;
  readonly service: ServiceCode;
  readonly hours: number;
  readonly cost: MicroUsd;
  readonly stock: number;
}

export interface ReactivationOffer {
  readonly cost: MicroUsd;
}

export interface ProviderCountry {
  readonly id: CountryId;
  readonly name: string;
  readonly visible: boolean;
  readonly rent: boolean;
}

export interface ProviderService {
  readonly code: ServiceCode;
  readonly name: string;
}

/** The provider could not be asked, or answered nonsense: nothing is known about the subject of the question. */
export class ProviderUnavailable extends Error {
  /** Set when the reason is our account, not the network. */
  readonly trouble: AccountTrouble | null;

  constructor(reason: string, trouble: AccountTrouble | null = null, options?: ErrorOptions) {
    super(`Provider unavailable: ${reason}`, options);
    this.name = "ProviderUnavailable";
    this.trouble = trouble;
  }
}

export interface NumberProvider {
  /** @throws ProviderUnavailable */
  balance(): Promise<MicroUsd>;
  /** A text that names the provider account without revealing its key: a digest. The database is bound to it. */
  accountFingerprint(): string;

  /** Offers with real stock; `country` and `service` narrow the question. @throws ProviderUnavailable */
  smsOffers(filter: { country?: CountryId; service?: ServiceCode; for?: OfferPurpose }): Promise<SmsOffer[]>;
  /** Rental offers for one service, all countries and durations the provider names. @throws ProviderUnavailable */
  rentalOffers(filter: { service: ServiceCode; country?: CountryId; for?: OfferPurpose }): Promise<RentalOffer[]>;
  /** Price of one more code on a finished number; null when the provider offers none. @throws ProviderUnavailable */
  reactivationOffer(id: ActivationId): Promise<ReactivationOffer | null>;
  /** @throws ProviderUnavailable */
  countries(): Promise<ProviderCountry[]>;
  /** @throws ProviderUnavailable */
  services(): Promise<ProviderService[]>;

  /** The buys never throw: whatever goes wrong is refused or unknown. */
  buyActivation(request: BuyActivation): Promise<BuyOutcome>;
  buyRental(request: BuyRental): Promise<BuyOutcome>;
  reactivate(request: Reactivate): Promise<BuyOutcome>;

  /**
   * Messages and standing of one activation or rental. What has ended is only told by the history, which can be searched
   * by time alone: `boughtAt`, if known, makes that one short page. @throws ProviderUnavailable
   */
  look(id: ActivationId, boughtAt?: Millis): Promise<Look>;
  /** Never throws. */
  cancel(id: ActivationId): Promise<CancelOutcome>;
  /** Never throws. */
  finish(id: ActivationId): Promise<FinishOutcome>;

  /** The complete active list; a partial or garbled one throws, it is never read as "absent". @throws ProviderUnavailable */
  active(): Promise<readonly ActiveActivation[]>;
  /** The same list, for matching purchases by the provider's clock. @throws ProviderUnavailable */
  listing(): Promise<Listing>;
  /** Activations bought within the window, complete or throwing. @throws ProviderUnavailable */
  history(from: Millis, to: Millis): Promise<PastActivation[]>;
}
