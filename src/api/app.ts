/**
 * The HTTP face of the service: one plugin per resource, and nothing that knows how orders work. What it needs is handed
 * in; it listens nowhere by itself (`app.listen(serveOptions({ hostname, port }))`).
 */
import { Elysia } from "elysia";
import type { World } from "../../actors/runtime/world.ts";
import type { CatalogReader } from "../catalog/port.ts";
import type { RootKeys } from "../l402/keys.ts";
import { NOTHING_REVOKED, type Revocations } from "../l402/revocations.ts";
import type { HealthDesk } from "../ops/health.ts";
import type { Metrics } from "../ops/metrics.ts";
import type { OrderDesk } from "../orders/desk.ts";
import { Access } from "./access.ts";
import type { ApiLog } from "./access-log.ts";
import { catalogRoutes } from "./catalog.ts";
import type { ApiConfig } from "./config.ts";
import { discoveryRoutes } from "./discovery.ts";
import { docsRoutes } from "./docs.ts";
import { Gate } from "./gate.ts";
import { healthRoutes } from "./health.ts";
import { orderRoutes } from "./orders.ts";
import { PaymentScheme } from "./payment-scheme.ts";
import { webhookRoutes } from "./webhooks.ts";
import { withdrawRoutes } from "./withdraw.ts";

export type { ApiConfig } from "./config.ts";
export { serveOptions } from "./serve.ts";

export interface ApiDeps {
  readonly desk: OrderDesk;
  readonly catalog: CatalogReader;
  readonly health: HealthDesk;
  readonly keys: RootKeys;
  /** Default: none. */
  readonly revocations?: Revocations;
  readonly world: World;
  readonly log: ApiLog;
  /** Gets the request metrics, and is what `/metrics` shows. */
  readonly metrics: Metrics;
  readonly config: ApiConfig;
}

/** @throws RangeError when a proxy, webhook address or limit of the configuration is none. */
export function createApi(deps: ApiDeps) {
  const { desk, catalog, health, keys, revocations = NOTHING_REVOKED, world, log, metrics, config } = deps;
  const gate = new Gate({ world, log, metrics, config });
  const payments = new PaymentScheme(keys, world, config, revocations);
  const plugins = [
    orderRoutes({ gate, desk, access: new Access(keys, world, payments, revocations), payments, config }),
    withdrawRoutes({ gate, desk, config }),
    catalogRoutes({ gate, catalog }),
    discoveryRoutes({ gate, config }),
    healthRoutes({ gate, health, metrics, config }),
    webhookRoutes({ gate, desk, config }),
  ];
  // Otherwise Elysia looks for the path behind the eleventh character of the URL, where a Host of three letters is over.
  const app = new Elysia({ name: "api", handler: { standardHostname: false } })
    // First, because hooks apply to what is registered after them.
    .onError({ as: "global" }, ({ code, error, request, server }) =>
      code === "NOT_FOUND" ? gate.unmatched({ request, server }) : gate.broken(error),
    );
  for (const plugin of plugins) app.use(plugin);
  return app.use(docsRoutes({ gate, config, plugins }));
}
