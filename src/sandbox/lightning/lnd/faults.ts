/** The names under which lnd's calls can be made to fail, their own faults, and lnd's words for what is wrong. */
import { type Dialect, TRANSPORT_FAULTS } from "../faults.ts";
import { PAYMENT_FAULTS } from "../payments.ts";
import { errorResponse, INTERNAL, JSON_HEADERS, RpcError, UNAUTHENTICATED, UNAVAILABLE } from "./wire.ts";

export const LND_ACTIONS = [
  "getinfo",
  "balance",
  "addinvoice",
  "lookupinvoice",
  "listinvoices",
  "subscribe",
  "cancelinvoice",
  "send",
  "track",
  "listpayments",
  "decodepayreq",
] as const;
export type LndAction = (typeof LND_ACTIONS)[number];

const OWN: Partial<Record<LndAction, readonly string[]>> = {
  send: [...PAYMENT_FAULTS, "forbidden"],
  subscribe: ["stream_cut", "silent_stream", "duplicate_events"],
};

export function ownFaults(action: LndAction): readonly string[] {
  return OWN[action] ?? [];
}

/** The faults that `action` knows, for those who plan them. */
export function lndFaults(action: LndAction): readonly string[] {
  return [...TRANSPORT_FAULTS, ...ownFaults(action)];
}

/** Errors of a stream are wrapped, so the same one looks different there. */
export function lndDialect(stream: boolean): Dialect {
  return {
    http500: (message = "internal server error") => errorResponse(new RpcError(INTERNAL, message), stream),
    http503: () => errorResponse(new RpcError(UNAVAILABLE, "the RPC server is in the process of starting up"), stream),
    unauthorized: () => errorResponse(new RpcError(UNAUTHENTICATED, "verification failed: signature mismatch"), stream),
    garbled: () =>
      new Response(stream ? '{"result":{"payment_hash":"' : '{"payment_request":"lnb', { headers: JSON_HEADERS }),
    empty: () => new Response("", { headers: JSON_HEADERS }),
  };
}
