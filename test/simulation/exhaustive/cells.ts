/** Cells of the lifecycle table that "never happen" break the step that enters one (invariant 18). */
import type { CommandType } from "../../../actors/order/commands.ts";
import { LIFECYCLE } from "../../../actors/order/decide.ts";
import type { Row, Rule } from "../../../actors/order/decision.ts";
import type { Kind } from "../../../actors/order/state.ts";
import { Violation } from "../checker.ts";
import { CELLS, cellName, isNever } from "../interleavings/cells.ts";

/** From now on, in this process. */
export function forbidImpossibleCells(): void {
  const table = LIFECYCLE as Record<Kind, Row>;
  for (const { kind, command } of CELLS) {
    if (isNever(kind, command)) table[kind] = { ...table[kind], [command]: forbidden(kind, command) };
  }
}

function forbidden(kind: Kind, command: CommandType): Rule {
  const { does } = LIFECYCLE[kind][command];
  return {
    does,
    run: () => {
      throw new Violation(18, `${cellName(kind, command)}: "${does}", and it did`);
    },
  };
}
