/**
 * Holds every answer that a test gets from a server against the OpenAPI document that this server hands out: its status,
 * its content type and its body must be declared for the route. Written from the specification (OpenAPI 3.0.3, "Schema
 * Object"), without the code that makes the document.
 */
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { sharedServer } from "./life.ts";

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
}

export interface Operation {
  readonly operationId: string;
  readonly description?: string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly required: boolean }[];
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly headers?: Readonly<Record<string, unknown>>;
        readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
      }
    >
  >;
}

export interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
}

/** Words of a schema that this validator understands, and words that restrict nothing. */
const UNDERSTOOD = new Set(
  (
    "$ref type nullable enum anyOf properties required additionalProperties items minimum maximum minLength maxLength pattern " +
    "format description default example title"
  ).split(" "),
);
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;

/**
 * What is wrong with a value, one line each. Members that no schema names are wrong too, unless `additionalProperties`
 * allows them: an undocumented member is a gap in the document.
 */
export function faultsOf(document: OpenApi, schema: Schema, value: unknown, at = "body"): string[] {
  const strange = Object.keys(schema).filter((word) => !UNDERSTOOD.has(word) && !word.startsWith("x-"));
  if (strange.length > 0) return [`${at}: the schema uses ${strange.join(", ")}, which is not understood here`];
  if (schema.$ref !== undefined) {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(schema.$ref)?.[1] ?? "";
    const target = document.components.schemas[name];
    return target ? faultsOf(document, target, value, at) : [`${at}: ${schema.$ref} leads nowhere`];
  }
  if (value === null && schema.nullable) return [];
  if (schema.enum && !schema.enum.includes(value)) return [`${at}: ${JSON.stringify(value)} is none of the enum`];
  if (schema.anyOf) {
    const fits = schema.anyOf.some((option) => faultsOf(document, option, value, at).length === 0);
    return fits ? [] : [`${at}: fits none of anyOf`];
  }
  switch (schema.type) {
    case "object":
      return objectFaults(document, schema, value, at);
    case "array":
      if (!Array.isArray(value)) return [`${at}: is no array`];
      return value.flatMap((item, index) => faultsOf(document, schema.items ?? {}, item, `${at}[${index}]`));
    case "string":
      return stringFaults(schema, value, at);
    case "integer":
    case "number":
      return numberFaults(schema, value, at);
    case "boolean":
      return typeof value === "boolean" ? [] : [`${at}: is no boolean`];
    case undefined:
      return [];
    default:
      return [`${at}: unknown type ${schema.type}`];
  }
}

function objectFaults(document: OpenApi, schema: Schema, value: unknown, at: string): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${at}: is no object`];
  const { properties = {}, required = [], additionalProperties } = schema;
  const members = Object.entries(value);
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}.${name}: is missing`);
  return missing.concat(
    members.flatMap(([name, member]) => {
      const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (known) return faultsOf(document, known, member, `${at}.${name}`);
      const free = additionalProperties ?? Object.keys(properties).length === 0;
      return free ? [] : [`${at}.${name}: is not documented`];
    }),
  );
}

function stringFaults({ minLength = 0, maxLength, pattern, format }: Schema, value: unknown, at: string): string[] {
  if (typeof value !== "string") return [`${at}: is no string`];
  if (value.length < minLength || value.length > (maxLength ?? value.length)) return [`${at}: has a wrong length`];
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value)) return [`${at}: does not match ${pattern}`];
  if (format === "date-time" && !(ISO_TIME.test(value) && Number.isFinite(Date.parse(value)))) {
    return [`${at}: is no ISO-8601 time in UTC`];
  }
  return [];
}

function numberFaults({ type, minimum, maximum }: Schema, value: unknown, at: string): string[] {
  if (typeof value !== "number" || (type === "integer" && !Number.isSafeInteger(value)))
    return [`${at}: is no ${type}`];
  return value < (minimum ?? value) || value > (maximum ?? value) ? [`${at}: is out of bounds`] : [];
}

/** The operation of a path; a path written out wins over one with parameters. */
export function operationOf(document: OpenApi, method: string, path: string): Operation | null {
  const segments = path.split("/");
  const fitting = Object.entries(document.paths).filter(([pattern]) => {
    const parts = pattern.split("/");
    return parts.length === segments.length && parts.every((part, i) => part.startsWith("{") || part === segments[i]);
  });
  const literal = fitting.find(([pattern]) => !pattern.includes("{"));
  return (literal ?? fitting[0])?.[1][method.toLowerCase()] ?? null;
}

/** What is wrong with an answer: with what every answer of the API keeps, and with what the document says about this one. */
export async function judge(document: OpenApi, method: string, url: URL, response: Response): Promise<string[]> {
  const { status, headers } = response;
  const wrong: string[] = [];
  if (headers.has("www-authenticate") !== (status === 402)) wrong.push("WWW-Authenticate must ride on 402 alone");
  if (!/^[\w-]{12}$/.test(headers.get("x-request-id") ?? "")) wrong.push("has no X-Request-Id");
  if (status === 422) wrong.push("422 is never answered");
  const type = headers.get("content-type")?.split(";")[0] ?? "";
  const text = await response.text();
  if (method === "HEAD" || status === 204 || status === 304) return text === "" ? wrong : [...wrong, "has a body"];
  const body = /^application\/(problem\+)?json$/.test(type) ? (JSON.parse(text) as Record<string, unknown>) : null;
  if (status >= 400) wrong.push(...faultsOfError(document, status, headers, body));
  const operation = operationOf(document, method, url.pathname);
  if (!operation) return wrong;
  const declared = operation.responses[String(status)];
  if (!declared) return [...wrong, "this status is not documented"];
  const content = declared.content?.[type];
  if (!content) return [...wrong, `the content type ${type} is not documented`];
  return wrong.concat(faultsOf(document, content.schema, body ?? text));
}

function faultsOfError(document: OpenApi, status: number, headers: Headers, body: Record<string, unknown> | null) {
  if (!body) return ["an error must be JSON"];
  const error = (body.error ?? {}) as Readonly<Record<string, unknown>>;
  const wrong = faultsOf(document, { $ref: "#/components/schemas/Error" }, { error });
  if (headers.get("cache-control") !== "no-store") wrong.push("an error may be cached");
  if (error.requestId !== headers.get("x-request-id")) wrong.push("requestId is not X-Request-Id");
  const wait = headers.get("retry-after");
  if (wait !== null && wait !== String(error.retryAfterSeconds)) wrong.push("Retry-After is not retryAfterSeconds");
  if ((status === 429 || status === 503) && !/^[1-9]\d*$/.test(wait ?? "")) wrong.push("has no Retry-After");
  return wrong;
}

export interface Watch {
  readonly document: OpenApi;
  /** What was wrong so far. */
  readonly violations: string[];
  /** `operationId status`, as seen. */
  readonly seen: Set<string>;
  stop(): void;
}

/** From now on every `fetch` to this origin is judged, whoever calls it. */
export async function watchAnswers(origin: string): Promise<Watch> {
  const document = (await (await fetch(`${origin}/docs/json`)).json()) as OpenApi;
  const plain = globalThis.fetch;
  const violations: string[] = [];
  const seen = new Set<string>();
  const watching = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const response = await plain(input, init);
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.origin !== origin) return response;
    const method = (init?.method ?? (input instanceof Request ? input.method : "GET")).toUpperCase();
    const operation = operationOf(document, method, url.pathname);
    if (operation) seen.add(`${operation.operationId} ${response.status}`);
    // An answer that a test wants to see compressed cannot be read here.
    if (response.headers.has("content-encoding") && init && "decompress" in init) return response;
    const wrong = await judge(document, method, url, response.clone() as Response);
    violations.push(...wrong.map((what) => `${method} ${url.pathname} ${response.status}: ${what}`));
    return response;
  };
  globalThis.fetch = Object.assign(watching, { preconnect: plain.preconnect });
  return {
    document,
    violations,
    seen,
    stop: () => {
      globalThis.fetch = plain;
    },
  };
}

/** A server that the tests of a file share, every answer of which is held against its document. */
export function documentedServer(env: Readonly<Record<string, string>> = {}) {
  const server = sharedServer(env);
  let watch: Watch | null = null;
  beforeAll(async () => {
    watch = await watchAnswers(server().origin);
  });
  afterEach(() => {
    expect(watch?.violations.splice(0)).toEqual([]);
  });
  afterAll(() => watch?.stop());
  return Object.assign(server, {
    watch: (): Watch => {
      if (!watch) throw new Error("Nothing is watched");
      return watch;
    },
  });
}
