/**
 * The one way in and out for every request: it gets a name, its client is told apart, limits are kept, refusals and bugs
 * become the one error shape, and what happened is counted and logged (by route pattern and status; never by path,
 * query, header or body).
 */
import type { Millis, World } from "../../actors/runtime/world.ts";
import type { Metrics } from "../ops/metrics.ts";
import { isProblem, type Problem, problem } from "../orders/problem.ts";
import { AccessLog, type ApiLog, PREFLIGHT, type RouteLabel, UNMATCHED } from "./access-log.ts";
import { AnswerCounts } from "./answer-counts.ts";
import { type Client, ClientAddresses } from "./client-address.ts";
import type { ApiConfig } from "./config.ts";
import { INTERNAL, noRoute, refuse } from "./errors.ts";
import { AnswerHeaders } from "./headers.ts";
import { announcedTooLarge } from "./limits.ts";
import { Allowance } from "./rate-limit.ts";
import { type Reply, withHeaders } from "./replies.ts";
import { RequestIds } from "./request-id.ts";
import { methodsOf, type Route } from "./routes.ts";
import { targetOf } from "./target.ts";

/** One request on its way through a route. */
export interface Call {
  readonly request: Request;
  readonly requestId: string;
  readonly client: Client;
  /** Path parameters, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

export type Answer = Reply | Problem;
export type Respond = (call: Call) => Answer | Promise<Answer>;

export interface Rules {
  /** Which allowance of the client this takes from. */
  readonly limit: keyof ApiConfig["limits"] | "none";
  /** Asked every few seconds by machines: logged only when it fails. */
  readonly quiet?: true;
  /** Not for pages of other sites to read. */
  readonly sameOrigin?: true;
}

/** The part of Elysia's context that is used. Handlers destructure it, so that Elysia parses nothing else. */
export interface Arrival {
  readonly request: Request;
  readonly server: { requestIP(request: Request): { readonly address: string } | null } | null;
  readonly params: Readonly<Record<string, string>>;
}

export interface GateDeps {
  readonly world: World;
  readonly log: ApiLog;
  readonly metrics: Metrics;
  readonly config: Pick<ApiConfig, "trustedProxies" | "limits">;
}

/** The headers of every answer, and of those that pages of other sites may read. */
const EVERYWHERE = { "x-content-type-options": "nosniff" };
const HEADERS = new AnswerHeaders(EVERYWHERE);
const HEADERS_FOR_ANY_SITE = new AnswerHeaders({
  ...EVERYWHERE,
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "WWW-Authenticate, Retry-After, Payment-Receipt, X-Request-Id",
});
const PREFLIGHT_HEADERS = {
  "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
  "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, Accept-Payment",
  "access-control-max-age": "86400",
};

export class Gate {
  readonly world: World;
  readonly #log: ApiLog;
  readonly #lines: AccessLog;
  readonly #ids: RequestIds;
  readonly #clients: ClientAddresses;
  readonly #allowances: Readonly<Record<keyof ApiConfig["limits"], Allowance>>;
  readonly #counts: AnswerCounts;

  /** @throws RangeError when the configuration's proxies or limits are none, or the metrics are registered already. */
  constructor({ world, log, metrics, config }: GateDeps) {
    this.world = world;
    this.#log = log;
    this.#lines = new AccessLog(log);
    this.#ids = new RequestIds(world);
    this.#clients = new ClientAddresses(config.trustedProxies);
    this.#allowances = { orders: new Allowance(config.limits.orders), reads: new Allowance(config.limits.reads) };
    this.#counts = new AnswerCounts(metrics);
  }

  /** Makes the handler of a route. */
  route(route: Route, rules: Rules, respond: Respond): (arrival: Arrival) => Response | Promise<Response> {
    return ({ request, server, params }) => this.#pass(route, rules, respond, { request, server, params });
  }

  /** What no route took: a preflight, an unknown path or the wrong method. */
  unmatched({ request, server }: Omit<Arrival, "params">): Response | Promise<Response> {
    const arrival = { request, server, params: {} };
    if (request.method === "OPTIONS") return this.#pass(PREFLIGHT, { limit: "none" }, preflight, arrival);
    return this.#pass(UNMATCHED, { limit: "reads" }, unknownRoute, arrival);
  }

  /** The last net, for what was thrown outside a route's handler. */
  broken(error: unknown): Response {
    const requestId = this.#ids.next();
    this.#log.error({ err: error, requestId }, "Request failed outside its route");
    return dressed(refuse(INTERNAL, requestId), requestId, {});
  }

  /** At once where the answer is known at once: a promise costs a poll as much as its whole work. */
  #pass(route: RouteLabel, rules: Rules, respond: Respond, arrival: Arrival): Response | Promise<Response> {
    const began = this.world.now();
    const requestId = this.#ids.next();
    const finish = (answer: Answer): Response => {
      const reply = isProblem(answer) ? refuse(answer, requestId) : answer;
      this.#record(route, rules, arrival.request.method, requestId, reply.status, began);
      return dressed(reply, requestId, rules);
    };
    const fail = (error: unknown): Response => {
      this.#log.error({ err: error, requestId, route }, "Request failed");
      return finish(INTERNAL);
    };
    let answer: Answer | Promise<Answer>;
    try {
      answer = this.#answer(rules, respond, arrival, requestId, began);
    } catch (error) {
      return fail(error);
    }
    return answer instanceof Promise ? answer.then(finish, fail) : finish(answer);
  }

  #answer(
    rules: Rules,
    respond: Respond,
    { request, server, params }: Arrival,
    requestId: string,
    now: Millis,
  ): Answer | Promise<Answer> {
    const client = this.#clients.of(request.headers, server?.requestIP(request)?.address ?? null);
    if (rules.limit !== "none") {
      const wait = this.#allowances[rules.limit].take(client, now);
      if (wait > 0) return problem("RATE_LIMITED", "Too many requests from your address", { retryAfterSeconds: wait });
    }
    return announcedTooLarge(request.headers) ?? respond({ request, requestId, client, params });
  }

  #record(route: RouteLabel, rules: Rules, method: string, requestId: string, status: number, began: Millis): void {
    const now = this.world.now();
    const ms = Math.max(0, now - began);
    this.#counts.answered(route, status, ms);
    if (rules.quiet && status < 400) return;
    this.#lines.answered({ requestId, method, route, status, ms }, rules.limit !== "none", now);
  }
}

function dressed(reply: Reply, requestId: string, { sameOrigin }: Pick<Rules, "sameOrigin">): Response {
  const { status, headers, body } = reply;
  const all = sameOrigin ? HEADERS : HEADERS_FOR_ANY_SITE;
  return new Response(body, { status, headers: all.with(headers, requestId) });
}

const preflight: Respond = () => ({ status: 204, headers: PREFLIGHT_HEADERS, body: null });

const unknownRoute: Respond = ({ request, requestId }) => {
  const methods = methodsOf(targetOf(request).path);
  const reply = refuse(noRoute(methods), requestId);
  return methods.length > 0 ? withHeaders(reply, { allow: [...methods, "OPTIONS"].join(", ") }) : reply;
};
