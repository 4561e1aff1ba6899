/**
 * Proof that the tools see: each planted bug is patched into a copy of the tree, and the search of interleavings, the crash points, the
 * seeded simulation and the lost books run on it until one of them notices, by an invariant that the bug breaks. A bug that nobody notices fails the command,
 * and so does a patch that does not apply any more.
 *
 *   bun run simulate:mutants [--only=refund] [--pick=4] [--every-tool]
 *
 * --pick takes that many, others with each commit. --every-tool goes on after the first that notices, and prints who sees what.
 */
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLine } from "../support/command-line.ts";
import { outcomeOf } from "../support/spawn.ts";
import { type Mutant, patched, TOOLS, type Tool } from "./mutants/mutant.ts";
import { MUTANTS } from "./mutants/mutants.ts";
import { commitTurn } from "./turn.ts";

const { values, whole, refuse } = commandLine(import.meta.path, {
  only: { type: "string", default: "" },
  pick: { type: "string" },
  "every-tool": { type: "boolean", default: false },
});

const ROOT = join(import.meta.dir, "..", "..");
const COMMANDS: Readonly<Record<Tool, readonly string[]>> = {
  interleavings: ["test/simulation/interleavings.ts", "--depth=4"],
  crashes: ["test/simulation/crashes.ts", "--extent=wide", "--jobs=1"],
  simulation: ["test/simulation/simulate.ts", "--orders=300", "--seed=1", "--jobs=1", "--shrink=0"],
  losses: ["test/simulation/lost-books.ts", "--lives=14", "--seed=100"],
};
/** What the tools run on. */
const PARTS = ["actors", "data", "src", "test", "bunfig.toml", "package.json", "tsconfig.json"];
/** A tool that takes longer has hung. */
const LIMIT_MS = 10 * 60_000;

interface Verdict {
  readonly tool: Tool;
  readonly passed: boolean;
  /** The first invariant that it named. */
  readonly invariant: number | null;
  /** How far it had come: "312 orders". */
  readonly after: string;
  readonly seconds: number;
  readonly output: string;
}

async function main(): Promise<number> {
  const chosen = pick(MUTANTS.filter(({ name }) => name.includes(values.only)));
  if (chosen.length === 0) return refuse(`No planted bug is named like "${values.only}"`);
  const tree = await copy();
  try {
    const sound = values.pick !== undefined || (await passesUnharmed(tree));
    if (!sound) return 1;
    let missed = 0;
    for (const mutant of chosen) if (!(await isSeen(tree, mutant))) missed++;
    console.log(`${chosen.length} planted bugs, ${chosen.length - missed} seen, ${missed} not`);
    return missed === 0 ? 0 : 1;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** All of them, or as many as wanted, beginning elsewhere with each commit. */
function pick(mutants: readonly Mutant[]): readonly Mutant[] {
  if (values.pick === undefined) return mutants;
  const wanted = Math.min(whole("pick"), mutants.length);
  const turn = commitTurn(ROOT);
  const step = Math.max(1, Math.floor(mutants.length / wanted));
  return Array.from({ length: wanted }, (_, index) => mutants[(turn + index * step) % mutants.length] as Mutant);
}

/** The code as it is now, uncommitted changes included. */
async function copy(): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), "mutants-"));
  for (const part of PARTS) await cp(join(ROOT, part), join(tree, part), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(tree, "node_modules"));
  return tree;
}

/** Nothing may be noticed where nothing is wrong. */
async function passesUnharmed(tree: string): Promise<boolean> {
  for (const tool of TOOLS) {
    const { passed, output, seconds } = await run(tree, tool);
    console.log(`${passed ? "ok  " : "FAIL"} without a bug: ${tool}, ${seconds.toFixed(1)} s`);
    if (passed) continue;
    console.log(output);
    return false;
  }
  return true;
}

async function isSeen(tree: string, mutant: Mutant): Promise<boolean> {
  const originals = new Map<string, string>();
  try {
    for (const edit of mutant.edits) {
      const path = join(tree, edit.file);
      const text = await Bun.file(path).text();
      if (!originals.has(path)) originals.set(path, text);
      await Bun.write(path, patched(text, edit));
    }
    return await isNoticed(tree, mutant);
  } catch (error) {
    console.log(`FAIL ${mutant.name}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  } finally {
    for (const [path, text] of originals) await Bun.write(path, text);
  }
}

async function isNoticed(tree: string, mutant: Mutant): Promise<boolean> {
  const order = [mutant.first, ...TOOLS.filter((tool) => tool !== mutant.first)];
  const verdicts: Verdict[] = [];
  for (const tool of order) {
    const verdict = await run(tree, tool);
    verdicts.push(verdict);
    if (isBy(mutant, verdict) && !values["every-tool"]) break;
  }
  const seen = verdicts.find((verdict) => isBy(mutant, verdict));
  console.log(`${seen ? "seen" : "FAIL"} ${mutant.name.padEnd(42)} ${verdicts.map(told).join("; ")}`);
  if (seen) return true;
  console.log(`     ${mutant.plants} Expected: invariant ${mutant.breaks.join(" or ")}`);
  for (const { tool, output } of verdicts.filter(({ passed }) => !passed))
    console.log(`     ${tool}: ${output.slice(-2_000)}`);
  return false;
}

/** By the right invariant: what breaks down for another reason proves nothing. */
const isBy = ({ breaks }: Mutant, { passed, invariant }: Verdict): boolean =>
  !passed && (breaks as readonly (number | null)[]).includes(invariant);

function told({ tool, passed, invariant, after, seconds }: Verdict): string {
  const time = `${seconds.toFixed(1)} s`;
  if (passed) return `${tool}: nothing in ${time}`;
  return `${tool}: ${invariant === null ? "broke down" : `invariant ${invariant}`} after ${after || "?"}, ${time}`;
}

async function run(tree: string, tool: Tool): Promise<Verdict> {
  const started = performance.now();
  const child = Bun.spawn([process.execPath, ...COMMANDS[tool]], {
    cwd: tree,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = setTimeout(() => child.kill(), LIMIT_MS);
  const { out, err, code } = await outcomeOf(child);
  clearTimeout(timer);
  const invariant = /Invariant (?:broken: )?(\d+)/.exec(err)?.[1] ?? null;
  return {
    tool,
    passed: code === 0,
    invariant: invariant === null ? null : Number(invariant),
    after: /\b(\d+ (?:paid )?(?:orders|states))\b/.exec(err)?.[1] ?? "",
    seconds: (performance.now() - started) / 1_000,
    output: `${out}\n${err}`,
  };
}

process.exit(await main());
