/**
 * The service with a node at its port that has its invoices ready, everything else as shipped: `bun bench/invoice-server.ts <file of
 * invoices>`, settings as for `src/main.ts`. Shows what the program costs without a call to a node for each order.
 *
 * `BENCH_SYNCHRONOUS=OFF` takes the durability away, to show what that costs. It is set from here, on the open database: the program has no
 * such setting.
 */
import { assembled } from "./assembled.ts";
import { InvoicePool } from "./invoices.ts";

const pool = new InvoicePool(process.argv[2] ?? "");
const { journal, start } = await assembled((node) => ({
  ...node,
  createInvoice: async ({ amountSats }) => pool.take(amountSats),
}));
if (process.env.BENCH_SYNCHRONOUS === "OFF") journal.db.run("PRAGMA synchronous = OFF");
await start();
