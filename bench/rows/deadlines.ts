/**
 * How late deadlines fire: 100,000 are armed, a thousand fall due each second, and each has fired when its step is durable. Then the disk
 * alone: as many bytes at the same pace, written and synced by a bare loop.
 */
import { join } from "node:path";
import type { Order } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import { Deadlines } from "../../actors/runtime/deadlines.ts";
import { Journal, type Transition } from "../../actors/runtime/journal.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { bareLateness, bytesWritten } from "../disk.ts";
import { newFolder } from "../product.ts";
import type { Row } from "../report.ts";
import { quantile, spread } from "../statistics.ts";
import { opening } from "./journal.ts";

const AIM_MS = 50;
const PER_SECOND = 1_000;
const GROUP = 512;
const DAY_MS = 86_400_000;

/** An order that pauses before it buys: the simplest state with a deadline. */
const pausing = (order: Order, due: number): Order => ({
  ...order,
  state: { kind: "buying", step: "pausing", attempt: 1, startedAt: order.terms.createdAt, due },
});

export async function deadlines({
  armed,
  seconds,
  rounds,
}: {
  readonly armed: number;
  readonly seconds: number;
  readonly rounds: number;
}): Promise<Row> {
  const world = new RealWorld();
  const journal = Journal.open(join(newFolder(), "orders.sqlite"), world);
  const dues = new Map<OrderId, Order>();
  const firing = PER_SECOND * seconds;
  const store = async (count: number, dueOf: (n: number) => number) => {
    for (let from = 0; from < count; from += GROUP) {
      const group = Array.from({ length: Math.min(GROUP, count - from) }, (_, index): Transition => {
        const one = opening(world);
        const order = pausing(one.order, dueOf(from + index));
        dues.set(order.id, order);
        return { ...one, order };
      });
      await Promise.all(group.map((one) => journal.commit(one)));
    }
  };
  const began = world.now();
  const never = began + DAY_MS;
  await store(armed, () => never);
  // Those that fire begin to fall due once all are stored, by the pace so far with room to spare.
  const storingMs = Math.ceil(3 * ((world.now() - began) / armed) * firing);

  const round = async () => {
    const begins = world.now() + 2_000 + storingMs;
    await store(firing, (n) => begins + Math.floor((n * 1_000) / PER_SECOND));
    if (world.now() > begins) throw new Error("The orders were not stored before the first fell due");
    const late: number[] = [];
    const done = Promise.withResolvers<void>();
    const timer = new Deadlines({
      world,
      store: journal.store,
      fire: async (id) => {
        const before = dues.get(id);
        if (before?.state.kind !== "buying") throw new Error("An order fired that has no deadline");
        const order: Order = { ...pausing(before, never), seq: before.seq };
        const result = await journal.commit({
          before,
          order,
          events: [],
          postings: [],
          effects: [],
          messages: [],
          claims: [],
        });
        if (result.kind !== "committed") throw result.kind === "refused" ? result.error : new Error("A claim was lost");
        dues.set(id, order);
        late.push(world.now() - before.state.due);
        if (late.length === firing) done.resolve();
      },
    });
    const bytesBefore = bytesWritten();
    timer.start();
    const limit = setTimeout(
      () => done.reject(new Error(`Only ${late.length} of ${firing} deadlines fired`)),
      begins - world.now() + seconds * 1_000 + 60_000,
    );
    await done.promise;
    clearTimeout(limit);
    timer.stop();
    const bytes = Math.ceil((bytesWritten() - bytesBefore) / firing);
    const bare = await bareLateness({ perSecond: PER_SECOND, seconds, bytes });
    return { late: late.sort((a, b) => a - b), bare, bytes };
  };

  const seen: Awaited<ReturnType<typeof round>>[] = [];
  for (let n = 0; n < rounds; n++) seen.push(await round());
  journal.close();
  const ms = (name: string, of: "late" | "bare", q: number) => {
    const { median, min, max } = spread(seen.map((one) => quantile(one[of], q)));
    return { name, value: median, unit: "ms", range: [min, max] as const };
  };
  return {
    id: "deadlines",
    work: `Deadlines with ${armed.toLocaleString("en-US")} armed, ${PER_SECOND} a second`,
    figures: [
      ms("late, median", "late", 0.5),
      ms("late, p99", "late", 0.99),
      { ...ms("late, p99.9", "late", 0.999), aim: { atMost: AIM_MS } },
      { name: "written for each", value: spread(seen.map(({ bytes }) => bytes)).median / 1_024, unit: "KiB" },
      ms("the disk alone, p99", "bare", 0.99),
      ms("the disk alone, p99.9", "bare", 0.999),
    ],
  };
}
