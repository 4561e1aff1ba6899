/** The command `check-lightning` on the configured node, or on that of the sandbox. */
import { mkdirSync } from "node:fs";
import { RealWorld } from "../actors/runtime/world.ts";
import type { Config } from "./config.ts";
import { MemoryOutbox } from "./lightning/outbox.ts";
import { createNode } from "./node.ts";
import { CHECK_USAGE, readCheckArguments, runCheck } from "./ops/check-lightning.ts";
import { bindingOf, openReadOnly } from "./ops/doctor/database.ts";
import { overhear } from "./ops/lightning-check/overheard.ts";
import { addressesOf } from "./peers.ts";

/** Finds the sandbox of this configuration, or starts it. */
type SandboxFor = (
  config: Config,
  world: RealWorld,
) => Promise<{ readonly url: string; readonly stop: () => Promise<void> }>;

/** @param clockOffset how far the sandbox's clock is ahead, ms. @returns the exit code. */
export async function checkLightning(
  args: readonly string[],
  config: Config,
  clockOffset: number,
  sandboxFor: SandboxFor,
): Promise<number> {
  const wanted = readCheckArguments(args);
  if (!wanted) {
    console.log(CHECK_USAGE);
    return 2;
  }
  const { peers, dataDir } = config;
  const world = new RealWorld(clockOffset);
  const overheard = overhear(world);
  // The sandbox keeps its books there.
  if (peers.kind === "sandbox") mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const sandbox = await sandboxFor(config, world);
  const addresses = addressesOf(peers, sandbox.url);
  const opened = openReadOnly(dataDir);
  const exitCode = await runCheck(wanted, {
    address: addresses.node,
    overheard,
    // What it pays is nobody's refund.
    node: createNode(overheard.world, addresses.node, new MemoryOutbox()),
    bound: opened.ok ? bindingOf(opened.db) : null,
    isReal: !addresses.sandbox,
    out: (line) => console.log(line),
  });
  if (opened.ok) opened.db.close();
  await sandbox.stop();
  return exitCode;
}
