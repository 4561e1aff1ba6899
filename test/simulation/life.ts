/**
 * One seeded run: the real service on the sandbox's peers, in one process, with lost answers, lying networks and crashes at every
 * commit, until everything has come to rest. The same seed gives the same trace.
 */
import { Database } from "bun:sqlite";
import type { OrderEvent } from "../../actors/order/events.ts";
import type { Order } from "../../actors/order/state.ts";
import { Journal } from "../../actors/runtime/journal.ts";
import { migrate } from "../../actors/runtime/schema.ts";
import { type Assembly, assemble } from "../../src/assembly.ts";
import { bind } from "../../src/binding.ts";
import { SHIPPED_COUNTRIES } from "../../src/catalog/countries.ts";
import { SHIPPED_SERVICES } from "../../src/catalog/services.ts";
import { loadConfig } from "../../src/config.ts";
import { RootKeys } from "../../src/l402/keys.ts";
import { createLog } from "../../src/ops/logs.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import type { OrderDesk } from "../../src/orders/desk.ts";
import { createPeers, sandboxAddresses } from "../../src/peers.ts";
import { Faults } from "../../src/sandbox/faults.ts";
import { LightningPeer } from "../../src/sandbox/lightning/peer.ts";
import { PricePeer } from "../../src/sandbox/prices.ts";
import { ProviderPeer } from "../../src/sandbox/provider/peer.ts";
import { Checker, type Violation } from "./checker.ts";
import { customer, type Town } from "./customers.ts";
import { networkFetch, type PeerKind } from "./network.ts";
import { SimWorld, Time } from "./time.ts";

export interface LifeOptions {
  readonly seed: number;
  readonly customers: number;
  /** 0 is a fair world; 1 is the default; more is worse. */
  readonly faults: number;
}

export interface LifeReport {
  readonly orders: number;
  readonly steps: number;
  readonly crashes: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly kinds: Readonly<Record<string, number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Equal for equal seeds. */
  readonly trace: string;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 5);
/** Customers arrive within this. */
const BUSY_MS = 40 * MINUTE;
/** Afterwards the world is fair again and everything has this long to come to rest. */
const REST_MS = 10 * HOUR;

class Crash extends Error {}

const loaded = loadConfig({ MAX_UNPAID_PER_CLIENT: "1000" });
if (!loaded.ok) throw new Error(loaded.problems.join("; "));
const { config } = loaded;
const names = {
  countries: SHIPPED_COUNTRIES,
  services: SHIPPED_SERVICES,
  blockedServices: new Set<string>(),
  blockedCountries: new Set<number>(),
};

/** @throws Violation */
export async function live({ seed, customers, faults }: LifeOptions): Promise<LifeReport> {
  const time = new Time(START, seed);
  const { chance } = time;
  const db = new Database(":memory:", { strict: true });
  const books = new Database(":memory:", { strict: true });
  const counts: Record<string, number> = {};
  const trouble = { rate: 0, down: new Map<PeerKind, number>() };
  const planned = new Faults();
  const peersWorld: SimWorld = new SimWorld(time, () => async (url, options) => {
    // The provider's webhook reaches whichever service runs now.
    const body = JSON.parse(options?.body ?? "{}") as { activationId?: unknown };
    if (typeof body.activationId === "string" && !chance.hits(0.2 * faults)) host?.app?.desk.hint(body.activationId);
    return new Response(url ? "{}" : "");
  });
  const provider = new ProviderPeer({
    world: peersWorld,
    books,
    faults: planned,
    smsAfterMs: null,
    webhooks: () => ["http://service/hook"],
  });
  const lightning = new LightningPeer({ world: peersWorld, books, faults: planned });
  const prices = new PricePeer({ world: peersWorld, faults: planned });
  const fetch = networkFetch(time, {
    handlers: {
      provider: (request) => provider.fetch(request),
      node: (request) => lightning.fetch(request),
      prices: (request) => prices.fetch(request),
    },
    trouble,
    onFault: (peer, fault) => {
      counts[`${peer} ${fault}`] = (counts[`${peer} ${fault}`] ?? 0) + 1;
    },
  });

  let violation: Violation | null = null;
  const trace = new Bun.CryptoHasher("sha256");
  let crashes = 0;
  let host: { world: SimWorld; app: Assembly | null; dead: Promise<null>; die: () => void } | null = null;
  let crashing = true;
  migrate(db);
  const checker = new Checker(db);

  /** Everything in memory is gone: nothing of this incarnation runs any more. */
  function silence(): void {
    if (!host) return;
    host.world.alive = false;
    host.die();
    host = null;
  }

  function crash(): void {
    if (!host) return;
    silence();
    crashes++;
    trace.update(`crash ${time.now};`);
    time.at(time.now + chance.one([500, 5 * SECOND, 2 * MINUTE, 10 * MINUTE]), start);
  }

  /** The database as this incarnation sees it: a crash falls before the COMMIT, or after it with the answer lost. */
  function crashable(world: SimWorld): Database {
    return new Proxy(db, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (name !== "prepare") return typeof value === "function" ? value.bind(target) : value;
        return (sql: string) => {
          const statement = target.prepare(sql);
          if (sql !== "COMMIT") return statement;
          return {
            run() {
              if (!world.alive) throw new Crash();
              const falls = crashing && chance.hits(0.004 * faults) ? chance.one(["before", "after"]) : null;
              if (falls !== "before") statement.run();
              if (falls === null) return;
              crash();
              throw new Crash();
            },
          };
        };
      },
    });
  }

  function start(): void {
    const world = new SimWorld(time, fetch);
    let die = () => {};
    const dead = new Promise<null>((resolve) => {
      die = () => resolve(null);
    });
    const mine = { world, app: null as Assembly | null, dead, die };
    host = mine;
    void (async () => {
      const journal = new Journal(crashable(world), world);
      const peers = createPeers(world, config, sandboxAddresses("http://peers"));
      const bound = await bind(world, journal.store, peers.node, { providerAccount: "simulated", sandbox: true });
      const app = assemble({
        world,
        log: createLog({ level: "silent", pretty: false, name: "simulation", now: () => time.now }),
        metrics: new Metrics(),
        config,
        names,
        peers,
        journal,
        bound,
        keys: new RootKeys([{ kid: 0, key: new Uint8Array(32).fill(7) }]),
        observer: { committed: (order, events) => check(order, events) },
      });
      await app.start();
      mine.app = app;
    })().catch((error) => {
      // A node that does not answer at first boot ends the process; an operator starts it again.
      if (mine.world.alive) crash();
      else if (!(error instanceof Error)) throw error;
    });
  }

  function check(order: Order, events: readonly OrderEvent[]): void {
    trace.update(`${time.now} ${order.id} ${events.map((event) => event.type).join(",")};`);
    try {
      checker.committed(order, events);
    } catch (error) {
      violation ??= error as Violation;
    }
  }

  const town: Town = {
    chance,
    lightning,
    provider,
    paid: new Set(),
    shared: null,
    now: () => time.now,
    sleep: (ms) => new Promise((resolve) => time.at(time.now + ms, resolve)),
    async ask<T>(question: (desk: OrderDesk) => Promise<T>): Promise<T | null> {
      const asked = host;
      if (!asked?.app) return null;
      const gaveUp = town.sleep(60 * SECOND).then(() => null);
      return Promise.race([question(asked.app.desk), asked.dead, gaveUp]);
    },
  };

  start();
  for (let index = 0; index < customers; index++) {
    time.at(START + 10 * SECOND + chance.below(BUSY_MS), () => void customer(town));
  }
  time.at(START + 5 * SECOND, () => {
    trouble.rate = 0.03 * faults;
  });
  for (const peer of ["node", "provider"] as const) {
    if (faults > 0 && chance.hits(0.5)) {
      const from = START + chance.below(BUSY_MS);
      time.at(from, () => trouble.down.set(peer, from + chance.one([30 * SECOND, 10 * MINUTE, 2 * HOUR])));
    }
  }
  const each = () => {
    if (violation) throw violation;
    if (crashing && chance.hits(0.0003 * faults)) crash();
  };
  await time.until(START + BUSY_MS + 2 * HOUR, each);
  crashing = false;
  trouble.rate = 0;
  trouble.down.clear();
  await time.until(START + BUSY_MS + REST_MS, each);
  checker.settled(db, lightning, provider, town.paid);

  const outcomes: Record<string, number> = {};
  const rows = db.query<{ state: string }, []>("SELECT state FROM orders").all();
  for (const { state } of rows) {
    const { state: at, payment } = JSON.parse(state) as Order;
    const outcome = at.kind === "done" ? at.as : at.kind;
    if (payment) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  silence();
  provider.stop();
  lightning.close();
  books.close();
  db.close();
  return {
    orders: town.paid.size,
    steps: time.steps,
    crashes,
    faults: counts,
    kinds: Object.fromEntries(checker.kinds),
    outcomes,
    trace: trace.digest("hex"),
  };
}
