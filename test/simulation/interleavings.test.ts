/** The search of interleavings, a little way: that it finds nothing, and that it finds something. */
import { expect, test } from "bun:test";
import { LIFECYCLE } from "../../actors/order/decide.ts";
import type { Row } from "../../actors/order/decision.ts";
import { closedWithoutSms } from "../../actors/order/moves.ts";
import type { Kind } from "../../actors/order/state.ts";
import { ORDER_TYPES, type OrderType } from "../../actors/order/terms.ts";
import { faults } from "./interleavings/cells.ts";
import { Broken, Search } from "./interleavings/search.ts";

const DEPTH = 3;

function search(type: OrderType): Search {
  const search = new Search(type);
  for (let round = 0; round < DEPTH; round++) search.deepen();
  return search;
}

/** Runs with one cell of the table replaced. */
function withRule<K extends Kind>(kind: K, rules: Partial<Row>, work: () => void): void {
  const table = LIFECYCLE as Record<Kind, Row>;
  const row = table[kind];
  table[kind] = { ...row, ...rules };
  try {
    work();
  } finally {
    table[kind] = row;
  }
}

test("whatever happens next, three times over, no invariant breaks and every state has a way out", () => {
  const found = ORDER_TYPES.map((type) => search(type).found);
  expect(found.every(({ states }) => states > 300)).toBe(true);
  expect(found.flatMap(({ unreached }) => unreached)).toEqual([]);
  expect(faults(found, false)).toEqual([]);
}, 60_000);

test("a rule that refunds before the number is surely gone is found, with the shortest way there", () => {
  const rule = LIFECYCLE.closing.CancelAnswered;
  const hasty: Row["CancelAnswered"] = {
    does: rule.does,
    run: (step, command) => {
      if (command.answer.kind !== "unknown") return rule.run(step, command);
      closedWithoutSms(step, step.state("closing").number, true);
    },
  };
  withRule("closing", { CancelAnswered: hasty }, () => {
    let broken: unknown = null;
    try {
      search("receive-sms");
    } catch (error) {
      broken = error;
    }
    expect(broken).toBeInstanceOf(Broken);
    const { message, trace } = broken as Broken;
    expect(message).toContain("4: our money is back only on the provider's word");
    expect(trace).toEqual(["receive-sms, a cancel is under way", "provider: CancelAnswered unknown"]);
  });
});

test("a state without a way out is found", () => {
  const deaf: Row["Due"] = { does: "", run: (step) => step.emit({ type: "Overdue", due: step.now + 60_000 }) };
  withRule("waiting", { Due: deaf }, () => {
    expect(() => search("receive-sms")).toThrow("5: no end within");
  });
});

test("a cell that never happens, and does, is told", () => {
  const claim: Row["Hinted"] = { does: "never happens: no number is held", run: () => {} };
  withRule("done", { Hinted: claim }, () => {
    const wrong = faults([{ entered: new Set(["done Hinted"]), acted: new Set<string>() }], false);
    expect(wrong).toEqual(['done Hinted: "never happens: no number is held", and it did']);
  });
});
