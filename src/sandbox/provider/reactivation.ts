/**
 * One more code on a number that was finished successfully: reactivateOptions (GET) and reactivate (POST). The reactivation is
 * a new activation with an id of its own and the old phone number.
 */
import { type MicroUsd, microUsd } from "../../../actors/order/money.ts";
import { type Answer, invalid, json, NOT_FOUND, type Refusal, SERVICE_NOT_AVAILABLE, SIM_OFFLINE } from "./answers.ts";
import { type Activation, STATUS, SUBTYPE } from "./books.ts";
import { type Desk, sell, usd } from "./desk.ts";
import { purchase } from "./forms.ts";
import { integer, optionalInteger, type Params, refused } from "./params.ts";

const HOUR_MS = 3_600_000;
/** Hours -> percent of what the number cost. */
const OPTIONS = [
  { hours: 2, percent: 130 },
  { hours: 24, percent: 400 },
] as const;

export function reactivateOptions(desk: Desk, params: Params): Answer {
  const original = finished(desk, params);
  if ("kind" in original) return original;
  const options = OPTIONS.map(({ hours, percent }) => ({
    price: usd(price(original, percent)),
    duration: { unit: "hour", value: hours },
  }));
  return json({ data: { options } });
}

/** Buys; without a `duration` in hours, the shortest. */
export function reactivate(desk: Desk, params: Params): Answer {
  const original = finished(desk, params);
  if ("kind" in original) return original;
  const wanted = optionalInteger(params, "duration", 1, 10_000);
  if (refused(wanted)) return wanted;
  const option = OPTIONS.find(({ hours }) => hours === (wanted ?? OPTIONS[0].hours));
  if (!option) return invalid("duration");
  // Somebody holds the number right now.
  if (desk.books.activeByPhone(original.phone)) return SIM_OFFLINE;
  const now = desk.world.now();
  const activation = sell(desk, {
    phone: original.phone,
    service: original.service,
    country: original.country,
    operator: original.operator,
    cost: price(original, option.percent),
    subtype: SUBTYPE.activation,
    tier: null,
    boughtAt: now,
    endsAt: now + option.hours * HOUR_MS,
  });
  return "kind" in activation ? activation : json(purchase(activation, desk.mode));
}

function finished(desk: Desk, params: Params): Activation | Refusal {
  const id = integer(params, "id");
  if (refused(id)) return id;
  const activation = desk.books.activation(id);
  if (!activation) return NOT_FOUND;
  const possible = activation.status === STATUS.finished && activation.subtype === SUBTYPE.activation;
  return possible ? activation : SERVICE_NOT_AVAILABLE;
}

const price = (original: Activation, percent: number): MicroUsd =>
  microUsd(Math.round((original.cost * percent) / 100 / 100) * 100);
