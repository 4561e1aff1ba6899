/** Planted bugs in the engine: commits, effects, claims, residency. */
import type { Mutant } from "./mutant.ts";

const ACTOR = "actors/runtime/actor.ts";
const HASHES = "actors/runtime/payment-hashes.ts";
const JOURNAL = "actors/runtime/journal.ts";
const RESIDENTS = "actors/runtime/residents.ts";
const SUPERVISOR = "actors/runtime/supervisor.ts";

export const ENGINE: readonly Mutant[] = [
  {
    name: "reply before commit",
    plants: "An order answers, and lets its effects go, before its step is durable.",
    breaks: [1, 19, 20, 22],
    first: "crashes",
    edits: [
      {
        file: ACTOR,
        find: "const result = await journal.commit(transition(this.order, decision, envelope));",
        replace:
          'void journal.commit(transition(this.order, decision, envelope)).catch(() => {});\n    const result = { kind: "committed" } as { kind: string; error?: Error };',
      },
    ],
  },
  {
    name: "a full disk is ignored",
    plants: "A COMMIT that failed is answered like one that did not.",
    // What was answered is lost: also whose a hash to refund to is (7), and that a number was bought (12).
    breaks: [7, 12, 18, 19, 20, 22],
    first: "crashes",
    edits: [
      {
        file: JOURNAL,
        find: "for (const { reject } of group) reject(new JournalUnavailable({ cause }));",
        replace: 'void cause;\n      for (const { resolve } of group) resolve({ kind: "committed" });',
      },
    ],
  },
  {
    name: "sums by kind only grow",
    plants: "What an order may still cost is added with each step, and what it was before is not taken back.",
    breaks: [19],
    first: "crashes",
    edits: [{ file: "actors/runtime/stakes.ts", find: "if (was) this.#move(-1, was);", replace: "" }],
  },
  {
    name: "unpaid orders forgotten",
    plants: "A start does not read which payment hashes the index lacks: money for such an order finds nobody.",
    // It is found late, when its customer asks again: too late for a number (5), or by a person after the books were lost (3).
    breaks: [3, 5],
    first: "losses",
    edits: [
      { file: HASHES, find: "new Map(unindexedIn(db).map(", replace: "new Map(unindexedIn(db).slice(0, 0).map(" },
    ],
  },
  {
    name: "paid orders in no index",
    plants:
      "The payment hash of an order that leaves unpaid stays out of the index: after a start no late or second payment finds it.",
    breaks: [19],
    first: "crashes",
    edits: [{ file: JOURNAL, find: "isUnpaid(before) && !isUnpaid(order) ? this.#sql.leave : ", replace: "" }],
  },
  {
    name: "effect row not deleted",
    plants: "An effect that came back is found again at the next start.",
    breaks: [5, 12, 18],
    first: "crashes",
    edits: [{ file: JOURNAL, find: "if (finished !== undefined) sql.finished.run(finished);", replace: "" }],
  },
  {
    name: "unfinished effects forgotten",
    plants: "What was under way when the process died is not asked about at the next start.",
    breaks: [5, 12],
    first: "crashes",
    edits: [
      {
        file: SUPERVISOR,
        find: "const unfinished = this.#options.journal.store.unfinishedEffects();",
        replace: "const unfinished = this.#options.journal.store.unfinishedEffects().slice(0, 0);",
      },
    ],
  },
  {
    name: "claim ignored",
    plants: "The journal lets two orders own the same refund hash.",
    breaks: [7],
    first: "crashes",
    edits: [
      {
        file: JOURNAL,
        find: "if (changes === 0 && this.store.claimOwner(claim.kind, claim.value)?.orderId !== order.id) return claim;",
        replace: "void changes;",
      },
    ],
  },
  {
    name: "a group that is given up stays",
    plants:
      "A group with one step that cannot be written is committed as far as it came, before it is written step by step.",
    breaks: [18, 19, 20],
    first: "crashes",
    edits: [
      {
        file: JOURNAL,
        find: "this.#sql.rollback.run();\n    this.#begin();",
        replace: "this.#sql.commit.run();\n    this.#begin();",
      },
    ],
  },
  {
    name: "a lost claim is taken for written",
    plants:
      "A step that another order's claim shut out is acknowledged with the group, though nothing of it was written.",
    breaks: [7, 18, 20, 22],
    first: "crashes",
    edits: [
      {
        file: JOURNAL,
        find: "if (group.every(({ work }) => this.#writeStep(work) === null)) return group.map(() => COMMITTED);",
        replace: "for (const { work } of group) this.#writeStep(work);\n      return group.map(() => COMMITTED);",
      },
    ],
  },
  {
    name: "savepoint not rolled back",
    plants: "A step that was refused in the middle leaves the rows it had written.",
    breaks: [18, 19, 20],
    first: "crashes",
    edits: [
      {
        file: JOURNAL,
        find: 'sql.undo.run();\n      sql.release.run();\n      return { kind: "refused"',
        replace: 'sql.release.run();\n      return { kind: "refused"',
      },
    ],
  },
  {
    name: "two hosts for a busy order",
    plants: "What is told to an order in the middle of a step goes to a second actor, which is woken from its row.",
    breaks: [18, 20],
    first: "crashes",
    edits: [{ file: SUPERVISOR, find: "if (busy) return busy;", replace: "void busy;" }],
  },
  {
    name: "no unpaid order has a text",
    plants:
      "The row of an unpaid order has no text, also when more happened to it than that it opened: it is read as it was then.",
    breaks: [19, 22],
    first: "crashes",
    edits: [
      {
        file: "actors/runtime/texts.ts",
        find: "order.seq === 1 && isUnpaid(order)",
        replace: "isUnpaid(order)",
      },
      { file: "actors/runtime/texts.ts", find: "orders.state = '' AND orders.seq = 1", replace: "orders.state = ''" },
    ],
  },
  {
    name: "a packed order outlives its next step",
    plants: "An order that is woken from what was packed of it stays packed, and later wakes as it was then.",
    breaks: [18, 20],
    first: "simulation",
    edits: [
      {
        file: RESIDENTS,
        find: "    this.#packed.delete(id);\n    return unpack(packed, id);",
        replace: "    return unpack(packed, id);",
      },
      {
        file: RESIDENTS,
        find: "    const ready = this.#ready.get(id);\n    if (ready) {",
        replace: "    const ready = this.#packed.has(id) ? undefined : this.#ready.get(id);\n    if (ready) {",
      },
    ],
  },
  {
    name: "cursor committed before the settlement",
    plants: "The position in the node's stream is durable before what it brought is.",
    breaks: [9],
    first: "crashes",
    edits: [
      {
        file: "src/lightning/settlements.ts",
        find: "void handover.hand(settlement, cursor);",
        replace: "await this.#options.saveCursor(cursor);\n        void handover.hand(settlement, cursor);",
      },
    ],
  },
  {
    name: "timer lost at restart",
    plants: "Deadlines of the last process wait until some other order moves.",
    breaks: [5, 20],
    first: "crashes",
    edits: [
      {
        file: "actors/runtime/deadlines.ts",
        find: "this.#stopped = false;\n    this.#arm();",
        replace: "this.#stopped = false;",
      },
    ],
  },
  {
    name: "events are rewritten",
    plants: "The fold forgets who asked to cancel, while the stored state remembers.",
    breaks: [18, 19],
    first: "interleavings",
    edits: [
      {
        file: "actors/order/decision.ts",
        find: "this.#order = evolve(this.#order, event);",
        replace:
          'this.#order = event.type === "CancelAsked" ? { ...this.#order, cancelAskedAt: this.now } : evolve(this.#order, event);',
      },
    ],
  },
];
