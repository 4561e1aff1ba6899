/**
 * The transport of Core Lightning's REST interface (clnrest): every RPC is a POST, a rune authorises it, success is HTTP
 * 201, and every error of an RPC is HTTP 500 with the RPC's own code in the body. Refusals of the rune are 401 and 403
 * (ElementsProject/lightning: plugins/rest-plugin/src/handlers.rs, shared.rs, structs.rs).
 */
import type { World } from "../../../actors/runtime/world.ts";
import { AnswerLost, call } from "../../wire.ts";
import { type Json, parseObject, unlessLost } from "../answers.ts";
import { NodeUnavailable } from "../port.ts";

export interface ClnRest {
  readonly world: World;
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly rune: string;
  readonly tls?: { readonly ca: string };
}

/** The answer of a call that did not succeed. The message is for comparing only, never for logs. */
export interface ClnError {
  readonly status: number;
  /** Of the RPC (common/jsonrpc_errors.h); null when clnrest could not reach lightningd, or something in between answered. */
  readonly code: number | null;
  readonly message: string;
}

export type ClnAnswer = { readonly ok: true; readonly body: Json } | { readonly ok: false; readonly error: ClnError };

export interface ClnCall {
  readonly method: string;
  readonly params?: Json;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly once?: boolean;
  readonly idle?: boolean;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 15_000;

/** The rune does not allow the call, or is none (commando's codes). */
export const NO_RUNE = 1501;
export const BAD_RUNE = 1502;
/** JSON-RPC 2.0. */
export const UNKNOWN_METHOD = -32601;
export const INVALID_PARAMS = -32602;

/** Makes one call. @throws AnswerLost when no complete answer came, or one that is no JSON object. */
export async function ask(rest: ClnRest, request: ClnCall): Promise<ClnAnswer> {
  const { method, params = {}, timeoutMs = TIMEOUT_MS, ...how } = request;
  const answer = await call(rest.world, {
    url: `${rest.baseUrl}/v1/${method}`,
    method: "POST",
    headers: { Rune: rest.rune, "Content-Type": "application/json" },
    body: JSON.stringify(params),
    timeoutMs,
    ...how,
    ...(rest.tls && { tls: rest.tls }),
  });
  const body = parseObject(answer.text);
  if (answer.status !== 201) return { ok: false, error: toError(answer.status, body) };
  if (!body) throw new AnswerLost("network", { cause: new Error("The answer is not a JSON object") });
  return { ok: true, body };
}

/**
 * Makes one call that must succeed.
 * @throws NodeUnavailable when it does not. The text names the call, HTTP status and code and nothing the peer wrote.
 */
export async function demand(rest: ClnRest, request: ClnCall): Promise<Json> {
  const answer = await unlessLost(request.method, () => ask(rest, request));
  if (answer.ok) return answer.body;
  throw refused(request.method, answer.error);
}

export function refused(method: string, { status, code }: ClnError): NodeUnavailable {
  return new NodeUnavailable(`${method}: HTTP ${status}, code ${code ?? "none"}`);
}

function toError(status: number, body: Json | null): ClnError {
  const { code, message } = body ?? {};
  return {
    status,
    code: typeof code === "number" ? code : null,
    message: typeof message === "string" ? message : "",
  };
}

/** An amount in msats: a number, or text with its unit as releases before 23.11 write it. Null when it is neither. */
export function msatOf(value: unknown): number | null {
  const number = typeof value === "string" && /^\d{1,16}(?:msat)?$/.test(value) ? Number.parseInt(value, 10) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : null;
}
