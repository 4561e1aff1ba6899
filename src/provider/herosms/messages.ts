/**
 * SMS and calls as HeroSMS lists them: getAllSms, and the `info.data` of NEW_OTP_RECEIVED. Codes stay text.
 */

import { sha256Hex } from "../../sha256.ts";
import { type ActivationId, ANONYMOUS, type ProviderMessage } from "../port.ts";
import * as field from "./fields.ts";
import { parseTime } from "./time.ts";

const MAX_TEXT = 4_000;
const MAX_CODE = 200;
const MAX_FROM = 200;

/** @returns null when the value is no message at all. A call has neither code nor text. */
export function parseMessage(activation: ActivationId, value: unknown): ProviderMessage | null {
  const row = field.fields(value);
  if (!row) return null;
  const message = {
    code: field.text(row.code, MAX_CODE),
    text: field.text(row.text, MAX_TEXT),
    from: field.text(row.phoneFrom, MAX_FROM),
    receivedAt: parseTime(row.date),
  };
  const own = field.id(row.id);
  if (own === null && message.code === null && message.text === null && message.receivedAt === null) return null;
  return { id: own ?? digest(activation, message), ...message };
}

/** The newest message as a row of the active list shows it; null when it shows none, or not as plain text. */
export function shownMessage(row: field.Fields): Pick<ProviderMessage, "code" | "text"> | null {
  const shown = { code: field.text(row.smsCode, MAX_CODE), text: field.text(row.smsText, MAX_TEXT) };
  return shown.code === null && shown.text === null ? null : shown;
}

/** A code without its message: from getStatus or from the history. */
export function codeMessage(activation: ActivationId, code: string): ProviderMessage {
  const message = { code: code.slice(0, MAX_CODE), text: null, from: null, receivedAt: null };
  return { id: digest(activation, message), ...message };
}

/** What the history keeps of the messages of an activation: null, a text, or a list of texts or objects. */
export function historyMessages(activation: ActivationId, ...values: readonly unknown[]): ProviderMessage[] {
  const found = values.flatMap((value) => (typeof value === "object" ? (field.rows(value) ?? []) : [value]));
  const messages = found.flatMap((value) => {
    const said = field.text(value, MAX_TEXT);
    if (said === null) return parseMessage(activation, value) ?? [];
    // One word is a code; anything longer is the text it came in.
    if (!/\s/.test(said)) return codeMessage(activation, said);
    const message = { code: null, text: said, from: null, receivedAt: null };
    return { id: digest(activation, message), ...message };
  });
  return [...new Map(messages.map((message) => [message.id, message])).values()];
}

/** An id for a message that came without one; see `ANONYMOUS`. */
function digest(activation: ActivationId, message: Omit<ProviderMessage, "id">): string {
  const content = JSON.stringify([activation, message.from, message.code, message.text, message.receivedAt]);
  return ANONYMOUS + sha256Hex(content);
}
