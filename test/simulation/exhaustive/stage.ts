/**
 * One small scenario's world: the real service, its HTTP face included, on the sandbox's peers, in one process with simulated time. The
 * network is fair; what goes wrong is planned by the scenario, and the process dies at the points that the plan names.
 */
import { Database } from "bun:sqlite";
import type { OrderEvent } from "../../../actors/order/events.ts";
import { parseMicroUsd } from "../../../actors/order/money.ts";
import type { Order } from "../../../actors/order/state.ts";
import { migrate } from "../../../actors/runtime/schema.ts";
import type { Fetch, FetchOptions, Millis } from "../../../actors/runtime/world.ts";
import { loadConfig } from "../../../src/config.ts";
import { Faults } from "../../../src/sandbox/faults.ts";
import { ROUTE_FEE } from "../../../src/sandbox/lightning/payments.ts";
import { LightningPeer } from "../../../src/sandbox/lightning/peer.ts";
import { AddressPeer } from "../../../src/sandbox/lnurl.ts";
import { PricePeer } from "../../../src/sandbox/prices.ts";
import { ProviderPeer } from "../../../src/sandbox/provider/peer.ts";
import { type Call, callOf } from "../calls.ts";
import { Chance } from "../chance.ts";
import { Checker, Violation } from "../checker.ts";
import { Crash, DiskFull } from "../disk.ts";
import { Host, ORIGIN, WEBHOOK_SECRET } from "../host.ts";
import { Orders } from "../orders.ts";
import { SimWorld, Time } from "../time.ts";
import { Town } from "../town.ts";
import { ConstraintBroken, refusingDisk } from "./disk.ts";
import { durableDigest } from "./durable.ts";
import { type Planned, Points } from "./points.ts";

const WEBHOOK_URL = `${ORIGIN}/v2/l402/webhooks/rent/${WEBHOOK_SECRET}`;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
export const START = Date.UTC(2026, 0, 5);
/** One way, between service and peer. */
const LATENCY_MS = 10;
/** Every deadline is kept within this while the process runs: the clock is looked at once a minute. */
const LATEST_MS = 65 * SECOND;

export interface StageOptions {
  readonly plan: readonly Planned[];
  /** How long the process stays down after it died. */
  readonly downMs: Millis;
  /** Settings that differ from the defaults. */
  readonly env: Readonly<Record<string, string>>;
  /** Digest the durable state at every point: slow, for numbering them. */
  readonly digest: boolean;
  /** Told of everything that happens, one line each. */
  readonly tell?: ((line: string) => void) | undefined;
}

export class Stage {
  readonly time = new Time(START);
  readonly chance = new Chance(1);
  readonly db = new Database(":memory:", { strict: true });
  readonly books = new Database(":memory:", { strict: true });
  readonly faults = new Faults();
  readonly provider: ProviderPeer;
  readonly lightning: LightningPeer;
  readonly host: Host;
  readonly points: Points;
  readonly checker: Checker;
  readonly town: Town;
  readonly orders = new Orders();
  /** Activations on the same account that are not ours. */
  readonly strangers = new Set<string>();
  /** What a route to a customer costs, msats. */
  routeFee = ROUTE_FEE;
  violation: Error | null = null;
  readonly #prices: PricePeer;
  readonly #address: AddressPeer;
  readonly #downMs: Millis;
  readonly #tell: (line: string) => void;
  readonly #after = new Map<string, () => Promise<void>>();
  /** Since when the service has been up, without a break. */
  #upSince: Millis | null = null;

  constructor({ plan, downMs, env, digest, tell }: StageOptions) {
    const { time, books, faults, db } = this;
    this.#downMs = downMs;
    this.#tell = tell ?? (() => {});
    migrate(db);
    const peers = new SimWorld({ time, chance: new Chance(2), fetch: () => (_, options) => this.#webhook(options) });
    this.provider = new ProviderPeer({ world: peers, books, faults, smsAfterMs: null, webhooks: () => [WEBHOOK_URL] });
    this.lightning = new LightningPeer({ world: peers, books, faults, routeFee: (msat) => this.routeFee(msat) });
    this.#prices = new PricePeer({ world: peers, faults });
    this.#address = new AddressPeer({ wallet: this.lightning.wallet, faults });
    this.points = new Points(plan, () => time.now, digest ? () => durableDigest(db, books) : () => "");
    const { orders } = this;
    this.checker = new Checker({
      db,
      books,
      orders,
      strangers: this.strangers,
      violated: (violation) => this.fail(violation as Error),
    });
    const loaded = loadConfig({ CREATE_PER_MINUTE: "10000", READ_PER_MINUTE: "100000", LOG_LEVEL: "trace", ...env });
    if (!loaded.ok) throw new Error(loaded.problems.join("; "));
    this.host = new Host({
      time,
      chance: this.chance,
      db: refusingDisk(db, () => this.points.pass("within step") !== null),
      config: loaded.config,
      fetch: (world) => this.#fetch(world),
      disk: {
        writing: () => {},
        beforeCommit: () => this.#commit("before commit"),
        afterCommit: () => this.#commit("after commit"),
      },
      observer: {
        committed: (order, events) => this.#whileAlive(() => this.#committed(order, events)),
        crashed: (id, error) => this.#whileAlive(() => this.#broke(id, error)),
      },
      log: { write: (line) => this.#whileAlive(() => this.checker.logged(line)) },
      broken: (error) => this.fail(error instanceof Error ? error : new Error(String(error))),
    });
    const { host, lightning, provider, checker: listener } = this;
    this.town = new Town({ time, host, lightning, provider, listener });
  }

  /** The first failure counts. */
  fail(error: Error): void {
    this.violation ??= error;
  }

  /** Somebody else with the same account buys. The older call, so that faults planned for ours do not meet it. */
  async stranger(service: string, country: number): Promise<void> {
    const query = new URLSearchParams({ action: "getNumber", api_key: "sandbox", service, country: String(country) });
    const answer = await this.provider.fetch(new Request(`http://peers/stubs/handler_api.php?${query}`));
    const [, activationId] = /^ACCESS_NUMBER:(\d+):/.exec(await answer.text()) ?? [];
    if (activationId === undefined) throw new Error("The stranger got no number");
    this.strangers.add(activationId);
  }

  /** Does something once, in the instant after a peer acted on the next call of this name, and before its answer. */
  after(action: string, act: () => Promise<void>): void {
    this.#after.set(action, act);
  }

  /** The process is gone, and nobody starts it for a while. */
  away(ms: Millis): void {
    if (!this.host.die()) return;
    this.checker.died();
    this.#hasAllUpToCursor();
    this.#note(`the process is gone for ${ms / SECOND} s`);
    this.time.at(this.time.now + ms, () => {
      this.#note("the process starts");
      this.host.start();
    });
  }

  /** The process dies now. */
  die(): void {
    this.away(this.#downMs);
  }

  /** Lives on until `until`, or until `isOver` says so; looks at the clock of every order meanwhile. */
  run(until: Millis, isOver: () => boolean): void {
    const look = () => {
      this.#punctual();
      this.time.at(this.time.now + 15 * SECOND, look);
    };
    if (this.#upSince === null) look();
    this.time.run(until, () => this.violation !== null || isOver());
    if (this.violation) throw this.violation;
  }

  close(): void {
    this.host.die();
    this.provider.stop();
    this.lightning.close();
    this.books.close();
    this.db.close();
  }

  #note(what: string): void {
    this.#tell(`${((this.time.now - START) / SECOND).toFixed(3).padStart(10)} ${what}`);
  }

  /** What the code goes on to do in the turn in which its process died never happened. */
  #whileAlive(act: () => void): void {
    if (this.host.isUp) act();
  }

  #committed(order: Order, events: readonly OrderEvent[]): void {
    this.#note(`${order.id.slice(0, 4)} ${events.map(({ type }) => type).join(", ")} -> ${order.state.kind}`);
    this.checker.committed(order, events);
  }

  /** Nothing breaks a step but a refusal that was planned. */
  #broke(id: string, error: Error): void {
    if (error instanceof ConstraintBroken) return;
    this.fail(error instanceof Violation ? error : new Violation(18, `${id}: a step broke: ${error.message}`));
  }

  #commit(what: string): void {
    const failure = this.points.pass(what);
    if (failure === null) return;
    this.#note(`${failure} ${what}`);
    if (failure === "disk full") throw new DiskFull();
    this.die();
    throw new Crash();
  }

  /** A fair network: every call arrives, and every answer comes back. */
  #fetch(world: SimWorld): Fetch {
    const { time, points } = this;
    return (url, options = {}) =>
      new Promise((resolve, reject) => {
        const call = callOf(url, options.body);
        this.#note(`asks ${call.action}`);
        if (points.pass(`before ${call.action}`)) return this.die();
        options.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
        const lost = () => reject(new TypeError("connection lost"));
        const link = new AbortController();
        options.signal?.addEventListener("abort", () => link.abort());
        world.whenDead(() => link.abort());
        time.at(time.now + LATENCY_MS, () => {
          this.#peer(call, new Request(url, requestInit(options, link.signal))).then(
            (response) =>
              time.at(time.now + LATENCY_MS, () => {
                if (!world.alive) return;
                if (points.pass(`after ${call.action}`)) return this.die();
                resolve(response);
              }),
            () => time.at(time.now + LATENCY_MS, lost),
          );
        });
      });
  }

  async #peer({ peer, action }: Call, request: Request): Promise<Response> {
    if (action === "getNumberV2") this.#isCapped(new URL(request.url).searchParams);
    const peers = { node: this.lightning, provider: this.provider, prices: this.#prices, address: this.#address };
    try {
      return await peers[peer].fetch(request);
    } finally {
      const act = this.#after.get(action);
      this.#after.delete(action);
      await act?.();
    }
  }

  /** The cursor of the stream never passes a settlement that no order knows of: the stream would not tell it again. */
  #hasAllUpToCursor(): void {
    const cursor = this.db.query<{ value: string }, []>("SELECT value FROM cursors WHERE name = 'settlements'").get();
    const told = this.books
      .query<{ hash: string }, [number]>("SELECT hash FROM ln_invoices WHERE settle_index <= ?")
      .all(Number(cursor?.value ?? 0));
    for (const { hash } of told) {
      const order = this.orders.byHash(hash);
      if (order && !order.payment)
        this.fail(new Violation(9, "the cursor is past a settlement that its order never heard of"));
    }
  }

  /** A buy says what it may cost at most: what the price was quoted from. */
  #isCapped(params: URLSearchParams): void {
    const cap = parseMicroUsd(params.get("maxPrice"));
    const quoted = [...this.orders.all()].some(
      ({ state, terms }) => state.kind === "buying" && terms.good.maxCost === cap,
    );
    if (!quoted) this.fail(new Violation(8, "a buy without the cap of an order"));
  }

  /** The provider's webhook reaches whichever service runs now. */
  async #webhook(options: FetchOptions = {}): Promise<Response> {
    const { method = "POST", headers = {}, body = "" } = options;
    const answer = await this.host.ask(async ({ api }) =>
      api().handle(new Request(WEBHOOK_URL, { method, headers, body })),
    );
    if (!answer) throw new TypeError("connection refused");
    return answer;
  }

  /** While the process runs, no deadline is missed by more than the clock's own pace. */
  #punctual(): void {
    const { now } = this.time;
    this.#upSince = this.host.running ? (this.#upSince ?? now) : null;
    if (this.#upSince === null || now - this.#upSince < LATEST_MS + MINUTE) return;
    const row = this.db
      .query<{ id: string; kind: string }, [number]>("SELECT id, kind FROM orders WHERE due < ? LIMIT 1")
      .get(now - LATEST_MS);
    if (row) this.fail(new Violation(20, `${row.id}: a deadline in ${row.kind} passed more than a minute ago`));
  }
}

function requestInit({ method, headers, body }: FetchOptions, signal: AbortSignal): RequestInit {
  return { signal, ...(method && { method }), ...(headers && { headers }), ...(body !== undefined && { body }) };
}
