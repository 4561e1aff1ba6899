/**
 * Whole lives without HTTP: create, payment, number, SMS, code read, completed. The application as `service.ts` starts it, its journal a file with
 * `synchronous=FULL`, its log at the default level in a file. Node and provider answer at once; customers read with their credentials.
 *
 *   bun bench/in-process.ts '<job as JSON>'     its last line is its result, JSON
 */
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Kind } from "../actors/order/state.ts";
import { Journal } from "../actors/runtime/journal.ts";
import { RealWorld } from "../actors/runtime/world.ts";
import { assemble } from "../src/assembly.ts";
import { bind } from "../src/binding.ts";
import { loadConfig } from "../src/config.ts";
import { RootKeys } from "../src/l402/keys.ts";
import { ProvenCredentials } from "../src/l402/proven.ts";
import { LateOutbox } from "../src/lightning/outbox.ts";
import { loadNames } from "../src/names.ts";
import { gather, LOG_WAITS_MS } from "../src/ops/log-output.ts";
import { createLog } from "../src/ops/logs.ts";
import { Metrics } from "../src/ops/metrics.ts";
import type { Bearer } from "../src/orders/desk.ts";
import { isProblem } from "../src/orders/problem.ts";
import type { OrderView } from "../src/orders/view.ts";
import { parseUsdPerBtc } from "../src/pricing/units.ts";
import { instantNode, instantProvider } from "./instant-peers.ts";
import { RAISED } from "./product.ts";
import { RecordedDatabase, replay } from "./recorded.ts";

export interface InProcessJob {
  readonly folder: string;
  /** Lives that are counted; a quarter as many go before. */
  readonly lives: number;
  /** Id of its first activation; no two runs on one folder may share any. */
  readonly firstId: number;
  /** Lives under way at once. */
  readonly customers: number;
  /** Whether bare bun:sqlite writes the same rows afterwards. Recording them takes time too: such a run's own figures are too bad. */
  readonly floor: boolean;
}

export interface InProcessResult {
  readonly perSecond: number;
  /** Processor time of this process, microseconds a life. Peers and customers are part of it. */
  readonly cpuMicros: number;
  readonly commits: number;
  /** Processor time of bare bun:sqlite for the same rows, microseconds a life; null unless asked for. */
  readonly floorMicros: number | null;
}

/** Of 16 services in 16 countries: buys of one pair wait for each other. */
const SERVICES = "tg wa go fb ig ds am vk tw mm lf uk nf ub hw ts".split(" ");
const COUNTRIES = 16;
const CENTS = parseUsdPerBtc("100000");
/** 0.1 USD at that rate, times 1.5. */
const PRICE_SATS = 150;
const WITHIN_MS = 120_000;

const { folder, lives, firstId, customers, floor } = JSON.parse(process.argv[2] ?? "") as InProcessJob;
const warmUp = Math.ceil(lives / 4);
const loaded = loadConfig({ ...RAISED, CODE_GRACE_SECONDS: "0", DATA_DIR: folder });
if (!loaded.ok || CENTS === null) throw new Error("The configuration is wrong");
const { config } = loaded;
const cents = CENTS;
const world = new RealWorld();
const now = () => world.now();
const database = new RecordedDatabase(join(folder, "orders.sqlite"), { records: floor });
const journal = new Journal(database, world);
database.takeWritten();
const logFile = openSync(join(folder, "log"), "a");
const node = instantNode(lives + warmUp, PRICE_SATS, now);
const provider = instantProvider(now, firstId);
const keys = new RootKeys([{ kid: 0, key: world.random(32) }]);
const proven = new ProvenCredentials();

/** Who waits for an order to come to a kind. */
const waiting = new Map<string, { readonly kind: Kind; readonly go: () => void }>();
const comesTo = (orderId: string, kind: Kind): Promise<void> => new Promise((go) => waiting.set(orderId, { kind, go }));

const app = assemble({
  world,
  log: createLog({
    level: config.logLevel,
    pretty: false,
    name: "l402-numbers",
    now,
    destination: gather({ write: (text) => writeSync(logFile, text) }, (run) => setTimeout(run, LOG_WAITS_MS)),
  }),
  metrics: new Metrics(),
  config,
  names: loadNames(config).names,
  peers: {
    node,
    provider,
    priceSources: (["coinbase", "kraken"] as const).map((name) => ({
      name,
      quote: async () => ({ source: name, cents, at: now() }),
    })),
    sharedRates: null,
    notifier: null,
    sandbox: true,
    troubles: { listener: () => {} },
    outbox: new LateOutbox(),
  },
  journal,
  bound: await bind(world, journal.store, node, { providerAccount: provider.accountFingerprint(), sandbox: true }),
  keys,
  observer: {
    committed({ id, state }) {
      const waits = waiting.get(id);
      if (waits?.kind !== state.kind) return;
      waiting.delete(id);
      waits.go();
    },
  },
});

/** A read as the API does it: what the header proves is looked at first. */
async function read(authorization: string, orderId: string): Promise<OrderView> {
  const get = (name: string) => (name === "authorization" ? authorization : null);
  const credential = proven.read({ get }, { keys, now: now(), orderId });
  if (credential.kind !== "paid" || credential.expired) throw new Error(`The credential is ${credential.kind}`);
  const bearer: Bearer = credential;
  const view = await app.desk.read(bearer);
  if (isProblem(view)) throw new Error(view.message);
  return view;
}

async function live(n: number): Promise<void> {
  const challenge = await app.desk.create({
    request: {
      service: SERVICES[n % SERVICES.length] ?? "",
      country: 1 + (Math.floor(n / SERVICES.length) % COUNTRIES),
    },
    emptyBody: false,
    client: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
    idempotencyKey: null,
    bearer: null,
    unpaidBearer: null,
    parent: null,
  });
  if (isProblem(challenge) || challenge.kind !== "challenge") throw new Error("No challenge");
  const { orderId, macaroon, paymentHash } = challenge;
  const numbered = comesTo(orderId, "waiting");
  const authorization = `L402 ${macaroon}:${node.pays(paymentHash)}`;
  await numbered;
  const { phoneNumber } = await read(authorization, orderId);
  if (phoneNumber === null) throw new Error("No number");
  const arrived = comesTo(orderId, "delivered");
  app.desk.hint(provider.receives(phoneNumber));
  await arrived;
  const ended = comesTo(orderId, "done");
  const { code } = await read(authorization, orderId);
  if (code === null) throw new Error("No code");
  await ended;
}

let begun = 0;
async function liveAll(count: number): Promise<void> {
  const end = begun + count;
  const customer = async () => {
    while (begun < end) await live(begun++);
  };
  await Promise.all(Array.from({ length: customers }, customer));
}

const late = setTimeout(() => {
  console.error(`Lives still run after ${WITHIN_MS} ms`);
  process.exit(1);
}, WITHIN_MS);
await app.start();
await liveAll(warmUp);
const writtenBefore = database.takeWritten();
const commitsBefore = database.commits;
const cpuBefore = process.cpuUsage();
const began = performance.now();
await liveAll(lives);
const seconds = (performance.now() - began) / 1_000;
const { user, system } = process.cpuUsage(cpuBefore);
const commits = database.commits - commitsBefore;
const written = database.takeWritten();
clearTimeout(late);
await app.stop(1_000);
journal.close();
const result: InProcessResult = {
  perSecond: lives / seconds,
  cpuMicros: (user + system) / lives,
  commits: commits / lives,
  floorMicros: floor ? replay(join(folder, "floor.sqlite"), writtenBefore, written) / lives : null,
};
console.log(JSON.stringify(result));
process.exit(0);
