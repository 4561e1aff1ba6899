import { describe, expect, test } from "bun:test";
import type { Good } from "../../actors/order/terms.ts";
import { Patience } from "../../src/orders/patience.ts";
import { DAY, MINUTE, startEngine, termsOf } from "../actors/runtime/engine.ts";

const sms = termsOf(1, 0).good;
const rental = termsOf(1, 0, "rent-number").good;

const code = (outcomes: { givenBack: number; delivered: number }, good: Good = sms, pausesAll = false) =>
  new Patience({
    world: { now: () => 0 },
    store: { givenBackBy: () => outcomes.givenBack, servedTo: () => outcomes.delivered },
    guard: { pausesAll: () => pausesAll },
    maxCancelledPerClient: 5,
  }).refusal("a", good)?.problem ?? null;

describe("patience", () => {
  test("ends with a client whose orders all end without an SMS", () => {
    expect(code({ givenBack: 4, delivered: 0 })).toBeNull();
    expect(code({ givenBack: 5, delivered: 0 })).toBe("RATE_LIMITED");
    expect(code({ givenBack: 5, delivered: 2 })).toBe("RATE_LIMITED");
  });

  test("does not with one who uses a third of the numbers, nor for what cannot be given back", () => {
    expect(code({ givenBack: 6, delivered: 3 })).toBeNull();
    expect(code({ givenBack: 50, delivered: 0 }, rental)).toBeNull();
  });

  test("ends for all when the account is in danger, but for rentals, which are not judged by their SMS", () => {
    expect(code({ givenBack: 0, delivered: 0 }, sms, true)).toBe("TEMPORARILY_UNAVAILABLE");
    expect(code({ givenBack: 0, delivered: 0 }, rental, true)).toBeNull();
  });
});

test("a clock that was set back by a day does not make a client wait for a day", async () => {
  const engine = startEngine();
  const { world, store } = engine;
  const patience = new Patience({ world, store, guard: { pausesAll: () => false }, maxCancelledPerClient: 1 });
  await engine.withNumber(1, { openedBy: "a" });
  await world.advance(4 * MINUTE);
  await engine.tell(1, { type: "CancelAsked" });
  expect(patience.refusal("a", sms)?.problem).toBe("RATE_LIMITED");
  world.step(-DAY);
  expect(patience.refusal("a", sms)).toBeNull();
});

describe("outcomes of a client", () => {
  function watched() {
    const seen: string[] = [];
    const outcomes = { givenBack: 0, delivered: 0 };
    let now = 0;
    const patience = new Patience({
      world: { now: () => now },
      store: {
        givenBackBy: (client) => {
          seen.push(client);
          return outcomes.givenBack;
        },
        servedTo: () => outcomes.delivered,
      },
      guard: { pausesAll: () => false },
      maxCancelledPerClient: 5,
    });
    const refused = (client: string) => patience.refusal(client, sms) !== null;
    return { patience, seen, outcomes, refused, pass: (ms: number) => (now += ms) };
  }

  test("are looked at once for a burst of orders, and again a second later", () => {
    const { seen, refused, pass } = watched();
    for (let order = 0; order < 10; order++) for (const client of ["a", "b"]) refused(client);
    expect(seen).toEqual(["a", "b"]);
    pass(1_000);
    refused("a");
    expect(seen).toEqual(["a", "b", "a"]);
  });

  test("count from the very step that makes them", async () => {
    const engine = startEngine();
    const { patience, outcomes, refused } = watched();
    expect(refused("a")).toBe(false);
    const before = await engine.open(1);
    outcomes.givenBack = 5;
    patience.follow(before, null);
    expect(refused("a")).toBe(false);
    await engine.pay(1);
    patience.follow(engine.order(1), before);
    expect(refused("a")).toBe(true);
  });

  test("of very many clients are not all remembered", () => {
    const { seen, refused } = watched();
    for (let client = 0; client < 5_000; client++) refused(String(client));
    refused("0");
    expect(seen.length).toBe(5_001);
  });
});
