/**
 * How gRPC-Gateway carries lnd's messages over HTTP: proto field names, every field written, 64-bit integers as text,
 * bytes as base64, and gRPC status codes as HTTP ones.
 * (lnd: lnd.go and lnrpc/rpc_utils.go, RESTJsonMarshalOpts; grpc-gateway: runtime/errors.go, runtime/convert.go.)
 */

/** gRPC status codes and the HTTP status that grpc-gateway maps each to. */
const HTTP_STATUS = {
  2: 500, // Unknown: what a plain Go error becomes
  3: 400, // InvalidArgument
  5: 404, // NotFound
  6: 409, // AlreadyExists
  8: 429, // ResourceExhausted
  12: 501, // Unimplemented
  13: 500, // Internal
  14: 503, // Unavailable
  16: 401, // Unauthenticated
} as const;
export type RpcCode = keyof typeof HTTP_STATUS;
export const UNKNOWN = 2;
export const INVALID_ARGUMENT = 3;
export const NOT_FOUND = 5;
export const ALREADY_EXISTS = 6;
export const RESOURCE_EXHAUSTED = 8;
export const UNIMPLEMENTED = 12;
export const INTERNAL = 13;
export const UNAVAILABLE = 14;
export const UNAUTHENTICATED = 16;

/**
 * The node's own "no". `early` errors arise in the gateway before the call reaches the node: they have the plain
 * shape even where the call is a stream.
 */
export class RpcError extends Error {
  readonly code: RpcCode;
  readonly early: boolean;

  constructor(code: RpcCode, message: string, early = false) {
    super(message);
    this.name = "RpcError";
    this.code = code;
    this.early = early;
  }

  get httpStatus(): number {
    return HTTP_STATUS[this.code];
  }

  body(stream: boolean): string {
    const status = { code: this.code, message: this.message, details: [] };
    return stream && !this.early ? `${JSON.stringify({ error: status })}\n` : JSON.stringify(status);
  }
}

export const JSON_HEADERS = { "Content-Type": "application/json", "Grpc-Metadata-Content-Type": "application/grpc" };

export function errorResponse(error: RpcError, stream: boolean): Response {
  return new Response(error.body(stream), {
    status: error.httpStatus,
    headers: { "Content-Type": "application/json" },
  });
}

/** Bytes, given as hex, in the base64 of protobuf's JSON. */
export const base64 = (hex: string): string => Buffer.from(hex, "hex").toString("base64");

/** 64-bit integers of lnd's units as text: sats from millisats, and times from milliseconds. */
export const sats = (msat: number): string => String(Math.floor(msat / 1000));
export const seconds = (ms: number): string => String(Math.floor(ms / 1000));
export const nanoseconds = (ms: number): string => String(BigInt(Math.floor(ms)) * 1_000_000n);

/** The kinds of field a request has. Absent fields read as zero (proto3). */
interface KindType {
  string: string;
  int: number;
  bool: boolean;
  /** As hex. */
  bytes: string;
}
export type Fields = Readonly<Record<string, keyof KindType>>;
export type Message<F extends Fields> = { readonly [Name in keyof F]: KindType[F[Name]] };

const MAX_BODY_CHARS = 64 * 1024;
const ZERO: KindType = { string: "", int: 0, bool: false, bytes: "" };
const early = (message: string) => new RpcError(INVALID_ARGUMENT, message, true);

/**
 * Reads a JSON body. As in lnd, names may be snake_case or lowerCamelCase and an unknown one is refused; fields
 * of lnd that this network does not simulate count as unknown.
 * @throws RpcError
 */
export async function readBody<F extends Fields>(request: Request, fields: F): Promise<Message<F>> {
  const text = await request.text();
  if (text.length > MAX_BODY_CHARS)
    throw new RpcError(RESOURCE_EXHAUSTED, "grpc: received message larger than max", true);
  const names = new Map(
    Object.keys(fields).flatMap((name) => [[name, name] as const, [camelCase(name), name] as const]),
  );
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(parseObject(text))) {
    const name = names.get(key);
    if (name === undefined) throw early(`proto: (line 1:1): unknown field ${JSON.stringify(key)}`);
    if (value !== null) values[name] = fromJson(fields[name] ?? "string", name, value);
  }
  return withZeros(fields, values);
}

/** Reads the query. As in lnd, unknown names are ignored. @throws RpcError */
export function readQuery<F extends Fields>(url: URL, fields: F): Message<F> {
  const values: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(fields)) {
    const text = url.searchParams.get(name) ?? url.searchParams.get(camelCase(name));
    if (text !== null) values[name] = fromText(kind, name, text);
  }
  return withZeros(fields, values);
}

/**
 * Bytes in a path or query, as hex: standard or URL-safe base64, and always with padding (grpc-gateway:
 * runtime/convert.go, Bytes). @throws RpcError
 */
export function bytesFromUrl(name: string, text: string): string {
  const standard = /^[A-Za-z0-9+/]*={0,2}$/.test(text) || /^[A-Za-z0-9_-]*={0,2}$/.test(text);
  if (!standard || text.length % 4 !== 0) {
    const at = text.length - (text.length % 4);
    throw early(`type mismatch, parameter: ${name}, error: illegal base64 data at input byte ${at}`);
  }
  return Buffer.from(text, "base64").toString("hex");
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Answered below, like any other body that is no object.
  }
  throw early("proto: syntax error (line 1:1): unexpected token");
}

function fromJson(kind: keyof KindType, name: string, value: unknown): unknown {
  if (kind === "string" && typeof value === "string") return value;
  if (kind === "bool" && typeof value === "boolean") return value;
  // protobuf's JSON takes any base64 alphabet, padded or not.
  if (kind === "bytes" && typeof value === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value)) {
    return Buffer.from(value, "base64").toString("hex");
  }
  if (kind === "int" && (typeof value === "number" || typeof value === "string")) {
    const number = toInteger(value);
    if (number !== null) return number;
  }
  throw early(`proto: (line 1:1): invalid value for ${name}`);
}

function fromText(kind: keyof KindType, name: string, text: string): unknown {
  if (kind === "string") return text;
  if (kind === "bytes") return bytesFromUrl(name, text);
  if (kind === "bool" && /^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (kind === "bool" && /^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  const number = kind === "int" ? toInteger(text) : null;
  if (number === null) throw early(`parsing field "${name}": parsing ${JSON.stringify(text)}: invalid syntax`);
  return number;
}

function toInteger(value: number | string): number | null {
  const number = typeof value === "number" ? value : /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(number) ? number : null;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function withZeros<F extends Fields>(fields: F, values: Record<string, unknown>): Message<F> {
  const message = Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, values[name] ?? ZERO[kind]]));
  // Each value was read by the kind of its field above; the compiler cannot follow that through the loop.
  return message as Message<F>;
}
