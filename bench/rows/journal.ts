/**
 * Orders opened through the journal, in process, against the same rows written by bare bun:sqlite in transactions of the same size; and how
 * that cost grows with what is stored already.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { open } from "../../actors/order/decide.ts";
import { microUsd, sats } from "../../actors/order/money.ts";
import { DEFAULT_POLICY } from "../../actors/order/policy.ts";
import type { Terms } from "../../actors/order/terms.ts";
import { Journal, type Transition } from "../../actors/runtime/journal.ts";
import { configure } from "../../actors/runtime/schema.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { newOrderId } from "../../src/orders/order-id.ts";
import { newFolder } from "../product.ts";
import type { Row } from "../report.ts";
import { copyOrder } from "../seed.ts";
import { spread } from "../statistics.ts";

const AIM_GROWTH = 1.3;
/** As many as share one commit at most. */
const GROUP = 512;

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

const ended = (one: Transition): Transition => ({
  ...one,
  order: { ...one.order, state: { kind: "done", as: "completed", number: null }, endedAt: one.order.terms.createdAt },
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
      order.run(one.id, one.terms.paymentHash, JSON.stringify(one), one.terms.invoiceExpiresAt);
      for (const [index, body] of events.entries()) event.run(one.id, index, JSON.stringify(body));
    }
  });
  return { write, close: () => db.close() };
}

/** @param stored how many orders there are at the end, for the growth of the cost. */
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
  const folder = newFolder();
  const file = join(folder, "orders.sqlite");
  let ours = Journal.open(file, world);
  const bare = floor(join(folder, "floor.sqlite"));
  const seen: { readonly ours: Spent; readonly floor: Spent }[] = [];
  const group = () => Array.from({ length: GROUP }, () => opening(world));
  const commit = (transitions: readonly Transition[]) => Promise.all(transitions.map((one) => ours.commit(one)));
  let written = 0;
  const round = async (): Promise<{ readonly ours: Spent; readonly floor: Spent }> => {
    const batches = Array.from({ length: groups }, group);
    const count = groups * GROUP;
    written += count;
    const own = await spent(count, async () => {
      for (const batch of batches) await commit(batch);
    });
    const other = await spent(count, async () => {
      for (const batch of batches) bare.write(batch);
    });
    return { ours: own, floor: other };
  };
  await round();
  for (let n = 0; n < rounds; n++) seen.push(await round());
  const early = spread(seen.map((one) => one.ours.cpu));
  const growth: [number, number][] = [[written, early.median]];
  // Nearly all that a service stores is over: of those that nobody paid it keeps few.
  const over = ended(opening(world));
  await ours.commit(over);
  ours.close();
  copyOrder(folder, { from: over.order.id, count: stored - written });
  ours = Journal.open(file, world);
  written = stored;
  // The caches begin empty again.
  await round();
  const found: number[] = [];
  for (let n = 0; n < rounds; n++) found.push((await round()).ours.cpu);
  const late = spread(found);
  growth.push([written, late.median]);
  ours.close();
  bare.close();
  const wall = spread(seen.map((one) => 1e6 / one.ours.wall));
  const ratio = spread(seen.map((one) => one.floor.cpu / one.ours.cpu));
  return {
    id: "journal",
    work: "Orders opened through the journal, durable, in process",
    figures: [
      { name: "rate", value: wall.median, unit: "/s", range: [wall.min, wall.max] },
      { name: "processor time an order", value: early.median, unit: "us", range: [early.min, early.max] },
      { name: "bare bun:sqlite's processor time / ours", value: ratio.median, unit: "", range: [ratio.min, ratio.max] },
      {
        name: `cost at ${written.toLocaleString("en-US")} stored orders / at ${(growth[0]?.[0] ?? 0).toLocaleString("en-US")}`,
        value: late.median / early.median,
        unit: "",
        aim: { atMost: AIM_GROWTH },
      },
    ],
  };
}
