/**
 * One more code on a number that was finished successfully: reactivateOptions tells the price, reactivate (POST) buys a
 * new activation with an id of its own.
 */
import { type MicroUsd, parseMicroUsd } from "../../../actors/order/money.ts";
import type { Priority } from "../budget.ts";
import type { ActivationId, BuyOutcome, Reactivate, ReactivationOffer } from "../port.ts";
import { saysEnded } from "./activations.ts";
import type { Client, Told } from "./client.ts";
import type { ErrorWord } from "./dialect.ts";
import * as field from "./fields.ts";
import { capRefusal, neverBought, purchaseOutcome, refusalIn } from "./purchase.ts";
import { unavailable } from "./trouble.ts";

interface Option {
  readonly cost: MicroUsd;
  readonly minutes: number;
}

/** What the provider offers, or the answer that offered nothing. */
type Priced = { readonly option: Option | null; readonly told: Told };

const NONE_WORDS: readonly ErrorWord[] = [
  "SERVICE_NOT_AVAILABLE",
  "SIM_OFFLINE",
  "SIM_TEMPORARY_OFFLINE",
  "ACTION_NOT_AVAILABLE",
  "NO_NUMBERS",
];

/** Null when the provider offers none. @throws ProviderUnavailable */
export async function readReactivationOffer(client: Client, id: ActivationId): Promise<ReactivationOffer | null> {
  const { option, told } = await askPrice(client, id, "quote");
  if (option) return { cost: option.cost };
  if (told.kind === "json" || offersNone(told)) return null;
  throw unavailable("reactivateOptions", told);
}

/** Never throws. The wire has no cap, so the price is read again just before. */
export async function reactivate(client: Client, currency: number, request: Reactivate): Promise<BuyOutcome> {
  const { activationId, maxCost } = request;
  const { option, told } = await askPrice(client, activationId, "urgent");
  if (!option) {
    const offline = told.kind === "error" && offersNone(told) ? refusalIn(told) : null;
    if (offline) return { kind: "refused", refusal: offline };
    if (told.kind === "json" || offersNone(told)) {
      return { kind: "refused", refusal: { why: "invalid", detail: "no reactivation offered" } };
    }
    return neverBought(told);
  }
  const refusal = capRefusal(option.cost, maxCost);
  if (refusal) return { kind: "refused", refusal };
  // `duration` is in whole hours; left out, the provider takes its shortest.
  const duration = option.minutes % 60 === 0 && option.minutes > 0 ? { duration: option.minutes / 60 } : {};
  const answer = await client.ask({
    action: "reactivate",
    params: { id: activationId, ...duration },
    priority: "urgent",
    method: "POST",
    once: true,
  });
  return purchaseOutcome(client, answer, { service: null, country: null, currency });
}

const offersNone = (told: Told): boolean =>
  saysEnded(told) || (told.kind === "error" && told.status < 500 && NONE_WORDS.includes(told.word));

/** The shortest option, and the cheapest of equally short ones. */
async function askPrice(client: Client, id: ActivationId, priority: Priority): Promise<Priced> {
  const told = await client.ask({ action: "reactivateOptions", params: { id }, priority });
  if (told.kind === "error" && told.word === "BAD_ACTION") return askOldPrice(client, id, priority);
  const list = field.rows(dataIn(told)?.options);
  const options = (list ?? []).flatMap((value) => parseOption(value) ?? []);
  options.sort((a, b) => a.minutes - b.minutes || a.cost - b.cost);
  // Options that are there but unreadable are no proof that none is offered.
  if (told.kind === "json" && (!list || (list.length > 0 && options.length === 0))) return unreadable(told);
  return { option: options[0] ?? null, told };
}

/** reactivationPrice, from before reactivateOptions existed: {"data":{"price":1.4522,"currency":840}}. */
async function askOldPrice(client: Client, id: ActivationId, priority: Priority): Promise<Priced> {
  const told = await client.ask({ action: "reactivationPrice", params: { id }, priority });
  const cost = parseMicroUsd(dataIn(told)?.price);
  if (told.kind === "json" && cost === null) return unreadable(told);
  return { option: cost === null ? null : { cost, minutes: 0 }, told };
}

const unreadable = (told: Told & { kind: "json" }): Priced => ({
  option: null,
  told: { kind: "garbled", status: told.status },
});

const dataIn = (told: Told): field.Fields | null =>
  told.kind === "json" ? field.fields(field.fields(told.value)?.data) : null;

/** {"price":0.2145,"duration":{"unit":"hour","value":2}}; unit is minute or hour. */
function parseOption(value: unknown): Option | null {
  const row = field.fields(value);
  const duration = field.fields(row?.duration);
  const cost = parseMicroUsd(row?.price);
  const amount = field.whole(duration?.value);
  const unit = duration?.unit === "hour" ? 60 : duration?.unit === "minute" ? 1 : null;
  return cost === null || amount === null || unit === null ? null : { cost, minutes: amount * unit };
}
