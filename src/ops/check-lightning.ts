/**
 * `check-lightning`: tries the configured node step by step, as a shop would use it, and says in plain words what is wrong and what to do. It
 * moves no money without `--pay`. Exit codes: 0 good, perhaps with warnings; 1 something is wrong; 2 could not run.
 */
import type { Binding } from "../binding.ts";
import { type LightningNode, NodeUnavailable } from "../lightning/port.ts";
import type { NodeAddress } from "../node.ts";
import { explain, type Place } from "./lightning-check/explain.ts";
import type { Overheard } from "./lightning-check/overheard.ts";
import { type Bench, type Finding, STEPS, type Step } from "./lightning-check/steps.ts";

export const CHECK_USAGE = `check-lightning            tries the configured Lightning node step by step; no money moves
check-lightning --pay      also pays 100 sat to itself, if the node does that
check-lightning --pay INV  also pays 100 sat to an invoice without an amount, of another wallet
check-lightning --json     for machines

Exit codes: 0 good, perhaps with warnings; 1 something is wrong; 2 could not run.`;

export interface CheckOptions {
  readonly address: NodeAddress;
  /** The world that `node` was made in. */
  readonly overheard: Overheard;
  readonly node: LightningNode;
  readonly bound: Binding | null;
  /** No sandbox. */
  readonly isReal: boolean;
  readonly out: (line: string) => void;
}

export interface CheckArguments {
  readonly json: boolean;
  readonly pay: string | null;
}

/** Null when they make no sense. */
export function readCheckArguments(args: readonly string[]): CheckArguments | null {
  let [json, pay]: [boolean, string | null] = [false, null];
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    const next = args[at + 1];
    if (word === "--json") json = true;
    else if (word === "--pay" && next !== undefined && !next.startsWith("--")) {
      pay = next;
      at++;
    } else if (word === "--pay") pay = "own";
    else return null;
  }
  return { json, pay };
}

type Outcome = { readonly step: string } & Finding;

/** @returns the exit code. */
export async function runCheck({ json, pay }: CheckArguments, options: CheckOptions): Promise<number> {
  const { address, overheard, node, bound, isReal, out } = options;
  const place = placeOf(address);
  const bench: Bench = { world: overheard.world, node, bound, isReal, pay, info: null, invoice: null };
  const say = (line: string) => {
    if (!json) out(line);
  };
  say(`${node.traits.name} at ${place.where}\n`);
  const outcomes: Outcome[] = [];
  for (const step of STEPS) {
    const outcome: Outcome = { step: step.name, ...(await tried(step, bench, place, overheard)) };
    outcomes.push(outcome);
    for (const line of linesOf(outcome)) say(line);
    if (outcome.kind !== "bad" || !step.isNeeded) continue;
    say("\n  The other steps need this one, and were not tried");
    break;
  }
  const wrong = outcomes.filter(({ kind }) => kind === "bad").length;
  const doubtful = outcomes.filter(({ kind }) => kind === "warning").length;
  say(`\n${verdict(wrong, doubtful)}`);
  if (json) out(JSON.stringify({ node: node.traits.name, where: place.where, ok: wrong === 0, steps: outcomes }));
  return wrong === 0 ? 0 : 1;
}

async function tried(step: Step, bench: Bench, place: Place, overheard: Overheard): Promise<Finding> {
  overheard.take();
  try {
    return await step.run(bench);
  } catch (error) {
    if (!(error instanceof NodeUnavailable)) throw error;
    return { kind: "bad", ...explain(error, place, overheard.take()) };
  }
}

const MARKS = { ok: "ok  ", warning: "note", bad: "BAD ", skipped: "-   " } as const;

const COLUMNS = 110;

function linesOf(outcome: Outcome): string[] {
  const start = `  ${MARKS[outcome.kind]}  ${outcome.step.padEnd(12)}  `;
  if ("words" in outcome) return wrapped(start, outcome.words);
  return [...wrapped(start, outcome.why), ...wrapped(`${" ".repeat(start.length)}-> `, outcome.fix)];
}

/** Lines of a text at a terminal's width; all but the first begin below its words. */
function wrapped(start: string, text: string): string[] {
  const lines: string[] = [];
  let line = start;
  for (const word of text.split(" ")) {
    if (line.length > start.length && line.length + word.length >= COLUMNS) {
      lines.push(line.trimEnd());
      line = " ".repeat(start.length);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}

function verdict(wrong: number, doubtful: number): string {
  const notes = doubtful === 0 ? "" : `, ${doubtful === 1 ? "one thing" : `${doubtful} things`} to know`;
  if (wrong === 0) return `The node can be used${notes}`;
  return `${wrong === 1 ? "One thing is" : `${wrong} things are`} wrong${notes}`;
}

/** Where a node is, without what is secret in it. */
export function placeOf(address: NodeAddress): Place {
  if (address.kind === "nwc") {
    const hosts = address.connection.relays.map((relay) => new URL(relay).host);
    return { kind: "nwc", where: hosts.join(", "), hasCertificate: false };
  }
  const { host } = new URL(address.baseUrl);
  const hasCertificate = "tlsCa" in address && address.tlsCa !== null;
  return { kind: address.kind, where: host, hasCertificate };
}
