/**
 * One line for each answer: method, route pattern, status and time, and nothing that the client sent. Answers that no allowance bounds share a
 * budget of lines, because a flood must not fill the disk; the metrics count them all.
 */
import type { Millis } from "../../actors/runtime/world.ts";
import { TokenBuckets } from "./rate-limit.ts";
import type { Route } from "./routes.ts";

export const UNMATCHED = "unmatched";
export const PREFLIGHT = "preflight";
export type RouteLabel = Route | typeof UNMATCHED | typeof PREFLIGHT;

type Fields = Readonly<Record<string, unknown>>;
type LogLine = (fields: Fields, message: string) => void;
/** The three levels used here; the service's log fits. */
export interface ApiLog {
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
  child(fields: Fields): ApiLog;
}

export type Answered = {
  readonly requestId: string;
  readonly method: string;
  readonly route: RouteLabel;
  readonly status: number;
  /** How long it took, ms. */
  readonly ms: number;
};

const UNBOUNDED_LINES = { perMinute: 60, burst: 120 };
/** Of method, route and status, many more than there are. */
const MOST_KINDS = 1_000;

export class AccessLog {
  readonly #log: ApiLog;
  /** By what lines have in common, which is written down once and not with each line: a quarter of what a line costs. */
  readonly #kinds = new Map<string, ApiLog>();
  readonly #budget = new TokenBuckets(UNBOUNDED_LINES, 1);
  /** Lines left out since the last one of their kind. */
  #omitted = 0;

  constructor(log: ApiLog) {
    this.#log = log;
  }

  /** `bounded` says that the client's allowance paid for the request. */
  answered({ method, route, status, requestId, ms }: Answered, bounded: boolean, now: Millis): void {
    const isPaidFor = bounded && status !== 429;
    if (!isPaidFor && this.#budget.take("", now) > 0) {
      this.#omitted++;
      return;
    }
    const log = this.#kind(method, route, status);
    const write = status >= 500 ? log.warn : log.info;
    if (isPaidFor) return write({ requestId, ms }, "Answered");
    write({ requestId, ms, ...(this.#omitted > 0 && { omitted: this.#omitted }) }, "Answered");
    this.#omitted = 0;
  }

  #kind(method: string, route: RouteLabel, status: number): ApiLog {
    const key = `${status} ${method} ${route}`;
    const known = this.#kinds.get(key);
    if (known) return known;
    if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
    const log = this.#log.child({ method, route, status });
    this.#kinds.set(key, log);
    return log;
  }
}
