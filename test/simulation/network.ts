/**
 * The network between the service and its peers: it delays, loses, repeats and garbles. What it does to a call is drawn from the seed; the
 * peers behind it are the sandbox's own.
 */
import type { Fetch, FetchOptions } from "../../actors/runtime/world.ts";
import type { SimWorld, Time } from "./time.ts";

export interface Trouble {
  /** Probability that anything at all goes wrong with one call. */
  rate: number;
  /** Until when the node, the provider or the prices cannot be reached, by the first part of the path. */
  readonly down: Map<PeerKind, number>;
}

export type PeerKind = "node" | "provider" | "prices";
export const NETWORK_FAULTS = [
  "lost_before",
  "lost_after",
  "late",
  "http500",
  "http429",
  "html",
  "truncated",
  "empty",
] as const;
export type NetworkFault = (typeof NETWORK_FAULTS)[number];

export interface Network {
  readonly handlers: Readonly<Record<PeerKind, (request: Request) => Promise<Response>>>;
  readonly trouble: Trouble;
  /** Told of every fault, for coverage. */
  readonly onFault: (peer: PeerKind, fault: NetworkFault | "down") => void;
}

const kindOf = (path: string): PeerKind => {
  if (path.startsWith("/prices/")) return "prices";
  return path.startsWith("/stubs/") || path.startsWith("/api/v1/") ? "provider" : "node";
};

/** Past every deadline of the adapters. */
const LATE_MS = 40_000;

export const networkFetch =
  (time: Time, network: Network) =>
  (world: SimWorld): Fetch =>
  (url, options = {}) =>
    new Promise<Response>((resolve, reject) => {
      const { chance } = time;
      const { pathname } = new URL(url);
      const peer = kindOf(pathname);
      const { trouble, handlers, onFault } = network;
      let over = false;
      const finish = (act: () => void) => {
        if (over || !world.alive) return;
        over = true;
        act();
      };
      options.signal?.addEventListener("abort", () => finish(() => reject(new DOMException("aborted", "AbortError"))));
      const lost = () => finish(() => reject(new TypeError("connection lost")));
      const stream = pathname.endsWith("/subscribe");
      const down = (trouble.down.get(peer) ?? 0) > time.now;
      const fault = !stream && chance.hits(trouble.rate) ? chance.one(NETWORK_FAULTS) : null;
      if (down) onFault(peer, "down");
      else if (fault) onFault(peer, fault);
      const there = 1 + chance.below(20);
      const back = fault === "late" ? LATE_MS : 1 + chance.below(20);
      if (down || fault === "lost_before") return void time.at(time.now + there, lost);
      // A rate limit is said instead of doing anything, unlike the errors that may follow an effect.
      if (fault === "http429") return void time.at(time.now + there, () => finish(() => resolve(rateLimited())));
      time.at(time.now + there, () => {
        handlers[peer](new Request(url, requestInit(options))).then(
          (response) => time.at(time.now + back, () => finish(() => deliver(response, fault, resolve, reject))),
          () => time.at(time.now + back, lost),
        );
      });
    });

function requestInit({ method, headers, body, signal }: FetchOptions): RequestInit {
  return {
    ...(method && { method }),
    ...(headers && { headers }),
    ...(body !== undefined && { body }),
    ...(signal && { signal }),
  };
}

const rateLimited = (): Response => new Response('{"title":"RATE_LIMIT","details":""}', { status: 429 });

function deliver(
  response: Response,
  fault: NetworkFault | null,
  resolve: (response: Response) => void,
  reject: (error: Error) => void,
): void {
  switch (fault) {
    case "lost_after":
      return reject(new TypeError("connection lost"));
    case "http500":
      return resolve(new Response('{"title":"SERVER_ERROR","details":"Server Gone"}', { status: 500 }));
    case "html":
      return resolve(new Response("<html><title>502 Bad Gateway</title></html>", { status: 502 }));
    case "empty":
      return resolve(new Response("", { status: 200 }));
    case "truncated":
      return void response
        .text()
        .then((text) => resolve(new Response(text.slice(0, text.length >> 1), { status: response.status })), reject);
    default:
      return resolve(response);
  }
}
