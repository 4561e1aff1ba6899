/**
 * Orders opened through the journal, in process, against the same rows written by bare bun:sqlite in transactions of the same size; and what
 * one costs with a million stored already against ten thousand.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { open } from "../../actors/order/decide.ts";
import { microUsd, sats } from "../../actors/order/money.ts";
import { DEFAULT_POLICY } from "../../actors/order/policy.ts";
import type { Terms } from "../../actors/order/terms.ts";
import { Journal, type Transition } from "../../actors/runtime/journal.ts";
import { configure } from "../../actors/runtime/schema.ts";
import { eventText, rowText } from "../../actors/runtime/texts.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { newOrderId } from "../../src/orders/order-id.ts";
import { newFolder } from "../product.ts";
import type { Row } from "../report.ts";
import { copyOrder } from "../seed.ts";
import { spread } from "../statistics.ts";

export const AIM_GROWTH = 1.3;
/** As many as share one commit at most. */
const GROUP = 512;
export const FEW = 10_000;
const WARM_UP = 8;

export function opening(world: RealWorld): Transition {
  const now = world.now();
  const terms: Terms = {
    good: { type: "receive-sms", service: "tg", country: 16, maxCost: microUsd(300_000) },
    priceSats: sats(812),
    createdAt: now,
    invoice: `lnbcrt8120n1${world.random(150).toHex()}`,
    paymentHash: world.random(32).toHex(),
    invoiceExpiresAt: now + DEFAULT_POLICY.invoiceExpiryMs,
    node: world.random(33).toHex(),
    notifyNpub: null,
    requestDigest: world.random(32).toHex(),
    policy: DEFAULT_POLICY,
  };
  const opened = open({ id: newOrderId(world), terms, destination: null, now });
  return {
    before: null,
    ...opened,
    postings: [],
    effects: [],
    messages: [],
    claims: [],
    openedBy: world.random(16).toHex(),
  };
}

const NUMBER = { activationId: "1", phoneNumber: "+10000000001", cost: microUsd(300_000), boughtAt: 1, endsAt: 2 };

const ended = (one: Transition): Transition => ({
  ...one,
  order: { ...one.order, state: { kind: "done", as: "completed", number: NUMBER }, endedAt: one.order.terms.createdAt },
});

interface Spent {
  /** Microseconds of processor time, and of time, of one order. */
  readonly cpu: number;
  readonly wall: number;
}

async function spent(count: number, work: () => Promise<void>): Promise<Spent> {
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpuBefore);
  return { cpu: (user + system) / count, wall: ((performance.now() - before) * 1_000) / count };
}

/** The same two rows an order, and nothing else: no savepoints, no claims, no checks. */
function floor(path: string) {
  const db = new Database(path, { create: true, strict: true });
  configure(db);
  db.run("CREATE TABLE orders (id TEXT PRIMARY KEY, hash TEXT NOT NULL, state TEXT NOT NULL, expires INTEGER) STRICT");
  db.run("CREATE UNIQUE INDEX orders_payment ON orders (coalesce(unhex(substr(hash, 1, 16)), hash))");
  db.run("CREATE TABLE events (id TEXT, seq INTEGER, body TEXT, PRIMARY KEY (id, seq)) STRICT");
  const order = db.prepare("INSERT INTO orders VALUES (?, ?, ?, ?)");
  const event = db.prepare("INSERT INTO events VALUES (?, ?, ?)");
  const write = db.transaction((group: readonly Transition[]) => {
    for (const { order: one, events } of group) {
      order.run(one.id, one.terms.paymentHash, rowText(one), one.terms.invoiceExpiresAt);
      for (const [index, body] of events.entries()) event.run(one.id, index, eventText(body));
    }
  });
  return { write, close: () => db.close() };
}

/** A new folder with a database of `stored` orders. Nearly all that a service stores is over: of those that nobody paid it keeps few. */
export async function filled(world: RealWorld, stored: number): Promise<string> {
  const folder = newFolder();
  const journal = Journal.open(join(folder, "orders.sqlite"), world);
  const over = ended(opening(world));
  await journal.commit(over);
  journal.close();
  copyOrder(folder, { from: over.order.id, count: stored - 1 });
  return folder;
}

/** @param stored how many orders the larger of two databases holds, for the growth of the cost; both are written in turn. */
export async function journal({
  groups,
  rounds,
  stored,
}: {
  readonly groups: number;
  readonly rounds: number;
  readonly stored: number;
}): Promise<Row> {
  const world = new RealWorld();
  const open = async (count: number) => Journal.open(join(await filled(world, count), "orders.sqlite"), world);
  const few = await open(FEW);
  const many = await open(stored);
  const bare = floor(join(newFolder(), "floor.sqlite"));
  const count = groups * GROUP;
  const commit = (to: Journal, group: readonly Transition[]) => Promise.all(group.map((one) => to.commit(one)));
  const round = async () => {
    const batches = () => Array.from({ length: groups }, () => Array.from({ length: GROUP }, () => opening(world)));
    const inFew = batches();
    const inMany = batches();
    return {
      few: await spent(count, async () => {
        for (const batch of inFew) await commit(few, batch);
      }),
      bare: await spent(count, async () => {
        for (const batch of inFew) bare.write(batch);
      }),
      many: await spent(count, async () => {
        for (const batch of inMany) await commit(many, batch);
      }),
    };
  };
  // The first ones fill the caches.
  for (let n = 0; n < WARM_UP; n++) await round();
  const seen: Awaited<ReturnType<typeof round>>[] = [];
  for (let n = 0; n < rounds; n++) seen.push(await round());
  for (const one of [few, many, bare]) one.close();
  const rate = spread(seen.map(({ few }) => 1e6 / few.wall));
  const cpu = spread(seen.map(({ few }) => few.cpu));
  const ratio = spread(seen.map(({ few, bare }) => bare.cpu / few.cpu));
  // Of all rounds together: the log is moved into the file in some of them, for all.
  const total = (name: "few" | "many") => seen.reduce((sum, one) => sum + one[name].cpu, 0);
  const orders = (n: number) => n.toLocaleString("en-US");
  return {
    id: "journal",
    work: "Orders opened through the journal, durable, in process",
    figures: [
      { name: "rate", value: rate.median, unit: "/s", range: [rate.min, rate.max] },
      { name: "processor time an order", value: cpu.median, unit: "us", range: [cpu.min, cpu.max] },
      { name: "bare bun:sqlite's processor time / ours", value: ratio.median, unit: "", range: [ratio.min, ratio.max] },
      {
        name: `cost with ${orders(stored)} stored / with ${orders(FEW)}, in groups of ${GROUP}`,
        value: total("many") / total("few"),
        unit: "",
        aim: { atMost: AIM_GROWTH },
      },
    ],
  };
}
