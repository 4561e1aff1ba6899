/**
 * Everything a developer runs before a push, lane by lane, each with its time. The last line is "N passed, N failed": tests of all lanes,
 * a lane without tests of its own counting as one.
 *
 *   bun scripts/test.ts          the short form of every lane
 *   bun scripts/test.ts --full   the long form
 */
import { join } from "node:path";
import { commandLine } from "../test/support/command-line.ts";

interface Lane {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What it says is of interest also when nothing is wrong. */
  readonly shown?: true;
}

const { full } = commandLine(import.meta.path, { full: { type: "boolean", default: false } }).values;
const root = join(import.meta.dir, "..");
const bun = process.execPath;
const bin = (name: string): string => join(root, "node_modules", ".bin", name);

const repeated = full ? ["--rerun-each=3"] : [];

/** Per test, ms: many start processes, and a busy machine starts one in seconds. What a test waits for has limits of its own. */
const PATIENT = "--timeout=60000";

const LANES: readonly Lane[] = [
  { name: "types", command: [bun, bin("tsc"), "--noEmit"] },
  { name: "lint and format", command: [bun, bin("biome"), "ci", "--error-on-warnings", "."] },
  { name: "lifecycle table", command: [bun, "scripts/lifecycle-doc.ts", "--check"] },
  { name: "unit and HTTP", command: [bun, "test", "--parallel=2", PATIENT, ...repeated] },
  {
    name: "whole lives",
    command: [
      bun,
      "test",
      "--parallel=2",
      PATIENT,
      "--path-ignore-patterns=none",
      ...repeated,
      "test/e2e",
      "test/interop",
      "test/lightning/contract",
      "test/simulation",
      "test/sandbox",
    ],
  },
  {
    name: "hostile clients",
    command: [bun, "test", PATIENT, "--path-ignore-patterns=none", "test/hostile"],
    ...(full && { env: { HOSTILE_TIMES: "10" } }),
  },
  {
    name: "simulation",
    command: [
      bun,
      "test/simulation/simulate.ts",
      "--seed=commit",
      "--grid",
      ...(full ? ["--orders=1000000", "--twice=20"] : ["--orders=200", "--twice=8", "--minutes=1.2"]),
    ],
  },
  { name: "regressions", command: [bun, "test/simulation/simulate.ts", "--regressions"] },
  { name: "interleavings", command: [bun, "test/simulation/interleavings.ts", full ? "--depth=7" : "--depth=5"] },
  { name: "crash points", command: [bun, "test/simulation/crashes.ts", `--extent=${full ? "full" : "short"}`] },
  {
    name: "lost books",
    command: [
      bun,
      "test/simulation/lost-books.ts",
      ...(full ? ["--lives=40"] : ["--lives=5", "--seed=1", "--customers=40"]),
    ],
  },
  { name: "planted bugs", command: [bun, "test/simulation/mutate.ts", ...(full ? [] : ["--pick=5"])] },
  { name: "torture", command: [bun, "test/torture/torture.ts", ...(full ? ["--kills=200"] : ["--short"])] },
  // Its figures fail nothing: they are as noisy as the machine. That it still measures is what is checked.
  { name: "speed", command: [bun, "bench/bench.ts", full ? "--quick" : "--gate"], shown: true },
  { name: "executable", command: [bun, "scripts/try-build.ts"] },
];

interface Result {
  readonly passed: number;
  readonly failed: number;
}

/** Counts of a `bun test` run, or one for the lane as a whole. */
function counts(output: string, exitCode: number): Result {
  const passed = /^\s*(\d+) pass$/m.exec(output)?.[1];
  const failed = /^\s*(\d+) fail$/m.exec(output)?.[1];
  if (passed === undefined || failed === undefined)
    return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  // A run that ended badly without a failed test (an error between tests, say) has failed all the same.
  return { passed: Number(passed), failed: exitCode === 0 ? Number(failed) : Math.max(1, Number(failed)) };
}

async function run(lane: Lane): Promise<Result & { readonly seconds: number }> {
  const start = performance.now();
  const child = Bun.spawn([...lane.command], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
    stdin: "ignore",
    env: { ...process.env, FORCE_COLOR: "0", ...lane.env },
  });
  const [out, err, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const output = `${out}\n${err}`;
  const result = counts(output, exitCode);
  if (result.failed > 0) console.log(tail(output, 200));
  else if (lane.shown) console.log(out.trimEnd());
  return { ...result, seconds: (performance.now() - start) / 1000 };
}

/** Failures first, then the end: what a person needs to see. */
function tail(output: string, lines: number): string {
  const all = output.split("\n").filter((line) => !line.startsWith("(pass)"));
  return all.slice(-lines).join("\n");
}

let passed = 0;
let failed = 0;
for (const lane of LANES) {
  const result = await run(lane);
  passed += result.passed;
  failed += result.failed;
  const mark = result.failed === 0 ? "ok  " : "FAIL";
  console.log(
    `${mark} ${lane.name.padEnd(18)} ${result.seconds.toFixed(1).padStart(6)} s  ${result.passed} passed, ${result.failed} failed`,
  );
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
