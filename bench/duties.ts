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

export function duties({ route, status, headers }: FloorAnswer, body: string | Blob) {
  const clients = new Map<string, number>();
  const credentials = new Map<string, string>();
  const counts = { answers: 0, fast: 0 };
  let ids = "";
  let at = 0;
  let lines = "";
  const nextId = (): string => {
    if (at >= ids.length) {
      ids = Buffer.from(crypto.getRandomValues(new Uint8Array((IDS_AT_A_TIME * ID_CHARACTERS * 3) / 4))).toString(
        "base64url",
      );
      at = 0;
    }
    at += ID_CHARACTERS;
    return ids.slice(at - ID_CHARACTERS, at);
  };
  const isOwner = (shown: string | null, id: string | undefined): boolean => {
    if (id === undefined) return true;
    const digest = Bun.SHA256.hash(shown ?? "", "base64");
    // Whoever comes first is taken for the owner: the check is the look-up of what was proven before.
    if (!credentials.has(digest)) credentials.set(digest, id);
    return credentials.get(digest) === id;
  };
  const log = (id: string, method: string, ms: number): void => {
    if (lines === "") {
      setTimeout(() => {
        writeSync(1, lines);
        lines = "";
      }, LOG_WAITS_MS);
    }
    const time = new Date().toISOString();
    lines += `{"level":"info","time":"${time}","name":"floor","requestId":"${id}","method":"${method}","route":"${route}","status":${status},"ms":${ms},"msg":"Answered"}\n`;
  };
  return new Elysia().get(route, ({ request, server, params }) => {
    const began = Date.now();
    const id = nextId();
    const client = server?.requestIP(request)?.address ?? "";
    clients.set(client, (clients.get(client) ?? 0) + 1);
    const others = HEADERS.filter((name) => request.headers.get(name) !== null);
    if (others.length > 0 || !isOwner(request.headers.get("authorization"), idIn(params)))
      return new Response(null, { status: 401 });
    const ms = Date.now() - began;
    counts.answers++;
    if (ms <= 1) counts.fast++;
    log(id, request.method, ms);
    return new Response(body, { status, headers: { ...headers, "x-request-id": id } });
  });
}
