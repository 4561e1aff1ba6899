/**
 * What every action of the peer works with, and the few steps they share: selling a number, ending it, letting an SMS
 * arrive. These keep the books straight; the callers only speak the protocol.
 */
import type { MicroUsd } from "../../../actors/order/money.ts";
import type { Millis, World } from "../../../actors/runtime/world.ts";
import { type Mode, NO_BALANCE, type Refusal } from "./answers.ts";
import type { Bans } from "./bans.ts";
import { type Activation, type Books, type Message, type NewActivation, STATUS, SUBTYPE } from "./books.ts";
import { findCountry, serviceName } from "./catalog.ts";
import { randomPhone } from "./phones.ts";
import type { Stock } from "./stock.ts";
import type { Webhooks } from "./webhooks.ts";

export interface Desk {
  readonly world: World;
  readonly books: Books;
  readonly stock: Stock;
  readonly webhooks: Webhooks;
  readonly mode: Mode;
  /** How long after a buy its SMS arrives by itself; null is never. */
  readonly smsAfterMs: number | null;
  /** Judges the account by its success; null does not. */
  readonly bans: Bans | null;
}

/** Longest text kept: ten concatenated SMS. */
const MAX_TEXT = 1_600;
const MAX_FROM = 40;
/** More than this many SMS for one number are dropped. */
const MAX_MESSAGES = 200;
const PHONE_TRIES = 50;

/** USD as the JSON number of the wire. */
export const usd = (amount: MicroUsd | number): number => amount / 1_000_000;

/** A number of `country` that is not active. */
export function freshPhone(desk: Desk, country: number): string {
  const iso = findCountry(country)?.iso ?? "";
  for (let attempt = 0; attempt < PHONE_TRIES; attempt++) {
    const phone = randomPhone(desk.world, iso);
    if (!desk.books.activeByPhone(phone)) return phone;
  }
  throw new Error("No unused phone number left to make up");
}

/** Charges, takes from stock, books the activation and plans its SMS. */
export function sell(desk: Desk, made: NewActivation): Activation | Refusal {
  const judged = made.subtype === SUBTYPE.activation;
  const ban = judged ? desk.bans?.refusal(made.service, made.country, desk.world.now()) : null;
  if (ban) return ban;
  if (!desk.books.charge(made.cost)) return NO_BALANCE;
  if (made.tier !== null) desk.books.take(made.country, made.service, made.tier, 1);
  const activation = desk.books.addActivation(made);
  if (desk.webhooks.takeEarly()) {
    receive(desk, activation, greeting(desk, activation), desk.world.now(), { urgent: true });
    return desk.books.activation(activation.id) ?? activation;
  }
  if (desk.smsAfterMs !== null) desk.books.planSms(activation.id, desk.world.now() + desk.smsAfterMs);
  return activation;
}

/** Ends an activation. With `refund` the cost comes back, and so does the number to stock. */
export function end(desk: Desk, activation: Activation, status: 6 | 8 | 10, at: Millis): void {
  const refund = status !== STATUS.finished;
  desk.books.markEnded(activation.id, status, at);
  if (refund) desk.books.credit(activation.cost);
  // A rented line is free again afterwards; a number that got its code is used up for that service.
  if (activation.tier !== null && (refund || activation.subtype === SUBTYPE.rental)) {
    desk.books.take(activation.country, activation.service, activation.tier, -1);
  }
}

/** An SMS arrives at an active number. @returns null when the number holds as many as it can. */
export function receive(
  desk: Desk,
  activation: Activation,
  sms: { text: string; from: string },
  at: Millis,
  options: { urgent?: boolean } = {},
): Message | null {
  if (desk.books.messages(activation.id).length >= MAX_MESSAGES) return null;
  const text = sms.text.slice(0, MAX_TEXT);
  const message = desk.books.addMessage({
    activationId: activation.id,
    phoneFrom: sms.from.slice(0, MAX_FROM),
    code: codeIn(text),
    text,
    receivedAt: at,
  });
  desk.books.setStatus(activation.id, STATUS.received);
  desk.webhooks.announce(activation, message, options);
  return message;
}

/** The SMS that arrives by itself: a random six-digit code in the service's name. */
export function greeting(desk: Desk, activation: Activation): { text: string; from: string } {
  const name = serviceName(activation.service);
  const [a = 0, b = 0, c = 0, d = 0] = desk.world.random(4);
  const code = 100_000 + ((((a << 24) | (b << 16) | (c << 8) | d) >>> 0) % 900_000);
  return { text: `Your ${name} code is ${code}`, from: name };
}

/** The code as the provider parses it: "123-456", or the first run of 4 to 8 digits. */
function codeIn(text: string): string | null {
  return /(?<!\d)(?:\d{3}-\d{3}|\d{4,8})(?!\d)/.exec(text)?.[0] ?? null;
}
