/**
 * Loses the books of seeded lives, restores a backup, and prints "0 violations" or the seed that fails. See lost-town.ts.
 *
 *   bun run simulate:losses [--lives=20] [--seed=N] [--customers=60]
 */
import { commandLine } from "../support/command-line.ts";
import { loseBooks } from "./lost-town.ts";

const { whole } = commandLine(import.meta.path, {
  lives: { type: "string", default: "20" },
  customers: { type: "string", default: "60" },
  seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
});
const lives = whole("lives");
const customers = whole("customers");
const first = whole("seed");
const sums = { orders: 0, unknown: 0, repaired: 0, doubted: 0 };
console.log(`first seed ${first}`);
for (let seed = first; seed < first + lives; seed++) {
  const { violations, ...counts } = await loseBooks(seed, customers);
  for (const name of ["orders", "unknown", "repaired", "doubted"] as const) sums[name] += counts[name];
  if (violations.length === 0) continue;
  console.error(
    [`seed ${seed} fails, after ${sums.orders} orders:`, ...violations.map((line) => `  ${line}`)].join("\n"),
  );
  console.error(`replay: bun test/simulation/lost-books.ts --lives=1 --seed=${seed} --customers=${customers}`);
  process.exit(1);
}
const { orders, unknown, repaired, doubted } = sums;
console.log(`${lives} losses: ${orders} orders, ${unknown} known to the lost books alone`);
console.log(`${repaired} things told by the doctor, ${doubted} orders in doubt`);
console.log("0 violations");
