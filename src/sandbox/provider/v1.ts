/**
 * REST v1 under /api/v1, `Authorization: ApiKey <token>`: offers, active list, history, cancel, finish and the custom
 * durations. Errors are always the JSON envelope.
 */
import type { Millis } from "../../../actors/runtime/world.ts";
import { WRONG_KEY } from "./actions.ts";
import { type Answer, invalid, json, NO_CONTENT, type Refusal } from "./answers.ts";
import { CUSTOM_MINUTES } from "./catalog.ts";
import { type Desk, usd } from "./desk.ts";
import { v1HistoryRow, v1Row } from "./forms.ts";
import { optionalInteger, type Params, refused } from "./params.ts";
import { OFFER_NOT_FOUND, offersSms } from "./prices.ts";
import { cancel, finish } from "./release.ts";
import { parseTime } from "./times.ts";

export const V1_PREFIX = "/api/v1/";

const ACTIVE_PAGE = 25;
const HISTORY_PAGE = 100;
const MAX_PAGES = 1_000_000;

export interface V1Call {
  readonly method: string;
  /** The path after the prefix with `:id` for an id: `activations/:id/finish`. Names the call for faults, too. */
  readonly route: string;
  readonly id: number | null;
}

/** Splits a path such as `/api/v1/activations/900000001/finish`. */
export function v1Call(method: string, pathname: string): V1Call {
  const path = pathname.slice(V1_PREFIX.length).replace(/\/$/, "");
  const id = /^activations\/(\d{1,15})(?=\/|$)/.exec(path)?.[1];
  return { method, route: id ? path.replace(id, ":id") : path, id: id ? Number(id) : null };
}

/** Performs one call. Synchronous: the caller wraps it in a transaction. */
export function actV1(desk: Desk, call: V1Call, params: Params, authorization: string | null): Answer {
  const name = `${call.method} ${call.route}`;
  if (name === "GET classifiers/activations/custom-durations") return json({ data: CUSTOM_MINUTES });
  const key = /^ApiKey (\S+)$/i.exec(authorization ?? "")?.[1];
  if (!key) return json({ title: "Unauthenticated." }, 401);
  if (key === WRONG_KEY) return BAD_API_KEY;
  switch (name) {
    case "GET activations/offers/sms":
      return offersSms(desk, params);
    case "GET activations/offers/call":
      return OFFER_NOT_FOUND;
    case "GET activations":
      return active(desk, params);
    case "GET activations/history":
      return history(desk, params);
    case "DELETE activations/:id":
      return cancel(desk, call.id ?? 0) ?? NO_CONTENT;
    case "POST activations/:id/finish":
      return finish(desk, call.id ?? 0) ?? NO_CONTENT;
    default:
      return NO_ROUTE;
  }
}

const BAD_API_KEY: Refusal = { kind: "refusal", status: 403, title: "BAD_API_KEY", details: "Invalid API key" };
const NO_ROUTE: Refusal = { kind: "refusal", status: 404, title: "NOT_FOUND", details: "Not Found" };

/** Active ones, newest first. */
function active(desk: Desk, params: Params): Answer {
  const page = optionalInteger(params, "page", 1, MAX_PAGES) ?? 1;
  if (refused(page)) return page;
  const size = optionalInteger(params, "size", 1, ACTIVE_PAGE) ?? ACTIVE_PAGE;
  if (refused(size)) return size;
  const rows = desk.books.active({ offset: (page - 1) * size, limit: size });
  return json({
    data: rows.map((row) => v1Row(row, desk.books.messages(row.id))),
    meta: { ...paging(page, size, desk.books.activeCount()), filters: { countries: [], services: [] } },
  });
}

/** Ended ones that were bought between `from` and `to`, both ISO-8601 and required; newest first. */
function history(desk: Desk, params: Params): Answer {
  const from = time(params, "from");
  if (refused(from)) return from;
  const to = time(params, "to");
  if (refused(to)) return to;
  const page = optionalInteger(params, "page", 1, MAX_PAGES) ?? 1;
  if (refused(page)) return page;
  const size = optionalInteger(params, "size", 1, HISTORY_PAGE) ?? ACTIVE_PAGE;
  if (refused(size)) return size;
  const { total, successCount, sum } = desk.books.endedTotals(from, to);
  const rows = desk.books.ended(from, to, { offset: (page - 1) * size, limit: size });
  return json({
    data: rows.map((row) => v1HistoryRow(row, desk.books.messages(row.id))),
    totals: { sum: usd(sum), successCount },
    meta: paging(page, size, total),
  });
}

const paging = (page: number, size: number, total: number) => ({ page, size, sort: { id: "desc" }, total });

function time(params: Params, field: string): Millis | Refusal {
  const raw = params.get(field);
  return raw ? (parseTime(raw) ?? invalid(field)) : invalid(field, "REQUIRED");
}
