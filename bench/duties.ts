/**
 * The least that any server must do if each request has a name, a counted and known client, a checked credential (where the route names an
 * order), metrics and a line of log: bare Elysia with just that, in the fewest steps, without a type of error, an order or a second kind of credential. What lies between
 * this and bare Elysia is the price of those duties, and no implementation of ours can be faster than this one.
 */
import { writeSync } from "node:fs";
import { Elysia } from "elysia";
import { LOG_WAITS_MS } from "../src/ops/log-output.ts";
import type { FloorAnswer } from "./floor.ts";

/** Where a credential, a body or another name of the client can stand; each is asked for once. */
const HEADERS = ["content-length", "token", "grpc-metadata-token", "macaroon", "grpc-metadata-macaroon"];
const ID_CHARACTERS = 12;
const IDS_AT_A_TIME = 256;

/** Routes without parameters have none. */
const idIn = (params: { readonly id?: string } | undefined): string | undefined => params?.id;

/** Names of requests, and a line of log for each. */
export class LineLog {
  #ids = "";
  #at = 0;
  #lines = "";
  readonly #route: string;
  readonly #status: number;

  constructor(route: string, status: number) {
    this.#route = route;
    this.#status = status;
  }

  nextId(): string {
    if (this.#at >= this.#ids.length) {
      const bytes = crypto.getRandomValues(new Uint8Array((IDS_AT_A_TIME * ID_CHARACTERS * 3) / 4));
      this.#ids = Buffer.from(bytes).toString("base64url");
      this.#at = 0;
    }
    this.#at += ID_CHARACTERS;
    return this.#ids.slice(this.#at - ID_CHARACTERS, this.#at);
  }

  answered(id: string, method: string, ms: number): void {
    if (this.#lines === "") {
      setTimeout(() => {
        writeSync(1, this.#lines);
        this.#lines = "";
      }, LOG_WAITS_MS);
    }
    const time = new Date().toISOString();
    this.#lines += `{"level":"info","time":"${time}","name":"floor","requestId":"${id}","method":"${method}","route":"${this.#route}","status":${this.#status},"ms":${ms},"msg":"Answered"}\n`;
  }
}

export function duties({ route, status, headers }: FloorAnswer, body: string | Blob) {
  const clients = new Map<string, number>();
  const credentials = new Map<string, string>();
  const counts = { answers: 0, fast: 0 };
  const log = new LineLog(route, status);
  const isOwner = (shown: string | null, id: string | undefined): boolean => {
    if (id === undefined) return true;
    const digest = Bun.SHA256.hash(shown ?? "", "base64");
    // Whoever comes first is taken for the owner: the check is the look-up of what was proven before.
    if (!credentials.has(digest)) credentials.set(digest, id);
    return credentials.get(digest) === id;
  };
  return new Elysia().get(route, ({ request, server, params }) => {
    const began = Date.now();
    const id = log.nextId();
    const client = server?.requestIP(request)?.address ?? "";
    clients.set(client, (clients.get(client) ?? 0) + 1);
    const others = HEADERS.filter((name) => request.headers.get(name) !== null);
    if (others.length > 0 || !isOwner(request.headers.get("authorization"), idIn(params)))
      return new Response(null, { status: 401 });
    const ms = Date.now() - began;
    counts.answers++;
    if (ms <= 1) counts.fast++;
    log.answered(id, request.method, ms);
    return new Response(body, { status, headers: { ...headers, "x-request-id": id } });
  });
}
