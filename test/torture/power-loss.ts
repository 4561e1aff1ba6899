/**
 * Power loss: the database and its log, taken from the executable under load, are put into every state that a power cut may leave, and
 * opened again. Each must be whole, be exactly one commit of the history, and hold every step that had been answered by then.
 *
 * What an answer needs is known to the frame: in the turn in which a customer hears one, the position of the log is read. SQLite moves
 * that position only after the sync of a commit, and the answer came after the commit. So frames up to there were synced, and hold it.
 */
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Journal } from "../../actors/runtime/journal.ts";
import { parseEvent, rowText } from "../../actors/runtime/texts.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { Chance } from "../simulation/chance.ts";
import { doctorSays } from "./audit.ts";
import { type CrashState, crashStates, KINDS } from "./crash-states.ts";
import { type Need, needsOf, statesOf } from "./histories.ts";
import { Town, type TownOptions } from "./town.ts";
import { pageOf, readWal, type Wal, WalIndex } from "./wal.ts";

export interface PowerLossOptions extends TownOptions {
  /** Frames of the log to wait for; SQLite begins a new log at about 1,000. */
  readonly frames: number;
  /** States of each kind beside the frame boundaries. */
  readonly each: number;
  readonly out: (line: string) => void;
}

/** The mark of an answer that was heard before the log began: its step is in the database itself. */
const BEFORE = 0;
/** Of one that was heard after the end of the log, or when its position could not be read: asked of no state. */
const AFTER = Number.POSITIVE_INFINITY;
const RETENTION_TICK_MS = 5 * 60_000;
const LIMIT_MS = 60_000;

/** @returns the violations. */
export async function losePower(options: PowerLossOptions): Promise<readonly string[]> {
  const recorder = new Recorder();
  const town = await Town.open({ ...options, mark: () => recorder.mark() });
  try {
    const { database, wal } = await record(town, recorder, options.frames);
    await town.victim.start();
    const { totals } = await town.settle();
    options.out(`power loss   ${wal.frames.length} frames of ${totals.activations} activations' orders recorded`);
    const path = join(town.dataDir, "orders.sqlite");
    const needs = needsAtTheEnd(town, path);
    for (const violation of await examine(database, wal, needs, options)) town.complain(violation);
  } catch (error) {
    town.complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await town.close();
  }
  return town.violations;
}

/** Knows how far the log was when an answer was heard. */
class Recorder {
  index: WalIndex | null = null;
  over = false;

  mark(): number {
    if (this.over) return AFTER;
    if (!this.index) return BEFORE;
    for (let tries = 0; tries < 5; tries++) {
      const position = this.index.read();
      if (position) return position.frames;
    }
    return AFTER;
  }
}

/** The database when its log was empty, and the log that it had when the process was killed under load. */
async function record(town: Town, recorder: Recorder, frames: number) {
  const path = join(town.dataDir, "orders.sqlite");
  await town.victim.start();
  town.load();
  await Bun.sleep(1_500);
  // Erasure empties the log at its ticks: the recording begins right after one.
  await town.paused(async () =>
    town.clock.advance((RETENTION_TICK_MS - (town.clock.now() % RETENTION_TICK_MS)) / 1_000 + 2),
  );
  await town.unload();
  const { code } = await town.victim.terminate();
  if (code !== 0) throw new Error(`The service ended with exit code ${code}`);
  if (existsSync(`${path}-wal`)) throw new Error("A clean stop left a log behind");
  const database = readFileSync(path);
  const index = new WalIndex(path);
  recorder.index = index;
  await town.victim.start();
  const generation = index.read()?.generation;
  town.load();
  const giveUp = performance.now() + LIMIT_MS;
  const reach = async (count: number) => {
    while ((index.read()?.frames ?? 0) < count && performance.now() < giveUp) await Bun.sleep(2);
  };
  await reach(frames / 2);
  // Cancels, and what follows from them.
  await town.paused(() => town.clock.advance(185));
  await reach(frames);
  town.victim.kill();
  await town.victim.buried();
  await town.unload();
  recorder.over = true;
  const wal = readWal(readFileSync(`${path}-wal`));
  if (Buffer.from(wal.bytes).toString("hex", 16, 24) !== generation)
    throw new Error("The log began anew while it was recorded");
  return { database, wal };
}

interface Reference {
  readonly needs: readonly Need[];
  /** Bodies of all events ever, by order. */
  readonly events: ReadonlyMap<string, readonly string[]>;
  /** The stored state after each of them. */
  readonly states: ReadonlyMap<string, readonly string[]>;
}

/** The whole history, from the database at the very end, and what the answers ask of the states before. */
function needsAtTheEnd(town: Town, path: string): Reference {
  using db = new Database(path, { readonly: true });
  const events = new Map<string, string[]>();
  for (const { id, body } of db
    .query<{ id: string; body: string }, []>("SELECT order_id AS id, body FROM events ORDER BY order_id, seq")
    .all()) {
    const known = events.get(id);
    if (known) known.push(body);
    else events.set(id, [body]);
  }
  const folded = new Map([...events].map(([id, bodies]) => [id, statesOf(bodies.map((body) => parseEvent(body)))]));
  return {
    needs: town.heard.purchases.flatMap((purchase) => needsOf(purchase, folded.get(purchase.orderId) ?? [])),
    events,
    states: new Map([...folded].map(([id, states]) => [id, states.map((state) => rowText(state))])),
  };
}

async function examine(
  database: Uint8Array,
  wal: Wal,
  reference: Reference,
  options: PowerLossOptions,
): Promise<string[]> {
  const violations: string[] = [];
  const dir = join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), `l402-power-${process.pid}`);
  mkdirSync(dir, { recursive: true });
  try {
    const expected = contents(database, wal);
    const seen = new Map<string, number>();
    const counts = new Map<CrashState["kind"], number>(KINDS.map((kind) => [kind, 0]));
    let acknowledged = 0;
    for (const state of crashStates(database, wal, new Chance(options.seed), options)) {
      counts.set(state.kind, (counts.get(state.kind) ?? 0) + 1);
      const fault = await reopened(dir, state, expected, async (commit) => {
        // The same commit is the same bytes: what they mean is asked once.
        if (seen.has(String(commit))) return null;
        seen.set(String(commit), 1);
        const due = reference.needs.filter(({ mark }) => mark <= commit);
        acknowledged = Math.max(acknowledged, due.length);
        return meaning(dir, { ...reference, needs: due });
      });
      if (fault) violations.push(`power loss (${state.kind}, ${state.synced} frames synced): ${fault}`);
      if (violations.length > 20) break;
    }
    const kinds = [...counts].map(([kind, n]) => `${n} ${kind}`).join(", ");
    options.out(`power loss   reopened ${[...counts.values()].reduce((a, b) => a + b, 0)} states (${kinds})`);
    options.out(
      `power loss   ${seen.size} different commits, up to ${acknowledged} acknowledged answers asked of each`,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return violations;
}

/** Digest of the database file after each commit, made without SQLite: the pages of the log laid over the file. */
function contents(database: Uint8Array, wal: Wal): Map<string, number> {
  const { pageSize, frames } = wal;
  let file = Uint8Array.from(database);
  const digests = new Map([[digest(file), 0]]);
  frames.forEach(({ page, commit }, index) => {
    if (page * pageSize > file.length) {
      const grown = new Uint8Array(page * pageSize);
      grown.set(file);
      file = grown;
    }
    file.set(pageOf(wal, index), (page - 1) * pageSize);
    if (commit) digests.set(digest(file), index + 1);
  });
  return digests;
}

const digest = (bytes: Uint8Array): string => Bun.hash(bytes).toString(16);

/** Opens it as the service does. @returns what is wrong with it, or null. */
async function reopened(
  dir: string,
  { database, wal, synced }: CrashState,
  expected: ReadonlyMap<string, number>,
  ask: (commit: number) => Promise<string | null>,
): Promise<string | null> {
  const path = join(dir, "orders.sqlite");
  // Files of their own: the ones before may still be open.
  for (const end of ["", "-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
  writeFileSync(path, database);
  writeFileSync(`${path}-wal`, wal);
  const journal = Journal.open(path, new RealWorld());
  try {
    const row = journal.db.query<{ integrity_check: string }, []>("PRAGMA integrity_check").get();
    if (row?.integrity_check !== "ok") return `integrity check: ${row?.integrity_check}`;
    if (!journal.truncateLog()) return "its log cannot be emptied";
  } finally {
    journal.close();
  }
  const commit = expected.get(digest(readFileSync(path)));
  if (commit === undefined) return "what it holds is no commit of the history";
  if (commit < synced) return `it holds ${commit} frames only`;
  return ask(commit);
}

/** What a database that holds one commit of the history has to say: its books are sound, and no answer is broken. */
async function meaning(dir: string, { needs, events, states }: Reference): Promise<string | null> {
  using db = new Database(join(dir, "orders.sqlite"), { readonly: true });
  const seqs = new Map<string, number>();
  for (const { id, seq, state } of db
    .query<{ id: string; seq: number; state: string }, []>("SELECT id, seq, state FROM orders")
    .all()) {
    seqs.set(id, seq);
    if (states.get(id)?.[seq - 1] !== state) return `${id}: its state is none of its history`;
  }
  for (const { id, seq, body } of db
    .query<{ id: string; seq: number; body: string }, []>("SELECT order_id AS id, seq, body FROM events")
    .all()) {
    if (events.get(id)?.[seq - 1] !== body) return `${id}: event ${seq} is none of its history`;
  }
  for (const { orderId, seq } of needs) {
    if ((seqs.get(orderId) ?? 0) < seq)
      return `${orderId} is at step ${seqs.get(orderId) ?? 0}, and an answer showed step ${seq}`;
  }
  const findings = (await doctorSays(dir, Date.now())).filter((line) => !line.includes("waits for the operator"));
  return findings[0] ?? null;
}
