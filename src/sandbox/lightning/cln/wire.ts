/**
 * How clnrest carries Core Lightning's JSON-RPC over HTTP: POST only, 201 for success, 500 for every error of an RPC, and
 * parameters that are checked by name and kind (plugins/rest-plugin/src/handlers.rs; common/json_param.c).
 */

/** Standard codes of JSON-RPC 2.0, and those of common/jsonrpc_errors.h that this network can cause. */
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const PLUGIN_ERROR = -3;
export const DESTINATION_PERM_FAIL = 203;
export const ROUTE_NOT_FOUND = 205;
export const ROUTE_TOO_EXPENSIVE = 206;
export const INVOICE_EXPIRED = 207;
export const UNSPECIFIED = 209;
export const INSUFFICIENT_FUNDS = 215;
export const ALREADY_PAID = 219;
export const LABEL_EXISTS = 900;
export const PREIMAGE_EXISTS = 901;
export const WAIT_TIMED_OUT = 904;
export const INVOICE_NOT_FOUND = 905;
export const STATUS_UNEXPECTED = 906;
export const MISSING_RUNE = 1501;
export const BAD_RUNE = 1502;

/** The node's own "no". */
export class ClnError extends Error {
  readonly code: number | null;
  readonly status: number;
  readonly data: unknown;

  constructor(code: number | null, message: string, more: { readonly status?: number; readonly data?: unknown } = {}) {
    super(message);
    this.name = "ClnError";
    this.code = code;
    this.status = more.status ?? 500;
    this.data = more.data ?? null;
  }

  response(): Response {
    const { code, data, message, status } = this;
    return new Response(JSON.stringify({ code, data, message }), { status, headers: JSON_HEADERS });
  }
}

export const JSON_HEADERS = { "Content-Type": "application/json" };

export function success(body: object): Response {
  return new Response(JSON.stringify(body), { status: 201, headers: JSON_HEADERS });
}

interface KindType {
  string: string;
  /** A number of msats, also as text with its unit. */
  msat: number;
  u64: number;
  hex32: string;
}
/** A field's kind; `?` marks one that may be absent. */
type Kind = keyof KindType | `${keyof KindType}?`;
export type Fields = Readonly<Record<string, Kind>>;
type Value<K extends Kind> = K extends `${infer Base extends keyof KindType}?`
  ? KindType[Base] | undefined
  : K extends keyof KindType
    ? KindType[K]
    : never;
export type Params<F extends Fields> = { readonly [Name in keyof F]: Value<F[Name]> };

const MAX_BODY_CHARS = 64 * 1024;
const EXPECTED: Readonly<Record<keyof KindType, string>> = {
  string: "should be a string",
  msat: "should be a millisatoshi amount",
  u64: "should be an unsigned 64 bit integer",
  hex32: "should be a 32 byte hex value",
};

/** The named parameters of a call; null values count as absent. @throws ClnError */
export async function readParams<F extends Fields>(request: Request, fields: F): Promise<Params<F>> {
  const text = await request.text();
  const given = text === "" ? {} : parse(text);
  for (const name of Object.keys(given)) {
    if (given[name] === null) delete given[name];
    else if (!(name in fields)) throw new ClnError(INVALID_PARAMS, `unknown parameter: ${name}`);
  }
  const params: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(fields)) {
    const value = given[name];
    if (value !== undefined) params[name] = read(name, kind.replace("?", "") as keyof KindType, value);
    else if (!kind.endsWith("?")) throw new ClnError(INVALID_PARAMS, `missing required parameter: ${name}`);
  }
  // Each value was read by the kind of its field above; the compiler cannot follow that through the loop.
  return params as Params<F>;
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = text.length <= MAX_BODY_CHARS ? JSON.parse(text) : null;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Answered below, like any other body that is no object.
  }
  throw new ClnError(null, "Could not parse the body as JSON request");
}

function read(name: string, kind: keyof KindType, value: unknown): unknown {
  if (kind === "string" && (typeof value === "string" || typeof value === "number")) return String(value);
  if (kind === "hex32" && typeof value === "string" && /^[0-9a-fA-F]{64}$/.test(value)) return value.toLowerCase();
  if (kind === "u64" || kind === "msat") {
    const text = String(value).replace(kind === "msat" ? /msat$/ : "", "");
    if ((typeof value === "number" || typeof value === "string") && /^\d{1,16}$/.test(text)) {
      const number = Number(text);
      if (Number.isSafeInteger(number)) return number;
    }
  }
  throw new ClnError(INVALID_PARAMS, `${name}: ${EXPECTED[kind]}: invalid token '${JSON.stringify(value)}'`);
}
