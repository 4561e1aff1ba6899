/** The loader and the arithmetic that every figure rests on. */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { COUNTER, type LoadJob, type LoadResult } from "../../bench/load.ts";
import { bars, lines } from "../../bench/plot.ts";
import { cleanUp, result, scratch } from "../../bench/processes.ts";
import { post } from "../../bench/product.ts";
import { type Figure, met } from "../../bench/report.ts";
import { quantile, spread } from "../../bench/statistics.ts";

afterAll(cleanUp);

test("every request is answered once, with a body of its own, also when an answer comes in many pieces", async () => {
  const seen = new Set<string>();
  let twice = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = await request.text();
      if (seen.has(body)) twice++;
      seen.add(body);
      return new Response(body.endsWith("1") ? "x".repeat(300_000) : "short", { status: 402 });
    },
  });
  const requestsFile = scratch("requests.json");
  const body = `{"n":"${COUNTER}"}`;
  await Bun.write(requestsFile, JSON.stringify([post("/", body, body.length)]));
  const job: LoadJob = { port: server.port ?? 0, connections: 4, seconds: 0.2, requestsFile, from: 7 };
  const load = await result<LoadResult>([join(import.meta.dir, "../../bench/load.ts"), JSON.stringify(job)]);
  await server.stop(true);
  expect(twice).toBe(0);
  // What was under way at the end was sent, and is not counted.
  expect(load.requests).toBeGreaterThan(4);
  expect(load.requests).toBeLessThanOrEqual(seen.size);
  expect(load.requests).toBeGreaterThanOrEqual(seen.size - job.connections);
  expect(Object.keys(load.statuses)).toEqual(["402"]);
  expect(load.p50).toBeLessThanOrEqual(load.p99);
});

test("a server that hangs up under load is no measurement", async () => {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.end() },
  });
  const requestsFile = scratch("closing.json");
  await Bun.write(requestsFile, JSON.stringify(["GET / HTTP/1.1\r\n\r\n"]));
  const job: LoadJob = { port: server.port, connections: 1, seconds: 0.1, requestsFile, from: 0 };
  const run = result([join(import.meta.dir, "../../bench/load.ts"), JSON.stringify(job)]);
  expect(run).rejects.toThrow("closed a connection");
  await run.catch(() => {});
  server.stop(true);
});

describe("figures", () => {
  test("medians of odd and even numbers of rounds, with their spread", () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(quantile([1, 2, 3, 4], 0.99)).toBe(4);
    expect(() => spread([])).toThrow(RangeError);
  });

  test("are met on the right side of their aim", () => {
    const figure: Figure = { name: "n", value: 5, unit: "" };
    expect(met(figure)).toBeNull();
    expect(met({ ...figure, aim: { atLeast: 5 } })).toBe(true);
    expect(met({ ...figure, aim: { atLeast: 6 } })).toBe(false);
    expect(met({ ...figure, aim: { atMost: 4 } })).toBe(false);
  });

  test("are drawn with every name escaped and no number missing", () => {
    const drawn =
      bars("a < b", "/s", [
        { name: "x & y", value: 3, range: [1, 4] },
        { name: "z", value: 0 },
      ]) +
      lines({
        file: "",
        title: "t",
        x: "n",
        y: "ms",
        series: [
          {
            name: "s",
            points: [
              [1, 0],
              [1_000, 5],
            ],
          },
        ],
      });
    expect(drawn).toContain("a &lt; b");
    expect(drawn).toContain("x &amp; y");
    expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("by percentile stand apart where times are rare, and a line of many points has no dots", () => {
    const percentiles = [50, 90, 99, 99.9].map((at, n) => [at, 0.3 * 3 ** n] as const);
    const drawn = lines({
      file: "",
      title: "t",
      x: "percentile",
      y: "ms",
      series: [{ name: "s", points: percentiles }],
    });
    const dots = [...drawn.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x));
    expect(dots).toHaveLength(4);
    expect((dots[3] ?? 0) - (dots[2] ?? 0)).toBeCloseTo((dots[2] ?? 0) - (dots[1] ?? 0), 0);
    const many = Array.from({ length: 100 }, (_, n) => [n, n % 7] as const);
    const line = lines({ file: "", title: "t", x: "s", y: "MB", series: [{ name: "s", points: many }] });
    expect(line).not.toContain("<circle");
    expect(drawn + line).not.toMatch(/NaN|Infinity|undefined/);
  });
});
