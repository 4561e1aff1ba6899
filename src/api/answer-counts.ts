/** How many answers there were, by route and status, and how long they took. */
import type { Counter, Histogram, Metrics } from "../ops/metrics.ts";
import { PROBLEMS } from "../orders/problem.ts";
import { PREFLIGHT, type RouteLabel, UNMATCHED } from "./access-log.ts";
import { ROUTES } from "./routes.ts";

const STATUSES = [
  ...new Set(["200", "204", "304", "405", ...Object.values(PROBLEMS).map(({ status }) => `${status}`)]),
];
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** The series of one route, those by status as they come up. */
interface OfRoute {
  readonly seconds: { observe(seconds: number): void };
  readonly byStatus: Map<number, { inc(): void }>;
}

export class AnswerCounts {
  readonly #requests: Counter<{ readonly route: readonly string[]; readonly status: readonly string[] }>;
  readonly #seconds: Histogram<{ readonly route: readonly string[] }>;
  readonly #routes = new Map<RouteLabel, OfRoute>();

  /** @throws RangeError when the metrics are registered already. */
  constructor(metrics: Metrics) {
    const route: readonly string[] = [...ROUTES, UNMATCHED, PREFLIGHT];
    this.#requests = metrics.counter("http_requests_total", "Answers by route and status", { route, status: STATUSES });
    this.#seconds = metrics.histogram("http_request_duration_seconds", "Time to an answer by route", SECONDS, {
      route,
    });
  }

  answered(route: RouteLabel, status: number, ms: number): void {
    const { seconds, byStatus } = this.#routes.get(route) ?? this.#met(route);
    const known = byStatus.get(status);
    const requests = known ?? this.#requests.series({ route, status: String(status) });
    if (!known) byStatus.set(status, requests);
    requests.inc();
    seconds.observe(ms / 1000);
  }

  #met(route: RouteLabel): OfRoute {
    const series = { seconds: this.#seconds.series({ route }), byStatus: new Map() };
    this.#routes.set(route, series);
    return series;
  }
}
