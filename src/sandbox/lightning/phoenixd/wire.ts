/**
 * How phoenixd speaks: form bodies in, pretty-printed JSON without nulls out, plain text for errors (Api.kt: StatusPages,
 * ContentNegotiation).
 */

/** The node's own "no". */
export class PhoenixdError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "PhoenixdError";
    this.status = status;
  }

  response(): Response {
    return plain(this.status, this.message);
  }
}

const plain = (status: number, text: string): Response =>
  new Response(text, { status, headers: { "Content-Type": "text/plain; charset=UTF-8" } });

export const NOT_FOUND = new PhoenixdError(404, "Not found");
export const UNKNOWN_ENDPOINT = new PhoenixdError(404, "Unknown endpoint (check api doc)");
export const WRONG_METHOD = new PhoenixdError(405, "Invalid http method (use the correct GET/POST)");
export const UNAUTHORIZED = new PhoenixdError(
  401,
  "Invalid authentication (use basic auth with the http password set in phoenix.conf)",
);

/** Null and undefined fields are left out. */
export function json(body: unknown): Response {
  const text = JSON.stringify(body, (_, value: unknown) => (value === null ? undefined : value), 4);
  return new Response(text, { headers: { "Content-Type": "application/json; charset=UTF-8" } });
}

const MAX_BODY_CHARS = 64 * 1024;

/** The parameters of a form. @throws PhoenixdError */
export async function readForm(request: Request): Promise<Params> {
  const text = await request.text();
  if (text.length > MAX_BODY_CHARS) throw new PhoenixdError(413, "");
  const type = request.headers.get("content-type") ?? "";
  if (!type.startsWith("application/x-www-form-urlencoded")) throw new PhoenixdError(415, "");
  return new Params(new URLSearchParams(text));
}

/** Parameters of a form or a query, read by kind. Every method may throw PhoenixdError. */
export class Params {
  readonly #values: URLSearchParams;

  constructor(values: URLSearchParams) {
    this.#values = values;
  }

  text(name: string): string | null {
    return this.#values.get(name);
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === null) throw new PhoenixdError(400, `Request parameter ${name} is missing`);
    return value;
  }

  integer(name: string): number | null {
    const value = this.text(name);
    if (value === null) return null;
    const number = /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (!Number.isSafeInteger(number)) throw wrongType(name, "integer");
    return number;
  }
}

export function wrongType(name: string, kind: string): PhoenixdError {
  return new PhoenixdError(400, `Request parameter ${name} couldn't be parsed/converted to ${kind}`);
}

/** 32 bytes of hex from a path. @throws PhoenixdError */
export function hex32(name: string, text: string): string {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw wrongType(name, "hex32");
  return text.toLowerCase();
}
