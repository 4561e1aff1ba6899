/** Between the service and its loopback peers: passes everything on, and notes when the provider was asked. */
import { serveOptions } from "../src/api/serve.ts";
import { COMPAT_PATH } from "../src/sandbox/provider/peer.ts";
import { V1_PREFIX } from "../src/sandbox/provider/v1.ts";
import type { Peers } from "./product.ts";

export interface Counted {
  readonly url: string;
  /** When each call to the provider came in, `performance.now()`; oldest first. */
  readonly calls: readonly number[];
  stop(): Promise<void>;
}

export function countCalls({ url }: Pick<Peers, "url">): Counted {
  const calls: number[] = [];
  const server = Bun.serve({
    ...serveOptions({ hostname: "127.0.0.1", port: 0 }),
    // Streams and held polls are silent for as long as nothing happens.
    idleTimeout: 0,
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (pathname === COMPAT_PATH || pathname.startsWith(V1_PREFIX)) calls.push(performance.now());
      return fetch(`${url}${pathname}${search}`, {
        method: request.method,
        headers: request.headers,
        body: request.body,
        signal: request.signal,
        redirect: "manual",
      });
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, calls, stop: () => server.stop(true) };
}

/** The most calls that fell into any one second. */
export function mostInASecond(calls: readonly number[]): number {
  let from = 0;
  return calls.reduce((most, at, index) => {
    while (at - (calls[from] ?? at) >= 1_000) from++;
    return Math.max(most, index - from + 1);
  }, 0);
}
