/** Planted bugs about time. */
import type { Mutant } from "./mutant.ts";

export const CLOCKS: readonly Mutant[] = [
  {
    name: "time for the SMS counts from creation",
    plants: "The 20 minutes run from when the order was made, not from when it was paid.",
    breaks: [20],
    first: "interleavings",
    edits: [
      {
        file: "actors/order/lifecycle/unpaid.ts",
        find: "smsBy: from + policy.smsTimeoutMs,",
        replace: "smsBy: terms.createdAt + policy.smsTimeoutMs,",
      },
    ],
  },
  {
    name: "deadline in local time",
    plants: "The queue of deadlines is kept in another zone than the clock that reads it.",
    breaks: [20],
    first: "crashes",
    edits: [
      {
        file: "actors/runtime/journal.ts",
        find: "      deadline(order),\n",
        replace: "      deadline(order) === null ? null : Number(deadline(order)) + 3_600_000,\n",
      },
    ],
  },
  {
    name: "an alarm that came too early acts",
    plants: "After the clock was set back, an alarm for a deadline that is not reached ends the wait for an SMS.",
    breaks: [20],
    first: "interleavings",
    edits: [
      {
        file: "actors/order/decide.ts",
        find: "return due === null || (now < due && !(early && pauses));",
        replace: "return due === null;",
      },
    ],
  },
  {
    name: "a watchdog decides",
    plants: "A search for a lost buy that takes too long counts as one that found nothing.",
    breaks: [5, 11],
    first: "interleavings",
    edits: [
      {
        file: "actors/order/lifecycle/buying.ts",
        find: 'if (step.state("buyUnknown").step === "asking") return overdue(step, "buy_search_overdue");',
        replace:
          'if (step.state("buyUnknown").step === "asking") return buyNext(step, step.state("buyUnknown").attempt + 1);',
      },
    ],
  },
];
