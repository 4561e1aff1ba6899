/**
 * Measures the real server against floors and peers, in turn, in one call.
 *
 *   bun bench/bench.ts                     everything; writes bench/results.json and docs/performance.md with its plots
 *   bun bench/bench.ts --quick             under two minutes; prints only
 *   bun bench/bench.ts --gate              under forty seconds; prints only
 *   bun bench/bench.ts --only=poll,catalog some rows; prints only
 *   bun bench/bench.ts --orders=100000     with at most so many stored, where that is what matters
 *   bun bench/bench.ts --only=memory --minutes=96 --write
 *                                          an hour after its warm-up, written into the results and the page of the last full run, which then keeps it
 *
 * It never fails for a figure, only when it could not measure.
 */
import { cpus, loadavg, totalmem } from "node:os";
import { commandLine } from "../test/support/command-line.ts";
import { lastReport, writePage } from "./page.ts";
import { cleanUp, cleanUpWhenInterrupted } from "./processes.ts";
import { print, type Report, type Row } from "./report.ts";
import type { Extent } from "./rounds.ts";
import { catalog } from "./rows/catalog.ts";
import { challenge, presigned } from "./rows/challenge.ts";
import { deadlines } from "./rows/deadlines.ts";
import { growth } from "./rows/growth.ts";
import { inProcess } from "./rows/in-process.ts";
import { journal } from "./rows/journal.ts";
import { lives } from "./rows/lives.ts";
import { macaroon } from "./rows/macaroon.ts";
import { memory } from "./rows/memory.ts";
import { poll } from "./rows/poll.ts";
import { provider } from "./rows/provider.ts";
import { resident } from "./rows/resident.ts";
import { restart } from "./rows/restart.ts";
import { webhook } from "./rows/webhook.ts";

const { values, whole, refuse } = commandLine(import.meta.path, {
  quick: { type: "boolean", default: false },
  gate: { type: "boolean", default: false },
  only: { type: "string" },
  minutes: { type: "string" },
  orders: { type: "string" },
  write: { type: "boolean", default: false },
});
const { gate } = values;
const quick = gate || values.quick;
const only = values.only?.split(",");

const CONNECTIONS = 64;
const extent: Extent = gate
  ? { rounds: 1, warmUp: 0.5, seconds: 0.5, connections: CONNECTIONS }
  : quick
    ? { rounds: 2, warmUp: 0.4, seconds: 0.4, connections: CONNECTIONS }
    : { rounds: 3, warmUp: 3, seconds: 2, connections: CONNECTIONS };

/** How many orders are stored where that is what matters: a million take 4 GB of disk, and half a minute, each time. */
const most = values.orders === undefined ? (quick ? 30_000 : 1_000_000) : whole("orders");
const sizes = (quick ? [10_000] : [1_000, 10_000, 100_000, 1_000_000]).filter((size) => size <= most);

const ROWS: Readonly<Record<string, () => Promise<Row>>> = {
  poll: () => poll(extent),
  challenge: () => challenge(extent),
  presigned: () => presigned(extent),
  macaroon: () => macaroon({ quick }),
  catalog: () => catalog(extent),
  restart: () => restart(sizes),
  resident: () => resident({ awake: quick ? 20_000 : 100_000, stored: most }),
  journal: () => journal({ groups: 2, rounds: quick ? 5 : 75, stored: most }),
  deadlines: () =>
    deadlines(quick ? { armed: 10_000, seconds: 2, rounds: 1 } : { armed: 100_000, seconds: 10, rounds: 3 }),
  growth: () => growth(extent, most),
  lives: () => lives({ quick }),
  webhook: () => webhook(quick ? { codes: 40, rounds: 1 } : { codes: 200, rounds: 3 }),
  "in-process": () =>
    inProcess({ ...(quick ? { rounds: 1, lives: 1_000 } : { rounds: 3, lives: 8_000 }), stored: most }),
  provider: () => provider(quick ? { codes: 20, seconds: 4 } : { codes: 50, seconds: 25 }),
  memory: () => memory({ seconds: values.minutes === undefined ? (quick ? 15 : 120) : whole("minutes") * 60 }),
};

/** What the gate has time for. */
const IN_GATE = new Set(["poll", "challenge", "presigned", "macaroon"]);
/** What takes an hour to say anything: a full run shows what was last measured apart. */
const APART = new Set(["memory"]);
const inRun = (name: string): boolean => {
  if (only) return only.includes(name);
  return gate ? IN_GATE.has(name) : !APART.has(name);
};

const unknown = only?.find((name) => !Object.hasOwn(ROWS, name));
if (unknown !== undefined) refuse(`No row "${unknown}"; there are ${Object.keys(ROWS).join(", ")}`);

const loadBefore = loadavg()[0] ?? 0;
const takenAt = new Date().toISOString();
const rows: Row[] = [];
cleanUpWhenInterrupted();
try {
  for (const [name, measure] of Object.entries(ROWS)) {
    if (!inRun(name)) continue;
    const row = await measure();
    rows.push(row);
    print(row);
  }
} finally {
  await cleanUp();
}
const report: Report = {
  takenAt,
  quick,
  machine: {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    bun: Bun.version,
  },
  loadBefore,
  rows,
};
const isApart = (row: Row): boolean => row.apart !== undefined;
if (!quick && !only) {
  const before = await lastReport();
  await writePage({ ...report, rows: [...rows, ...before.rows.filter(isApart)] });
} else if (values.write) {
  const before = await lastReport();
  const command = `bun bench/bench.ts ${process.argv.slice(2).join(" ")}`;
  const apart = rows.map((row): Row => ({ ...row, apart: { takenAt, command, loadBefore } }));
  const others = before.rows.filter(({ id }) => !rows.some((row) => row.id === id));
  await writePage({ ...before, rows: [...others, ...apart] });
}
