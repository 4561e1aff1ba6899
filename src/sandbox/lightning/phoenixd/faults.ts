/** The names under which phoenixd's calls can be made to fail, their own faults, and its words for what is wrong. */
import { type Dialect, TRANSPORT_FAULTS } from "../faults.ts";
import { PAYMENT_FAULTS } from "../payments.ts";
import { PhoenixdError, UNAUTHORIZED } from "./wire.ts";

export const PHOENIXD_ACTIONS = [
  "getinfo",
  "getbalance",
  "createinvoice",
  "getincoming",
  "listincoming",
  "payinvoice",
  "getoutgoing",
  "listoutgoing",
  "decodeinvoice",
  "websocket",
] as const;
export type PhoenixdAction = (typeof PHOENIXD_ACTIONS)[number];

/** Of a WebSocket: refused, silent although open, cut after the first event. */
export const SOCKET_FAULTS = ["unauthorized", "http503", "reset", "html502", "silent_stream", "stream_cut"] as const;

const OWN: Partial<Record<PhoenixdAction, readonly string[]>> = {
  payinvoice: [...PAYMENT_FAULTS, "forbidden"],
};

export function ownFaults(action: PhoenixdAction): readonly string[] {
  return OWN[action] ?? [];
}

/** The faults that `action` knows, for those who plan them. */
export function phoenixdFaults(action: PhoenixdAction): readonly string[] {
  return action === "websocket" ? SOCKET_FAULTS : [...TRANSPORT_FAULTS, ...ownFaults(action)];
}

const JSON_TYPE = { "Content-Type": "application/json; charset=UTF-8" };

export const PHOENIXD_DIALECT: Dialect = {
  http500: (message = "") => new PhoenixdError(500, message).response(),
  http503: () => new PhoenixdError(503, "").response(),
  unauthorized: () => UNAUTHORIZED.response(),
  garbled: () => new Response('{\n    "paymentHash": "', { headers: JSON_TYPE }),
  empty: () => new Response("", { headers: JSON_TYPE }),
};
