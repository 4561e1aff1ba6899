/**
 * Torture of the real process: the built executable, real sockets, real files, constant load. Prints a seed, what was survived, and
 * `0 violations`; ends with 1 otherwise, and keeps the data. A seed repeats what is done to the process, not what the system's scheduler does.
 *
 *   bun run torture [--kills=1000] [--seed=N] [--minutes=M] [--only=kills,power,syncs,disk,stops,starts] [--short]
 */
import { build } from "../../scripts/build.ts";
import { commandLine } from "../support/command-line.ts";
import { fillDisks } from "./disk.ts";
import { torture } from "./kills.ts";
import { losePower } from "./power-loss.ts";
import { startReadOnly } from "./starts.ts";
import { stopUnderLoad } from "./stops.ts";
import { watchSyscalls } from "./syscalls.ts";

const { values, whole, refuse } = commandLine(import.meta.path, {
  kills: { type: "string" },
  seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
  minutes: { type: "string", default: "60" },
  only: { type: "string" },
  short: { type: "boolean", default: false },
});

const { short } = values;
const seed = whole("seed");
const kills = values.kills === undefined ? (short ? 16 : 1_000) : whole("kills");
const limitMs = whole("minutes") * 60_000;
const begun = performance.now();
const out = (line: string) => console.log(line);
const common = { command: [await build()], seed, out };

const PARTS: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  kills: () => torture({ ...common, kills, limitMs }),
  power: () =>
    losePower({ ...common, ...(short ? { customers: 4, frames: 120, each: 15 } : { frames: 900, each: 400 }) }),
  syncs: () => watchSyscalls(common),
  disk: () => fillDisks({ ...common, customers: 6, disks: short ? 1 : 3, rounds: short ? 1 : 4 }),
  stops: () => stopUnderLoad({ ...common, rounds: short ? 2 : 25 }),
  starts: () => startReadOnly(common),
};

const wanted = values.only?.split(",") ?? Object.keys(PARTS);
const unknown = wanted.filter((name) => !PARTS[name]);
if (unknown.length > 0) refuse(`--only knows ${Object.keys(PARTS).join(", ")}`);

out(`seed ${seed}`);
let violations = 0;
const queue = [...wanted];
const work = async (): Promise<void> => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    violations += (await PARTS[name]?.())?.length ?? 0;
  }
};
// Two at a time where it has to be quick; each part has its own peers, ports and files.
await Promise.all(Array.from({ length: short ? 2 : 1 }, work));
out(`${Math.round((performance.now() - begun) / 1_000)} s, seed ${seed}`);
out(`${violations} violations`);
process.exit(violations === 0 ? 0 : 1);
