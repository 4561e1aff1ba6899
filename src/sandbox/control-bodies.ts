/**
 * The bodies of the control surface's calls. Each field's `description` is how a refusal finishes the sentence
 * `"field" must be ...`.
 */
import { type Static, type TObject, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { MAX_ADVANCE_SECONDS } from "./clock.ts";
import { PEERS } from "./faults.ts";

const MAX_BODY_CHARACTERS = 64 * 1024;
const MAX_TIMES = 1_000_000;
const DAY_SECONDS = 24 * 60 * 60;

const strict = { additionalProperties: false };
const text = (description: string, maxLength: number) => Type.String({ minLength: 1, maxLength, description });
const time = Type.Union([Type.Integer(), Type.Null()], { description: "a time in ms or null" });

export const PayBody = Type.Object({ invoice: text("a BOLT11 invoice", 8_192) }, strict);

export const InvoiceBody = Type.Object(
  {
    amountSats: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100_000_000_000, description: "a whole number of sats, at least 1" }),
    ),
    expirySeconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 365 * DAY_SECONDS, description: "a whole number of seconds, 1 to 31536000" }),
    ),
  },
  strict,
);

export const SmsBody = Type.Object(
  {
    phoneNumber: Type.String({ pattern: "^\\+?[0-9]{5,20}$", description: "a phone number in digits" }),
    text: text("a text of 1 to 1600 characters", 1_600),
    from: Type.Optional(text("a sender of 1 to 40 characters", 40)),
  },
  strict,
);

export const ClockBody = Type.Object(
  {
    advanceSeconds: Type.Number({
      exclusiveMinimum: 0,
      maximum: MAX_ADVANCE_SECONDS,
      description: `a number of seconds above 0, at most ${MAX_ADVANCE_SECONDS}`,
    }),
  },
  strict,
);

export const FollowBody = Type.Object(
  {
    follower: text("a name of 1 to 64 characters", 64),
    round: Type.Integer({ minimum: 0, description: "the number of a round" }),
    idle: Type.Boolean({ description: "true or false" }),
    nextDue: time,
    busy: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 100, description: "a list of names" }),
    webhookUrl: Type.String({ pattern: "^https?://", maxLength: 2_048, description: "an http URL" }),
  },
  strict,
);

/** What else is in the body is the fault's detail. */
export const FaultBody = Type.Object({
  peer: Type.Union(
    PEERS.map((peer) => Type.Literal(peer)),
    { description: `one of ${PEERS.join(", ")}` },
  ),
  action: text("the peer's name of a call, or *", 128),
  fault: text("the name of a fault", 64),
  times: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TIMES, description: "a number of calls, at least 1" })),
  detail: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: "an object" })),
});
export type FaultBody = Static<typeof FaultBody>;

export type ReadBody<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** Reads a JSON object of the given form; no body at all is an empty object. Repeats no value in its reason. */
export async function readBody<T extends TObject>(request: Request, form: T): Promise<ReadBody<Static<T>>> {
  const body = parse(await request.text());
  if (body === undefined) return { ok: false, reason: "Body must be a JSON object" };
  if (Value.Check(form, body)) return { ok: true, value: body };
  const error = Value.Errors(form, body).First();
  const field = error?.path.split("/")[1] ?? "";
  const expected = form.properties[field]?.description;
  return { ok: false, reason: expected ? `"${field}" must be ${expected}` : `Unknown field "${field.slice(0, 64)}"` };
}

function parse(text: string): object | undefined {
  if (text.length > MAX_BODY_CHARACTERS) return undefined;
  try {
    const value: unknown = JSON.parse(text.trim() === "" ? "{}" : text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
