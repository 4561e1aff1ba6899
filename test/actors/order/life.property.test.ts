/** Random lives: whatever an order is told, in whatever order, the invariants hold after every step and an end stays reachable. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Command } from "../../../actors/order/commands.ts";
import { replay } from "../../../actors/order/evolve.ts";
import { deadline } from "../../../actors/order/state.ts";
import { ORDER_TYPES } from "../../../actors/order/terms.ts";
import { answersTo, strays } from "./choices.ts";
import { findings, reconcile } from "./findings.ts";
import { Life } from "./life.ts";
import { destination, HOUR, MINUTE, SECOND, sms } from "./orders.ts";
import { liveOn } from "./way-out.ts";

/** One thing that happens; the numbers choose among what is possible at that moment. */
const step = fc.record({
  what: fc.constantFrom("answer", "answer", "answer", "due", "due", "stray", "repeat", "crash", "wait", "doctor"),
  pick: fc.nat(999),
  choice: fc.nat(999),
  wait: fc.constantFrom(0, 1, SECOND, 10 * SECOND, 45 * SECOND, 3 * MINUTE, 11 * MINUTE, HOUR),
});

type Happening = typeof step extends fc.Arbitrary<infer T> ? T : never;

const lives = fc.record({
  type: fc.constantFrom(...ORDER_TYPES),
  destination: fc.constantFrom(null, destination(), destination(1, destination().expiresAt - 100 * MINUTE)),
  notifyNpub: fc.constantFrom("ab".repeat(32), ""),
  paidAtOnce: fc.boolean(),
  steps: fc.array(step, { minLength: 1, maxLength: 45, size: "max" }),
});

const at = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length];

/** The engine delivers each answer once; one of these, doubled, would be taken for the answer that is still to come. */
function isMistakable(life: Life, { type }: Command): boolean {
  if (type === "CancelAnswered") return life.has("cancel");
  if (type === "FinishAnswered") return life.has("finish");
  return type === "ReleaseAnswered" && life.has("release");
}

function happen(life: Life, { what, pick, choice, wait }: Happening, n: number, told: Command[]): void {
  const tell = (...args: Parameters<Life["tell"]>) => {
    told.push(args[0]);
    life.tell(...args);
  };
  const due = deadline(life.order);
  const effect = at([...life.pending.values()], pick);
  if (what === "answer" && effect) {
    life.wait(Math.min(wait, MINUTE));
    const answer = at(answersTo(effect, life.now, life.type, n), choice);
    if (answer) tell(answer, effect);
  } else if (what === "due" && due !== null) {
    life.until(due);
    tell({ type: "Due" });
  } else if (what === "crash") {
    life.crash();
  } else if (what === "repeat") {
    const again = at(told, pick);
    if (again && !isMistakable(life, again)) tell(again);
  } else if (what === "doctor") {
    const finding = at(findings(life.order, life.now, life.type), choice);
    if (finding) reconcile(life, finding);
  } else if (what === "wait") {
    life.wait(wait);
  } else {
    const stray = at(strays(life.order, life.now, n), choice);
    if (stray) tell(stray);
  }
}

test("whatever an order is told, every invariant holds after every step, and good answers lead to an end", () => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(lives, ({ type, destination, notifyNpub, paidAtOnce, steps }) => {
      const life = Life.open({ type, destination, ...(notifyNpub && { notifyNpub }) });
      const told: Command[] = [];
      if (paidAtOnce) life.settle();
      steps.forEach((happening, n) => {
        happen(life, happening, n + 1, told);
      });
      liveOn(life);
      reached.add(life.status);
      expect(replay(life.events)).toEqual(life.order);
    }),
    { numRuns: 3_000, ...(process.env.SEED && { seed: Number(process.env.SEED) }) },
  );
  // The generator is worth its name only if it finds every kind of end.
  expect([...reached].sort()).toEqual(["completed", "expired", "failed", "paid", "refund_failed", "refunded"]);
}, 60_000);

test("an order that hears a thousand messages keeps a bounded number of them", () => {
  const life = Life.open().toWaiting();
  for (let look = 0; look < 12; look++) {
    life.wait(SECOND).tell({ type: "Hinted" });
    life.looked("open", ...Array.from({ length: 100 }, (_, index) => sms(`m${look}-${index}`)));
  }
  expect(life.order.messageIds).toHaveLength(1_000);
  expect(life.order.attention?.reason).toBe("message_limit");
});
