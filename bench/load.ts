/**
 * Load from a process of its own: `connections` sockets, one request under way on each, over raw TCP. Bun's `fetch` costs more per request
 * than the servers that are measured, so it would be measured instead of them.
 *
 *   bun bench/load.ts '<job as JSON>'     prints one line of JSON
 *
 * `wrk` sends one text for ever; here every request may differ, which the measured work needs.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "bun";
import { quantile } from "./statistics.ts";

export interface LoadJob {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** A JSON file with whole requests as texts, sent in rotation; `COUNTER` in one is replaced by a number of that width, each time another. */
  readonly requestsFile: string;
  /** Where the counter begins, so that rounds do not repeat each other's bodies. */
  readonly from: number;
  /**
   * Requests a second at a fixed pace, each on a connection that is free; times then count from when a request was due, so that a server
   * that falls behind is not excused. Absent: as fast as it answers.
   */
  readonly perSecond?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  /** Answers by status code. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** Replaced by as many digits. */
export const COUNTER = "%COUNTER%";

interface Line {
  sentAt: number;
  /** Bytes of the body that are still to come; null while the head is not complete. */
  left: number | null;
  head: Buffer;
}

const ANSWERS_WITHIN_MS = 30_000;
const HEAD_END = "\r\n\r\n";
const LENGTH = /\r\ncontent-length: *(\d+)/i;

async function run(job: LoadJob): Promise<LoadResult> {
  const texts = JSON.parse(readFileSync(job.requestsFile, "utf8")) as string[];
  const halves = texts.map((text) => text.split(COUNTER));
  const whole = texts.map((text) => Buffer.from(text));
  const times: number[] = [];
  const statuses: Record<string, number> = {};
  let sent = job.from;
  let stopped = false;
  const next = (): Buffer | string => {
    const n = sent++;
    const index = n % texts.length;
    const [before, after] = halves[index] ?? [];
    return after === undefined
      ? (whole[index] as Buffer)
      : `${before}${String(n).padStart(COUNTER.length, "0")}${after}`;
  };
  const ask = (socket: Socket<Line>, dueAt = performance.now()) => {
    socket.data = { sentAt: dueAt, left: null, head: Buffer.alloc(0) };
    socket.write(next());
  };
  const free: Socket<Line>[] = [];
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  const take = (socket: Socket<Line>, chunk: Buffer) => {
    const line = socket.data;
    let rest = chunk.length;
    if (line.left === null) {
      line.head = line.head.length === 0 ? chunk : Buffer.concat([line.head, chunk]);
      const end = line.head.indexOf(HEAD_END);
      if (end < 0) return;
      const head = line.head.toString("latin1", 0, end);
      const status = head.slice(9, 12);
      statuses[status] = (statuses[status] ?? 0) + 1;
      const length = status === "304" || status === "204" ? "0" : LENGTH.exec(head)?.[1];
      if (length === undefined) return lost.reject(new Error(`Answer without a length: ${head.slice(0, 200)}`));
      line.left = Number(length);
      rest = line.head.length - end - HEAD_END.length;
    }
    line.left -= rest;
    if (line.left > 0) return;
    times.push(performance.now() - line.sentAt);
    if (stopped) return;
    if (job.perSecond === undefined) ask(socket);
    else free.push(socket);
  };
  const sockets = await Promise.all(
    Array.from({ length: job.connections }, () =>
      Bun.connect<Line>({
        hostname: "127.0.0.1",
        port: job.port,
        data: { sentAt: 0, left: null, head: Buffer.alloc(0) },
        socket: {
          data: take,
          close: () => {
            if (!stopped) lost.reject(new Error("The server closed a connection under load"));
          },
          error: (_, error) => lost.reject(error),
        },
      }),
    ),
  );
  const began = performance.now();
  let asked = 0;
  const keepPace = (perSecond: number) => {
    const dueAt = (n: number) => began + (n * 1_000) / perSecond;
    for (let now = performance.now(); dueAt(asked) <= now; asked++) {
      // The one that waited longest: a server closes a connection that is idle for long.
      const socket = free.shift();
      if (!socket) return;
      ask(socket, dueAt(asked));
    }
  };
  const { perSecond } = job;
  if (perSecond === undefined) for (const socket of sockets) ask(socket);
  else free.push(...sockets);
  const pace = perSecond === undefined ? null : setInterval(() => keepPace(perSecond), 1);
  // At least one answer a connection: a server that has just started may take longer than a short round.
  const enough = async () => {
    await Bun.sleep(job.seconds * 1_000);
    const giveUp = performance.now() + ANSWERS_WITHIN_MS;
    while (
      times.length < Math.min(job.connections, (job.perSecond ?? Number.POSITIVE_INFINITY) * job.seconds) &&
      performance.now() < giveUp
    )
      await Bun.sleep(10);
  };
  await Promise.race([enough(), lost.promise]);
  stopped = true;
  if (pace) clearInterval(pace);
  const seconds = (performance.now() - began) / 1_000;
  const requests = times.length;
  for (const socket of sockets) socket.terminate();
  if (requests === 0) throw new Error("No request was answered");
  times.sort((a, b) => a - b);
  const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map((q) => quantile(times, q)) as [
    number,
    number,
    number,
    number,
  ];
  return { requests, seconds, perSecond: requests / seconds, p50, p90, p99, p999, statuses };
}

if (import.meta.main) console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "") as LoadJob)));
