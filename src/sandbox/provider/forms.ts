/**
 * How activations and messages look on the wire, which differs by call: getNumberV2 has ISO times and numbers, the active
 * list has strings and times without a zone, REST v1 has names of its own for the same things.
 */
import type { Mode } from "./answers.ts";
import { type Activation, type Message, STATUS, SUBTYPE } from "./books.ts";
import { findCountry } from "./catalog.ts";
import { usd } from "./desk.ts";
import { microTime, moscowTime, utcTime, zonelessTime } from "./times.ts";

const USD = 840;

const codeOf = (country: number): number => findCountry(country)?.callingCode ?? 0;

/** The answer of getNumberV2, getRentNumber, reactivate and prolong. */
export function purchase(activation: Activation, mode: Mode): Record<string, unknown> {
  const old = mode === "legacy";
  return {
    activationId: String(activation.id),
    phoneNumber: activation.phone,
    activationCost: usd(activation.cost),
    currency: USD,
    countryCode: old ? String(activation.country) : activation.country,
    countryPhoneCode: codeOf(activation.country),
    canGetAnotherSms: old ? "1" : true,
    activationTime: old ? zonelessTime(activation.boughtAt) : utcTime(activation.boughtAt),
    ...(old ? {} : { activationEndTime: utcTime(activation.endsAt) }),
    activationOperator: activation.operator,
    verificationType: "sms",
    subtype: activation.subtype,
    serviceCode: activation.service,
    status: STATUS.waiting,
  };
}

/** One row of getActiveActivations. */
export function activeRow(activation: Activation, messages: readonly Message[]): Record<string, unknown> {
  const last = messages[0];
  return {
    activationId: String(activation.id),
    serviceCode: activation.service,
    phoneNumber: activation.phone,
    activationCost: usd(activation.cost),
    activationStatus: String(activation.status),
    smsCode: last?.code ?? null,
    smsText: last?.text ?? null,
    activationTime: zonelessTime(activation.boughtAt),
    ...(activation.subtype === SUBTYPE.rental && { activationEndTime: zonelessTime(activation.endsAt) }),
    countryCode: String(activation.country),
    countryName: findCountry(activation.country)?.name ?? "",
    canGetAnotherSms: "1",
    currency: USD,
    verificationType: "sms",
    subtype: activation.subtype,
  };
}

/** One row of getHistory. The cost is the list price even when it was refunded. */
export function historyRow(activation: Activation, messages: readonly Message[]): Record<string, unknown> {
  return {
    id: String(activation.id),
    date: zonelessTime(activation.boughtAt),
    phone: activation.phone,
    sms: messages[0]?.text ?? null,
    cost: usd(activation.cost),
    status: String(activation.status),
    currency: USD,
  };
}

/** One message of getAllSms, getStatusV2 and `info.data` of NEW_OTP_RECEIVED. */
export function sms(message: Message, service: string): Record<string, unknown> {
  return {
    id: String(message.id),
    phoneFrom: message.phoneFrom,
    code: message.code,
    text: message.text,
    service,
    date: moscowTime(message.receivedAt),
    type: "sms",
  };
}

/** One activation of the v1 active list. */
export function v1Row(activation: Activation, messages: readonly Message[]): Record<string, unknown> {
  return {
    id: activation.id,
    status: activation.status,
    phone: Number(activation.phone),
    service: activation.service,
    country: activation.country,
    countryPhoneCode: codeOf(activation.country),
    operator: activation.operator,
    price: usd(activation.cost),
    otpList: messages.map((message) => ({
      id: String(message.id),
      smsCode: message.code,
      smsText: message.text,
      receivedAt: microTime(message.receivedAt),
      type: "sms",
      phoneFrom: message.phoneFrom,
      service: activation.service,
    })),
    createdAt: microTime(activation.boughtAt),
    expiredAt: microTime(activation.endsAt),
    verificationType: "sms",
    subtype: activation.subtype,
  };
}

/** One row of the v1 history; `moreCodes` is a string for one code and an array for several. */
export function v1HistoryRow(activation: Activation, messages: readonly Message[]): Record<string, unknown> {
  const codes = messages.map(({ code, text }) => code ?? text);
  return {
    id: activation.id,
    createDate: microTime(activation.boughtAt),
    service: activation.service,
    country: activation.country,
    phone: Number(activation.phone),
    moreCodes: codes.length > 1 ? codes : (codes[0] ?? null),
    cost: usd(activation.cost),
    status: activation.status,
    phoneCode: codeOf(activation.country),
    currency: USD,
    subtype: activation.subtype,
  };
}
