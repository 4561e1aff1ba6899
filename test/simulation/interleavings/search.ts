/**
 * Breadth first over everything that can happen to one order, states that behave alike taken as one. Every step is checked by the
 * order's watcher, every new state for its ways out; the first failure comes with the shortest trace that leads to it.
 */
import { lostResult } from "../../../actors/order/effects.ts";
import { deadline, type Kind } from "../../../actors/order/state.ts";
import type { OrderType } from "../../../actors/order/terms.ts";
import type { Life } from "../../actors/order/life.ts";
import { liveOn, waitInSilence } from "../../actors/order/way-out.ts";
import { cellName } from "./cells.ts";
import { likeness } from "./likeness.ts";
import { after, describe, type Happening, happenings, MAX_LOOKS, type Moment } from "./model.ts";
import { type Place, places } from "./places.ts";

/** A state, and how it was first reached. */
interface Node {
  readonly moment: Moment;
  readonly from: Trace | null;
}

interface Trace {
  readonly from: Trace | null;
  readonly start: string;
  readonly by: string;
}

export class Broken extends Error {
  /** What happened, first to last. */
  readonly trace: readonly string[];

  constructor(reason: string, trace: readonly string[]) {
    super(reason);
    this.name = "Broken";
    this.trace = trace;
  }
}

export interface Progress {
  readonly depth: number;
  readonly states: number;
  readonly steps: number;
}

export interface Found extends Progress {
  /** "kind command" of the cells that were entered, with the depth at which that first happened. */
  readonly entered: ReadonlyMap<string, number>;
  /** Those of them that did something: an event, an effect or a refusal. */
  readonly acted: ReadonlySet<string>;
  /** Steps by who spoke, crashes and the clock among them. */
  readonly stepsBy: Readonly<Record<string, number>>;
  /** Places to set out from that the rules did not lead to. */
  readonly unreached: readonly string[];
}

export class Search {
  readonly #seen = new Set<number | bigint>();
  /** Moments from which an end, or somebody who notices, is known to follow. */
  readonly #ends = new Set<number | bigint>();
  readonly #notices = new Set<number | bigint>();
  readonly #entered = new Map<string, number>();
  readonly #acted = new Set<string>();
  readonly #stepsBy: Record<string, number> = {};
  readonly #unreached: string[] = [];
  #edge: Node[] = [];
  #depth = 0;
  #steps = 0;

  constructor(type: OrderType) {
    for (const [place, reach] of places(type)) this.#start(`${type}, ${place}`, reach);
  }

  #start(place: string, reach: () => Place): void {
    const from = { from: null, start: place, by: "" };
    try {
      const { life, sweeping = false } = reach();
      this.#add({ moment: { life, orphans: new Set(), sweeping }, from });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (error instanceof Broken || reason.startsWith("Invariant")) throw new Broken(reason, told(from));
      // The rules do not lead there any more. The search from the other places may tell why.
      this.#unreached.push(`${place}: ${reason}`);
    }
  }

  get found(): Found {
    return {
      depth: this.#depth,
      states: this.#seen.size,
      steps: this.#steps,
      entered: this.#entered,
      acted: this.#acted,
      stepsBy: this.#stepsBy,
      unreached: this.#unreached,
    };
  }

  /** Whether there is anything left to try. */
  get isOver(): boolean {
    return this.#edge.length === 0;
  }

  /** One step further from every state that was new. @throws Broken */
  deepen(): void {
    this.#depth++;
    const edge = this.#edge;
    this.#edge = [];
    for (const node of edge) {
      for (const happening of happenings(node.moment, this.#depth)) this.#try(node, happening);
    }
  }

  #try({ moment, from }: Node, happening: Happening): void {
    this.#steps++;
    const trace = { from, start: "", by: describe(happening) };
    const { moment: next, acted } = guarded(trace, () => after(moment, happening));
    if (!isEarly(moment, happening)) this.#count(moment.life.kind, happening, acted);
    const looks = [...next.life.pending.values()].filter(({ kind }) => kind === "look").length;
    if (looks <= MAX_LOOKS) this.#add({ moment: next, from: trace });
  }

  #count(kind: Kind, happening: Happening, acted: boolean): void {
    const by = happening.kind === "told" ? happening.who : happening.kind;
    this.#stepsBy[by] = (this.#stepsBy[by] ?? 0) + 1;
    if (happening.kind !== "told") return;
    const { command } = happening;
    const name = cellName(kind, command.type);
    this.#enter(name);
    if (acted) this.#acted.add(name);
    // An interrupted effect is decided by the rule of its lost answer.
    if (command.type === "EffectInterrupted") this.#enter(cellName(kind, lostResult(command.effect).type));
  }

  #enter(name: string): void {
    if (!this.#entered.has(name)) this.#entered.set(name, this.#depth);
  }

  #add(node: Node): void {
    const key = keyOf(node.moment);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    guarded(node.from, () => {
      this.#hasEnd(node.moment);
      this.#isNoticed(node.moment);
    });
    this.#edge.push(node);
  }

  /** Goes on fairly; what is passed on the way has the same end. */
  #hasEnd(moment: Moment): void {
    this.#follow(this.#ends, moment, (life, isKnown) => liveOn(life, moment.orphans, isKnown));
  }

  #isNoticed(moment: Moment): void {
    this.#follow(this.#notices, moment, waitInSilence);
  }

  #follow(
    known: Set<number | bigint>,
    { life, ...rest }: Moment,
    go: (life: Life, isKnown: (life: Life) => boolean) => void,
  ) {
    const passed: (number | bigint)[] = [];
    go(life.fork(), (at) => {
      const key = keyOf({ life: at, ...rest });
      if (known.has(key)) return true;
      passed.push(key);
      return false;
    });
    for (const key of passed) known.add(key);
  }
}

/** An alarm before its deadline enters no cell of the table. */
const isEarly = ({ life }: Moment, happening: Happening): boolean =>
  happening.kind === "told" && happening.command.type === "Due" && happening.at < (deadline(life.order) ?? 0);

const keyOf = (moment: Moment): number | bigint => Bun.hash(likeness(moment));

function guarded<T>(trace: Trace | null, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Broken) throw error;
    throw new Broken(error instanceof Error ? error.message : String(error), told(trace));
  }
}

function told(trace: Trace | null): string[] {
  const lines: string[] = [];
  for (let at = trace; at; at = at.from) lines.unshift(at.by || at.start);
  return lines;
}
