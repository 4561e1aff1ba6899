/** Moves orders as fast as it can and prints every step that was acknowledged, until it is killed. Run with the path of a database. */
import { writeSync } from "node:fs";
import type { EffectHandlers } from "../../../actors/runtime/effects.ts";
import { Journal } from "../../../actors/runtime/journal.ts";
import { Supervisor } from "../../../actors/runtime/supervisor.ts";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { destinationOf, idOf, opening } from "./engine.ts";

const ORDERS = 24;
const [path = ""] = process.argv.slice(2);

const world = new RealWorld();
const journal = Journal.open(path, world);
// Unpaid orders have no effects.
const supervisor = new Supervisor({ world, journal, handlers: {} as EffectHandlers, maxResidents: 8 });

async function live(n: number): Promise<never> {
  if (!supervisor.read(idOf(n))) await supervisor.open(opening(n, world.now()));
  for (let change = 0; ; change++) {
    const destination = destinationOf(change, world.now());
    const { order } = await supervisor.tell(idOf(n), { type: "DestinationGiven", destination });
    writeSync(1, `${n} ${order.seq}\n`);
  }
}

await Promise.all(Array.from({ length: ORDERS }, (_, n) => live(n)));
