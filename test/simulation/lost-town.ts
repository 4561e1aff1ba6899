/**
 * Books that are lost: many customers live, at some moment a backup is made, later the database is gone. The service is started on the backup
 * (paused) or not, the doctor compares, a person says what the lost books know about orders in doubt, and life goes on. All who can want
 * their money back once more. The lost books are the oracle. One seed, one life.
 */
import { Database } from "bun:sqlite";
import { Journal } from "../../actors/runtime/journal.ts";
import { META_BACKUP, migrate } from "../../actors/runtime/schema.ts";
import { type Fetch, iso } from "../../actors/runtime/world.ts";
import { loadConfig } from "../../src/config.ts";
import { OurBooks } from "../../src/ops/peers/books.ts";
import { decideByHand } from "../../src/ops/peers/decide.ts";
import { gather } from "../../src/ops/peers/evidence.ts";
import { type Repaired, repair } from "../../src/ops/peers/repair.ts";
import { comparedSince } from "../../src/ops/peers/report.ts";
import { Workbench } from "../../src/ops/peers/workbench.ts";
import { createPeers, sandboxAddresses } from "../../src/peers.ts";
import { LightningPeer } from "../../src/sandbox/lightning/peer.ts";
import { AddressPeer } from "../../src/sandbox/lnurl.ts";
import { PricePeer } from "../../src/sandbox/prices.ts";
import { ProviderPeer } from "../../src/sandbox/provider/peer.ts";
import { type Action, callOf } from "./calls.ts";
import { Chance, Fate } from "./chance.ts";
import { type Commons, customer } from "./customers.ts";
import { Host } from "./host.ts";
import { START } from "./life.ts";
import { Oracle } from "./lost-oracle.ts";
import { networkFetch } from "./network.ts";
import { SimWorld, Time } from "./time.ts";
import { type Listener, Town } from "./town.ts";
import { DrawnFaults, Weather } from "./weather.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const PACE_MS = 20 * SECOND;
/** Long after the last customer went, everything that moves by itself has come to rest. */
const REST_MS = 8 * HOUR;
const MONEY: ReadonlySet<Action> = new Set<Action>([
  "getNumberV2",
  "getRentNumber",
  "reactivate",
  "cancel",
  "finish",
  "send",
]);

const loaded = loadConfig({ MAX_UNPAID_PER_CLIENT: "100000", CREATE_PER_MINUTE: "1000000" });
if (!loaded.ok) throw new Error(loaded.problems.join("; "));
const CONFIG = loaded.config;

export interface LostLife {
  readonly violations: readonly string[];
  readonly orders: number;
  /** Orders that only the lost books knew. */
  readonly unknown: number;
  readonly repaired: number;
  readonly doubted: number;
}

const deaf: Listener = {
  told() {},
  challenged() {},
  refused() {},
  http() {},
  secret() {},
  sms() {},
  paid() {},
};

export async function loseBooks(seed: number, customers: number): Promise<LostLife> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  const town = new LostTown(seed, customers);
  try {
    return town.run();
  } finally {
    town.close();
  }
}

class LostTown {
  readonly #time = new Time(START);
  readonly #chance: Chance;
  readonly #seed: number;
  readonly #customers: number;
  readonly #peersDb = new Database(":memory:", { strict: true });
  readonly #lost = new Database(":memory:", { strict: true });
  #restored = this.#lost;
  readonly #weather: Weather;
  readonly #provider: ProviderPeer;
  readonly #lightning: LightningPeer;
  readonly #fetch: (world: SimWorld) => Fetch;
  readonly #town: Town;
  readonly #violations: string[] = [];
  #host: Host | null = null;
  #paused = false;

  constructor(seed: number, customers: number) {
    this.#seed = seed;
    this.#customers = customers;
    this.#chance = new Chance(seed);
    const time = this.#time;
    const fate = new Fate(seed);
    migrate(this.#lost);
    const rate = this.#chance.one([0, 0, 0.01]);
    const now = () => time.now;
    this.#weather = new Weather({ fate, now, rate, spared: new Set(), wanted: new Set(), onFault: () => {} });
    const faults = new DrawnFaults(this.#weather);
    const world = new SimWorld({ time, chance: new Chance(seed ^ 0x7065_6572), fetch: () => unreachable });
    const books = this.#peersDb;
    this.#provider = new ProviderPeer({ world, books, faults, smsAfterMs: null, webhooks: () => [] });
    this.#lightning = new LightningPeer({ world, books, faults });
    const prices = new PricePeer({ world, faults });
    const address = new AddressPeer({ wallet: this.#lightning.wallet, faults });
    const over = networkFetch({
      time,
      fate,
      weather: this.#weather,
      faults,
      handlers: {
        provider: (request) => this.#provider.fetch(request),
        node: (request) => this.#lightning.fetch(request),
        prices: (request) => prices.fetch(request),
        address: (request) => address.fetch(request),
      },
      down: new Map(),
      concerns: () => [],
      onDown: () => {},
      onFault: () => {},
      dies: () => false,
    });
    this.#fetch = (of) => {
      const fetch = over(of);
      return (url, options) => {
        const { action } = callOf(url, options?.body);
        // Whether the node would pay at all is asked with an empty payment.
        const asksOnly = action === "send" && !options?.body?.includes("payment_request");
        if (this.#paused && MONEY.has(action) && !asksOnly)
          this.#say(`Invariant ${action === "send" ? 2 : 11}: ${action} was sent while money was paused`);
        return fetch(url, options);
      };
    };
    const host = { ask: <T>(question: Parameters<Host["ask"]>[0]) => this.#ask(question) as Promise<T | null> };
    this.#town = new Town({
      time,
      host: host as Pick<Host, "ask">,
      lightning: this.#lightning,
      provider: this.#provider,
      listener: deaf,
    });
  }

  #ask(question: Parameters<Host["ask"]>[0]): Promise<unknown> {
    return this.#host?.ask(question) ?? Promise.resolve(null);
  }

  #say(violation: string): void {
    if (this.#violations.length < 20) this.#violations.push(violation);
  }

  run(): LostLife {
    const time = this.#time;
    const chance = this.#chance;
    const busy = this.#customers * PACE_MS;
    this.#host = this.#start(this.#lost);
    const commons: Commons = { refundInvoice: null };
    for (let index = 0; index < this.#customers; index++) {
      const own = new Chance(this.#seed ^ Math.imul(index + 1, 0x9e3779b1));
      const at = START + 5 * SECOND + own.below(busy);
      const who = { town: this.#town, chance: own, commons, overHttp: false };
      time.at(at, () => void customer(who).catch((error) => this.#say(`a customer broke: ${error}`)));
    }

    // The backup, in the middle of everything; some time later the loss.
    this.#until(START + 5 * MINUTE + chance.below(busy));
    const takenAt = time.now;
    this.#restored = copyOf(this.#lost, takenAt);
    this.#until(takenAt + MINUTE + chance.below(chance.one([10 * MINUTE, 2 * HOUR])));
    this.#host.die();
    this.#until(time.now + chance.below(chance.one([MINUTE, HOUR])));
    if (chance.hits(0.6)) this.#servePaused();

    this.#weather.fair = true;
    const { repaired, doubted } = this.#doctor();
    this.#host = this.#start(this.#restored);
    for (const after of [MINUTE, 20 * MINUTE, 2 * HOUR]) time.at(time.now + after, () => this.#askAgain());
    this.#until(Math.max(time.now, START + busy) + REST_MS);
    this.#host.die();
    const counts = this.#oracle.audit(time.now, (violation) => this.#say(violation));
    return { violations: this.#violations, ...counts, repaired, doubted };
  }

  #servePaused(): void {
    this.#paused = true;
    this.#host = this.#start(this.#restored);
    this.#time.at(this.#time.now + 50 * SECOND, () => this.#askAgain());
    this.#until(this.#time.now + MINUTE + this.#chance.below(HOUR));
    this.#host.die();
    this.#paused = false;
    this.#until(this.#time.now + this.#chance.below(10 * MINUTE));
  }

  /** Whoever can get money back wants it, whether or not they had it already: each names a fresh invoice. */
  #askAgain(): void {
    const rows = this.#restored.query<{ id: string; hash: string }, []>("SELECT id, payment_hash AS hash FROM orders");
    for (const { id: orderId, hash: paymentHash } of rows.all()) {
      const invoice = this.#town.refundInvoice(2 * 3_600);
      void this.#town
        .desk((desk) => desk.setRefundInvoice({ orderId, paymentHash, capabilities: "all" }, invoice))
        .catch((error) => this.#say(`asking again broke: ${error}`));
    }
  }

  /** The doctor repairs; then a person says of each doubtful order what the lost books know of it. */
  #doctor(): { repaired: number; doubted: number } {
    const time = this.#time;
    const world = new SimWorld({ time, chance: this.#chance, fetch: this.#fetch });
    const { node, provider } = createPeers(world, CONFIG, sandboxAddresses("http://peers"));
    let result: Repaired | null = null;
    let failure: unknown = null;
    const work = async (): Promise<void> => {
      const bench = new Workbench(new Journal(this.#restored, world), world, () => {});
      const books = new OurBooks(this.#restored);
      const evidence = await gather({ world, node, provider }, comparedSince(books, world.now(), 7));
      result = await repair(evidence, bench, { node, provider });
      for (const { orderId } of result.doubts) {
        const told = await decideByHand(bench, orderId, this.#oracle.truth(orderId), { world, node, provider });
        // What was found in the meantime needs no word any more.
        if (!told.ok) await decideByHand(bench, orderId, { kind: "release" }, null);
      }
    };
    time.at(time.now, () => {
      work().catch((error) => {
        failure = error;
      });
    });
    this.#until(time.now + 10 * MINUTE);
    world.die();
    const repaired = result as Repaired | null;
    if (failure !== null || repaired === null) throw failure ?? new Error("The doctor did not come to an end");
    for (const words of repaired.failed) this.#say(`not repaired: ${words}`);
    if (!repaired.pauseOver) this.#say("the pause did not end");
    return { repaired: repaired.done.length, doubted: repaired.doubts.length };
  }

  get #oracle(): Oracle {
    return new Oracle(this.#lost, this.#restored, this.#peersDb);
  }

  #start(db: Database): Host {
    const host = new Host({
      time: this.#time,
      chance: this.#chance,
      db,
      config: CONFIG,
      fetch: this.#fetch,
      disk: { writing: () => {}, beforeCommit: () => {}, afterCommit: () => {} },
      observer: { crashed: (id, error) => this.#say(`${id}: a step broke: ${error.message}`) },
      log: { write: () => {} },
      broken: (error) => this.#say(`a start broke: ${error}`),
    });
    host.start();
    return host;
  }

  #until(time: number): void {
    this.#time.run(time, () => false);
  }

  close(): void {
    this.#host?.die();
    this.#provider.stop();
    this.#lightning.close();
    for (const db of new Set([this.#peersDb, this.#lost, this.#restored])) db.close();
  }
}

const unreachable: Fetch = () => Promise.reject(new TypeError("connection refused"));

/** As `backup` makes it: without texts, with its mark. */
function copyOf(db: Database, takenAt: number): Database {
  const copy = Database.deserialize(db.serialize(), { strict: true });
  copy.run("UPDATE messages SET code = NULL, text = NULL, sender = NULL");
  copy.run("INSERT INTO meta VALUES (?, ?)", [META_BACKUP, JSON.stringify({ takenAt: iso(takenAt) })]);
  return copy;
}
