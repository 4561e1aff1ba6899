/**
 * The transport of phoenixd's API: form bodies in, JSON out, a password without a name, and errors in plain text
 * (ACINQ/phoenixd: Api.kt, json/JsonSerializers.kt). JSON leaves out what is null.
 */
import type { World } from "../../../actors/runtime/world.ts";
import { type Answer, AnswerLost, call } from "../../wire.ts";
import { isObject, type Json, malformed, parseJson, unlessLost } from "../answers.ts";
import { NodeUnavailable } from "../port.ts";

export interface Phoenixd {
  readonly world: World;
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly authorization: string;
}

export interface PhoenixdCall {
  /** A POST when there is one, else a GET. */
  readonly form?: Readonly<Record<string, string>>;
  readonly path: string;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly once?: boolean;
}

const TIMEOUT_MS = 15_000;

/** Makes one call. @throws AnswerLost when no complete answer came. */
export function ask(api: Phoenixd, { form, path, timeoutMs = TIMEOUT_MS, ...how }: PhoenixdCall): Promise<Answer> {
  return call(api.world, {
    url: api.baseUrl + path,
    method: form ? "POST" : "GET",
    headers: {
      Authorization: api.authorization,
      ...(form && { "Content-Type": "application/x-www-form-urlencoded" }),
    },
    ...(form && { body: new URLSearchParams(form).toString() }),
    timeoutMs,
    ...how,
  });
}

/** The JSON of an answer that is one. @throws AnswerLost when it is cut short or no JSON. */
export function read(answer: Answer): unknown {
  const value = parseJson(answer.text);
  if (value === undefined) throw new AnswerLost("network", { cause: new Error("The answer is not JSON") });
  return value;
}

/**
 * The JSON of a call that must succeed; `what` names it.
 * @throws NodeUnavailable when it does not. The text names the call and the status and nothing the peer wrote.
 */
export function demand(api: Phoenixd, what: string, request: PhoenixdCall): Promise<unknown> {
  return unlessLost(what, async () => {
    const answer = await ask(api, request);
    if (answer.status !== 200) throw refused(what, answer);
    return read(answer);
  });
}

/**
 * What a look-up found, or null when phoenixd itself says that there is no such thing: with 204 since it lists on-chain payments too, before
 * that with 404. A path it does not know, an older version and a proxy say 404 as well, in other words. @throws NodeUnavailable
 */
export function find(api: Phoenixd, what: string, path: string): Promise<Json | null> {
  return unlessLost(what, async () => {
    const answer = await ask(api, { path });
    if (answer.status === 204 || (answer.status === 404 && answer.text.trim() === "Not found")) return null;
    if (answer.status !== 200) throw refused(what, answer);
    const found = read(answer);
    if (!isObject(found)) throw malformed(what);
    return found;
  });
}

export function refused(what: string, { status }: Answer): NodeUnavailable {
  return new NodeUnavailable(`${what}: HTTP ${status}`);
}
