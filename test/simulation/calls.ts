/**
 * The calls that the service makes, by the name of what they ask, and which stages of an order's life each can concern. Faults are drawn
 * per call, and coverage is counted per stage, so both speak these names.
 */
import { CALLBACK_PATH, PAY_REQUEST_PREFIX } from "../../src/sandbox/lnurl.ts";
import { KINDS, type Stage } from "./stages.ts";

/** `address` is the wallet behind a refund address. */
export type PeerKind = "node" | "provider" | "prices" | "address";

export interface Call {
  readonly peer: PeerKind;
  readonly action: Action;
  /** Activation id or payment hash that the call names; null when it names none. */
  readonly subject: string | null;
}

const LOOKING = ["waiting", "closing", "delivered", "finishing", "renting"] as const;
const ASKING = ["unpaid", "lapsed", "refunding", "refundUnknown"] as const;

/** Stages by action. `opening` is before the order's row exists. */
export const ACTIONS = {
  // The provider's compat API.
  getBalance: ["opening"],
  getPrices: ["opening"],
  getNumberV2: ["buying"],
  serviceCountRent: ["opening", "buying"],
  getRentNumber: ["buying"],
  reactivateOptions: ["opening", "buying"],
  reactivate: ["buying"],
  getActiveActivations: ["buying", "buyUnknown", "waiting", "delivered", "renting"],
  getHistory: ["buyUnknown", ...LOOKING],
  getAllSms: LOOKING,
  getStatus: LOOKING,
  cancel: ["closing"],
  finish: ["finishing"],
  // Its REST v1.
  offers: ["opening"],
  history: ["buyUnknown", ...LOOKING],
  // LND.
  getinfo: ASKING,
  balance: ["opening"],
  addinvoice: ["opening"],
  listinvoices: ["unpaid"],
  subscribe: ["unpaid"],
  lookupinvoice: ["unpaid", "lapsed"],
  cancelinvoice: ["unpaid"],
  send: ["refunding"],
  track: ["refundUnknown"],
  // Sources of the bitcoin price.
  price: ["opening"],
  // A refund address.
  payrequest: ["resolving"],
  paycallback: ["resolving"],
  /** Whatever the service may come to ask that is not in this list. */
  other: [],
} as const satisfies Readonly<Record<string, readonly Stage[]>>;

export type Action = keyof typeof ACTIONS;

const isAction = (name: string): name is Action => Object.hasOwn(ACTIONS, name);

/** What a request is, by its address. */
export function callOf(url: string, body: string | undefined): Call {
  const { pathname, searchParams } = new URL(url);
  if (pathname.startsWith("/stubs/")) return compat(searchParams);
  if (pathname.startsWith("/api/v1/")) {
    const action = pathname.endsWith("/history") ? "history" : pathname.includes("/offers/") ? "offers" : "other";
    return { peer: "provider", action, subject: null };
  }
  if (pathname.startsWith("/prices/")) return { peer: "prices", action: "price", subject: null };
  if (pathname.startsWith(PAY_REQUEST_PREFIX)) return { peer: "address", action: "payrequest", subject: null };
  if (pathname === CALLBACK_PATH) return { peer: "address", action: "paycallback", subject: null };
  return (
    lnd(pathname, body) ?? cln(pathname, body) ?? phoenixd(pathname) ?? { peer: "node", action: "other", subject: null }
  );
}

function compat(params: URLSearchParams): Call {
  const name = params.get("action") ?? "";
  const subject = params.get("id");
  if (name === "setStatus") {
    return { peer: "provider", action: params.get("status") === "8" ? "cancel" : "finish", subject };
  }
  return { peer: "provider", action: isAction(name) ? name : "other", subject };
}

const call = (action: Action, subject: string | null = null): Call => ({ peer: "node", action, subject });

function lnd(path: string, body: string | undefined): Call | null {
  if (path === "/v1/getinfo") return call("getinfo");
  if (path === "/v1/balance/channels") return call("balance");
  if (path === "/v1/invoices") return call(body === undefined ? "listinvoices" : "addinvoice");
  if (path === "/v1/invoices/subscribe") return call("subscribe");
  if (path.startsWith("/v1/invoice/")) return call("lookupinvoice", path.slice("/v1/invoice/".length));
  if (path === "/v2/invoices/cancel") return call("cancelinvoice", hashIn(body));
  if (path === "/v2/router/send") return call("send");
  if (path.startsWith("/v2/router/track/")) return call("track", fromPath(path.slice("/v2/router/track/".length)));
  return null;
}

/** By what a call is for; LND's names are everybody's here. */
function cln(path: string, body: string | undefined): Call | null {
  const hash = /"payment_hash":"([0-9a-f]{64})"/.exec(body ?? "")?.[1] ?? null;
  switch (path.replace("/v1/", "")) {
    case "listpeerchannels":
      return call("balance");
    case "invoice":
      return call("addinvoice");
    case "listinvoices":
      return hash === null ? call("listinvoices") : call("lookupinvoice", hash);
    case "waitanyinvoice":
      return call("subscribe");
    case "delinvoice":
      return call("cancelinvoice");
    case "xpay":
      return call("send");
    case "listpays":
      return call("track", hash);
    default:
      return null;
  }
}

function phoenixd(path: string): Call | null {
  if (path === "/getinfo") return call("getinfo");
  if (path === "/getbalance") return call("balance");
  if (path === "/createinvoice") return call("addinvoice");
  if (path === "/payinvoice") return call("send");
  const [, list = "", hash = null] = /^\/payments\/(\w+)(?:\/(\w+))?$/.exec(path) ?? [];
  if (list === "incoming") return hash === null ? call("listinvoices") : call("lookupinvoice", hash);
  return list === "outgoingbyhash" ? call("track", hash) : null;
}

function hashIn(body: string | undefined): string | null {
  const hash = /"payment_hash":"([^"]+)"/.exec(body ?? "")?.[1];
  return hash === undefined ? null : Buffer.from(hash, "base64").toString("hex");
}

const fromPath = (text: string): string => Buffer.from(decodeURIComponent(text), "base64url").toString("hex");

/** Every stage that some call can concern, for the sum over all calls. */
export const stagesOf = (actions: readonly Action[]): readonly Stage[] => {
  const found = new Set<Stage>(actions.flatMap((action) => ACTIONS[action]));
  return (["opening", ...KINDS] as const).filter((stage) => found.has(stage));
};
