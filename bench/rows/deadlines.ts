/** How late deadlines fire: 100,000 are armed, a thousand fall due each second, and each has fired when its step is durable. */
import { join } from "node:path";
import type { Order } from "../../actors/order/state.ts";
import type { OrderId } from "../../actors/order/terms.ts";
import { Deadlines } from "../../actors/runtime/deadlines.ts";
import { Journal, type Transition } from "../../actors/runtime/journal.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { newFolder } from "../product.ts";
import type { Row } from "../report.ts";
import { quantile } from "../statistics.ts";
import { opening } from "./journal.ts";

const AIM_MS = 50;
const PER_SECOND = 1_000;
const GROUP = 512;
const HOUR_MS = 3_600_000;

/** An order that pauses before it buys: the simplest state with a deadline. */
const pausing = (order: Order, due: number): Order => ({
  ...order,
  state: { kind: "buying", step: "pausing", attempt: 1, startedAt: order.terms.createdAt, due },
});

export async function deadlines({
  armed,
  seconds,
}: {
  readonly armed: number;
  readonly seconds: number;
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
  await store(armed - firing, () => began + HOUR_MS);
  // Those that fire begin to fall due once all are stored, by the pace so far with room to spare.
  const begins = world.now() + 2_000 + Math.ceil(3 * ((world.now() - began) / (armed - firing)) * firing);
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
      const order: Order = { ...pausing(before, begins + HOUR_MS), seq: before.seq };
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
  timer.start();
  const limit = setTimeout(
    () => done.reject(new Error(`Only ${late.length} of ${firing} deadlines fired`)),
    begins - world.now() + seconds * 1_000 + 60_000,
  );
  await done.promise;
  clearTimeout(limit);
  timer.stop();
  journal.close();
  late.sort((a, b) => a - b);
  return {
    id: "deadlines",
    work: `Deadlines with ${armed.toLocaleString("en-US")} armed, ${PER_SECOND} a second`,
    figures: [
      { name: "late, median", value: quantile(late, 0.5), unit: "ms" },
      { name: "late, p99", value: quantile(late, 0.99), unit: "ms" },
      { name: "late, p99.9", value: quantile(late, 0.999), unit: "ms", aim: { atMost: AIM_MS } },
    ],
  };
}
