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

type LogLine = (fields: Readonly<Record<string, unknown>>, message: string) => void;
/** The three levels used here; the service's log fits. */
export interface ApiLog {
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
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

export class AccessLog {
  readonly #log: ApiLog;
  readonly #budget = new TokenBuckets(UNBOUNDED_LINES, 1);
  /** Lines left out since the last one of their kind. */
  #omitted = 0;

  constructor(log: ApiLog) {
    this.#log = log;
  }

  /** `bounded` says that the client's allowance paid for the request. */
  answered(answered: Answered, bounded: boolean, now: Millis): void {
    const write = answered.status >= 500 ? this.#log.warn : this.#log.info;
    if (bounded && answered.status !== 429) return write(answered, "Answered");
    if (this.#budget.take("", now) > 0) {
      this.#omitted++;
      return;
    }
    write({ ...answered, ...(this.#omitted > 0 && { omitted: this.#omitted }) }, "Answered");
    this.#omitted = 0;
  }
}
