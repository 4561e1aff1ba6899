/** Orders that are copied for a measurement must be orders: what is read of them is what their rows say. */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { deadline, numberOf, type Order } from "../../actors/order/state.ts";
import { Journal } from "../../actors/runtime/journal.ts";
import { parseOrder } from "../../actors/runtime/texts.ts";
import { RealWorld } from "../../actors/runtime/world.ts";
import { cleanUp } from "../../bench/processes.ts";
import { newFolder } from "../../bench/product.ts";
import { opening } from "../../bench/rows/journal.ts";
import { copyOrder } from "../../bench/seed.ts";
import { numberOf as someNumber } from "../actors/runtime/engine.ts";

afterAll(cleanUp);

interface Row {
  readonly id: string;
  readonly state: string;
  readonly hash: string;
  readonly activation: string;
  readonly due: number;
}

test("a copied order is the one that its row names, with a number and a deadline of its own, and counted", async () => {
  const folder = newFolder();
  const file = join(folder, "orders.sqlite");
  const world = new RealWorld();
  const one = opening(world);
  const order: Order = {
    ...one.order,
    state: { kind: "waiting", number: someNumber(1, world.now()), looking: "idle", due: world.now() + 60_000 },
  };
  const journal = Journal.open(file, world);
  await journal.commit({ ...one, order });
  journal.close();
  copyOrder(folder, { from: order.id, count: 3 });
  copyOrder(folder, { from: order.id, count: 2, due: { first: 1_000, everyMs: 10 } });

  const db = new Database(file, { readonly: true });
  const rows = db
    .query<Row, []>("SELECT id, state, payment_hash AS hash, activation_id AS activation, due FROM orders ORDER BY due")
    .all();
  expect(rows.map(({ due }) => due)).toEqual([1_000, 1_010, ...Array.from({ length: 4 }, () => deadline(order) ?? 0)]);
  for (const { id, state, hash, activation, due } of rows) {
    const read = parseOrder(state);
    expect(read).toMatchObject({ id, terms: { paymentHash: hash } });
    expect([numberOf(read)?.activationId, deadline(read)]).toEqual([activation, due]);
  }
  for (const name of ["id", "hash", "activation"] as const) expect(new Set(rows.map((row) => row[name])).size).toBe(6);
  expect(db.query("SELECT count(*) AS n FROM events").get()).toEqual({ n: 6 });
  expect(db.query("SELECT orders FROM stakes WHERE kind = 'waiting'").get()).toEqual({ orders: 6 });
  db.close();
});
