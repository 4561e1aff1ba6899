/** How a refusal looks on the wire: one shape for every status (docs/architecture.md, "HTTP"). */
import { PROBLEMS, type Problem, problem } from "../orders/problem.ts";
import { json, type Reply, withHeaders } from "./replies.ts";

/** The body's `error` member. */
export function errorBody(refusal: Problem, requestId: string): Record<string, unknown> {
  const { message, suggestion, retryAfterSeconds, details } = refusal;
  const fixed = {
    code: refusal.problem,
    message,
    ...(suggestion !== undefined && { suggestion }),
    retryable: refusal.retryable ?? PROBLEMS[refusal.problem].retryable,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds: wholeSeconds(retryAfterSeconds) }),
    requestId,
  };
  // Named twice: first where a reader looks for it, last so that no detail can replace it.
  return Object.assign({ code: refusal.problem, message }, details, fixed);
}

/** A complete answer. `more` are members beside `error`. */
export function refuse(refusal: Problem, requestId: string, more: Readonly<Record<string, unknown>> = {}): Reply {
  const { status } = PROBLEMS[refusal.problem];
  const reply = json({ error: errorBody(refusal, requestId), ...more }, status);
  const { retryAfterSeconds } = refusal;
  return retryAfterSeconds === undefined
    ? reply
    : withHeaders(reply, { "retry-after": String(wholeSeconds(retryAfterSeconds)) });
}

/** Rounded up: who comes back a moment early is refused again. */
const wholeSeconds = (seconds: number): number => Math.max(1, Math.ceil(seconds));

export const INTERNAL = problem("INTERNAL", "Something broke on our side", {
  suggestion: "Try again; if it stays, give the operator the requestId",
});

/** No such route, or not with this method. */
export function noRoute(methods: readonly string[]): Problem {
  return methods.length === 0
    ? problem("NOT_FOUND", "There is nothing at this path", {
        suggestion: "GET /v2/l402 lists the API, /docs/json every route",
      })
    : problem("NOT_FOUND", "This path does not take this method", { suggestion: `Use ${methods.join(" or ")}` });
}
