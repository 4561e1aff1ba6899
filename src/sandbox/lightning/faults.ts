/**
 * What can go wrong between the service and its node, on demand, whatever protocol they speak over HTTP. A fault either
 * keeps the call from reaching the node, loses or spoils the answer after the node has acted, or belongs to one call and
 * changes what the node does.
 */
import { ConnectionReset, type Fault, hang } from "../faults.ts";

/** The node never sees the call. */
const BEFORE = ["hang", "reset", "http500", "http503", "html502", "unauthorized", "not_found_html"] as const;
/** The node has acted; its answer does not arrive in one piece. */
const AFTER = ["hang_after", "reset_after", "garbled", "empty"] as const;

type Before = (typeof BEFORE)[number];
type After = (typeof AFTER)[number];

/** Faults that every call of every node knows. */
export const TRANSPORT_FAULTS: readonly string[] = [...BEFORE, ...AFTER];

/** How one protocol says what went wrong, and what half an answer of it looks like. */
export interface Dialect {
  /** `message` in place of the protocol's usual words. */
  http500(message?: string): Response;
  http503(): Response;
  unauthorized(): Response;
  garbled(): Response;
  empty(): Response;
}

/** What a handler made of a call: it has acted, and this is how to write the answer. */
export type Answer = () => Response | Promise<Response>;

export interface FaultyCall {
  readonly action: string;
  /** Faults that `act` knows how to play itself. */
  readonly own: readonly string[];
  readonly dialect: Dialect;
  readonly signal: AbortSignal;
}

/**
 * Runs `act` under `fault`. Faults of the action's own are left to `act`.
 * @throws ConnectionReset, or what the caller aborted with
 */
export async function underFault(fault: Fault | null, call: FaultyCall, act: () => Promise<Answer>): Promise<Response> {
  const name = fault?.fault;
  if (isOneOf(BEFORE, name)) return await unreached(name, call);
  if (isOneOf(AFTER, name)) {
    // The effect comes first; what the node wanted to say is dropped.
    await act();
    return await spoiled(name, call);
  }
  if (name !== undefined && !call.own.includes(name)) {
    return call.dialect.http500(`fault ${JSON.stringify(name)} does not apply to ${JSON.stringify(call.action)}`);
  }
  return await (await act())();
}

async function unreached(fault: Before, { dialect, signal }: FaultyCall): Promise<Response> {
  switch (fault) {
    case "hang":
      return await hang(signal);
    case "reset":
      throw new ConnectionReset();
    case "http500":
      return dialect.http500();
    case "http503":
      return dialect.http503();
    case "unauthorized":
      return dialect.unauthorized();
    case "html502":
      return page(502, "Bad Gateway");
    case "not_found_html":
      return page(404, "Not Found");
  }
}

async function spoiled(fault: After, { dialect, signal }: FaultyCall): Promise<Response> {
  switch (fault) {
    case "hang_after":
      return await hang(signal);
    case "reset_after":
      throw new ConnectionReset();
    case "garbled":
      return dialect.garbled();
    case "empty":
      return dialect.empty();
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
