/**
 * One seeded run: the real service on the sandbox's peers, in one process, with a network that loses and lies, crashes at every point, a disk
 * that fills up and clocks that step, until everything has come to rest. The same seed gives the same trace.
 */
import { Database } from "bun:sqlite";
import { migrate } from "../../actors/runtime/schema.ts";
import type { Fetch } from "../../actors/runtime/world.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import { LightningPeer, type NodeKind } from "../../src/sandbox/lightning/peer.ts";
import { AddressPeer } from "../../src/sandbox/lnurl.ts";
import { PricePeer } from "../../src/sandbox/prices.ts";
import { ProviderPeer } from "../../src/sandbox/provider/peer.ts";
import type { PeerKind } from "./calls.ts";
import { Chance, Fate } from "./chance.ts";
import { Checker, Violation } from "./checker.ts";
import { type Commons, customer } from "./customers.ts";
import { Crash, DiskFull } from "./disk.ts";
import type { WorldFault } from "./faults.ts";
import { Host, ORIGIN, WEBHOOK_SECRET } from "./host.ts";
import { networkFetch } from "./network.ts";
import { Orders } from "./orders.ts";
import { type Misfortune, planOf } from "./plan.ts";
import { networkSockets } from "./sockets.ts";
import type { Stage } from "./stages.ts";
import { SimWorld, Time } from "./time.ts";
import { Town } from "./town.ts";
import { DrawnFaults, Weather } from "./weather.ts";

/** A point at which the process may die. */
export interface CrashPoint {
  readonly kind: Extract<WorldFault, `crash_${string}`>;
  /** Which commit, call or step: counted from 1 over the whole run, all kinds together. */
  readonly nth: number;
  /** The call's name, for points around calls. */
  readonly what: string;
}

export interface LifeOptions {
  readonly seed: number;
  /** How many customers come. */
  readonly customers: number;
  /** How bad the world is: 0 is fair, 1 is the default; more is worse. */
  readonly faults: number;
  /** What the node speaks; default lnd. */
  readonly node?: NodeKind;
  /** Customers, by number from 0, that stay away. */
  readonly without?: readonly number[];
  /** Misfortunes and faults, by name, that do not happen. */
  readonly spared?: readonly string[];
  /** Cells of the grid, as "stage fault", that are to be met if they can be. */
  readonly wanted?: readonly string[];
  /** Decides about every point at which the process may die, instead of the seed. */
  readonly crashes?: (point: CrashPoint) => boolean;
  /** What happens in the town, instead of the seed's customers. Resolves when its people are done. */
  readonly script?: (town: Town) => Promise<void>;
  /** Told of every step, for a trace that a person reads. */
  readonly tell?: (line: string) => void;
}

export interface LifeReport {
  /** Orders that were paid. */
  readonly orders: number;
  /** All orders that were opened. */
  readonly opened: number;
  readonly steps: number;
  readonly crashes: number;
  /** Points at which the process could have died. */
  readonly points: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Cells of the grid that were met, as "stage fault". */
  readonly cells: Readonly<Record<string, number>>;
  readonly kinds: Readonly<Record<string, number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  /** How much simulated time passed, in ms. */
  readonly elapsed: number;
  /** Equal for equal seeds. */
  readonly trace: string;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const START = Date.UTC(2026, 0, 5);
/** The service has started by then. */
const OPENS_MS = 5 * SECOND;
/** Customers arrive at this pace, so that about a hundred orders are alive at once. */
const PACE_MS = 2_500;
/** Nothing may take longer to come to rest in a fair world. */
const REST_MS = 12 * HOUR;

const loaded = loadConfig({
  MAX_UNPAID_PER_CLIENT: "100000",
  CREATE_PER_MINUTE: "1000000",
  // Few, so that orders are packed, and forgotten.
  MAX_RESIDENTS: "6",
  READ_PER_MINUTE: "1000000",
});
if (!loaded.ok) throw new Error(loaded.problems.join("; "));
const CONFIG: Config = loaded.config;

/** @throws Violation */
export async function live(options: LifeOptions): Promise<LifeReport> {
  const life = new Life(options);
  try {
    // Beyond the caller's promise: from here on, draining the microtasks must be able to run them.
    await new Promise<void>((resolve) => setImmediate(resolve));
    life.run();
    await life.time.idle();
    return life.report();
  } finally {
    life.close();
  }
}

class Life {
  readonly time = new Time(START);
  readonly #options: LifeOptions;
  readonly #fate: Fate;
  readonly #chance: Chance;
  readonly #db = new Database(":memory:", { strict: true });
  readonly #books = new Database(":memory:", { strict: true });
  readonly #orders = new Orders();
  readonly #checker: Checker;
  readonly #weather: Weather;
  readonly #provider: ProviderPeer;
  readonly #lightning: LightningPeer;
  readonly #host: Host;
  readonly #town: Town;
  readonly #down = new Map<PeerKind, number>();
  readonly #spared: ReadonlySet<string>;
  readonly #wanted: Set<string>;
  readonly #wantedFaults: ReadonlySet<string>;
  readonly #trace = new Bun.CryptoHasher("sha256");
  readonly #faults: Record<string, number> = {};
  readonly #cells: Record<string, number> = {};
  readonly #misreported = new Set<string>();
  #diskFullUntil = 0;
  /** Stages of the steps in the commit that is being written. */
  #writing = new Set<Stage>();
  #points = 0;
  #crashes = 0;
  #visitors = 0;
  #violation: unknown = null;

  constructor(options: LifeOptions) {
    this.#options = options;
    const { seed, faults, node = "lnd" } = options;
    this.#fate = new Fate(seed);
    this.#chance = new Chance(seed);
    this.#spared = new Set(options.spared);
    this.#wanted = new Set(options.wanted);
    this.#wantedFaults = new Set(options.wanted?.map((cell) => cell.split(" ")[1] ?? ""));
    migrate(this.#db);
    this.#weather = new Weather({
      fate: this.#fate,
      now: () => this.time.now,
      rate: Math.min(0.5, 0.03 * faults),
      spared: this.#spared,
      wanted: new Set(options.wanted),
      onFault: (name, where) => {
        this.#count(name);
        this.#say(`fault ${where}`);
      },
    });
    const planned = new DrawnFaults(this.#weather);
    const peersWorld = new SimWorld({
      time: this.time,
      chance: new Chance(seed ^ 0x7065_6572),
      fetch: () => (url, init) => this.#webhook(url, init?.body ?? ""),
    });
    this.#provider = new ProviderPeer({
      world: peersWorld,
      books: this.#books,
      faults: planned,
      smsAfterMs: null,
      webhooks: () => [`${ORIGIN}/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`],
    });
    this.#lightning = new LightningPeer({ world: peersWorld, books: this.#books, faults: planned, kind: node });
    const prices = new PricePeer({ world: peersWorld, faults: planned });
    const address = new AddressPeer({ wallet: this.#lightning.wallet, faults: planned });
    const fetch = networkFetch({
      time: this.time,
      fate: this.#fate,
      weather: this.#weather,
      faults: planned,
      handlers: {
        provider: (request) => this.#provider.fetch(request),
        node: (request) => this.#lightning.fetch(request),
        prices: (request) => prices.fetch(request),
        address: (request) => address.fetch(request),
      },
      down: this.#down,
      concerns: (call) => this.#orders.concernedBy(call),
      onDown: ({ peer }, stages) => this.#met(`${peer}_down`, stages),
      onFault: ({ name }, { subject }, stages) => {
        this.#met(name, stages);
        if (SAYS_ENDED.has(name) && subject !== null) this.#misreported.add(subject);
      },
      dies: (point, { action }, stages) => this.#dies(point, action, stages),
    });
    this.#checker = new Checker({
      db: this.#db,
      books: this.#books,
      orders: this.#orders,
      misreported: this.#misreported,
      setAhead: (withinMs) => this.#host.setAhead(withinMs),
      violated: (violation) => {
        this.#violation ??= violation;
      },
    });
    this.#host = new Host({
      time: this.time,
      chance: this.#chance,
      db: this.#db,
      config: CONFIG,
      fetch,
      node,
      connect: networkSockets({
        time: this.time,
        fate: this.#fate,
        weather: this.#weather,
        rate: Math.min(0.5, 0.03 * faults),
        accept: (request) => this.#lightning.socket(request),
        isDown: () => (this.#down.get("node") ?? 0) > this.time.now,
        lost: () => this.#count("frame_lost"),
      }),
      disk: {
        writing: (stage) => void this.#writing.add(stage),
        beforeCommit: () => this.#beforeCommit(),
        afterCommit: () => this.#afterCommit(),
      },
      observer: {
        committed: (order, events) => {
          // What the code goes on to do in the turn in which its process died never happened.
          if (!this.#host.isUp) return;
          this.#say(`${order.id} ${events.map((event) => event.type).join(",")} -> ${order.state.kind}`);
          this.#checker.committed(order, events);
          this.#comeTrue(order.state.kind);
        },
        crashed: (id, error) => {
          if (!this.#host.isUp) return;
          this.#violation ??=
            error instanceof Violation ? error : new Violation(18, `${id}: a step broke: ${error.message}`);
        },
      },
      log: { write: (line) => this.#checker.logged(line) },
      broken: (error) => {
        this.#violation ??= error;
      },
    });
    this.#town = new Town({
      time: this.time,
      host: this.#host,
      lightning: this.#lightning,
      provider: this.#provider,
      listener: this.#checker,
    });
  }

  run(): void {
    const { customers, script, faults } = this.#options;
    const { time } = this;
    this.#host.start();
    time.at(START + OPENS_MS, () => {
      if (script) return this.#visit(script(this.#town));
      const away = new Set(this.#options.without);
      const commons: Commons = { refundInvoice: null };
      for (let index = 0; index < customers; index++) {
        const chance = new Chance(this.#options.seed ^ Math.imul(index + 1, 0x9e3779b1));
        const at = time.now + chance.below(customers * PACE_MS);
        const overHttp = chance.hits(0.06);
        if (away.has(index)) continue;
        time.at(at, () => this.#visit(customer({ town: this.#town, chance, commons, overHttp })));
      }
    });
    const busy = OPENS_MS + customers * PACE_MS;
    if (!script) for (const misfortune of planOf(this.#options.seed, busy, faults)) this.#plan(misfortune);
    this.#until(START + busy + 20 * MINUTE);
    this.#weather.fair = true;
    this.#down.clear();
    this.#diskFullUntil = 0;
    this.#host.setClockRight();
    this.#rest();
    this.#checker.rested();
  }

  /** Runs until nothing moves any more, or longer than anything may take. */
  #rest(): void {
    const until = this.time.now + REST_MS;
    while (this.time.now < until && !(this.#visitors === 0 && this.#isAtRest())) {
      this.#until(Math.min(until, this.time.now + MINUTE));
    }
  }

  #isAtRest(): boolean {
    if (!this.#orders.atRest || !this.#host.running) return false;
    return this.#db.query("SELECT 1 FROM effects LIMIT 1").get() === null;
  }

  #until(time: number): void {
    this.time.run(time, () => this.#each());
    if (this.#violation) throw this.#violation;
  }

  #each(): boolean {
    this.#dies("crash_idle", "", null);
    return this.#violation !== null;
  }

  #visit(visit: Promise<void>): void {
    this.#visitors++;
    visit.then(
      () => this.#visitors--,
      (error: unknown) => {
        this.#violation ??= error;
      },
    );
  }

  /** Whether the process dies at this point; then it has. */
  #dies(kind: CrashPoint["kind"], what: string, stages: readonly Stage[] | null): boolean {
    const { crashes, faults, script } = this.#options;
    if (!this.#host.isUp) return false;
    const point: CrashPoint = { kind, nth: ++this.#points, what };
    if (crashes) {
      if (!crashes(point)) return false;
    } else {
      if (script || this.#weather.fair || faults === 0) return false;
      const draw = this.#fate.draw(kind, this.time.now);
      const rate = this.#isWanted(kind, stages) ? WANTED_RATES[kind] : CRASH_RATES[kind] * faults;
      if (!draw.hits(rate)) return false;
      if (this.#spared.has(`${kind} @${this.time.now}`)) return false;
    }
    this.#met(kind, stages ?? this.#orders.stages());
    this.#count(kind);
    this.#say(`${kind} @${this.time.now} ${what}`);
    this.#crashes++;
    this.#host.die();
    this.#checker.died();
    const downFor = this.#fate.draw("downtime", this.time.now).one(DOWNTIMES_MS);
    this.time.at(this.time.now + downFor, () => this.#host.start());
    return true;
  }

  /** Whether this misfortune, now, would meet a cell that is to be met. */
  #isWanted(fault: WorldFault, stages: readonly Stage[] | null): boolean {
    const { wanted } = this.#options;
    if (!wanted?.length || !this.#wantedFaults.has(fault)) return false;
    return (stages ?? this.#orders.stages()).some((stage) => this.#wanted.has(`${stage} ${fault}`));
  }

  /** A short misfortune comes when an order reaches a stage in which that is to be met. */
  #comeTrue(stage: Stage): void {
    if (this.#weather.fair) return;
    for (const kind of PLANNED) {
      if (!this.#wanted.has(`${stage} ${kind}`)) continue;
      const draw = this.#fate.draw(`wanted ${kind}`, this.time.now);
      if (!draw.hits(0.3)) continue;
      this.#wanted.delete(`${stage} ${kind}`);
      this.#plan({ kind, name: `${kind} @${this.time.now}`, at: this.time.now - START, ms: 5 * SECOND });
    }
  }

  #beforeCommit(): void {
    const stages = [...this.#writing];
    if (this.#diskFullUntil > this.time.now) {
      this.#writing.clear();
      this.#met("disk_full", stages);
      throw new DiskFull();
    }
    if (this.#dies("crash_before_commit", stages.join(), stages)) throw new Crash();
  }

  #afterCommit(): void {
    const stages = [...this.#writing];
    this.#writing.clear();
    if (this.#dies("crash_after_commit", stages.join(), stages)) throw new Crash();
  }

  #plan({ kind, name, at, ms }: Misfortune): void {
    if (this.#spared.has(name)) return;
    this.time.at(START + at, () => {
      this.#count(kind);
      this.#say(name);
      switch (kind) {
        case "node_down":
          return void this.#down.set("node", this.time.now + ms);
        case "provider_down":
          return void this.#down.set("provider", this.time.now + ms);
        case "disk_full":
          this.#diskFullUntil = this.time.now + ms;
          return;
        case "clock_forward":
          this.#met(kind, this.#orders.stages());
          return this.#host.stepClock(ms);
        case "clock_back":
          this.#met(kind, this.#orders.stages());
          return this.#host.stepClock(-ms);
        case "restart":
          this.#met(kind, this.#orders.stages());
          return this.#host.stop(() => {
            this.#checker.died();
            this.time.at(this.time.now + ms, () => this.#host.start());
          });
      }
    });
  }

  /** The provider's webhook reaches whichever service runs now. */
  async #webhook(url: string, body: string): ReturnType<Fetch> {
    const answer = await this.#host.ask(async ({ app, api }) => {
      const id = (JSON.parse(body) as { activationId: string }).activationId;
      // Mostly without HTTP, which only costs time; now and then over the real route.
      if (!id.endsWith("7")) {
        app.desk.hint(id);
        return new Response("{}");
      }
      const headers = { "content-type": "application/json" };
      return api().handle(new Request(url, { method: "POST", headers, body }));
    });
    if (!answer) throw new TypeError("connection refused");
    return answer;
  }

  #met(fault: string, stages: readonly Stage[]): void {
    for (const stage of stages) {
      const cell = `${stage} ${fault}`;
      this.#cells[cell] = (this.#cells[cell] ?? 0) + 1;
    }
  }

  #count(fault: string): void {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
  }

  #say(line: string): void {
    const text = `${this.time.now} ${line};`;
    this.#trace.update(text);
    this.#options.tell?.(text);
  }

  report(): LifeReport {
    return {
      orders: this.#checker.paidOrders,
      opened: this.#orders.size,
      steps: this.time.steps,
      crashes: this.#crashes,
      points: this.#points,
      faults: this.#faults,
      cells: this.#cells,
      kinds: Object.fromEntries(this.#checker.kinds),
      outcomes: this.#checker.outcomes(),
      elapsed: this.time.now - START,
      trace: this.#trace.digest("hex"),
    };
  }

  close(): void {
    this.#host.die();
    this.#provider.stop();
    this.#lightning.close();
    this.#books.close();
    this.#db.close();
  }
}

/** Faults by which the provider says that a number is over which it goes on keeping. */
const SAYS_ENDED: ReadonlySet<string> = new Set(["not_active", "not_found"]);

const DOWNTIMES_MS = [500, 500, 500, 5 * SECOND, 5 * SECOND, MINUTE, MINUTE, 10 * MINUTE] as const;

/** What `wanted` makes come true. */
const PLANNED = ["disk_full", "clock_forward", "clock_back", "restart"] as const;

/** Probability of dying where that is to be met. */
const WANTED_RATES: Readonly<Record<CrashPoint["kind"], number>> = {
  crash_before_commit: 0.2,
  crash_after_commit: 0.2,
  crash_before_call: 0.1,
  crash_after_call: 0.1,
  crash_idle: 0.01,
};

/** Probability of dying at one point. There are far more idle steps and calls than commits. */
const CRASH_RATES: Readonly<Record<CrashPoint["kind"], number>> = {
  crash_before_commit: 0.0008,
  crash_after_commit: 0.0008,
  crash_before_call: 0.0004,
  crash_after_call: 0.0004,
  crash_idle: 0.00003,
};
