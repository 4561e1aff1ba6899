/**
 * HeroSMS on loopback: the compat protocol, REST v1 and webhooks of the real service over books of its own. It never reads a
 * wall clock and opens no port: `fetch` answers requests from wherever they come.
 */
import type { Database } from "bun:sqlite";
import { formatMicroUsd, microUsd } from "../../../actors/order/money.ts";
import { httpDate, iso, type World } from "../../../actors/runtime/world.ts";
import type { Faults } from "../faults.ts";
import { act } from "./actions.ts";
import { Agenda } from "./agenda.ts";
import { type Answer, html, type Mode, type Reply, render, toResponse } from "./answers.ts";
import { type Ban, Bans } from "./bans.ts";
import { type Activation, Books, STATUS, SUBTYPE } from "./books.ts";
import { serviceName } from "./catalog.ts";
import { type Desk, receive } from "./desk.ts";
import { CALL_FAULTS, misbehave } from "./misbehaviour.ts";
import type { Params } from "./params.ts";
import { Stock } from "./stock.ts";
import { actV1, V1_PREFIX, v1Call } from "./v1.ts";
import { WEBHOOK_FAULTS, Webhooks } from "./webhooks.ts";

export const COMPAT_PATH = "/stubs/handler_api.php";

/** Every fault name the peer knows; those of webhooks belong to the action `webhook`. */
export const PROVIDER_FAULTS: readonly string[] = [...CALL_FAULTS, ...WEBHOOK_FAULTS];

export interface ProviderPeerOptions {
  readonly world: World;
  /** Tables are made in it, all named `provider_...`. */
  readonly books: Database;
  readonly faults: Faults;
  /** How long after a buy an SMS arrives by itself; null is never. */
  readonly smsAfterMs: number | null;
  /** Where to POST `sms-incoming`. */
  readonly webhooks: () => readonly string[];
  readonly mode?: Mode;
  /** Whether it bans accounts whose numbers bring no SMS. Default: no. */
  readonly bans?: boolean;
}

export type ViewStatus = "waiting" | "received" | "finished" | "cancelled" | "expired" | "refunded";

export interface ProviderView {
  readonly balanceUsd: string;
  /** Services and countries that it sells us none of right now; "*" and 0 for the whole account. */
  readonly bans: readonly (Pick<Ban, "service" | "country"> & { readonly until: string })[];
  /** Newest first. */
  readonly activations: readonly {
    readonly activationId: string;
    readonly phoneNumber: string;
    readonly service: string;
    readonly country: number;
    readonly status: ViewStatus;
    /** USD; given back when cancelled, expired or refunded. */
    readonly cost: string;
    readonly boughtAt: string;
    readonly endsAt: string;
    readonly rental: boolean;
    readonly messages: number;
  }[];
}

const VIEW_LIMIT = 10_000;
const COMPAT_TYPE = "text/html; charset=UTF-8";

interface Call {
  /** What faults call it. */
  readonly action: string;
  readonly params: Params;
  readonly activationId: number | null;
  readonly signal: AbortSignal;
  readonly act: () => Answer;
  readonly mode: Mode;
}

export class ProviderPeer {
  readonly #desk: Desk;
  readonly #agenda: Agenda;
  readonly #faults: Faults;

  /** Opens the books and takes up what was pending in them. */
  constructor(options: ProviderPeerOptions) {
    const { world, faults } = options;
    const books = new Books(options.books);
    const webhooks = new Webhooks(world, books, faults, options.webhooks, () => this.#agenda.settle());
    this.#faults = faults;
    this.#desk = {
      world,
      books,
      stock: new Stock(books),
      webhooks,
      mode: options.mode ?? "current",
      smsAfterMs: options.smsAfterMs,
      bans: options.bans ? new Bans(options.books) : null,
    };
    this.#agenda = new Agenda(this.#desk);
    this.#agenda.settle();
  }

  /**
   * Answers one request.
   * @throws ConnectionReset when a planned fault breaks the connection; the request's abort reason when one hangs.
   */
  async fetch(request: Request): Promise<Response> {
    const response = await this.#respond(request);
    // As every server does, and by the clock that its rows are told by; Bun would write the time of this machine.
    response.headers.set("date", httpDate(this.#desk.world.now()));
    return response;
  }

  async #respond(request: Request): Promise<Response> {
    const { pathname, searchParams: params } = new URL(request.url);
    const { method, signal } = request;
    if (pathname === COMPAT_PATH) {
      const action = params.get("action") ?? "";
      const activationId = idOf(params.get("id"));
      const perform = () => act(this.#desk, method, action, params);
      const call = { action, params, activationId, signal, act: perform, mode: this.#desk.mode };
      return toResponse(await this.#answer(call), COMPAT_TYPE);
    }
    if (pathname.startsWith(V1_PREFIX)) {
      const route = v1Call(method, pathname);
      const perform = () => actV1(this.#desk, route, params, request.headers.get("authorization"));
      const call: Call = { action: route.route, params, activationId: route.id, signal, act: perform, mode: "current" };
      return toResponse(await this.#answer(call), "application/json");
    }
    return toResponse(html(404, "404 Not Found"), COMPAT_TYPE);
  }

  /**
   * An SMS arrives now.
   * @param input.phoneNumber digits, with or without "+"
   * @returns null when no active number is like that
   */
  deliver(input: { phoneNumber: string; text: string; from?: string }): { activationId: string } | null {
    this.#agenda.settle();
    const { books, world } = this.#desk;
    const activation = books.activeByPhone(input.phoneNumber.trim().replace(/^\+/, ""));
    if (!activation) return null;
    const sms = { text: input.text, from: input.from ?? serviceName(activation.service) };
    books.atomically(() => receive(this.#desk, activation, sms, world.now()));
    this.#agenda.settle();
    return { activationId: String(activation.id) };
  }

  /** The books for people and tests: the newest 10,000 activations and the balance. */
  view(): ProviderView {
    this.#agenda.settle();
    const { books } = this.#desk;
    return {
      balanceUsd: formatMicroUsd(books.balance()),
      bans: (this.#desk.bans?.list(this.#desk.world.now()) ?? []).map((ban) => ({ ...ban, until: iso(ban.until) })),
      activations: books.all(VIEW_LIMIT).map((activation) => ({
        activationId: String(activation.id),
        phoneNumber: `+${activation.phone}`,
        service: activation.service,
        country: activation.country,
        status: viewStatus(activation),
        cost: formatMicroUsd(microUsd(activation.cost)),
        boughtAt: iso(activation.boughtAt),
        endsAt: iso(activation.endsAt),
        rental: activation.subtype === SUBTYPE.rental,
        messages: activation.messages,
      })),
    };
  }

  /** Stops timers and deliveries; what is pending stays in the books. Call it before the database is closed. */
  stop(): void {
    this.#agenda.stop();
    this.#desk.webhooks.stop();
  }

  async #answer({ action, params, activationId, signal, act, mode }: Call): Promise<Reply> {
    const answered = (answer: Answer) => render(answer, mode);
    const run = () => this.#run(act).then(answered);
    const fault = this.#faults.take("provider", action);
    if (!fault || WEBHOOK_FAULTS.some((name) => name === fault.fault)) return run();
    this.#agenda.settle();
    const reply = await misbehave({ fault, params, activationId, signal, desk: this.#desk, render: answered, run });
    this.#agenda.settle();
    return reply;
  }

  /** One call on settled books, in one transaction; early webhooks go out before its answer. */
  async #run(act: () => Answer): Promise<Answer> {
    this.#agenda.settle();
    const answer = this.#desk.books.atomically(act);
    this.#agenda.settle();
    await this.#desk.webhooks.urgent();
    return answer;
  }
}

const idOf = (raw: string | null): number | null => (raw !== null && /^\d{1,15}$/.test(raw) ? Number(raw) : null);

function viewStatus({ status, endedAt, endsAt }: Activation): ViewStatus {
  switch (status) {
    case STATUS.received:
      return "received";
    case STATUS.finished:
      return "finished";
    case STATUS.cancelled:
      return "cancelled";
    case STATUS.refunded:
      return endedAt !== null && endedAt < endsAt ? "refunded" : "expired";
    default:
      return "waiting";
  }
}
