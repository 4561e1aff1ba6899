/**
 * Torture of the real process: the built executable, real sockets, real files, constant load.
 *
 *   bun run torture [--kills=1000] [--seed=N] [--minutes=M]
 */
import { parseArgs } from "node:util";
import { build } from "../../scripts/build.ts";
import { torture } from "./kills.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    minutes: { type: "string", default: "60" },
  },
});

const executable = await build();
const seed = Number(values.seed);
console.log(`seed ${seed}`);
const violations = await torture({
  command: [executable],
  seed,
  kills: Number(values.kills),
  limitMs: Number(values.minutes) * 60_000,
  out: (line) => console.log(line),
});
console.log(`${violations.length} violations`);
process.exit(violations.length === 0 ? 0 : 1);
