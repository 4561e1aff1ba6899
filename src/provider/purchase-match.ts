/**
 * Which of the provider's rows may be a buy of ours, by what was bought and when it was sent; and how long a number lasts. Pure. What
 * a row does not tell readably may be anything: such a row is neither adopted nor overlooked.
 */
import type { HeldNumber } from "../../actors/order/state.ts";
import type { Good } from "../../actors/order/terms.ts";
import { rentalMs } from "../../actors/order/terms.ts";
import type { Millis } from "../../actors/runtime/world.ts";
import { CLOCK_DOUBT_MS } from "./clocks.ts";
import type { ActiveActivation, PastActivation } from "./port.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** What the provider's answers are dated by, and what its rows are, may differ by this much. */
const SKEW_MS = 10 * SECOND;
/** A buy that was sent is over, one way or the other, within this of the list before it. */
const WINDOW_MS = 90 * SECOND;
const DEFAULT_LIFE_MS = 20 * MINUTE;
/** No activation ends sooner; one for a single SMS and one that brought a number back do not last longer. */
const SHORTEST_LIFE_MS = 5 * MINUTE;
const LONGEST_LIFE_MS = { "receive-sms": 3 * 60 * MINUTE, "receive-sms-reactivate": 25 * 60 * MINUTE } as const;
/** How far a listed rental's length may be from the one that was bought. */
const RENTAL_TOLERANCE_MS = 10 * MINUTE;

/** A reactivation brings back its own number and no other. */
export const isNumberOf = (phoneNumber: string | null, good: Good): boolean =>
  good.type !== "receive-sms-reactivate" || phoneNumber === null || phoneNumber === good.parentPhoneNumber;

/** Whether the row is, or may be, of the service and country that were bought. */
export const mayBeOfLane = ({ service, country }: ActiveActivation | PastActivation, good: Good): boolean =>
  (service ?? good.service) === good.service && (country ?? good.country) === good.country;

/** A rental lasts as long as it was bought for, as far as the list tells. */
export function lastsAsBought({ boughtAt, endsAt }: ActiveActivation, good: Good): boolean {
  if (good.type !== "rent-number" || boughtAt === null || endsAt === null) return true;
  return Math.abs(endsAt - boughtAt - lifeOf(good)) <= RENTAL_TOLERANCE_MS;
}

/**
 * One that was refunded cost nothing and gave nothing: as good as never bought. What the history does not tell may be anything, and so may
 * a time outside of what it was asked for: then it is misread.
 */
export const mayBe = (row: PastActivation, good: Good, { sentAt, from, to }: Searched): boolean =>
  row.standing !== "refunded" &&
  isNumberOf(row.phoneNumber, good) &&
  mayBeOfLane(row, good) &&
  (row.at === null || row.at < from || row.at > to || Math.abs(row.at - sentAt) <= CLOCK_DOUBT_MS);

/** When the purchase was sent, and the part of the history that was asked for. */
export interface Searched {
  readonly sentAt: Millis;
  readonly from: Millis;
  readonly to: Millis;
}

/** Whether the row is, or may be, what was bought, by all but its time. */
export function mayBeActive(row: ActiveActivation, good: Good): boolean {
  const rental = good.type === "rent-number";
  // Only an activation's cost is capped on the wire.
  const affordable = rental || row.cost === null || row.cost <= good.maxCost;
  return mayBeOfLane(row, good) && row.rental === rental && affordable && isNumberOf(row.phoneNumber, good);
}

/** @param last others buy in the lane meanwhile. */
export function activeCandidates(
  active: readonly ActiveActivation[],
  good: Good,
  sentAt: Millis,
  last: boolean,
): HeldNumber[] {
  return active.flatMap((row) => {
    const { activationId, service, country, phoneNumber, boughtAt } = row;
    if (service === null || country === null || phoneNumber === null || !lastsAsBought(row, good)) return [];
    // While its lane is closed, a new one without a time can hardly be another's. The last search is not alone.
    if (boughtAt === null ? last : !within(boughtAt, sentAt)) return [];
    const cost = row.cost ?? good.maxCost;
    const endsAt = endOf(row.endsAt, sentAt, good);
    return [{ activationId, phoneNumber, cost, boughtAt: boughtAt ?? sentAt, endsAt }];
  });
}

/** Ended before we found it. */
export function pastCandidates(past: readonly PastActivation[], good: Good, sentAt: Millis): HeldNumber[] {
  return past.flatMap(({ activationId, phoneNumber, at, service, country, cost }) => {
    if (service === null || country === null || phoneNumber === null || at === null || !within(at, sentAt)) return [];
    return [{ activationId, phoneNumber, cost: cost ?? good.maxCost, boughtAt: at, endsAt: sentAt + lifeOf(good) }];
  });
}

/** Whether something of this time can come from a request that was sent then. */
export const within = (time: Millis, sentAt: Millis): boolean => time >= sentAt - SKEW_MS && time <= sentAt + WINDOW_MS;

export const lifeOf = (good: Good): number => rentalMs(good) || DEFAULT_LIFE_MS;

/**
 * When the number ends. The provider's word counts as far as it can be true: a time without a zone, or of another clock, may be hours
 * off, and a rental would be over before it began, or a text never be erased. Else it ends when what was bought ends.
 */
export function endOf(told: Millis | null, boughtAt: Millis, good: Good): Millis {
  const usual = boughtAt + lifeOf(good);
  if (told === null) return usual;
  const life = told - boughtAt;
  const isPossible =
    good.type === "rent-number"
      ? Math.abs(told - usual) <= RENTAL_TOLERANCE_MS
      : life >= SHORTEST_LIFE_MS && life <= LONGEST_LIFE_MS[good.type];
  return isPossible ? told : usual;
}
