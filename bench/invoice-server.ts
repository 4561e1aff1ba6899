/**
 * The service with a node at its port that has its invoices ready, everything else as shipped: `bun bench/invoice-server.ts <file of
 * invoices>`, settings as for `src/main.ts`. Shows what the program costs without a call to a node for each order.
 *
 * `BENCH_SYNCHRONOUS=OFF` takes the durability away, to show what that costs. It is set from here, on the open database: the program has no
 * such setting.
 */
import { RealWorld } from "../actors/runtime/world.ts";
import { createApi, serveOptions } from "../src/api/app.ts";
import { assemble } from "../src/assembly.ts";
import { bind } from "../src/binding.ts";
import { loadConfig } from "../src/config.ts";
import { openJournal } from "../src/database.ts";
import { loadRootKeys } from "../src/keyfile.ts";
import { loadNames } from "../src/names.ts";
import { standardOutput } from "../src/ops/log-output.ts";
import { createLog } from "../src/ops/logs.ts";
import { Metrics } from "../src/ops/metrics.ts";
import { addressesOf, createPeers } from "../src/peers.ts";
import { RevocationFile } from "../src/revocations.ts";
import { apiConfig } from "../src/service.ts";
import { InvoicePool } from "./invoices.ts";

const loaded = loadConfig(process.env);
if (!loaded.ok) throw new Error(loaded.problems.join("\n"));
const { config } = loaded;
if (config.peers.kind !== "sandbox" || config.peers.url === null) throw new Error("SANDBOX_URL is needed");
const pool = new InvoicePool(process.argv[2] ?? "");
const world = new RealWorld();
const log = createLog({
  level: config.logLevel,
  pretty: false,
  name: "l402-numbers",
  now: () => world.now(),
  destination: standardOutput((run) => setTimeout(run, 10)),
});
const { names } = loadNames(config);
const peers = createPeers(world, config, addressesOf(config.peers, config.peers.url));
const node = { ...peers.node, createInvoice: async ({ amountSats }: { amountSats: number }) => pool.take(amountSats) };

const journal = openJournal(config.dataDir, world);
if (process.env.BENCH_SYNCHRONOUS === "OFF") journal.db.run("PRAGMA synchronous = OFF");
const bound = await bind(world, journal.store, node, {
  providerAccount: peers.provider.accountFingerprint(),
  sandbox: true,
});
const keys = loadRootKeys(world, config.dataDir, config.rootKey);
const metrics = new Metrics();
const revocations = new RevocationFile(config.dataDir, world);
const app = assemble({
  world,
  log,
  metrics,
  config,
  names,
  peers: { ...peers, node },
  journal,
  bound,
  keys,
  revocations,
});
const { desk, catalog, health, priceRule } = app;
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
await app.start();
const { server } = api.listen(serveOptions({ hostname: "127.0.0.1", port: 0 }));
console.log(`API      http://127.0.0.1:${server?.port}/v2/l402`);
process.once("SIGTERM", () => process.exit(0));
