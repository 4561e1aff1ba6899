/**
 * Everything that can go wrong between the service and its peers, one row each: where it happens, to which calls, and how often compared
 * with the others. What an order may meet in which stage follows from it (`coverage.ts`).
 */
import { ACTIONS, type Action, type Call, type PeerKind } from "./calls.ts";
import type { Draw } from "./chance.ts";

/** Misbehaviour of the network itself, on any call. */
export const NETWORK_FAULTS = {
  /** The request never arrives. */
  lost_before: 3,
  /** It does, and the answer never comes. */
  lost_after: 4,
  /** Past every deadline of the adapters. */
  late: 2,
  /** Overtaken by later ones, but in time. */
  slow: 3,
  /** An error of something in front of the peer, which never saw the request. */
  http500: 2,
  /** The same after the peer has acted. */
  http502_after: 2,
  http429: 2,
  html: 1,
  truncated: 2,
  garbage: 1,
  empty: 1,
  /** The request arrives twice. */
  duplicate: 1,
  /** A page without an end. */
  flood: 0.1,
} as const;
export type NetworkFault = keyof typeof NETWORK_FAULTS;

interface PeerFault {
  /** The name that the sandbox's peer knows. */
  readonly fault: string;
  readonly on: readonly Action[];
  readonly weight: number;
  readonly detail?: (draw: Draw) => Readonly<Record<string, unknown>>;
}

const BUYS: readonly Action[] = ["getNumberV2", "getRentNumber", "reactivate"];
const RELEASES: readonly Action[] = ["cancel", "finish"];
const LOOKS: readonly Action[] = ["getAllSms", "getStatus", "getActiveActivations", "history"];
const SECONDS = { minute: 60, hour: 3_600, day: 86_400 } as const;

const provider = (fault: string, on: readonly Action[], weight = 1, detail?: PeerFault["detail"]): PeerFault => ({
  fault,
  on,
  weight,
  ...(detail && { detail }),
});
const maybeAfter = (draw: Draw) => ({ after: draw.hits(0.5) });

/** What the peers themselves can do, in the sandbox's words (src/sandbox). */
const PROVIDER_FAULTS: readonly PeerFault[] = [
  // Out of stock, or dearer, between quote and buy.
  provider("no_numbers", BUYS, 6, (draw) => ({ form: draw.one(["text", "json404", "json200"]) })),
  provider("price_jump", ["getNumberV2"], 4),
  provider("wrong_max_price", ["getNumberV2"], 2),
  provider("wrong_max_price_text", ["getNumberV2"], 1),
  // Bought, and the answer says so badly.
  provider("missing_id", BUYS, 3),
  provider("text_number", BUYS, 2),
  provider("quoted", [...BUYS, ...RELEASES, ...LOOKS], 1),
  provider("currency", BUYS, 1),
  provider("reset_bought", BUYS, 3),
  provider("hang_not_bought", BUYS, 2),
  // The account.
  provider("no_balance", BUYS, 1),
  provider("bad_key", [...BUYS, "getBalance", ...LOOKS], 0.5),
  provider("account_inactive", [...BUYS, "getBalance"], 0.5),
  provider("banned_global", BUYS, 0.5),
  provider("banned_specific", BUYS, 1),
  provider("banned_text", BUYS, 0.5),
  provider("channels_limit", BUYS, 1),
  provider("service_na", [...BUYS, "reactivateOptions"], 1),
  provider("sim_offline", ["reactivate", "getNumberV2"], 2),
  provider("sim_temporary_offline", ["reactivate", "getNumberV2"], 1),
  // The guard in front of it.
  provider("cf1020", [...BUYS, ...RELEASES, ...LOOKS], 1),
  provider("html403", [...BUYS, ...RELEASES, ...LOOKS], 1),
  provider("http400", [...BUYS, ...RELEASES, ...LOOKS], 1),
  provider("rate_limit", [...BUYS, ...RELEASES, ...LOOKS, "getBalance", "offers"], 1),
  provider("echo_key", [...BUYS, ...RELEASES, ...LOOKS], 1, maybeAfter),
  provider("http503", [...BUYS, ...RELEASES, ...LOOKS], 1, maybeAfter),
  provider("bad_action", ["getNumberV2", "offers", "history"], 0.5),
  // Giving a number back.
  provider("early_cancel_denied", ["cancel"], 4),
  provider("free_cancel_expired", ["cancel"], 1),
  provider("not_active", RELEASES, 2),
  provider("not_found", [...RELEASES, "getAllSms"], 1),
  provider("otp_received", RELEASES, 3),
  provider("sms_at_cancel", ["cancel"], 6),
  provider("otp_on_release", RELEASES, 2),
  // The provider ends a number by itself, with our money back.
  provider("provider_cancels", ["getAllSms", ...RELEASES], 2),
];

/** What the webhook does to the SMS it tells of. */
export const WEBHOOK_FAULTS = { duplicate_webhook: 2, late_webhook: 2, early_webhook: 1, lost_webhook: 2 } as const;
export type WebhookFault = keyof typeof WEBHOOK_FAULTS;

const hold = (draw: Draw) => ({
  resolveAfterSeconds: draw.one([30, 5 * SECONDS.minute, SECONDS.hour, 7 * SECONDS.hour, 3 * SECONDS.day, "never"]),
  resolve: draw.hits(0.5) ? "succeeded" : "failed",
});
const LND: readonly Action[] = [
  "getinfo",
  "balance",
  "addinvoice",
  "listinvoices",
  "lookupinvoice",
  "cancelinvoice",
  "send",
  "track",
];

const NODE_FAULTS: readonly PeerFault[] = [
  provider("http503", LND, 1),
  provider("unauthorized", LND, 1),
  provider("not_found_html", LND, 1),
  provider("no_route", ["send"], 4),
  provider("insufficient_balance", ["send"], 1),
  provider("timeout", ["send"], 3),
  provider("incorrect_details", ["send"], 2),
  /** The receiver holds the payment: for minutes, hours, days or for ever, and then it settles or fails. */
  provider("in_flight", ["send"], 12, hold),
  provider("wrong_preimage", ["send"], 2),
  provider("stream_cut", ["subscribe"], 10),
  provider("silent_stream", ["subscribe"], 10),
  provider("duplicate_events", ["subscribe"], 10),
];

const PRICE_FAULTS: readonly PeerFault[] = ["stale", "zero", "outlier", "garbled"].map((fault) =>
  provider(fault, ["price"], 1),
);

const ADDRESS: readonly Action[] = ["payrequest", "paycallback"];

const ADDRESS_FAULTS: readonly PeerFault[] = [
  provider("garbled", ADDRESS),
  provider("error", ADDRESS, 2),
  provider("redirect", ADDRESS),
  provider("out_of_range", ["payrequest"]),
  provider("callback_elsewhere", ["payrequest"]),
  provider("wrong_amount", ["paycallback"]),
  provider("wrong_description", ["paycallback"]),
];

const BY_PEER: Readonly<Record<PeerKind, readonly PeerFault[]>> = {
  provider: PROVIDER_FAULTS,
  node: NODE_FAULTS,
  prices: PRICE_FAULTS,
  address: ADDRESS_FAULTS,
};

/** A fault that was drawn for one call. */
export interface CallFault {
  readonly name: string;
  readonly by: "network" | "peer";
  readonly weight: number;
  readonly detail?: PeerFault["detail"];
}

/** Everything that can happen to calls of one action, the weights as they are in the tables. */
export function faultsOf({ peer, action }: Pick<Call, "peer" | "action">): readonly CallFault[] {
  const key = `${peer} ${action}`;
  let known = tables.get(key);
  if (!known) {
    known = [...networkFaultsOf(action), ...peerFaultsOf(peer, action)];
    tables.set(key, known);
  }
  return known;
}
const tables = new Map<string, readonly CallFault[]>();

/** A stream has no one answer that could be cut or repeated. */
const STREAM_FAULTS: ReadonlySet<string> = new Set(["lost_before", "http500", "http429", "html"]);
/** One delivery is all that our HTTP client makes of these, and a peer that acts twice on one is outside of the promise. */
const ONCE: ReadonlySet<Action> = new Set<Action>([...BUYS, ...RELEASES]);

function networkFaultsOf(action: Action): CallFault[] {
  const replayed: CallFault[] = action === "subscribe" ? [{ name: "replayed", by: "network", weight: 20 }] : [];
  const all = Object.entries(NETWORK_FAULTS)
    .filter(([name]) => action !== "subscribe" || STREAM_FAULTS.has(name))
    .filter(([name]) => name !== "duplicate" || !ONCE.has(action))
    .map(([name, weight]): CallFault => ({ name, by: "network", weight }));
  return [...all, ...replayed];
}

const peerFaultsOf = (peer: PeerKind, action: Action): CallFault[] =>
  BY_PEER[peer]
    .filter(({ on }) => on.includes(action))
    .map(({ fault, weight, detail }) => ({ name: fault, by: "peer", weight, ...(detail && { detail }) }));

/** Misfortune that is no call's own: what the run's plan does to the whole world. */
export const WORLD_FAULTS = [
  "crash_before_commit",
  "crash_after_commit",
  "crash_before_call",
  "crash_after_call",
  "crash_idle",
  "disk_full",
  "clock_forward",
  "clock_back",
  "node_down",
  "provider_down",
  "restart",
] as const;
export type WorldFault = (typeof WORLD_FAULTS)[number];

/** Each call's fault with the actions it is drawn for: the raw material of the grid. */
export function callFaults(): ReadonlyMap<string, readonly Action[]> {
  const found = new Map<string, Action[]>();
  for (const peer of ["provider", "node", "prices", "address"] as const) {
    for (const action of Object.keys(ACTIONS) as Action[]) {
      if (action === "other" || peerOf(action) !== peer) continue;
      for (const { name } of faultsOf({ peer, action })) found.set(name, [...(found.get(name) ?? []), action]);
    }
  }
  return found;
}

const NODE_ACTIONS: ReadonlySet<Action> = new Set<Action>([...LND, "subscribe"]);
export function peerOf(action: Action): PeerKind {
  if (action === "price") return "prices";
  if (ADDRESS.includes(action)) return "address";
  return NODE_ACTIONS.has(action) ? "node" : "provider";
}
