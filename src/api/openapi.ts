/**
 * What the OpenAPI document says about each route. Written out instead of derived from Elysia's validators, which are not
 * used here: their derived document is invalid for unions and lacks what guards answer.
 */
import { PROBLEMS, type ProblemCode } from "../orders/problem.ts";
import type { SchemaName } from "./schemas.ts";

export interface RouteDoc {
  readonly operationId: string;
  readonly tag: "Orders" | "Catalog" | "Discovery" | "Operations" | "Webhooks";
  readonly summary: string;
  readonly description: string;
  /** The L402 credential is needed, or may come. */
  readonly credential?: "needed" | "optional";
  readonly parameters?: readonly ParameterDoc[];
  readonly body?: { readonly schema: SchemaName; readonly required: boolean; readonly example: unknown };
  readonly answers: readonly AnswerDoc[];
  /** Errors of the route itself; what any route may answer is added. */
  readonly errors?: readonly ProblemCode[];
  /** Takes from no allowance, so never answers 429. */
  readonly unlimited?: true;
  /** Members of the operation beyond OpenAPI, each starting with `x-`. */
  readonly extensions?: Readonly<Record<`x-${string}`, unknown>>;
}

export interface ParameterDoc {
  readonly in: "path" | "query" | "header";
  readonly name: string;
  readonly description: string;
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly example?: string;
}

export interface AnswerDoc {
  readonly status: number;
  readonly description: string;
  readonly content?: {
    readonly type: string;
    /** Another media type for the same members. */
    readonly alsoAs?: string;
    readonly schema?: SchemaName;
    readonly example?: unknown;
  };
  readonly headers?: Readonly<Record<string, string>>;
}

export const SECURITY_SCHEME = "L402";
/** The scheme word of the Machine Payments Protocol. */
export const PAYMENT_SCHEME = "Payment";
/** Either will do. */
const CREDENTIALS = [{ [SECURITY_SCHEME]: [] }, { [PAYMENT_SCHEME]: [] }];
const EVERYWHERE: readonly ProblemCode[] = ["PAYLOAD_TOO_LARGE", "INTERNAL"];

const ref = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` });

/** The `detail` of an Elysia route. */
export function describe(doc: RouteDoc) {
  const codes = [...(doc.errors ?? []), ...EVERYWHERE, ...(doc.unlimited ? [] : (["RATE_LIMITED"] as const))];
  const answers = Object.fromEntries(doc.answers.map((answer) => [String(answer.status), answerObject(answer)]));
  return {
    operationId: doc.operationId,
    tags: [doc.tag],
    summary: doc.summary,
    description: doc.description,
    ...(doc.credential && { security: [...(doc.credential === "needed" ? [] : [{}]), ...CREDENTIALS] }),
    parameters: (doc.parameters ?? []).map(parameterObject),
    ...(doc.body && {
      requestBody: {
        required: doc.body.required,
        content: { "application/json": { schema: ref(doc.body.schema), example: doc.body.example } },
      },
    }),
    responses: { ...answers, ...errorObjects(codes, answers) },
    ...doc.extensions,
  };
}

function parameterObject({ in: place, name, description, schema, example }: ParameterDoc) {
  return {
    in: place,
    name,
    description,
    required: place === "path",
    schema: schema ?? { type: "string" as const },
    ...(example !== undefined && { example }),
  };
}

function answerObject({ description, content, headers }: AnswerDoc) {
  return {
    description,
    ...(headers && { headers: headerObjects(headers) }),
    ...(content && {
      content: Object.fromEntries(
        [content.type, ...(content.alsoAs === undefined ? [] : [content.alsoAs])].map((type) => [
          type,
          {
            schema: content.schema ? ref(content.schema) : { type: "string" as const },
            ...(content.example !== undefined && { example: content.example }),
          },
        ]),
      ),
    }),
  };
}

const headerObjects = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: "string" as const } }]),
  );

/** One response per status, with an example for each code that has it. */
function errorObjects(codes: readonly ProblemCode[], answers: Readonly<Record<string, unknown>>) {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes)) {
    const { status } = PROBLEMS[code];
    // Such a status has its own shape on this route, an error among its members.
    if (String(status) in answers) continue;
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries([...byStatus].map(([status, list]) => [String(status), errorObject(list)]));
}

function errorObject(codes: readonly ProblemCode[]) {
  const waits = codes.some((code) => PROBLEMS[code].retryable);
  return {
    description: codes.join(", "),
    ...(waits && { headers: headerObjects({ "Retry-After": "When to come back, in seconds" }) }),
    content: {
      "application/json": {
        schema: ref("Error"),
        examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }])),
      },
    },
  };
}

const exampleOf = (code: ProblemCode) => ({
  error: {
    code,
    message: "What went wrong, in one sentence",
    retryable: PROBLEMS[code].retryable,
    requestId: "b3k9Zt0QxW7a",
  },
});
