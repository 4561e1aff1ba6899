/**
 * The peer's faults by name. A fault replaces the answer (canned errors), spoils a true one (broken bodies), breaks the
 * connection, or lets something happen just before the call. With `detail.after: true` a canned error comes although the
 * call took effect, which no caller can tell from one that did not.
 */
import { ConnectionReset, type Fault, hang } from "../faults.ts";
import * as answers from "./answers.ts";
import { type Answer, html, json, type Reply, text } from "./answers.ts";
import { banned, bannedWord } from "./bans.ts";
import { type Activation, STATUS } from "./books.ts";
import { type Desk, end, greeting, receive } from "./desk.ts";
import type { Params } from "./params.ts";

export interface Turn {
  readonly fault: Fault;
  readonly params: Params;
  /** The activation the call is about, if it names one. */
  readonly activationId: number | null;
  readonly signal: AbortSignal;
  readonly desk: Desk;
  readonly render: (answer: Answer) => Reply;
  /** Performs the call as if nothing were wrong. */
  readonly run: () => Promise<Reply>;
}

const BAN_SECONDS = 3_600;

const ban = ({ desk }: Turn, scope: "global" | "specific"): Answer => {
  const now = desk.world.now();
  return banned(scope, now + BAN_SECONDS * 1000, now);
};

const number = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);

/** Errors said instead of the true answer. */
const CANNED: Readonly<Record<string, (turn: Turn) => Answer>> = {
  no_numbers: ({ fault }) => {
    if (fault.detail.form === "json404") return answers.NO_RENT_NUMBERS;
    if (fault.detail.form === "json200") return json({ title: "NO_NUMBERS", details: "No numbers available" });
    return answers.NO_NUMBERS;
  },
  wrong_max_price: ({ fault }) => answers.wrongMaxPrice(number(fault.detail.min, 0.1234)),
  wrong_max_price_text: ({ fault }) => text(`WRONG_MAX_PRICE:${number(fault.detail.min, 0.025)}`),
  price_jump: ({ params }) => answers.wrongMaxPrice(2 * Number(params.get("maxPrice") || 0.05)),
  no_balance: () => answers.NO_BALANCE,
  bad_key: () => answers.BAD_KEY,
  account_inactive: () => answers.ACCOUNT_INACTIVE,
  banned_global: (turn) => ban(turn, "global"),
  banned_specific: (turn) => ban(turn, "specific"),
  banned_text: ({ desk }) => text(bannedWord(desk.world.now() + BAN_SECONDS * 1000)),
  channels_limit: () => answers.CHANNELS_LIMIT,
  service_na: () => answers.SERVICE_NOT_AVAILABLE,
  sim_offline: () => answers.SIM_OFFLINE,
  sim_temporary_offline: () => answers.SIM_TEMPORARY_OFFLINE,
  html403: () => html(403, "Attention Required! | Cloudflare", "<p>Sorry, you have been blocked</p>"),
  cf1020: () => text("error code: 1020", 403),
  http400: () => text("", 400),
  rate_limit: () => answers.RATE_LIMIT,
  not_found: () => answers.NOT_FOUND,
  bad_action: () => answers.BAD_ACTION,
  http500: () => answers.SERVER_ERROR,
  html502: () => html(502, "502 Bad Gateway"),
  http503: () => html(503, "503 Service Temporarily Unavailable"),
  early_cancel_denied: () => answers.EARLY_CANCEL_DENIED,
  free_cancel_expired: () => answers.FREE_CANCELLATION_EXPIRED,
  not_active: () => answers.ACTIVATION_NOT_ACTIVE,
  echo_key: ({ params }) => html(500, "Internal Server Error", `<pre>GET /stubs/handler_api.php?${params}</pre>`),
  custom: ({ fault }) => custom(fault.detail),
};

/** True answers spoilt on their way out; the call took effect unless `detail.bought` is false. */
const SPOILED: Readonly<Record<string, (reply: Reply, turn: Turn) => Reply>> = {
  garbled: (reply) => text(half(reply.body)),
  truncated: (reply) => text(half(reply.body)),
  empty: () => text(""),
  quoted: (reply) => text(JSON.stringify(reply.body), reply.status),
  missing_id: (reply) => rewrite(reply, ({ activationId: _, ...rest }) => json(rest)),
  text_number: (reply) =>
    rewrite(reply, ({ activationId, phoneNumber }) => text(`ACCESS_NUMBER:${activationId}:${phoneNumber}`)),
  currency: (reply, { fault }) =>
    rewrite(reply, (bought) => json({ ...bought, currency: number(fault.detail.currency, 978) })),
};

/** Things that happen in the instant before the call. */
const BEFORE: Readonly<Record<string, (turn: Turn) => void>> = {
  sms_at_cancel: ({ desk, activationId }) => smsNow(desk, activationId),
  otp_on_release: ({ desk, activationId }) => smsNow(desk, activationId),
  provider_cancels: ({ desk, activationId, fault }) => {
    const named = activationId ?? Number(fault.detail.id ?? fault.detail.activationId ?? Number.NaN);
    const activation = Number.isNaN(named)
      ? desk.books.active({ offset: 0, limit: 1 })[0]
      : desk.books.activation(named);
    if (activation && activation.endedAt === null) end(desk, activation, STATUS.refunded, desk.world.now());
  },
};

/** Faults of the connection; `true` when the call takes effect first, null when `detail.after` says so. */
const BREAKS: Readonly<Record<string, { how: "hang" | "reset"; after: boolean | null }>> = {
  hang: { how: "hang", after: null },
  hang_bought: { how: "hang", after: true },
  hang_not_bought: { how: "hang", after: false },
  reset: { how: "reset", after: null },
  reset_bought: { how: "reset", after: true },
  reset_not_bought: { how: "reset", after: false },
};

/** All faults of the peer's calls; those of its webhooks are in `WEBHOOK_FAULTS`. */
export const CALL_FAULTS: readonly string[] = [CANNED, SPOILED, BEFORE, BREAKS]
  .flatMap(Object.keys)
  .concat("otp_received");

/**
 * Answers one call as its fault wants it.
 * @throws ConnectionReset when the connection breaks; the signal's reason when a hanging call is given up;
 *   RangeError for a fault nobody knows.
 */
export async function misbehave(turn: Turn): Promise<Reply> {
  const { fault, desk, render, run, signal } = turn;
  const name = fault.fault;
  const breaks = BREAKS[name];
  if (breaks) {
    if (breaks.after ?? fault.detail.after === true) await run();
    if (breaks.how === "reset") throw new ConnectionReset();
    return hang(signal);
  }
  const canned = CANNED[name];
  if (canned) {
    if (fault.detail.after === true) await run();
    return render(canned(turn));
  }
  const spoil = SPOILED[name];
  if (spoil) return spoil(fault.detail.bought === false ? NOTHING_BOUGHT : await run(), turn);
  const before = BEFORE[name];
  if (before) {
    desk.books.atomically(() => before(turn));
    return run();
  }
  if (name !== "otp_received") throw new RangeError(`Unknown provider fault "${name}"`);
  const activation = active(desk, turn.activationId);
  if (!activation) return run();
  // An SMS that was read on the provider's site: it is in the list, but is not new.
  desk.books.atomically(() => {
    receive(desk, activation, greeting(desk, activation), desk.world.now());
    desk.books.markSeen(activation.id);
  });
  return render(answers.OTP_RECEIVED);
}

/** Looks like the start of a purchase, but there is none behind it. */
const NOTHING_BOUGHT: Reply = json({ activationId: "", phoneNumber: "", verificationType: "sms" });

function custom(detail: Fault["detail"]): Reply {
  const body = detail.body ?? "";
  const headers = Object.entries((detail.headers ?? {}) as Record<string, unknown>);
  return {
    kind: "reply",
    status: number(detail.status, 200),
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), String(value)])),
  };
}

const half = (body: string): string => body.slice(0, Math.floor(body.length / 2));

/** Applies `change` to an answer that is a JSON object; leaves any other as it is. */
function rewrite(reply: Reply, change: (body: Record<string, unknown>) => Reply): Reply {
  return reply.status === 200 && reply.body.startsWith("{") ? change(JSON.parse(reply.body)) : reply;
}

function active(desk: Desk, id: number | null): Activation | null {
  const activation = id === null ? null : desk.books.activation(id);
  return activation && activation.endedAt === null ? activation : null;
}

function smsNow(desk: Desk, id: number | null): void {
  const activation = active(desk, id);
  if (activation) receive(desk, activation, greeting(desk, activation), desk.world.now());
}
