/**
 * What can go wrong between the service and its node, on demand. A fault either keeps the call from reaching the node,
 * loses or spoils the answer after the node has acted, or belongs to one call and changes what the node does.
 */
import { ConnectionReset, type Fault, hang } from "../faults.ts";
import { errorResponse, INTERNAL, JSON_HEADERS, RpcError, UNAUTHENTICATED, UNAVAILABLE } from "./wire.ts";

/** The names under which calls can be made to fail. */
export const NODE_ACTIONS = [
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
export type NodeAction = (typeof NODE_ACTIONS)[number];

/** The node never sees the call. */
const BEFORE = ["hang", "reset", "http500", "http503", "html502", "unauthorized", "not_found_html"] as const;
/** The node has acted; its answer does not arrive in one piece. */
const AFTER = ["hang_after", "reset_after", "garbled", "empty"] as const;
const OWN: Partial<Record<NodeAction, readonly string[]>> = {
  send: ["no_route", "insufficient_balance", "timeout", "incorrect_details", "in_flight", "wrong_preimage"],
  subscribe: ["stream_cut", "silent_stream", "duplicate_events"],
};

type Before = (typeof BEFORE)[number];
type After = (typeof AFTER)[number];

/** What a handler made of a call: it has acted, and this is how to write the answer. */
export type Answer = () => Response | Promise<Response>;

/** The faults that `action` knows, for those who plan them. */
export function nodeFaults(action: NodeAction): readonly string[] {
  return [...BEFORE, ...AFTER, ...(OWN[action] ?? [])];
}

/**
 * Runs `act` under `fault`. Faults of the action's own are left to `act`.
 * @throws ConnectionReset, or what the caller aborted with
 */
export async function underFault(
  fault: Fault | null,
  call: { readonly action: NodeAction; readonly stream: boolean; readonly signal: AbortSignal },
  act: () => Promise<Answer>,
): Promise<Response> {
  const name = fault?.fault;
  if (isOneOf(BEFORE, name)) return await unreached(name, call.stream, call.signal);
  if (isOneOf(AFTER, name)) {
    // The effect comes first; what the node wanted to say is dropped.
    await act();
    return await spoiled(name, call.stream, call.signal);
  }
  if (name !== undefined && !OWN[call.action]?.includes(name)) {
    const wrong = `fault ${JSON.stringify(name)} does not apply to ${JSON.stringify(call.action)}`;
    return errorResponse(new RpcError(INTERNAL, wrong), call.stream);
  }
  return await (await act())();
}

async function unreached(fault: Before, stream: boolean, signal: AbortSignal): Promise<Response> {
  switch (fault) {
    case "hang":
      return await hang(signal);
    case "reset":
      throw new ConnectionReset();
    case "http500":
      return errorResponse(new RpcError(INTERNAL, "internal server error"), stream);
    case "http503":
      return errorResponse(new RpcError(UNAVAILABLE, "the RPC server is in the process of starting up"), stream);
    case "unauthorized":
      return errorResponse(new RpcError(UNAUTHENTICATED, "verification failed: signature mismatch"), stream);
    case "html502":
      return page(502, "Bad Gateway");
    case "not_found_html":
      return page(404, "Not Found");
  }
}

async function spoiled(fault: After, stream: boolean, signal: AbortSignal): Promise<Response> {
  switch (fault) {
    case "hang_after":
      return await hang(signal);
    case "reset_after":
      throw new ConnectionReset();
    case "garbled":
      return new Response(stream ? '{"result":{"payment_hash":"' : '{"payment_request":"lnb', {
        headers: JSON_HEADERS,
      });
    case "empty":
      return new Response("", { headers: JSON_HEADERS });
  }
}

/** A reverse proxy's own page. */
function page(status: number, title: string): Response {
  const html = `<html>\r\n<head><title>${status} ${title}</title></head>\r\n<body>\r\n<center><h1>${status} ${title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`;
  return new Response(html, { status, headers: { "Content-Type": "text/html", Server: "nginx" } });
}

function isOneOf<T extends string>(names: readonly T[], name: string | undefined): name is T {
  return name !== undefined && (names as readonly string[]).includes(name);
}
