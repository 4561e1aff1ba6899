/**
 * The network between the service and its peers: it delays, loses, repeats, reorders and garbles. What it does to a call is drawn; the peers
 * behind it are the sandbox's own. The process may die before a call leaves and before its answer is taken.
 */
import type { Fetch, FetchOptions, Millis } from "../../actors/runtime/world.ts";
import { type Call, callOf, type PeerKind } from "./calls.ts";
import type { Fate } from "./chance.ts";
import type { Stage } from "./stages.ts";
import type { SimWorld, Time } from "./time.ts";
import type { Drawn, DrawnFaults, Weather } from "./weather.ts";

export interface Network {
  readonly time: Time;
  readonly fate: Fate;
  readonly weather: Weather;
  readonly faults: DrawnFaults;
  readonly handlers: Readonly<Record<PeerKind, (request: Request) => Promise<Response>>>;
  /** Until when each peer cannot be reached at all. */
  readonly down: Map<PeerKind, Millis>;
  /** Stages of the orders that this call concerns. */
  readonly concerns: (call: Call) => readonly Stage[];
  readonly onDown: (call: Call, stages: readonly Stage[]) => void;
  readonly onFault: (fault: Drawn, call: Call, stages: readonly Stage[]) => void;
  /** Whether the process dies here. */
  readonly dies: (point: "crash_before_call" | "crash_after_call", call: Call, stages: readonly Stage[]) => boolean;
}

/** Past every deadline of the adapters. */
const LATE_MS = 100_000;
const SLOW_MS = 6_000;
/** How many settlements a stream that replays goes back. */
const REPLAYED = 20;

export const networkFetch =
  (network: Network) =>
  (world: SimWorld): Fetch =>
  (url, options = {}) =>
    new Promise<Response>((resolve, reject) => {
      const { time, fate, weather, down } = network;
      const call = callOf(url, options.body);
      const stages = network.concerns(call);
      if (network.dies("crash_before_call", call, stages)) return;
      const isDown = (down.get(call.peer) ?? 0) > time.now;
      const fault = isDown ? null : weather.forCall(call, stages);
      if (isDown) network.onDown(call, stages);
      if (fault) network.onFault(fault, call, stages);
      const latency = fate.draw("latency", time.now);
      const there = 1 + latency.below(20);
      const back = backMs(fault, latency.below(20));

      let over = false;
      const finish = (act: () => void) => {
        if (over || !world.alive) return;
        over = true;
        act();
      };
      const lost = () => finish(() => reject(new TypeError("connection lost")));
      options.signal?.addEventListener("abort", () => finish(() => reject(new DOMException("aborted", "AbortError"))));
      const answered = (answer: () => void) =>
        time.at(time.now + back, () => {
          if (over || !world.alive || network.dies("crash_after_call", call, stages)) return;
          finish(answer);
        });

      const early = isDown ? "lost_before" : fault?.by === "network" ? fault.name : null;
      if (early === "lost_before") return void time.at(time.now + there, lost);
      const refusal = early === null ? null : unreached(early);
      if (refusal) return void time.at(time.now + there, () => answered(() => resolve(refusal)));
      const target = early === "replayed" ? replayed(url) : url;
      time.at(time.now + there, () => {
        const peerFault = fault?.by === "peer" ? fault : null;
        const init = requestInit(call.action === "subscribe" ? whileAlive(world, options) : options);
        const send = () => network.handlers[call.peer](new Request(target, init));
        const answer = network.faults.during(call.peer, peerFault, send);
        if (early === "duplicate") time.at(time.now + 2_000, () => void send().catch(ignore));
        answer.then(
          (response) => answered(() => deliver(response, early, resolve, reject)),
          () => time.at(time.now + back, lost),
        );
      });
    });

const ignore = () => {};

function backMs(fault: Drawn | null, latency: number): Millis {
  if (fault?.by === "network" && fault.name === "late") return LATE_MS;
  if (fault?.by === "network" && fault.name === "slow") return SLOW_MS;
  return 1 + latency;
}

function requestInit({ method, headers, body, signal }: FetchOptions): RequestInit {
  return {
    ...(method && { method }),
    ...(headers && { headers }),
    ...(body !== undefined && { body }),
    ...(signal && { signal }),
  };
}

/** A stream that nobody ends: the peer must notice when the process is gone. */
function whileAlive(world: SimWorld, options: FetchOptions): FetchOptions {
  const link = new AbortController();
  options.signal?.addEventListener("abort", () => link.abort());
  world.whenDead(() => link.abort());
  return { ...options, signal: link.signal };
}

/** The answer of something in front of the peer, which never sees the request; null when it does see it. */
function unreached(fault: string): Response | null {
  if (fault === "http500") return new Response('{"title":"SERVER_ERROR","details":"Server Gone"}', { status: 500 });
  // A rate limit is said instead of doing anything, unlike the errors that may follow an effect.
  if (fault === "http429") return new Response('{"title":"RATE_LIMIT","details":""}', { status: 429 });
  return null;
}

/** A node that forgot where its subscriber stands tells old settlements again. */
function replayed(url: string): string {
  const index = Number(/settle_index=(\d+)/.exec(url)?.[1] ?? 0);
  return index > 1 ? url.replace(/settle_index=\d+/, `settle_index=${Math.max(1, index - REPLAYED)}`) : url;
}

function deliver(
  response: Response,
  fault: string | null,
  resolve: (response: Response) => void,
  reject: (error: Error) => void,
): void {
  switch (fault) {
    case "lost_after":
      return reject(new TypeError("connection lost"));
    case "http502_after":
      return resolve(new Response("upstream went away", { status: 502 }));
    case "html":
      return resolve(new Response("<html><title>502 Bad Gateway</title></html>", { status: 502 }));
    case "empty":
      return resolve(new Response("", { status: 200 }));
    case "garbage":
      return resolve(new Response("\u0000\ufffd\u2028{]\u0007", { status: 200 }));
    case "flood":
      return resolve(new Response(FLOOD, { status: 200 }));
    case "truncated":
      return void response
        .text()
        .then((text) => resolve(new Response(text.slice(0, text.length >> 1), { status: response.status })), reject);
    default:
      return resolve(response);
  }
}

/** More than any adapter reads. */
const FLOOD = "x".repeat(17 * 1024 * 1024);
