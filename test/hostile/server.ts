/** A server process as an attacker meets it: over sockets, with everything it answers held against its own document. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { documentedServer, judge } from "../support/openapi.ts";
import { type Exchange, exchange } from "../support/raw.ts";

export const ORDER = "/v2/l402/order";
/** How much longer the long form of the lane goes on. */
export const TIMES = Math.max(1, Number(process.env.HOSTILE_TIMES) || 1);

/**
 * What the listener itself answers to bytes that are no HTTP/1.1 request: no body, and the connection ends. (docs/reliability.md, "Hostile
 * clients")
 */
const LISTENERS_OWN: ReadonlySet<number> = new Set([400, 413, 431, 505]);

export function hostileServer(env: Readonly<Record<string, string>> = {}) {
  const server = documentedServer({ LOG_LEVEL: "error", ...env });

  /** Sends exactly these bytes and judges every answer. `methods` are those of the requests that should be seen in them. */
  async function send(bytes: string | Uint8Array, methods: readonly string[] = ["GET"]): Promise<Exchange> {
    const { origin } = server();
    const exchanged = await exchange(origin, bytes, { methods });
    const head = Buffer.from(bytes).toString("latin1", 0, 2_000);
    const path = (/^\w+ ([^ ?]*)/.exec(head)?.[1] ?? "/").replaceAll("#", "%23");
    for (const [index, { status, headers, body }] of exchanged.answers.entries()) {
      if (exchanged.closed && body === "" && LISTENERS_OWN.has(status) && !headers.has("x-request-id")) continue;
      const empty = status === 204 || status === 304;
      const response = new Response(empty ? null : Buffer.from(body, "latin1"), { status, headers });
      // Only the first request's path is known here; the others are judged by what every answer keeps.
      const url = new URL(index === 0 && path.startsWith("/") ? `http://host${path}` : "http://host/-");
      server.watch().violations.push(...(await judge(server.watch().document, methods[index] ?? "GET", url, response)));
    }
    return exchanged;
  }

  /** A number that only grows, of the server's own metrics. */
  async function counted(metric: string): Promise<number> {
    const text = await (await fetch(`${server().origin}/metrics`)).text();
    const values = [...text.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\d+)$`, "gm"))];
    expect(values.length).toBeGreaterThan(0);
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  return Object.assign(server, {
    send,
    opened: () => counted("orders_opened_total"),
    /** Resident memory of the process, MiB. */
    rss: () =>
      Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server().pid}/status`, "utf8"))?.[1] ?? Number.NaN) /
      1024,
  });
}

export interface Flood {
  /** How many of each status were answered so far. */
  readonly statuses: Map<number, number>;
  /** Resolves once all were sent and answered. */
  readonly over: Promise<void>;
  /** Ends it early; resolves once the last request was answered. */
  stop(): Promise<void>;
}

/** Sends request after request from so many clients at once, until it is stopped or `most` were sent. */
export function flood(clients: number, most: number, request: (n: number) => Promise<Response>): Flood {
  const statuses = new Map<number, number>();
  let sent = 0;
  let stopped = false;
  const client = async () => {
    while (!stopped && sent < most) {
      const response = await request(sent++);
      await response.arrayBuffer();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    }
  };
  const over = Promise.all(Array.from({ length: clients }, client)).then(() => {});
  return {
    statuses,
    over,
    stop() {
      stopped = true;
      return over;
    },
  };
}

/** The middle of some measurements. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
