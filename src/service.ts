/**
 * The service as a process runs it: a database that is opened and bound, the application on it, and HTTP in front. Its caller holds the
 * lock on the data directory.
 */
import { REFUND_INVOICE_LIFE_MS } from "../actors/order/policy.ts";
import { SCHEMA_VERSION } from "../actors/runtime/schema.ts";
import { type RealWorld, sleep } from "../actors/runtime/world.ts";
import { type ApiConfig, createApi, serveOptions } from "./api/app.ts";
import { assemble, type ServicePeers } from "./assembly.ts";
import { bind } from "./binding.ts";
import type { Config } from "./config.ts";
import { openJournal } from "./database.ts";
import { loadRootKeys } from "./keyfile.ts";
import type { Log } from "./ops/logs.ts";
import { Metrics } from "./ops/metrics.ts";
import type { Names } from "./orders/request.ts";
import { RevocationFile } from "./revocations.ts";
import { VERSION } from "./version.ts";

export interface Service {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** No new work, then everything that runs is finished, then the database is closed. */
  stop(): Promise<void>;
}

export interface ServiceOptions {
  readonly config: Config;
  readonly world: RealWorld;
  readonly log: Log;
  readonly names: Names;
  readonly peers: ServicePeers;
  /** Last segment of the webhook path, or null to close it. */
  readonly webhookSecret: string | null;
  /** Base URL of the sandbox's peers; null, the default, without one. */
  readonly sandboxUrl?: string | null;
  /** Asked to stop before it runs: the start is given up in order, with the signal's reason. */
  readonly stopping?: AbortSignal;
}

/** How long a stop may wait, for requests and then for effects that are under way; containers are killed after ten seconds. */
const STOP_MS = 8_000;
/** How much of that requests may take. */
const REQUESTS_MS = 2_000;

/** @throws UnusableFile, WrongBinding, NodeUnavailable (at first boot), the reason of `stopping`, or what a port of the system throws. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, world, log, names, peers, stopping } = options;
  const journal = openJournal(config.dataDir, world, (from) =>
    log.warn(
      { from, to: SCHEMA_VERSION },
      "the database is brought up to date: with millions of orders this takes minutes",
    ),
  );
  try {
    const expected = { providerAccount: peers.provider.accountFingerprint(), sandbox: peers.sandbox };
    const bound = await orStopped(bind(world, journal.store, peers.node, expected), stopping);
    const keys = loadRootKeys(world, config.dataDir, config.rootKey, () => {
      const orders = journal.db.query("SELECT 1 FROM orders LIMIT 1").get();
      if (orders) log.error("a new root.key was made: the credentials of the orders that are here open nothing");
    });
    if (config.metricsToken === null && !peers.sandbox) {
      log.warn("METRICS_TOKEN is not set: behind a proxy on this machine, anybody could read /metrics");
    }
    const metrics = new Metrics();
    const revocations = new RevocationFile(config.dataDir, world, (error) =>
      log.error({ err: error }, "revoked.txt cannot be read: credentials that were revoked since are still good"),
    );
    const app = assemble({ world, log, metrics, config, names, peers, journal, bound, keys, revocations });
    const api = createApi({
      desk: app.desk,
      catalog: app.catalog,
      health: app.health,
      keys,
      revocations,
      world,
      log,
      metrics,
      config: apiConfig(config, {
        sandbox: peers.sandbox,
        ...(options.sandboxUrl && { sandboxUrl: `${options.sandboxUrl}/sandbox` }),
        webhookSecret: options.webhookSecret,
        priceRule: app.priceRule,
        names,
      }),
    });

    if (app.health.report().database.paused) {
      log.error("the database was restored from a backup: money is paused until doctor --peers --repair has run");
    }
    const serve = async () => {
      await orStopped(app.start(), stopping);
      return listen(api, config);
    };
    const server = await serve().catch(async (error) => {
      await app.stop(STOP_MS);
      throw error;
    });

    return {
      url: `http://${urlHost(config.host)}:${server.port}`,
      port: server.port,
      async stop() {
        app.close();
        const until = world.now() + STOP_MS;
        // A client that never finishes its request must not hold up the stop.
        await Promise.race([server.stop(), sleep(world, REQUESTS_MS)]);
        await server.stop(true);
        await app.stop(Math.max(0, until - world.now()));
        journal.close();
      },
    };
  } catch (error) {
    journal.close();
    throw error;
  }
}

/** Peers that do not answer must not hold up a stop. @throws the signal's reason, while `work` goes on unheard. */
function orStopped<T>(work: Promise<T>, stopping: AbortSignal | undefined): Promise<T> {
  if (!stopping) return work;
  const stopped = new Promise<never>((_, reject) => {
    const stop = () => reject(stopping.reason);
    if (stopping.aborted) stop();
    else stopping.addEventListener("abort", stop, { once: true });
  });
  return Promise.race([work, stopped]);
}

/** What the HTTP layer needs to know of the process's settings. */
export function apiConfig(
  config: Config,
  {
    names,
    ...facts
  }: Pick<ApiConfig, "sandbox" | "sandboxUrl" | "webhookSecret" | "priceRule"> & { readonly names: Names },
): ApiConfig {
  return {
    ...facts,
    publicUrl: config.publicUrl,
    version: VERSION,
    serviceName: "l402-numbers",
    indexVerifyToken: config.indexVerifyToken,
    webhookAllow: config.webhookAllow,
    trustedProxies: config.trustedProxies,
    metricsToken: config.metricsToken,
    limits: {
      orders: { perMinute: config.createPerMinute, burst: config.createPerMinute },
      reads: { perMinute: config.readPerMinute, burst: config.readPerMinute },
    },
    operatorContact: config.operatorContact,
    notices: config.nostr !== null,
    blockedServices: [...names.blockedServices].map((code) => named(code, names.services.byCode(code))),
    blockedCountries: [...names.blockedCountries].map((id) => named(id, names.countries.byId(id))),
    times: {
      invoiceExpiryMs: config.policy.invoiceExpiryMs,
      cancelAfterMs: config.policy.cancelAfterMs,
      smsTimeoutMs: config.policy.smsTimeoutMs,
      refundInvoiceLifeMs: REFUND_INVOICE_LIFE_MS,
      codeRetentionMs: config.eraseMessagesMs,
    },
  };
}

/** @throws Error when the port is taken, or the host is none of this machine. */
async function listen(api: ReturnType<typeof createApi>, { host, port }: Config) {
  try {
    const { server } = api.listen(serveOptions({ hostname: host, port }));
    if (!server?.port) throw new Error("The server does not listen");
    return { port: server.port, stop: (now?: boolean) => server.stop(now) };
  } catch (error) {
    throw new Error(`Cannot listen at HOST "${host}", PORT ${port}: ${messageOf(error)}`, { cause: error });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A code that software knows, with its name for people. */
const named = (code: string | number, row: { readonly name: string } | null): string =>
  row ? `${code} (${row.name})` : String(code);

/** Where somebody on this machine reaches a server that listens at `host`. An IPv6 address may have its brackets: Bun listens at it either way. */
export function urlHost(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (["", "*", "0.0.0.0", "::"].includes(bare)) return "127.0.0.1";
  return bare.includes(":") ? `[${bare}]` : bare;
}
