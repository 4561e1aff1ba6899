/** Planted bugs in what follows a lost database. */
import type { Mutant } from "./mutant.ts";

const DOUBTS = "src/ops/peers/doubts.ts";

export const LOSSES: readonly Mutant[] = [
  {
    name: "money moves on a restored backup",
    plants: "A server that was started on a backup performs what it finds, before anybody compared the books.",
    breaks: [2, 11],
    first: "losses",
    edits: [
      {
        file: "src/orders/hold.ts",
        find: "CONSEQUENTIAL.has(kind) && (paused ||",
        replace: "CONSEQUENTIAL.has(kind) && (",
      },
    ],
  },
  {
    name: "a payment of the lost time is nobody's",
    plants: "After a restore, a refund that went to an invoice which the backup does not know makes no order doubtful.",
    breaks: [2],
    first: "losses",
    edits: [{ file: DOUBTS, find: "sats === floorToSats(owedMsats) &&", replace: "sats < 0 &&" }],
  },
  {
    name: "a number of the lost time is nobody's",
    plants: "After a restore, a number that was bought since makes no order doubtful.",
    breaks: [3, 11],
    first: "losses",
    edits: [
      {
        file: DOUBTS,
        find: "if (!books.hadBought(order.id, lost.takenAt)) {",
        replace: "if (books.db.inTransaction) {",
      },
    ],
  },
];
