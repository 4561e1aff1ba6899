/**
 * One request to HeroSMS and its reading. The compatible API takes its key in the query, REST v1 in a header; both count
 * against the same budget. Nothing here throws: a lost answer and a request that was never sent are readings too. The key
 * never leaves this file: error pages may echo it, network errors carry the URL, so neither is passed on.
 */
import type { Millis, World } from "../../../actors/runtime/world.ts";
import { type Answer, AnswerLost, call } from "../../wire.ts";
import { BudgetRefused, type Priority, RequestBudget } from "../budget.ts";
import type { AccountTrouble } from "../port.ts";
import { type Reading, read } from "./dialect.ts";
import { parseHttpDate } from "./time.ts";
import { accountTrouble } from "./trouble.ts";

export type Told =
  | (Reading & {
      /** When it was said by the provider's own clock; null when it did not tell. */
      readonly toldAt?: Millis | null;
    })
  /** The request went out; whether it was acted on is not known. */
  | { readonly kind: "lost"; readonly why: AnswerLost["why"] }
  /** The request surely never reached the provider. */
  | { readonly kind: "not_sent" };

export interface Ask {
  readonly action: string;
  readonly params?: Readonly<Record<string, string | number>>;
  readonly priority: Priority;
  readonly method?: "GET" | "POST";
  readonly maxBytes?: number;
  /** Must reach the provider at most once: it spends money or ends an activation. */
  readonly once?: true;
}

export interface Client {
  /** Asks the compatible API (/stubs/handler_api.php). */
  ask(ask: Ask): Promise<Told>;
  /** Asks REST v1, GET only: POST was reported to refuse the same key. */
  askRest(path: string, query: Readonly<Record<string, string | number>>, priority: Priority): Promise<Told>;
  /** Says that something is wrong with the account as a whole. */
  report(trouble: AccountTrouble): void;
}

export interface ClientOptions {
  readonly world: World;
  readonly baseUrl: string;
  readonly apiKey: string;
  /** How many calls a second the account may make; default 40. */
  readonly callsPerSecond?: number;
  readonly onTrouble: (trouble: AccountTrouble) => void;
}

const READ_TIMEOUT_MS = 8_000;
const ONCE_TIMEOUT_MS = 15_000;
const MAX_BYTES = 1024 * 1024;
/** Nobody listens, no such host, no descriptor left for a socket (a crowd may hold them all). */
const UNCONNECTED: readonly string[] = ["ECONNREFUSED", "ENOTFOUND", "EMFILE", "ENFILE"];
/** How long the provider blocks an account that was too fast. */
const BLOCK_MS = 10_000;
const DEFAULT_RETRY_AFTER_MS = 2_000;

export function createClient({ world, baseUrl, apiKey, callsPerSecond, onTrouble }: ClientOptions): Client {
  const base = baseUrl.replace(/\/+$/, "");
  const budget = new RequestBudget(world, callsPerSecond);

  const report = (trouble: AccountTrouble) => world.soon(() => onTrouble(trouble));

  async function send(priority: Priority, once: boolean, request: Omit<Parameters<typeof call>[1], "timeoutMs">) {
    try {
      await budget.enter(priority);
    } catch (error) {
      if (error instanceof BudgetRefused) return { kind: "not_sent" } as const;
      throw error;
    }
    try {
      const timeoutMs = once ? ONCE_TIMEOUT_MS : READ_TIMEOUT_MS;
      const answer = await call(world, { ...request, timeoutMs, once });
      const reading = read(answer.status, answer.text);
      slowDown(budget, reading, answer);
      return { ...reading, toldAt: parseHttpDate(answer.headers.get("date")) };
    } catch (error) {
      // Whatever broke, the request may have been sent. The error itself is dropped: it holds the URL.
      if (once && neverConnected(error)) return { kind: "not_sent" } as const;
      return { kind: "lost", why: error instanceof AnswerLost ? error.why : "network" } as const;
    }
  }

  return {
    report,

    async ask({ action, params, priority, method = "GET", maxBytes = MAX_BYTES, once = false as const }) {
      const query = new URLSearchParams({ action, api_key: apiKey, ...stringValues(params ?? {}) });
      const url = `${base}/stubs/handler_api.php?${query}`;
      const told = await send(priority, once, { url, method, maxBytes });
      const trouble = accountTrouble(told);
      if (trouble && told.kind !== "not_sent") report(trouble);
      return told;
    },

    async askRest(path, params, priority) {
      const url = `${base}/api/v1/${path}?${new URLSearchParams(stringValues(params))}`;
      const headers = { authorization: `ApiKey ${apiKey}`, accept: "application/json" };
      // Trouble seen here is not reported: v1 is optional, and the compatible API gives the last word.
      return await send(priority, false, { url, headers, maxBytes: MAX_BYTES });
    },
  };
}

const stringValues = (params: Readonly<Record<string, string | number>>) =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));

function slowDown(budget: RequestBudget, reading: Reading, answer: Answer): void {
  if (reading.kind === "blocked") budget.pause(BLOCK_MS);
  if (reading.kind !== "error" || reading.word !== "RATE_LIMIT") return;
  const seconds = answer.headers.get("retry-after") ?? "";
  budget.pause(/^\d{1,5}$/.test(seconds) ? Math.max(Number(seconds), 1) * 1000 : DEFAULT_RETRY_AFTER_MS);
}

/** There was no connection: on one of its own, the request was surely not sent. */
function neverConnected(error: unknown): boolean {
  const cause = error instanceof AnswerLost ? error.cause : null;
  const code = cause instanceof Error && "code" in cause ? cause.code : null;
  return typeof code === "string" && UNCONNECTED.includes(code);
}
