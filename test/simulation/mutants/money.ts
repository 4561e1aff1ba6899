/** Planted bugs about money. */
import type { Mutant } from "./mutant.ts";

const UNPAID = "actors/order/lifecycle/unpaid.ts";
const REFUNDING = "actors/order/lifecycle/refunding.ts";
const RESOLVING = "actors/order/lifecycle/resolving.ts";
const LADDER = "actors/order/lifecycle/ladder.ts";
const WAITING = "actors/order/lifecycle/waiting.ts";
const MOVES = "actors/order/moves.ts";
const LEDGER = "actors/order/ledger.ts";
const SHARED = "actors/order/lifecycle/shared.ts";

export const MONEY: readonly Mutant[] = [
  {
    name: "refund before the cancel is confirmed",
    plants: "A cancel whose answer was lost counts as done, and the refund goes out while the number is still ours.",
    breaks: [4],
    first: "interleavings",
    edits: [
      {
        file: WAITING,
        find: "return pause(step, backOff(tries));\n    }\n  },\n};",
        replace: "return closedWithoutSms(step, number, true);\n    }\n  },\n};",
      },
    ],
  },
  {
    name: "refund after an SMS",
    plants: "A message that the last look before the cancel shows is stored, and the number is closed all the same.",
    breaks: [3, 5, 13],
    first: "interleavings",
    edits: [
      {
        file: WAITING,
        find: "  if (recordMessages(step, messages)) return;\n  const { number, tries, tooLate, saidEnded }",
        replace: "  const { number, tries, tooLate, saidEnded }",
      },
      {
        file: WAITING,
        find: '      return closedWithoutSms(step, number, true);\n    case "open": {',
        replace:
          '      step.messages.push(...messages);\n      return closedWithoutSms(step, number, true);\n    case "open": {',
      },
    ],
  },
  {
    name: "late payment dropped",
    plants: "Money for an order that lapsed changes nothing: nobody gets a number, nobody gets the money back.",
    breaks: [9],
    first: "interleavings",
    edits: [{ file: UNPAID, find: "Settled: { ...pay, does:", replace: "Settled: { run: () => {}, does:" }],
  },
  {
    name: "late money buys",
    plants: "A settlement learned long after it happened buys at a price that is long gone.",
    breaks: [9],
    first: "interleavings",
    edits: [{ file: UNPAID, find: "if (late && isRefundable(terms.good)) return startRefund(step);", replace: "" }],
  },
  {
    name: "settled twice",
    plants: "A settlement that the node repeats is booked again.",
    breaks: [10, 6],
    first: "interleavings",
    edits: [
      {
        file: SHARED,
        find: '  Settled: stays("stays: already paid"),',
        replace:
          '  Settled: { does: "stays: already paid", run: (step: Step) => step.emit({ type: "PaymentSettled", payment: step.order.payment as never, destinationTaken: false }) },',
      },
    ],
  },
  {
    name: "less than the price buys",
    plants: "An invoice that was paid short buys a number all the same.",
    breaks: [1],
    first: "interleavings",
    edits: [
      { file: UNPAID, find: "command.receivedMsats < terms.priceSats * 1000", replace: "command.receivedMsats < 0" },
    ],
  },
  {
    name: "fee not booked",
    plants: "What a refund costs in routing is in nobody's books.",
    breaks: [6],
    first: "interleavings",
    edits: [{ file: LEDGER, find: '...move("msat", "kept", "fees", event.feeMsats),', replace: "" }],
  },
  {
    name: "refund of the quote",
    plants: "The refund pays the price, not what was received.",
    breaks: [6],
    first: "interleavings",
    edits: [
      {
        file: MOVES,
        find: "const amountSats = floorToSats(owedMsats);\n  const { paymentHash, invoice } = usable;",
        replace: "const amountSats = step.order.terms.priceSats;\n  const { paymentHash, invoice } = usable;",
      },
    ],
  },
  {
    name: "address while a refund is out",
    plants: "An address that is given while nobody knows whether the refund was paid is asked and paid.",
    breaks: [2],
    first: "interleavings",
    edits: [
      {
        file: REFUNDING,
        find: 'AddressGiven: { ...addressRefused, does: "refused: REFUND_NOT_PENDING, an attempt may still succeed" },',
        replace: 'AddressGiven: { does: "asked", run: (step, { address }) => payToAddress(step, address) },',
      },
    ],
  },
  {
    name: "address never asked again",
    plants: "An address that was silent is not asked any more when its pause is over.",
    breaks: [5, 18, 20],
    first: "interleavings",
    edits: [
      {
        file: RESOLVING,
        find: "      else startRefund(step);",
        replace: '      else overdue(step, "address_overdue");',
      },
    ],
  },
  {
    name: "link without its secret",
    plants: "A withdraw link opens to any secret.",
    breaks: [14],
    first: "interleavings",
    edits: [{ file: LADDER, find: "step.order.withdrawLink?.secretHash !== secretHash", replace: "false" }],
  },
  {
    name: "link used twice",
    plants: "A withdraw link stays good after it was used.",
    breaks: [6, 14],
    first: "interleavings",
    edits: [
      {
        file: "actors/order/evolve.ts",
        find: "(order.withdrawLink ? { ...order, withdrawLink: null } : order)",
        replace: "order",
      },
    ],
  },
  {
    name: "retry after an unknown refund",
    plants: "A refund whose answer was lost counts as failed, and is paid again.",
    breaks: [2],
    first: "interleavings",
    edits: [
      {
        file: REFUNDING,
        find: 'if (answer.kind === "failed") return attemptDied(step, attempt, answer.reason);\n      unsure(',
        replace: 'if (answer.kind !== "in_flight") return attemptDied(step, attempt, reasonOf(answer));\n      unsure(',
      },
    ],
  },
  {
    name: "refund while one is in flight",
    plants: "A fresh refund invoice is paid although an attempt at the old one may still succeed.",
    breaks: [2],
    first: "interleavings",
    edits: [
      {
        file: REFUNDING,
        find: 'if (step.state("refunding").step === "paying") return step.refuse("REFUND_NOT_PENDING");',
        replace: "",
      },
    ],
  },
  {
    name: "never sent is believed at once",
    plants: "What the node says of a refund in the instant after it was sent is believed.",
    breaks: [2],
    first: "interleavings",
    edits: [
      { file: REFUNDING, find: "const SEND_GRACE_MS = 2 * MINUTE;", replace: "const SEND_GRACE_MS = 0 * MINUTE;" },
      { file: REFUNDING, find: "const SEND_GRACE_LOOKS = 6;", replace: "const SEND_GRACE_LOOKS = 0;" },
    ],
  },
  {
    name: "any preimage will do",
    plants: "A refund counts as paid with a preimage that does not fit its hash.",
    breaks: [2],
    first: "crashes",
    edits: [
      {
        file: "src/lightning/lnd/payments.ts",
        find: 'if (!preimage) return { kind: "unknown", reason: "wrong_preimage" };',
        replace: "",
      },
      {
        file: "src/lightning/lnd/payments.ts",
        find: "const preimage = provenPreimage(payment.payment_preimage, hash);",
        replace: "const preimage = String(payment.payment_preimage);",
      },
    ],
  },
  {
    name: "hash not claimed",
    plants: "The refund invoice of a paid order is not claimed for it.",
    breaks: [7],
    first: "interleavings",
    edits: [
      {
        file: UNPAID,
        find: 'if (destination && !destinationTaken) step.claims.push({ kind: "refund_hash", value: destination.paymentHash });',
        replace: "",
      },
    ],
  },
  {
    name: "refund invoice shared by two orders",
    plants: "An order that finds its refund invoice owned by another keeps it.",
    breaks: [7],
    first: "crashes",
    edits: [
      {
        file: UNPAID,
        find: 'if (command.type === "Settled") settled(step, command, true);',
        replace: 'if (command.type === "Settled") { settled(step, command, false); step.claims.length = 0; }',
      },
    ],
  },
];
