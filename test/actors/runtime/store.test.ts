import { expect, test } from "bun:test";
import { GIVEN_BACK, SERVED, type Store } from "../../../actors/runtime/store.ts";
import { destinationOf, HOUR, idOf, MINUTE, startEngine } from "./engine.ts";

const outcomesOf = (store: Store, client: string, since: number, until = Number.MAX_SAFE_INTEGER) => ({
  givenBack: store.givenBackBy(client, since, until),
  delivered: store.servedTo(client, since, until),
});

const SMS = { id: "m", code: "1234", text: "1234", from: null, receivedAt: null };

test("how a client's orders went: given back without an SMS, or with one, and nobody else's", async () => {
  const engine = startEngine();
  const { world, store, withNumber, tell, answer } = engine;
  const since = world.now();
  for (const [n, openedBy] of [
    [1, "farmer"],
    [2, "farmer"],
    [3, "farmer"],
    [4, "other"],
  ] as const) {
    await withNumber(n, { openedBy, destination: destinationOf(n, world.now() + 2 * HOUR) });
  }
  expect(outcomesOf(store, "farmer", since)).toEqual({ givenBack: 0, delivered: 0 });
  await world.advance(4 * MINUTE);
  await tell(1, { type: "CancelAsked" });
  await tell(4, { type: "CancelAsked" });
  await tell(3, { type: "Hinted" });
  await answer("look", { type: "Looked", answer: { kind: "seen", standing: "open", messages: [SMS] } });
  expect(outcomesOf(store, "farmer", since)).toEqual({ givenBack: 1, delivered: 0 });
  await tell(3, { type: "Hinted" });
  await answer("look", { type: "Looked", answer: { kind: "seen", standing: "finished", messages: [] } });
  expect(outcomesOf(store, "farmer", since)).toEqual({ givenBack: 1, delivered: 1 });
  expect(outcomesOf(store, "farmer", world.now())).toEqual({ givenBack: 0, delivered: 0 });
  expect(outcomesOf(store, "farmer", since - HOUR, since - 1)).toEqual({ givenBack: 0, delivered: 0 });
  // A client with a thousand orders must not cost a thousand states at each new one.
  for (const [how, index] of [
    [GIVEN_BACK, "orders_given_back"],
    [SERVED, "orders_served"],
  ] as const) {
    const plan = engine.db
      .query<{ detail: string }, []>(
        `EXPLAIN QUERY PLAN SELECT 1 FROM orders WHERE opened_by = 'a' AND created_at BETWEEN 0 AND 5 AND opened_by IS NOT NULL AND ${how}`,
      )
      .all();
    expect(plan.map(({ detail }) => detail).join()).toContain(
      `INDEX ${index} (opened_by=? AND created_at>? AND created_at<?)`,
    );
  }
});

test("of the orders that had a number the last is found", async () => {
  const { store, withNumber, db } = startEngine();
  for (const n of [1, 2, 3]) await withNumber(n);
  db.run("UPDATE orders SET activation_id = '7' WHERE id <> ?", [idOf(3)]);
  expect(store.idByActivation("7")).toBe(idOf(2));
  expect(store.idByActivation("8")).toBeNull();
});

test("an order whose refund address is being asked was given back like any other", async () => {
  const { world, store, withNumber, tell, answer, order } = startEngine();
  const since = world.now();
  await withNumber(1, { openedBy: "farmer" });
  await tell(1, { type: "AddressGiven", address: "nobody@wallet.com" });
  await world.advance(4 * MINUTE);
  await tell(1, { type: "CancelAsked" });
  await answer("look", { type: "Looked", answer: { kind: "seen", standing: "refunded", messages: [] } });
  expect(order(1).state.kind).toBe("resolving");
  expect(outcomesOf(store, "farmer", since)).toEqual({ givenBack: 1, delivered: 0 });
});
