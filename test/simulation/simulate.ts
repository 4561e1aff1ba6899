/**
 * Lives through orders under crashes, lost answers and lying networks, and prints "0 violations" or the seed that fails.
 *
 *   bun run simulate [--orders=2000] [--seed=N] [--faults=1] [--minutes=M]
 */
import { live } from "./life.ts";

const option = (name: string): number | null => {
  const text = process.argv.find((arg) => arg.startsWith(`--${name}=`))?.split("=")[1];
  return text === undefined ? null : Number(text);
};
const first = option("seed");
const wanted = option("orders") ?? 2_000;
const minutes = option("minutes") ?? Number.POSITIVE_INFINITY;
const faults = option("faults") ?? 1;
const CUSTOMERS = 200;

const started = performance.now();
const elapsed = (): number => (performance.now() - started) / 1_000;
let seed = first ?? Math.floor(Math.random() * 2 ** 31);
let orders = 0;
let crashes = 0;
let runs = 0;
const kinds: Record<string, number> = {};
const outcomes: Record<string, number> = {};
const hits: Record<string, number> = {};
const add = (to: Record<string, number>, from: Readonly<Record<string, number>>): void => {
  for (const [key, n] of Object.entries(from)) to[key] = (to[key] ?? 0) + n;
};

console.log(`first seed ${seed}`);
while (orders < wanted && elapsed() < minutes * 60) {
  try {
    const report = await live({ seed, customers: CUSTOMERS, faults });
    if (runs === 0) {
      const again = await live({ seed, customers: CUSTOMERS, faults });
      if (again.trace !== report.trace) throw new Error("The same seed gave another trace");
    }
    orders += report.orders;
    crashes += report.crashes;
    add(kinds, report.kinds);
    add(outcomes, report.outcomes);
    add(hits, report.faults);
  } catch (error) {
    console.error(`\nseed ${seed} fails: ${error instanceof Error ? error.stack : String(error)}`);
    console.error(`replay: bun run simulate --seed=${seed} --orders=1 --faults=${faults}`);
    process.exit(1);
  }
  runs++;
  seed = (seed + 1) >>> 0;
  if (process.stdout.isTTY) {
    process.stdout.write(`\r${orders} paid orders, ${(orders / elapsed()).toFixed(0)}/s, ${crashes} crashes survived`);
  }
}
console.log(
  `\n${orders} paid orders in ${runs} runs, ${(orders / elapsed()).toFixed(0)}/s, ${crashes} crashes survived`,
);
console.log("outcomes", outcomes);
console.log("states reached", kinds);
console.log("network faults", hits);
console.log("0 violations");
