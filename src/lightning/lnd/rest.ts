/**
 * The transport of lnd's REST interface: where it is, how calls are authorised, what its errors and its JSON look like
 * (lnd: lnrpc/rpc_utils.go, RESTJsonMarshalOpts; grpc-gateway: runtime/errors.go).
 */
import type { World } from "../../../actors/runtime/world.ts";
import { AnswerLost, type Call, call } from "../../wire.ts";
import { isObject, type Json, parseObject, unlessLost } from "../answers.ts";
import { NodeUnavailable } from "../port.ts";

export interface LndRest {
  readonly world: World;
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly headers: Record<string, string>;
  readonly tls?: { readonly ca: string };
}

/** An answer that is not 200: HTTP status, gRPC code and message. The message is for comparing only, never for logs. */
export interface LndError {
  readonly status: number;
  readonly code: number | null;
  readonly message: string;
}

export type LndAnswer = { readonly ok: true; readonly body: Json } | { readonly ok: false; readonly error: LndError };

/** gRPC's "not found". */
export const NOT_FOUND = 5;

const TIMEOUT_MS = 15_000;

export interface LndCall {
  readonly method?: Call["method"];
  readonly path: string;
  readonly body?: Json;
  readonly maxBytes?: number;
}

/**
 * Makes one unary call.
 * @throws AnswerLost when no complete answer came, or one that is no JSON object.
 */
export async function ask(rest: LndRest, request: LndCall): Promise<LndAnswer> {
  const answer = await call(rest.world, {
    url: rest.baseUrl + request.path,
    method: request.method ?? "GET",
    headers: rest.headers,
    timeoutMs: TIMEOUT_MS,
    ...(request.maxBytes !== undefined && { maxBytes: request.maxBytes }),
    ...(request.body && { body: JSON.stringify(request.body) }),
    ...(rest.tls && { tls: rest.tls }),
  });
  if (answer.status !== 200) return { ok: false, error: readError(answer.status, answer.text) };
  const body = parseObject(answer.text);
  if (!body) throw new AnswerLost("network", { cause: new Error("The answer is not a JSON object") });
  return { ok: true, body };
}

/**
 * Makes one unary call that must succeed.
 * @throws NodeUnavailable when it does not. The text names the call, HTTP status and gRPC code and nothing the peer wrote.
 */
export async function demand(rest: LndRest, what: string, request: LndCall): Promise<Json> {
  const answer = await unlessLost(what, () => ask(rest, request));
  if (answer.ok) return answer.body;
  throw refused(what, answer.error);
}

export function refused(what: string, error: LndError): NodeUnavailable {
  return new NodeUnavailable(`${what}: HTTP ${error.status}, code ${error.code ?? "none"}`);
}

/** Reads both shapes: `{code, message}` of unary calls and `{error: {code, message}}` of streams. */
export function readError(status: number, text: string): LndError {
  const body = parseObject(text);
  const nested = body?.error;
  return toError(status, isObject(nested) ? nested : body);
}

export function toError(status: number, error: Json | null): LndError {
  const { code, message } = error ?? {};
  return {
    status,
    code: typeof code === "number" ? code : null,
    message: typeof message === "string" ? message : "",
  };
}

/** A non-negative int64 or uint64, which proto3 JSON writes as a string; null when it is none, or beyond 2^53. */
export function int64(value: unknown): number | null {
  if (typeof value !== "string" || !/^\d{1,19}$/.test(value)) return null;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : null;
}

/** `bytes` in JSON bodies: standard base64 with padding. Hex of exactly 32 bytes, or null. */
export function hashFromBase64(value: unknown): string | null {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]{43}=$/.test(value)) return null;
  return Buffer.from(value, "base64").toString("hex");
}

export function hexToBase64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

/** `bytes` in paths: the URL-safe alphabet, but with padding (grpc-gateway: runtime/convert.go, Bytes), percent-encoded. */
export function hexToPath(hex: string): string {
  return encodeURIComponent(hexToBase64(hex).replaceAll("+", "-").replaceAll("/", "_"));
}
