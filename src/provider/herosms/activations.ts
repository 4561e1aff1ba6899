/**
 * Buying, cancelling and finishing one activation: getNumberV2 and setStatus.
 *
 * setStatus is used rather than cancelActivation and finishActivation: it is in every version of the protocol, and it
 * answers with a word of its own for each change, so that an answer to something else is not taken for success.
 */
import { formatMicroUsd, microUsd } from "../../../actors/order/money.ts";
import type { Priority } from "../budget.ts";
import type {
  ActivationId,
  BuyActivation,
  BuyOutcome,
  CancelOutcome,
  FinishOutcome,
  ProviderMessage,
} from "../port.ts";
import type { Client, Told } from "./client.ts";
import type { ErrorWord, Reading } from "./dialect.ts";
import * as field from "./fields.ts";
import { parseMessage } from "./messages.ts";
import { purchaseOutcome } from "./purchase.ts";
import { shortly } from "./trouble.ts";

/** REST v1 documents 0.0067 as the smallest `maxPrice`. A cap of 0 could even be read as no cap. */
const SMALLEST_CAP = microUsd(6_700);
const DEFAULT_MIN_SECONDS = 120;
const MAX_MIN_SECONDS = 86_400;

/** setStatus codes. */
const FINISH = 6;
const CANCEL = 8;

/**
 * Buys a number at or below the cap. `fixedPrice` is never sent: it would buy strictly at `maxPrice` (HeroSMS docs,
 * getNumberV2).
 */
export async function buyActivation(client: Client, currency: number, request: BuyActivation): Promise<BuyOutcome> {
  const { service, country, maxCost } = request;
  if (field.service(service) === null || field.country(country) === null) {
    return { kind: "refused", refusal: { why: "invalid", detail: "malformed country or service" } };
  }
  if (maxCost < SMALLEST_CAP) {
    return { kind: "refused", refusal: { why: "price_above_cap", minimum: SMALLEST_CAP } };
  }
  const told = await client.ask({
    action: "getNumberV2",
    params: { service, country, maxPrice: formatMicroUsd(maxCost) },
    priority: "urgent",
    once: true,
  });
  return purchaseOutcome(client, told, { service, country, currency });
}

/** Cancels with refund (setStatus 8). */
export async function cancel(client: Client, id: ActivationId): Promise<CancelOutcome> {
  const told = await setStatus(client, id, CANCEL, "urgent");
  if (isDone(told, "ACCESS_CANCEL")) return { kind: "cancelled" };
  if (told.kind === "text" && told.text === "STATUS_CANCEL") return { kind: "not_active" };
  if (told.kind !== "error" || told.status >= 500) return { kind: "unknown", detail: shortly(told) };
  if (told.word === "EARLY_CANCEL_DENIED") {
    const seconds = field.whole(told.info.minActivationTime) ?? DEFAULT_MIN_SECONDS;
    return { kind: "too_early", minActivationSeconds: Math.min(seconds, MAX_MIN_SECONDS) };
  }
  if (told.word === "FREE_CANCELLATION_EXPIRED") return { kind: "too_late" };
  return arrivedOrEnded(id, told) ?? { kind: "unknown", detail: shortly(told) };
}

/** Ends successfully, without refund (setStatus 6). */
export async function finish(client: Client, id: ActivationId): Promise<FinishOutcome> {
  // The customer has the code: nobody waits.
  const told = await setStatus(client, id, FINISH, "poll");
  if (isDone(told, "ACCESS_ACTIVATION")) return { kind: "finished" };
  if (told.kind !== "error" || told.status >= 500) return { kind: "unknown", detail: shortly(told) };
  const refusals: readonly ErrorWord[] = ["BAD_STATUS", "EARLY_CANCEL_DENIED", "FREE_CANCELLATION_EXPIRED"];
  if (refusals.includes(told.word)) return { kind: "refused", detail: told.word };
  return arrivedOrEnded(id, told) ?? { kind: "unknown", detail: shortly(told) };
}

function setStatus(client: Client, id: ActivationId, status: number, priority: Priority): Promise<Told> {
  return client.ask({ action: "setStatus", params: { id, status }, priority, once: true });
}

/** 204 is success by HTTP; an empty 200 could come from anybody on the way. */
function isDone(told: Told, word: string): boolean {
  return told.kind === "empty" ? told.status === 204 : told.kind === "text" && told.text === word;
}

const ENDED_WORDS: readonly ErrorWord[] = [
  "ACTIVATION_NOT_ACTIVE",
  "NOT_FOUND",
  "NO_ACTIVATION",
  "WRONG_ACTIVATION_ID",
];

/** The provider's own word that an activation is over or that it does not know the id. */
export const saysEnded = (told: Told): boolean =>
  told.kind === "error" && told.status < 500 && ENDED_WORDS.includes(told.word);

function arrivedOrEnded(id: ActivationId, told: Reading & { kind: "error" }) {
  if (told.word === "OTP_RECEIVED") return { kind: "sms_arrived", messages: [] } as const;
  if (told.word === "NEW_OTP_RECEIVED") return { kind: "sms_arrived", messages: carried(id, told.info.data) } as const;
  return saysEnded(told) ? ({ kind: "not_active" } as const) : null;
}

/** The messages a NEW_OTP_RECEIVED carries; what is unreadable there is still in getAllSms. */
function carried(id: ActivationId, data: unknown): ProviderMessage[] {
  return (field.rows(data) ?? []).flatMap((row) => parseMessage(id, row) ?? []);
}
