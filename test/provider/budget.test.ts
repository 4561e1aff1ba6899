import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Millis, World } from "../../actors/runtime/world.ts";
import { BudgetRefused, RequestBudget } from "../../src/provider/budget.ts";

/** A world whose clock only the test moves. */
class SteeredWorld implements World {
  time = 1_000_000;
  readonly timers = new Set<{ time: Millis; run: () => void }>();
  readonly fetch = () => Promise.reject(new Error("no network here"));
  readonly connect = () => {
    throw new Error("no sockets here");
  };

  now = () => this.time;
  random = (length: number) => new Uint8Array(length);
  soon = (run: () => void) => void this.at(this.time, run);
  hold = () => () => {};

  at(time: Millis, run: () => void) {
    const timer = { time, run };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  async advance(ms: number) {
    const target = this.time + ms;
    for (;;) {
      await Bun.sleep(0);
      const next = [...this.timers].sort((a, b) => a.time - b.time)[0];
      if (!next || next.time > target) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.time);
      next.run();
    }
    this.time = target;
    await Bun.sleep(0);
  }
}

test("never more than 45 requests pass in any one second", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  const sent: Millis[] = [];
  for (let index = 0; index < 200; index++) void budget.enter("urgent").then(() => sent.push(world.now()));
  await world.advance(10_000);
  expect(sent).toHaveLength(200);
  expect(sent.filter((time) => time === sent[0])).toHaveLength(4);
  for (const from of sent) {
    expect(sent.filter((time) => time >= from && time < from + 1_000).length).toBeLessThanOrEqual(45);
  }
  expect((sent.at(-1) ?? 0) - (sent[0] ?? 0)).toBe((200 - 4) * 25);
});

for (const [perSecond, most] of [
  [5, 7],
  [40, 45],
  [800, 900],
  [10_000, 11_250],
] as const) {
  test(`an allowance of ${perSecond} requests a second is used, and never more than ${most} in any one second`, async () => {
    const world = new SteeredWorld();
    const budget = new RequestBudget(world, perSecond);
    const sent: Millis[] = [];
    const ask = () => void budget.enter("urgent").then(() => sent.push(world.now()), ask);
    for (let index = 0; index < perSecond * 3; index++) ask();
    await world.advance(2_000);
    expect(sent.length).toBeGreaterThanOrEqual(perSecond * 2);
    let first = 0;
    let greatest = 0;
    sent.forEach((time, index) => {
      while ((sent[first] ?? 0) <= time - 1_000) first++;
      greatest = Math.max(greatest, index - first + 1);
    });
    expect(greatest).toBeLessThanOrEqual(most);
  });
}

test("a code is asked for at once, although others used up what may go at once", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  for (let index = 0; index < 100; index++) void budget.enter("urgent");
  await world.advance(1_000);
  const asked = world.now();
  let sentAt = 0;
  void budget.enter("code").then(() => {
    sentAt = world.now();
  });
  await world.advance(1_000);
  expect(sentAt).toBe(asked);
});

test("a code goes before what is urgent, that before polls, polls before quotes, and quotes before the catalog", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  const order: string[] = [];
  budget.pause(100);
  for (const priority of ["catalog", "quote", "poll", "urgent", "code", "poll", "quote", "urgent"] as const) {
    void budget.enter(priority).then(() => order.push(priority));
  }
  await world.advance(2_000);
  expect(order).toEqual(["code", "urgent", "urgent", "poll", "poll", "quote", "quote", "catalog"]);
});

test("a pause holds everything back until it is over", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  let sentAt = 0;
  budget.pause(10_000);
  void budget.enter("urgent").then(() => {
    sentAt = world.now();
  });
  await world.advance(20_000);
  expect(sentAt).toBe(1_010_000);
});

test("a request that would wait longer than 12 seconds is refused at once", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  budget.pause(30_000);
  await expect(budget.enter("urgent")).rejects.toBeInstanceOf(BudgetRefused);
});

test("waiting requests are refused when a long pause begins", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  budget.pause(5_000);
  const waiting = budget.enter("poll");
  budget.pause(60_000);
  await expect(waiting).rejects.toBeInstanceOf(BudgetRefused);
});

test("a poll that urgent requests kept waiting for 12 seconds is refused", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  let outcome = "waiting";
  budget.pause(100);
  budget.enter("poll").then(
    () => {
      outcome = "sent";
    },
    () => {
      outcome = "refused";
    },
  );
  for (let second = 0; second < 14; second++) {
    for (let index = 0; index < 45; index++) budget.enter("urgent").catch(() => {});
    await world.advance(1_000);
  }
  expect(outcome).toBe("refused");
});

test("the line of each priority is bounded, and a full one leaves the others open", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  budget.pause(1_000);
  let refused = 0;
  for (let index = 0; index < 600; index++) budget.enter("poll").catch(() => refused++);
  let urgent = false;
  void budget.enter("urgent").then(() => {
    urgent = true;
  });
  await world.advance(1_000);
  expect(refused).toBe(100);
  expect(urgent).toBe(true);
});

for (const flood of [["quote"], ["catalog"], ["quote", "catalog"]] as const) {
  test(`a flood of ${flood.join(" and ")} gets about 10 requests a second, and nothing paid waits for it`, async () => {
    const world = new SteeredWorld();
    const budget = new RequestBudget(world);
    let passed = 0;
    let refused = 0;
    const waits: number[] = [];
    for (let tick = 0; tick < 100; tick++) {
      for (const priority of flood) {
        for (let index = 0; index < 10; index++) {
          budget.enter(priority).then(
            () => passed++,
            () => refused++,
          );
        }
      }
      const asked = world.now();
      for (let index = 0; index < 2; index++) void budget.enter("urgent").then(() => waits.push(world.now() - asked));
      await world.advance(100);
    }
    expect(passed).toBeGreaterThanOrEqual(100);
    expect(passed).toBeLessThanOrEqual(111);
    expect(refused).toBeGreaterThan(800);
    expect(waits).toHaveLength(200);
    expect(Math.max(...waits)).toBeLessThanOrEqual(100);
  });

  test(`of a flood of ${flood.join(" and ")}, what cannot be sent within 4 seconds is refused at once`, async () => {
    const world = new SteeredWorld();
    const budget = new RequestBudget(world);
    let settled = 0;
    let passed = 0;
    for (const priority of flood) {
      for (let index = 0; index < 500; index++) {
        budget
          .enter(priority)
          .then(
            () => passed++,
            () => {},
          )
          .finally(() => settled++);
      }
    }
    await Bun.sleep(0);
    expect(settled).toBe(500 * flood.length - 20 * flood.length);
    await world.advance(4_000);
    expect(settled).toBe(500 * flood.length);
    expect(passed).toBe(4 + 20 * flood.length);
  });
}

test("a clock that steps back by a day does not stop requests for a day", async () => {
  const world = new SteeredWorld();
  const budget = new RequestBudget(world);
  for (let index = 0; index < 4; index++) await budget.enter("urgent");
  for (let index = 0; index < 12; index++) void budget.enter("quote");
  await world.advance(500);
  budget.pause(10_000);
  world.time -= 86_400_000;
  let sent = false;
  // The pause left is at most a minute, so the first ask may be refused; the one after that minute is not.
  await budget.enter("urgent").catch(() => {});
  await world.advance(61_000);
  void budget.enter("urgent").then(() => {
    sent = true;
  });
  await world.advance(1_000);
  expect(sent).toBe(true);
  let quoted = false;
  void budget.enter("quote").then(() => {
    quoted = true;
  });
  await world.advance(1_000);
  expect(quoted).toBe(true);
});

test("every request is answered once, whatever the order of asking, waiting and pausing", async () => {
  const step = fc.oneof(
    fc.record({
      ask: fc.constantFrom("code" as const, "urgent" as const, "poll" as const, "quote" as const, "catalog" as const),
    }),
    fc.record({ wait: fc.integer({ min: 0, max: 3_000 }) }),
    fc.record({ pause: fc.integer({ min: -5, max: 20_000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const world = new SteeredWorld();
      const budget = new RequestBudget(world);
      let asked = 0;
      let answered = 0;
      for (const one of steps) {
        if ("wait" in one) await world.advance(one.wait);
        else if ("pause" in one) budget.pause(one.pause);
        else {
          asked++;
          budget.enter(one.ask).then(
            () => answered++,
            () => answered++,
          );
        }
      }
      await world.advance(60_000);
      expect(answered).toBe(asked);
      expect(world.timers.size).toBe(0);
    }),
    { numRuns: 50 },
  );
});
