/** Planted bugs about numbers: how they are bought, found, read and given back. */
import type { Mutant } from "./mutant.ts";

const BUYING = "actors/order/lifecycle/buying.ts";
const PURCHASES = "src/provider/purchases.ts";
const MOVES = "actors/order/moves.ts";

export const PROVIDER: readonly Mutant[] = [
  {
    name: "re-buy after a lost answer",
    plants: "A buy whose answer was lost counts as refused, and the next one goes out.",
    breaks: [11],
    first: "interleavings",
    edits: [
      {
        file: BUYING,
        find: 'step.emit({ type: "BuyLost", attempt, reason: answer.reason, due: step.now + WATCHDOG.ask });\n    search(step);',
        replace: 'refused(step, attempt, { reason: answer.reason, retry: "soon" });',
      },
    ],
  },
  {
    name: "buy without the node's word",
    plants: "A preimage that a customer shows buys the number, before the node said that the money is there.",
    breaks: [1],
    first: "interleavings",
    edits: [
      {
        file: "actors/order/lifecycle/unpaid.ts",
        find: 'if (step.order.provenAt === null) step.emit({ type: "PreimageShown" });',
        replace:
          'if (step.order.provenAt === null) {\n        step.emit({ type: "PreimageShown" });\n        return settled(step, { type: "Settled", settledAt: step.now, receivedMsats: (step.order.terms.priceSats * 1000) as never }, false);\n      }',
      },
    ],
  },
  {
    name: "buys after the window",
    plants: "A buy goes out although the time to buy is over.",
    breaks: [8],
    first: "interleavings",
    edits: [
      {
        file: MOVES,
        find: "if (step.now >= buyBy || step.order.cancelAskedAt !== null)",
        replace: "if (step.order.cancelAskedAt !== null)",
      },
    ],
  },
  {
    name: "buys after a cancel",
    plants: "The customer asked to cancel, and another number is bought.",
    breaks: [11],
    first: "interleavings",
    edits: [
      {
        file: MOVES,
        find: "if (step.now >= buyBy || step.order.cancelAskedAt !== null)",
        replace: "if (step.now >= buyBy)",
      },
      { file: BUYING, find: "&& due < buyBy && step.order.cancelAskedAt === null", replace: "&& due < buyBy" },
    ],
  },
  {
    name: "intent not written",
    plants: "What a buy is about to do is not written down before it is sent.",
    breaks: [11, 12, 18],
    first: "crashes",
    edits: [
      {
        file: PURCHASES,
        find: "await this.#intents.write(key, { at, toldAt: listing.toldAt }, known);",
        replace: "void known;",
      },
    ],
  },
  {
    name: "adopting a stranger",
    plants: "A number that was there before our buy is taken for it.",
    breaks: [11],
    first: "crashes",
    edits: [
      { file: PURCHASES, find: "!intent.known.has(activationId) && this.#isNobodys", replace: "this.#isNobodys" },
    ],
  },
  {
    name: "cancel of an unexplained activation",
    plants: "Of two numbers that may be ours one is taken, and given back in the end: it may be a stranger's.",
    breaks: [11],
    first: "crashes",
    edits: [
      {
        file: PURCHASES,
        find: "(found.length > 1 || this.#mayBeAnothers(only, key, good))",
        replace: "this.#mayBeAnothers(only, key, good)",
      },
    ],
  },
  {
    name: "price cap dropped",
    plants: "A buy does not say what it may cost at most.",
    breaks: [8],
    first: "crashes",
    edits: [
      {
        file: "src/provider/herosms/activations.ts",
        find: "params: { service, country, maxPrice: formatMicroUsd(maxCost) },",
        replace: "params: { service, country },",
      },
    ],
  },
  {
    name: "webhook counted twice",
    plants: "A message that is told twice is recorded twice.",
    breaks: [13],
    first: "interleavings",
    edits: [
      {
        file: MOVES,
        find: "const fresh = incoming.filter((message) => !known.has(message.id) && known.add(message.id));",
        replace: "const fresh = incoming.slice();\n  void known;",
      },
    ],
  },
  {
    name: "one SMS by two names",
    plants: "A message that the history tells without an id is taken for another one.",
    breaks: [13],
    first: "crashes",
    edits: [
      {
        file: "src/provider/messages.ts",
        find: "if (twins.some((twin) => same(twin, message))) continue;",
        replace: "void twins;\n    void same;",
      },
    ],
  },
  {
    name: "a message is overlooked",
    plants: "A look that comes back after the number was given up for closing forgets what it saw.",
    breaks: [13],
    first: "interleavings",
    edits: [
      {
        file: "actors/order/lifecycle/waiting.ts",
        find: '        if (at === "looking") return looked(step, answer.standing, answer.messages);\n        recordMessages(step, answer.messages);',
        replace: '        if (at === "looking") return looked(step, answer.standing, answer.messages);',
      },
    ],
  },
  {
    name: "a number is never given back",
    plants: "An order with its code ends, and its number stays open at the provider.",
    breaks: [11],
    first: "crashes",
    edits: [
      {
        file: "actors/order/lifecycle/delivered.ts",
        find: 'if (answer.standing === "open") return finish(step);',
        replace: "void finish;",
      },
    ],
  },
];
