/**
 * getActiveActivations: everything that is active on the account, ours or not. Reconciliation of lost purchases rests on
 * this list, so it is complete or it throws. It is always urgent: a buy asks for it first, and the poll by which codes are noticed
 * asks for it once at a time.
 */
import { parseMicroUsd } from "../../../actors/order/money.ts";
import type { World } from "../../../actors/runtime/world.ts";
import { sha256Hex } from "../../sha256.ts";
import type { Moment } from "../clocks.ts";
import { type ActiveActivation, type Listing, ProviderUnavailable } from "../port.ts";
import type { Client, Told } from "./client.ts";
import * as field from "./fields.ts";
import { shownMessage } from "./messages.ts";
import { type Page, readPages } from "./paging.ts";
import { parseTime } from "./time.ts";
import { unavailable } from "./trouble.ts";

const ACTION = "getActiveActivations";
/** Largest `limit` documented. */
const PAGE_SIZE = 100;
const MAX_PAGES = 250;
const SUBTYPE_RENTAL = 2;
/** `activationStatus` (provider's site): 2 is SMS_RECEIVED. */
const SMS_RECEIVED = 2;

/**
 * The returned function reads the list. It remembers how it understood each row of the last one: the list is read every few seconds, and
 * most rows are as they were. @throws ProviderUnavailable from that function
 */
export function createListing(world: Pick<World, "now">, client: Client): () => Promise<Listing> {
  let known: ReadonlyMap<string, Understood> = new Map();
  return together(async () => {
    const understood = new Map<string, Understood>();
    const parse = (value: unknown): ActiveActivation => {
      const row = field.fields(value) ?? {};
      const before = known.get(String(row.activationId));
      const parsed = before && saysTheSame(before.row, row) ? before.parsed : parseRow(row);
      understood.set(parsed.activationId, { row, parsed });
      return parsed;
    };
    let begun: Moment = { at: world.now(), toldAt: null };
    const rows = await readPages<ActiveActivation>({
      name: ACTION,
      maxPages: MAX_PAGES,
      idOf: (row) => row.activationId,
      read: async (index, offset) => {
        const params = { start: offset, limit: PAGE_SIZE };
        const told = await client.ask({ action: ACTION, params, priority: "urgent" });
        // What was bought before this, the list shows; what is bought after it, it may show.
        if (index === 0 && "toldAt" in told) begun = { at: world.now(), toldAt: told.toldAt ?? null };
        return parsePage(told, parse);
      },
    });
    known = understood;
    return { ...begun, rows };
  });
}

/**
 * Reads once at a time, and once for all who asked while it was being read: each gets a list that was begun after it asked. With a hundred
 * pages of activations, every buy would otherwise read all of them for itself.
 */
function together<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  let next: Promise<T> | null = null;
  const begin = (): Promise<T> => {
    next = null;
    const begun = read().finally(() => {
      if (running === begun) running = null;
    });
    running = begun;
    return begun;
  };
  return () => {
    if (!running) return begin();
    next ??= running.then(begin, begin);
    return next;
  };
}

/** One row, as it came and as it was read. */
interface Understood {
  readonly row: field.Fields;
  readonly parsed: ActiveActivation;
}

/** Everything of a row that is read. */
const READ = [
  "activationId",
  "serviceCode",
  "countryCode",
  "phoneNumber",
  "activationCost",
  "activationTime",
  "activationEndTime",
  "activationStatus",
  "smsCode",
  "smsText",
  "subtype",
] as const;

/** Lists and objects never count as the same: what is in them is not compared. */
const saysTheSame = (a: field.Fields, b: field.Fields): boolean => READ.every((name) => a[name] === b[name]);

function parsePage(told: Told, parse: (row: unknown) => ActiveActivation): Page<ActiveActivation> {
  // The older form of an empty list; anything else that is no list proves nothing.
  if (told.kind === "error" && told.word === "NO_ACTIVATIONS" && told.status < 500) return { rows: [], total: null };
  const list = told.kind === "json" ? listIn(told.value) : null;
  if (!list) throw unavailable(ACTION, told);
  return { rows: list.map(parse), total: null };
}

/** `data`, or `activeActivations` in the older form. */
function listIn(value: unknown): readonly unknown[] | null {
  const body = field.fields(value);
  if (body?.status !== "success") return null;
  const list = body.data ?? body.activeActivations;
  return Array.isArray(list) ? list : null;
}

function parseRow(row: field.Fields): ActiveActivation {
  const activationId = field.id(row.activationId);
  // Without an id nobody can say whether it is ours. Whatever else is odd in a stranger's row must not stop all sales.
  if (activationId === null) throw new ProviderUnavailable(`${ACTION}: unreadable row`);
  const endsAt = parseTime(row.activationEndTime);
  const subtype = field.whole(row.subtype);
  return {
    activationId,
    service: field.service(row.serviceCode),
    country: field.country(row.countryCode),
    phoneNumber: field.phone(row.phoneNumber),
    cost: parseMicroUsd(row.activationCost),
    boughtAt: parseTime(row.activationTime),
    endsAt,
    // Rows without a subtype are from before it existed; then only rentals said when they end.
    rental: subtype === null ? endsAt !== null : subtype === SUBTYPE_RENTAL,
    newest: newestIn(row),
    message: shownMessage(row),
  };
}

/** A digest of what the row shows of its messages; a row may also only say that one arrived. */
function newestIn(row: field.Fields): string | null {
  if (says(row.smsCode) || says(row.smsText)) return digest(JSON.stringify([row.smsCode, row.smsText]));
  return field.whole(row.activationStatus) === SMS_RECEIVED ? digest("SMS_RECEIVED") : null;
}

const digest = (text: string): string => sha256Hex(text).slice(0, 16);

/** A code or text, or a list or object that holds one. */
function says(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).some(says);
  return field.text(value, 1) !== null;
}
