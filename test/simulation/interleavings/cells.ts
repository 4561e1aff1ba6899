/** The cells of the lifecycle table, and what it says of them against what a search saw. */
import { COMMAND_TYPES, type CommandType } from "../../../actors/order/commands.ts";
import { LIFECYCLE } from "../../../actors/order/decide.ts";
import type { Kind } from "../../../actors/order/state.ts";

/** Said only while nobody serves, and after what no life without it leads to: tried in test/actors/order/reconciled.test.ts instead. */
const FROM_OUTSIDE: ReadonlySet<CommandType> = new Set(["Reconciled"]);

/** Every cell: which kind hears which command. */
export const CELLS: readonly { readonly kind: Kind; readonly command: CommandType }[] = (
  Object.keys(LIFECYCLE) as Kind[]
).flatMap((kind) =>
  COMMAND_TYPES.filter((command) => !FROM_OUTSIDE.has(command)).map((command) => ({ kind, command })),
);

export const cellName = (kind: Kind, command: CommandType): string => `${kind} ${command}`;

export const isNever = (kind: Kind, command: CommandType): boolean =>
  LIFECYCLE[kind][command].does.startsWith("never happens");

export interface Seen {
  /** Names of the cells that were entered. */
  readonly entered: { has(name: string): boolean };
  /** Those that did something: an event, an effect or a refusal. */
  readonly acted: { has(name: string): boolean };
}

/** Where table and searches disagree. A short search need not have entered every cell (`all` false). */
export function faults(found: readonly Seen[], all: boolean): string[] {
  return CELLS.flatMap(({ kind, command }) => {
    const name = cellName(kind, command);
    const { does } = LIFECYCLE[kind][command];
    const entered = found.some((one) => one.entered.has(name));
    const acted = found.some((one) => one.acted.has(name));
    if (isNever(kind, command)) return entered ? [`${name}: "${does}", and it did`] : [];
    if (does.startsWith("stays")) {
      if (acted) return [`${name}: "${does}", and it does something`];
    } else if (all && entered && !acted) return [`${name}: "${does}", and it never does anything`];
    return all && !entered ? [`${name}: not entered`] : [];
  });
}
