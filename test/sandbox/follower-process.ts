/**
 * A service in a process of its own, as far as the clock sees one: follows the sandbox at argv[2], does something every
 * minute of its time, and with argv[3] = "stuck" never comes to rest after that.
 */
import { RealWorld } from "../../actors/runtime/world.ts";
import { followClock } from "../../src/sandbox/follow.ts";

const [, , sandboxUrl = "", manner] = process.argv;
const world = new RealWorld();
const start = Date.now();
await followClock(world, sandboxUrl, {
  webhookUrl: "http://127.0.0.1:9/webhook",
  signal: new AbortController().signal,
});
const tick = () => {
  console.log(`tick ${Math.round((world.now() - start) / 60_000)}`);
  if (manner === "stuck") world.hold("endless work");
  world.at(world.now() + 60_000, tick);
};
world.at(world.now() + 60_000, tick);
console.log("following");
