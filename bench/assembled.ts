/**
 * The service as shipped, put together here so that a measurement can have a hand in it: another node at its port, a handle on its engine.
 * Settings as for `src/main.ts`; its peers must run already.
 */
import { RealWorld } from "../actors/runtime/world.ts";
import { createApi, serveOptions } from "../src/api/app.ts";
import { assemble } from "../src/assembly.ts";
import { bind } from "../src/binding.ts";
import { loadConfig } from "../src/config.ts";
import { openJournal } from "../src/database.ts";
import { loadRootKeys } from "../src/keyfile.ts";
import type { LightningNode } from "../src/lightning/port.ts";
import { loadNames } from "../src/names.ts";
import { LOG_WAITS_MS, standardOutput } from "../src/ops/log-output.ts";
import { createLog } from "../src/ops/logs.ts";
import { Metrics } from "../src/ops/metrics.ts";
import { addressesOf, createPeers } from "../src/peers.ts";
import { RevocationFile } from "../src/revocations.ts";
import { apiConfig } from "../src/service.ts";

/** Nothing runs before `start`. */
export async function assembled(nodeFor: (node: LightningNode) => LightningNode = (node) => node) {
  const loaded = loadConfig(process.env);
  if (!loaded.ok) throw new Error(loaded.problems.join("\n"));
  const { config } = loaded;
  if (config.peers.kind !== "sandbox" || config.peers.url === null) throw new Error("SANDBOX_URL is needed");
  const world = new RealWorld();
  const log = createLog({
    level: config.logLevel,
    pretty: false,
    name: "l402-numbers",
    now: () => world.now(),
    destination: standardOutput((run) => setTimeout(run, LOG_WAITS_MS)),
  });
  const { names } = loadNames(config);
  const found = createPeers(world, config, addressesOf(config.peers, config.peers.url));
  const peers = { ...found, node: nodeFor(found.node) };
  const journal = openJournal(config.dataDir, world);
  const bound = await bind(world, journal.store, peers.node, {
    providerAccount: peers.provider.accountFingerprint(),
    sandbox: true,
  });
  const keys = loadRootKeys(world, config.dataDir, config.rootKey);
  const metrics = new Metrics();
  const revocations = new RevocationFile(config.dataDir, world);
  const app = assemble({ world, log, metrics, config, names, peers, journal, bound, keys, revocations });
  const { desk, catalog, health, priceRule, supervisor } = app;
  const api = createApi({
    desk,
    catalog,
    health,
    keys,
    revocations,
    world,
    log,
    metrics,
    config: apiConfig(config, { sandbox: true, webhookSecret: null, priceRule, names }),
  });
  return {
    journal,
    supervisor,
    /** Starts it, and says where as `src/main.ts` does. */
    async start(): Promise<void> {
      await app.start();
      const { server } = api.listen(serveOptions({ hostname: "127.0.0.1", port: 0 }));
      console.log(`API      http://127.0.0.1:${server?.port}/v2/l402`);
      process.once("SIGTERM", () => process.exit(0));
    },
  };
}
