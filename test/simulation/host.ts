/**
 * The process of the service, simulated: the real assembly and the real HTTP face on a journal that outlives it. It is started, dies, is
 * stopped in order, and started again from what was durable. Everything that an incarnation had in memory goes with it.
 */
import type { Database } from "bun:sqlite";
import { Journal } from "../../actors/runtime/journal.ts";
import type { Connect } from "../../actors/runtime/sockets.ts";
import type { Observer } from "../../actors/runtime/supervisor.ts";
import type { Fetch, Millis } from "../../actors/runtime/world.ts";
import { createApi } from "../../src/api/app.ts";
import { type Assembly, assemble } from "../../src/assembly.ts";
import { bind } from "../../src/binding.ts";
import { SHIPPED_COUNTRIES } from "../../src/catalog/countries.ts";
import { SHIPPED_SERVICES } from "../../src/catalog/services.ts";
import type { Config } from "../../src/config.ts";
import { RootKeys } from "../../src/l402/keys.ts";
import type { NodeKind } from "../../src/node.ts";
import type { LogDestination } from "../../src/ops/log-output.ts";
import { createLog } from "../../src/ops/logs.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { createPeers, sandboxAddresses } from "../../src/peers.ts";
import { apiConfig } from "../../src/service.ts";
import type { Chance } from "./chance.ts";
import { Crash, type DiskEvents, guardedDisk } from "./disk.ts";
import { SimWorld, type Time } from "./time.ts";

const NAMES = {
  countries: SHIPPED_COUNTRIES,
  services: SHIPPED_SERVICES,
  blockedServices: new Set<string>(),
  blockedCountries: new Set<number>(),
};
const SECOND = 1_000;
const DRAIN_MS = 7 * SECOND;
/** How long an operator, or a supervisor of processes, takes to start it again. */
const RESTART_MS = 5 * SECOND;

export const KEYS = new RootKeys([{ kid: 0, key: new Uint8Array(32).fill(7) }]);
export const ORIGIN = "http://service";
export const WEBHOOK_SECRET = "simulated-webhook-secret";

export interface HostOptions {
  readonly time: Time;
  /** The service's own randomness. */
  readonly chance: Chance;
  readonly db: Database;
  readonly config: Config;
  readonly fetch: (world: SimWorld) => Fetch;
  readonly connect?: (world: SimWorld) => Connect;
  /** What the node speaks; default lnd. */
  readonly node?: NodeKind;
  readonly disk: Omit<DiskEvents, "alive">;
  readonly observer: Observer;
  readonly log: LogDestination;
  /** A start ended the process with something else than a node that does not answer: a bug. */
  readonly broken: (error: unknown) => void;
}

/** What runs between one start and the next death. */
export interface Running {
  readonly world: SimWorld;
  readonly app: Assembly;
  readonly metrics: Metrics;
  /** The HTTP face, made when it is first used. */
  api(): Api;
}

type Api = ReturnType<typeof createApi>;

interface Incarnation {
  readonly world: SimWorld;
  /** Null until it has started. */
  running: Running | null;
  stopping: boolean;
  /** Those who wait for an answer, told when none will come. */
  readonly waiting: Set<() => void>;
}

export class Host {
  readonly #options: HostOptions;
  #now: Incarnation | null = null;
  /** How far its wall clock is from the true time. */
  #offset: Millis = 0;
  readonly #steps: { readonly at: Millis; readonly by: Millis }[] = [];
  starts = 0;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** The service, when it is up and takes requests. */
  get running(): Running | null {
    return this.#now?.running ?? null;
  }

  get isUp(): boolean {
    return this.#now !== null;
  }

  start(): void {
    if (this.#now) return;
    const { time, chance, fetch, connect, broken } = this.#options;
    const world = new SimWorld({ time, chance, fetch, ...(connect && { connect }), offset: this.#offset });
    const incarnation: Incarnation = { world, running: null, stopping: false, waiting: new Set() };
    this.#now = incarnation;
    this.starts++;
    this.#boot(world).then(
      (running) => {
        incarnation.running = running;
      },
      (error: unknown) => {
        if (!world.alive) return;
        // A node that does not answer at first boot ends the process; an operator starts it again.
        this.die();
        time.at(time.now + RESTART_MS, () => this.start());
        if (!(error instanceof Error) || error.name !== "NodeUnavailable") broken(error);
      },
    );
  }

  /** The process is gone, in the middle of whatever it did. @returns whether there was one. */
  die(): boolean {
    const gone = this.#now;
    if (!gone) return false;
    this.#now = null;
    gone.world.die();
    for (const tell of gone.waiting) tell();
    // Dying within a transaction loses it.
    const { db } = this.#options;
    if (db.inTransaction) db.run("ROLLBACK");
    return true;
  }

  /** A planned stop: no new sales, what is under way comes back, then the end. `after` is called when it has ended. */
  stop(after: () => void): void {
    const stopped = this.#now;
    const running = stopped?.running;
    if (!stopped || !running || stopped.stopping) return;
    stopped.stopping = true;
    running.app.close();
    running.app.stop(DRAIN_MS).then(
      () => {
        if (this.#now !== stopped) return;
        this.die();
        after();
      },
      (error: unknown) => {
        if (stopped.world.alive) this.#options.broken(error);
      },
    );
  }

  /** Its wall clock is set by `by`. */
  stepClock(by: Millis): void {
    this.#steps.push({ at: this.#options.time.now, by });
    this.#offset += by;
    this.#now?.world.step(by);
  }

  /** By how much its wall clock was set ahead within the last `withinMs` of true time. */
  setAhead(withinMs: Millis): Millis {
    const since = this.#options.time.now - withinMs;
    return this.#steps.reduce((sum, { at, by }) => (at >= since && by > 0 ? sum + by : sum), 0);
  }

  /** Its wall clock tells the true time again. */
  setClockRight(): void {
    this.stepClock(-this.#offset);
  }

  /** Asks the service; null when it is down, or died before it answered. */
  ask<T>(question: (running: Running) => Promise<T>): Promise<T | null> {
    const asked = this.#now;
    if (!asked?.running) return Promise.resolve(null);
    const { running, waiting } = asked;
    return new Promise((resolve, reject) => {
      const gone = () => resolve(null);
      waiting.add(gone);
      const done = (): void => void waiting.delete(gone);
      question(running).then(
        (answer) => {
          done();
          if (asked.world.alive) resolve(answer);
        },
        (error: unknown) => {
          done();
          if (!asked.world.alive || error instanceof Crash) resolve(null);
          else reject(error as Error);
        },
      );
    });
  }

  async #boot(world: SimWorld): Promise<Running> {
    const { time, db, config, disk, observer } = this.#options;
    const guarded = guardedDisk(db, { ...disk, alive: () => world.alive });
    const journal = new Journal(guarded, world);
    const peers = createPeers(world, config, sandboxAddresses("http://peers", this.#options.node));
    const expected = { providerAccount: peers.provider.accountFingerprint(), sandbox: true };
    const bound = await bind(world, journal.store, peers.node, expected);
    const metrics = new Metrics();
    const log = createLog({
      level: config.logLevel,
      pretty: false,
      name: "simulation",
      now: () => time.now,
      destination: this.#options.log,
    });
    const app = assemble({ world, log, metrics, config, names: NAMES, peers, journal, bound, keys: KEYS, observer });
    let api: Api | null = null;
    await app.start();
    return {
      world,
      app,
      metrics,
      api: () => {
        api ??= createApi({
          desk: app.desk,
          catalog: app.catalog,
          health: app.health,
          keys: KEYS,
          world,
          log,
          metrics,
          config: apiConfig(config, {
            names: NAMES,
            sandbox: true,
            webhookSecret: WEBHOOK_SECRET,
            priceRule: app.priceRule,
          }),
        });
        return api;
      },
    };
  }
}
