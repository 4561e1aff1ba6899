/**
 * Tells a heap that grows from an allocator that keeps: collects each minute inside the service, and appends what was left to `/tmp/heap-<pid>.jsonl`
 * (bytes; `s` is seconds since the start). `BENCH_BUN_ARGS="--preload ./bench/heap.ts" bun bench/bench.ts --only=memory --minutes=96`
 */
import { heapStats } from "bun:jsc";
import { appendFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const EVERY_MS = 60_000;
const file = join(tmpdir(), `heap-${process.pid}.jsonl`);

setInterval(() => {
  Bun.gc(true);
  const { heapSize, heapCapacity, objectCount } = heapStats();
  const line = {
    s: Math.round(performance.now() / 1_000),
    heapSize,
    heapCapacity,
    objectCount,
    rss: process.memoryUsage.rss(),
  };
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}, EVERY_MS).unref();
