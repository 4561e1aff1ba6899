/** The RPCs under whose names Core Lightning's calls can be made to fail, their own faults, and its words for what is wrong. */
import { type Dialect, TRANSPORT_FAULTS } from "../faults.ts";
import { PAYMENT_FAULTS } from "../payments.ts";
import { BAD_RUNE, ClnError, JSON_HEADERS } from "./wire.ts";

export const CLN_ACTIONS = [
  "getinfo",
  "listpeerchannels",
  "invoice",
  "listinvoices",
  "delinvoice",
  "wait",
  "waitanyinvoice",
  "xpay",
  "listpays",
  "decode",
] as const;
export type ClnAction = (typeof CLN_ACTIONS)[number];

const OWN: Partial<Record<ClnAction, readonly string[]>> = {
  /** `early_failure`: the first part fails and is reported, while another one is still out (`xpay-slow-mode=false`). */
  xpay: [...PAYMENT_FAULTS, "forbidden", "early_failure"],
  waitanyinvoice: ["silent_stream"],
};

export function ownFaults(action: ClnAction): readonly string[] {
  return OWN[action] ?? [];
}

/** The faults that `action` knows, for those who plan them. */
export function clnFaults(action: ClnAction): readonly string[] {
  return [...TRANSPORT_FAULTS, ...ownFaults(action)];
}

export const CLN_DIALECT: Dialect = {
  http500: (message = "Plugin terminated before replying to RPC call.") => new ClnError(-4, message).response(),
  // clnrest lives, lightningd does not.
  http503: () => new ClnError(null, "Connection refused (os error 111)").response(),
  unauthorized: () => new ClnError(BAD_RUNE, "Not authorized: Not derived from master", { status: 401 }).response(),
  garbled: () => new Response('{"bolt11":"lnb', { status: 201, headers: JSON_HEADERS }),
  empty: () => new Response("", { status: 201, headers: JSON_HEADERS }),
};
