/**
 * What became of activations that are over: REST v1 `activations/history`, which names country, service and all
 * codes, or else the compatible getHistory. Status 6 is success, 8 cancelled, 10 refunded; a cancelled row still
 * shows its list price as `cost`, which was not charged.
 */
import { parseMicroUsd } from "../../../actors/order/money.ts";
import { iso, type Millis } from "../../../actors/runtime/world.ts";
import type { Priority } from "../budget.ts";
import {
  type ActivationId,
  type ActivationStanding,
  type PastActivation,
  type ProviderMessage,
  ProviderUnavailable,
} from "../port.ts";
import type { Client, Told } from "./client.ts";
import * as field from "./fields.ts";
import { historyMessages } from "./messages.ts";
import { type Page, readPages } from "./paging.ts";
import type { Rest } from "./rest.ts";
import { parseTime } from "./time.ts";
import { unavailable } from "./trouble.ts";

const ACTION = "getHistory";
const REST_PATH = "activations/history";
/** Largest sizes documented. */
const PAGE_SIZE = 100;
const REST_PAGE_SIZE = 25;
const MAX_PAGES = 200;
/** Ten minutes around a known time of purchase; clocks differ. */
const MARGIN_MS = 600_000;
/** Windows searched when the time of purchase is not known: the newest hours, then three days. */
const RECENT_MS = 3 * 3_600_000;
const PAST_MS = 72 * 3_600_000;

/** A row with what it still tells of its messages. */
export interface PastRow extends PastActivation {
  readonly messages: readonly ProviderMessage[];
}

/** All activations bought between the two times. @throws ProviderUnavailable */
export async function readHistory(client: Client, rest: Rest, from: Millis, to: Millis): Promise<PastActivation[]> {
  const rows = await readWindow(client, rest, { from, to, priority: "poll" });
  return rows.map(({ messages: _, ...row }) => row);
}

/** The row of one activation, or null when the searched windows surely do not hold it. Urgent. @throws ProviderUnavailable */
export async function findPast(
  client: Client,
  rest: Rest,
  now: Millis,
  id: ActivationId,
  boughtAt: Millis | undefined,
): Promise<PastRow | null> {
  const recent = { from: now - RECENT_MS, to: now + MARGIN_MS };
  const windows =
    boughtAt === undefined
      ? [recent, { from: now - PAST_MS, to: recent.from }]
      : [{ from: boughtAt - MARGIN_MS, to: boughtAt + MARGIN_MS }];
  const isWanted = (row: PastRow) => row.activationId === id;
  for (const window of windows) {
    const row = (await readWindow(client, rest, { ...window, priority: "urgent" }, isWanted)).find(isWanted);
    if (row) return row;
  }
  return null;
}

interface Window {
  readonly from: Millis;
  readonly to: Millis;
  readonly priority: Priority;
}

type Until = (row: PastRow) => boolean;

async function readWindow(client: Client, rest: Rest, window: Window, until?: Until): Promise<PastRow[]> {
  return (await readRestWindow(rest, window, until)) ?? (await readCompatWindow(client, window, until));
}

function readCompatWindow(client: Client, { from, to, priority }: Window, until?: Until): Promise<PastRow[]> {
  const seconds = { start: Math.max(Math.floor(from / 1000), 0), end: Math.max(Math.ceil(to / 1000), 0) };
  return readPages<PastRow>({
    name: ACTION,
    maxPages: MAX_PAGES,
    idOf: (row) => row.activationId,
    ...(until && { until }),
    read: async (_, offset) => {
      const params = { ...seconds, offset, size: PAGE_SIZE };
      const told = await client.ask({ action: ACTION, params, priority });
      if (told.kind !== "json" || !Array.isArray(told.value)) throw unavailable(ACTION, told);
      return { rows: told.value.map(parseRow), total: null };
    },
  });
}

/** Null when v1 does not answer with a list. */
async function readRestWindow(rest: Rest, { from, to, priority }: Window, until?: Until): Promise<PastRow[] | null> {
  const times = { from: iso(from), to: iso(to) };
  const page = (index: number): Promise<Told | null> =>
    rest.ask(REST_PATH, { ...times, size: REST_PAGE_SIZE, page: index + 1 }, priority);
  const first = await page(0);
  if (first?.kind !== "json") return null;
  return readPages<PastRow>({
    name: REST_PATH,
    maxPages: MAX_PAGES,
    idOf: (row) => row.activationId,
    ...(until && { until }),
    read: async (index) => parseRestPage(index === 0 ? first : await page(index)),
  });
}

function parseRestPage(told: Told | null): Page<PastRow> {
  const body = told?.kind === "json" ? field.fields(told.value) : null;
  const list = body?.data;
  const total = field.whole(field.fields(body?.meta)?.total);
  if (!Array.isArray(list) || total === null) {
    throw told ? unavailable(REST_PATH, told) : new ProviderUnavailable(`${REST_PATH}: incomplete list`);
  }
  return { rows: list.map(parseRow), total };
}

function parseRow(value: unknown): PastRow {
  const row = field.fields(value) ?? {};
  const activationId = field.id(row.id);
  if (activationId === null) throw new ProviderUnavailable(`${ACTION}: unreadable row`);
  const messages = historyMessages(activationId, row.sms, row.moreCodes);
  return {
    activationId,
    phoneNumber: field.phone(row.phone),
    cost: parseMicroUsd(row.cost),
    at: parseTime(row.createDate ?? row.date),
    service: field.service(row.service),
    country: field.country(row.country),
    standing: standingOf(field.whole(row.status), messages),
    messages,
  };
}

function standingOf(status: number | null, messages: readonly ProviderMessage[]): ActivationStanding {
  if (status === 6) return "finished";
  // A code that came was delivered, even if the provider gave the money back afterwards.
  if (status === 8 || status === 10) return messages.length > 0 ? "finished" : "refunded";
  return status !== null && status >= 2 && status <= 4 ? "open" : "ended";
}
