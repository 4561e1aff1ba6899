/**
 * Looking at activations: getStatus, getStatusV2, getAllSms, getActiveActivations, getHistory, getBalance. Reading messages
 * marks them as read, which decides what a later cancel answers. After the end, messages are gone for good.
 */
import { ACTIVATION_NOT_ACTIVE, type Answer, json, NOT_FOUND, text } from "./answers.ts";
import { type Message, STATUS } from "./books.ts";
import { type Desk, usd } from "./desk.ts";
import { activeRow, historyRow, sms } from "./forms.ts";
import { integer, optionalInteger, type Params, refused } from "./params.ts";
import { zonelessTime } from "./times.ts";

const PAGE_MAX = 100;
const SMS_PAGE = 20;
const DAY_S = 86_400;
const MAX_UNIX_S = 9_999_999_999;

export const getBalance = (desk: Desk): Answer => text(`ACCESS_BALANCE:${usd(desk.books.balance()).toFixed(4)}`);

export function getStatus(desk: Desk, params: Params): Answer {
  const id = integer(params, "id");
  if (refused(id)) return id;
  const activation = desk.books.activation(id);
  if (!activation) return NOT_FOUND;
  const last = desk.books.messages(id)[0];
  switch (activation.status) {
    case STATUS.cancelled:
    case STATUS.refunded:
      return text("STATUS_CANCEL");
    case STATUS.finished:
      return ACTIVATION_NOT_ACTIVE;
    case STATUS.waiting:
      return text("STATUS_WAIT_CODE");
    case STATUS.resend:
      return text(`STATUS_WAIT_RETRY:${last ? codeOrText(last) : ""}`);
    case STATUS.received:
      desk.books.markSeen(id);
      return text(`STATUS_OK:${last ? codeOrText(last) : ""}`);
  }
}

/** While waiting the shape is undocumented; here `data` is null. */
export function getStatusV2(desk: Desk, params: Params): Answer {
  const id = integer(params, "id");
  if (refused(id)) return id;
  const activation = desk.books.activation(id);
  if (!activation) return NOT_FOUND;
  if (activation.status === STATUS.finished) return ACTIVATION_NOT_ACTIVE;
  if (activation.endedAt !== null) return text("STATUS_CANCEL");
  const last = desk.books.messages(id)[0];
  desk.books.markSeen(id);
  if (desk.mode === "current") {
    return json({ verificationType: "sms", data: last ? sms(last, activation.service) : null });
  }
  const old = last ? { dateTime: zonelessTime(last.receivedAt), code: last.code, text: last.text } : null;
  return json({ verificationType: 2, sms: old });
}

export function getAllSms(desk: Desk, params: Params): Answer {
  const id = integer(params, "id");
  if (refused(id)) return id;
  const size = optionalInteger(params, "size", 1, PAGE_MAX);
  if (refused(size)) return size;
  const page = optionalInteger(params, "page", 1, 1_000_000);
  if (refused(page)) return page;
  const activation = desk.books.activation(id);
  if (!activation) return NOT_FOUND;
  if (activation.endedAt !== null) return ACTIVATION_NOT_ACTIVE;
  const messages = desk.books.messages(id);
  desk.books.markSeen(id);
  const length = size ?? SMS_PAGE;
  const from = ((page ?? 1) - 1) * length;
  const data = messages.slice(from, from + length).map((message) => sms(message, activation.service));
  return json({ data, meta: { total: messages.length, service: activation.service } });
}

export function getActiveActivations(desk: Desk, params: Params): Answer {
  const offset = optionalInteger(params, "start", 0, MAX_UNIX_S);
  if (refused(offset)) return offset;
  const limit = optionalInteger(params, "limit", 1, PAGE_MAX);
  if (refused(limit)) return limit;
  const rows = desk.books.listed({ offset: offset ?? 0, limit: limit ?? PAGE_MAX }, (activation) =>
    JSON.stringify(activeRow(activation, desk.books.messagesOf(activation))),
  );
  if (desk.mode === "legacy") {
    if (rows.length === 0) return json({ status: "error", error: "NO_ACTIVATIONS" });
    return text(`{"status":"success","activeActivations":[${rows.join()}]}`);
  }
  if (rows.length > 0) return text(`{"status":"success","data":[${rows.join()}]}`);
  return json({ status: "success", data: [], activeActivations: { affected_rows: 0, num_rows: 0, row: [], rows: [] } });
}

/** Ended activations bought within [start, end], unix seconds; the last day when no window is given. */
export function getHistory(desk: Desk, params: Params): Answer {
  const now = Math.floor(desk.world.now() / 1000);
  const start = optionalInteger(params, "start", 0, MAX_UNIX_S);
  if (refused(start)) return start;
  const endAt = optionalInteger(params, "end", 0, MAX_UNIX_S);
  if (refused(endAt)) return endAt;
  const offset = optionalInteger(params, "offset", 0, MAX_UNIX_S);
  if (refused(offset)) return offset;
  const size = optionalInteger(params, "size", 1, PAGE_MAX);
  if (refused(size)) return size;
  const to = endAt ?? now;
  const page = { offset: offset ?? 0, limit: size ?? PAGE_MAX };
  // The end is a whole second; what was bought within it belongs to the window.
  const rows = desk.books.ended((start ?? to - DAY_S) * 1000, to * 1000 + 999, page);
  return json(rows.map((activation) => historyRow(activation, desk.books.messages(activation.id))));
}

/** An SMS without a recognised code is handed out as a whole. */
const codeOrText = (message: Message): string => message.code ?? message.text;
