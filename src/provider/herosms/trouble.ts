/**
 * Answers that say no: which of them mean trouble with our account, and how a refused or lost read is told to the rest of
 * the service. Details are fixed words only, safe to log.
 */
import { type AccountTrouble, ProviderUnavailable } from "../port.ts";
import type { Told } from "./client.ts";
import type { ErrorWord } from "./dialect.ts";

const ACCOUNT_WORDS: Partial<Record<ErrorWord, AccountTrouble>> = {
  BAD_KEY: "bad_key",
  NO_KEY: "bad_key",
  NO_BALANCE: "no_balance",
  BAD_BALANCE: "no_balance",
  ACCOUNT_INACTIVE: "inactive",
  CHANNELS_LIMIT: "channels_limit",
  RATE_LIMIT: "rate_limited",
};

/** Trouble with the account or the provider as a whole; null when the answer concerns its own subject only. */
export function accountTrouble(told: Told): AccountTrouble | null {
  if (told.kind === "blocked") return "blocked";
  if (told.kind === "not_sent") return "rate_limited";
  if (told.kind !== "error" || told.status >= 500) return null;
  // A ban of scope "specific" bars one country/service pair, any other bars the account.
  if (told.word === "BANNED") return told.info.scope === "specific" ? null : "banned";
  return ACCOUNT_WORDS[told.word] ?? null;
}

/** A short word for an answer that did not help, safe to log. */
export function shortly(told: Told): string {
  switch (told.kind) {
    case "lost":
      return `answer lost (${told.why})`;
    case "not_sent":
      return "not sent";
    case "error":
      return `${told.word} (HTTP ${told.status})`;
    case "blocked":
      return `blocked (HTTP ${told.status})`;
    case "empty":
      return `empty answer (HTTP ${told.status})`;
    case "garbled":
      return `unreadable answer (HTTP ${told.status})`;
    default:
      return `unexpected answer (HTTP ${told.status})`;
  }
}

/** What a read throws when its answer does not help. */
export function unavailable(action: string, told: Told): ProviderUnavailable {
  return new ProviderUnavailable(`${action}: ${shortly(told)}`, accountTrouble(told));
}
