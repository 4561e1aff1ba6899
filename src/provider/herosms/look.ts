/**
 * How one activation stands and what it received. Somebody who paid waits for it: its requests go before all others.
 *
 * While it is open, getAllSms alone tells: one request. Once it has ended its messages are gone from there (409
 * ACTIVATION_NOT_ACTIVE), and getStatus and the history say how it ended. Only those words move an activation out of "open":
 * an error of any other kind (ban, no balance, rate limit, nonsense) is no information and throws.
 */
import type { Millis, World } from "../../../actors/runtime/world.ts";
import { Recent } from "../../recent.ts";
import { type ActivationId, type Look, type ProviderMessage, ProviderUnavailable } from "../port.ts";
import { saysEnded } from "./activations.ts";
import type { Client, Told } from "./client.ts";
import * as field from "./fields.ts";
import { findPast } from "./history.ts";
import { codeMessage, parseMessage } from "./messages.ts";
import { readPages } from "./paging.ts";
import type { Rest } from "./rest.ts";
import { unavailable } from "./trouble.ts";

const PAGE_SIZE = 100;
const MAX_PAGES = 50;
/** How often an empty message list is checked against getStatus, which might know of a code that the list lacks. */
const CROSS_CHECK_MS = 30_000;
const MAX_REMEMBERED = 10_000;

/** The list of messages, or the word that there is none any more. */
type Listed =
  | { readonly kind: "messages"; readonly messages: readonly ProviderMessage[] }
  | { readonly kind: "ended" | "missing" };

/** What getStatus said. */
type Status =
  | { readonly kind: "code"; readonly code: string }
  | { readonly kind: "waiting" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "missing" };

/** @throws ProviderUnavailable from the returned function. */
export function createLook(world: World, client: Client, rest: Rest) {
  /** When an empty list was last checked against getStatus. Forgetting an entry costs one request. */
  const checkedAt = new Recent<ActivationId, Millis>({ most: MAX_REMEMBERED, forMs: CROSS_CHECK_MS });

  function isCheckDue(id: ActivationId): boolean {
    const now = world.now();
    const last = checkedAt.get(id, now);
    if (last !== undefined && now >= last && now - last < CROSS_CHECK_MS) return false;
    checkedAt.set(id, now, now);
    return true;
  }

  /** An open activation without messages, checked now and then. */
  async function lookEmpty(id: ActivationId, boughtAt: Millis | undefined): Promise<Look> {
    if (!isCheckDue(id)) return { standing: "open", messages: [] };
    const status = await askStatus(client, id);
    if (status.kind === "cancelled") return lookEnded(id, status, "ended", boughtAt);
    if (status.kind !== "code") return { standing: "open", messages: [] };
    // The SMS came between the two questions, more likely than not: then the list has it now.
    const again = await listMessages(client, id);
    const messages = again.kind === "messages" ? again.messages : [];
    return { standing: "open", messages: messages.length > 0 ? messages : [codeMessage(id, status.code)] };
  }

  async function lookEnded(
    id: ActivationId,
    status: Status,
    listed: "ended" | "missing",
    boughtAt: Millis | undefined,
  ): Promise<Look> {
    if (status.kind === "code") return { standing: "finished", messages: [codeMessage(id, status.code)] };
    if (status.kind === "waiting") return { standing: "open", messages: [] };
    const past = await findPast(client, rest, world.now(), id, boughtAt);
    if (past) return { standing: past.standing, messages: past.messages };
    return { standing: listed === "missing" && status.kind === "missing" ? "missing" : "ended", messages: [] };
  }

  return async function look(id: ActivationId, boughtAt?: Millis): Promise<Look> {
    const listed = await listMessages(client, id);
    if (listed.kind === "messages" && listed.messages.length > 0)
      return { standing: "open", messages: listed.messages };
    if (listed.kind === "messages") return lookEmpty(id, boughtAt);
    checkedAt.delete(id);
    return lookEnded(id, await askStatus(client, id), listed.kind, boughtAt);
  };
}

/** All pages of getAllSms. */
async function listMessages(client: Client, id: ActivationId): Promise<Listed> {
  let ended = null as "ended" | "missing" | null;
  const messages = await readPages<ProviderMessage>({
    name: "getAllSms",
    maxPages: MAX_PAGES,
    idOf: (message) => message.id,
    read: async (index) => {
      // The documentation does not say whether pages count from 0 or 1. Without `page` it is surely the first.
      const params = { id, size: PAGE_SIZE, ...(index > 0 && { page: index }) };
      const told = await client.ask({ action: "getAllSms", params, priority: "code" });
      if (!saysEnded(told)) return parsePage(id, told);
      ended = told.kind === "error" && told.word === "ACTIVATION_NOT_ACTIVE" ? "ended" : "missing";
      return { rows: [], total: 0 };
    },
  });
  return ended === null ? { kind: "messages", messages } : { kind: ended };
}

function parsePage(id: ActivationId, told: Told) {
  const body = told.kind === "json" ? field.fields(told.value) : null;
  const list = body && field.rows(body.data);
  if (!list) throw unavailable("getAllSms", told);
  const rows = list.map((row) => {
    const message = parseMessage(id, row);
    if (!message) throw new ProviderUnavailable("getAllSms: unreadable message");
    return message;
  });
  // Without a total a page that is not full is taken as the last; asking on would double every look.
  return { rows, total: field.whole(field.fields(body.meta)?.total) ?? (rows.length < PAGE_SIZE ? rows.length : null) };
}

/** Codes may hold colons, so everything after the first one counts (HeroSMS docs, getStatus). */
async function askStatus(client: Client, id: ActivationId): Promise<Status> {
  const told = await client.ask({ action: "getStatus", params: { id }, priority: "code" });
  if (saysEnded(told)) return { kind: "missing" };
  const [, word, rest] = told.kind === "text" ? (/^(STATUS_[A-Z]+(?:_[A-Z]+)*)(?::(.*))?$/s.exec(told.text) ?? []) : [];
  const code = field.text(rest, 200);
  if (word === "STATUS_OK" && code !== null) return { kind: "code", code };
  if (word === "STATUS_CANCEL") return { kind: "cancelled" };
  // STATUS_WAIT_RETRY repeats the code of an SMS that is already known.
  if (word === "STATUS_WAIT_CODE" || word === "STATUS_WAIT_RETRY" || word === "STATUS_WAIT_RESEND") {
    return { kind: "waiting" };
  }
  throw unavailable("getStatus", told);
}
