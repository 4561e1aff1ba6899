/**
 * The command `rebind-provider`: a database is bound to its provider account, known by a digest of the key, and a new key of the same account
 * is told here.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { RealWorld } from "../actors/runtime/world.ts";
import { rebindProvider } from "./binding.ts";
import type { Config } from "./config.ts";
import { openJournal, upgradeFrom } from "./database.ts";
import { lockDataDir } from "./lock.ts";
import { addressesOf, createPeers } from "./peers.ts";

/** @returns the exit code. */
export function rebind(config: Config): number {
  const world = new RealWorld();
  const path = join(config.dataDir, "orders.sqlite");
  // Not made here: of an empty one in a wrong place, "nothing to change" would be said.
  if (!existsSync(path)) {
    console.error(`No database at "${path}"`);
    return 1;
  }
  try {
    const unlock = lockDataDir(config.dataDir);
    const journal = openJournal(config.dataDir, world, (from) => console.log(upgradeFrom(from)));
    const { provider } = createPeers(world, config, addressesOf(config.peers, "http://127.0.0.1"));
    const changed = rebindProvider(journal.store, provider.accountFingerprint());
    journal.close();
    unlock();
    console.log(changed ? "The database is now bound to the configured HeroSMS key" : "Nothing to change");
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}
