import { describe, expect, test } from "bun:test";
import { RealWorld, sleep } from "../../../actors/runtime/world.ts";

const HOUR = 60 * 60 * 1000;

describe("timers", () => {
  test("fire in the order of their times, and of insertion where times are equal", () => {
    const world = new RealWorld();
    const fired: string[] = [];
    const start = world.now();
    world.at(start + 2 * HOUR, () => fired.push("second"));
    world.at(start + HOUR, () => fired.push("first"));
    world.at(start + 2 * HOUR, () => fired.push("third"));
    world.jump(start + 3 * HOUR);
    expect(fired).toEqual(["first", "second", "third"]);
    expect(world.nextDue()).toBeNull();
  });

  test("fire by themselves when real time comes", async () => {
    const world = new RealWorld(5 * HOUR);
    const start = world.now();
    await sleep(world, 5);
    expect(world.now() - start).toBeWithin(5, 500);
  });

  test("that are cancelled by an earlier one of the same moment do not fire", () => {
    const world = new RealWorld();
    const time = world.now() + HOUR;
    let fired = false;
    world.at(time, () => cancel());
    const cancel = world.at(time, () => {
      fired = true;
    });
    world.jump(time);
    expect(fired).toBe(false);
  });

  test("armed in the past wait for the next turn instead of running inside the jump", async () => {
    const world = new RealWorld();
    const again = { times: 0 };
    const repeat = () => {
      if (++again.times < 50) world.at(world.now() - 1, repeat);
    };
    world.at(world.now() + HOUR, repeat);
    world.jump(world.now() + HOUR);
    expect(again.times).toBe(1);
    world.jump(world.now());
    expect(again.times).toBe(2);
    again.times = 50;
    world.jump(world.now());
  });

  test("still fire after one of them threw", async () => {
    const world = new RealWorld();
    const start = world.now();
    world.at(start + HOUR, () => {
      throw new Error("a bug");
    });
    const fired = sleep(world, HOUR);
    expect(() => world.jump(start + HOUR)).toThrow("a bug");
    await fired;
  });
});

describe("jump", () => {
  test("lands exactly on the asked time or a tick later, never before it", () => {
    const world = new RealWorld();
    for (let i = 0; i < 2_000; i++) {
      const time = world.now() + 10;
      world.jump(time);
      expect(world.now()).toBeGreaterThanOrEqual(time);
    }
  });

  test("never moves the clock back", () => {
    const world = new RealWorld(HOUR);
    world.jump(world.now() - 1_000);
    expect(world.offset).toBe(HOUR);
  });
});

describe("drained", () => {
  test("waits for a hold and for what follows from it in later turns", async () => {
    const world = new RealWorld();
    const release = world.hold("first");
    let done = false;
    setTimeout(() => {
      release();
      setImmediate(() => {
        const again = world.hold("second");
        setTimeout(() => {
          done = true;
          again();
        }, 5);
      });
    }, 5);
    expect(await world.drained(1_000)).toEqual([]);
    expect(done).toBe(true);
    expect(world.holdsTaken).toBe(2);
  });

  test("names what is still busy after the limit, each once", async () => {
    const world = new RealWorld();
    world.hold("sweep");
    world.hold("sweep");
    expect(await world.drained(10)).toEqual(["sweep"]);
  });

  test("no longer waits for a hold that has used up its patience", async () => {
    const world = new RealWorld();
    world.hold("hanging call", 20);
    expect(world.busy()).toEqual(["hanging call"]);
    expect(await world.drained(1_000)).toEqual([]);
  });

  test("also waits for what is busy beyond this world", async () => {
    const world = new RealWorld();
    const elsewhere = ["other process"];
    setTimeout(() => elsewhere.pop(), 10);
    expect(await world.drained(1, () => elsewhere)).toEqual(["other process"]);
    expect(await world.drained(1_000, () => elsewhere)).toEqual([]);
  });
});

test("move changes the time without firing anything; the jump that follows fires it", () => {
  const world = new RealWorld();
  const time = world.now() + HOUR;
  let fired = false;
  world.at(time, () => {
    fired = true;
  });
  world.move(time);
  expect(world.now()).toBeGreaterThanOrEqual(time);
  expect(fired).toBe(false);
  world.jump(time);
  expect(fired).toBe(true);
});

describe("beyond what setTimeout can hold", () => {
  test("a timer does not fire at once, and fires when its time comes", async () => {
    const world = new RealWorld();
    const time = world.now() + 2 ** 31 + 5_000;
    let fired = false;
    world.at(time, () => {
      fired = true;
    });
    await Bun.sleep(10);
    expect(fired).toBe(false);
    world.jump(time - 1);
    expect(fired).toBe(false);
    world.jump(time);
    expect(fired).toBe(true);
  });
});

describe("a wall clock that steps", () => {
  test("back by an hour keeps no timer waiting: it comes after the time that really passes", async () => {
    const real = Date.now;
    const world = new RealWorld();
    try {
      const slept = sleep(world, 30);
      const later = { fired: false };
      world.at(world.now() + HOUR / 2, () => {
        later.fired = true;
      });
      Date.now = () => real() - HOUR;
      const fresh = sleep(world, 20);
      const begun = performance.now();
      await Promise.all([slept, fresh]);
      expect(performance.now() - begun).toBeWithin(15, 1_000);
      expect(later.fired).toBe(false);
      world.jump(world.now() + HOUR / 2);
      expect(later.fired).toBe(true);
    } finally {
      Date.now = real;
    }
  });

  test("forward fires what is due by it when the next timer comes, and is told of once", async () => {
    const real = Date.now;
    const world = new RealWorld();
    const told: number[] = [];
    world.clockSet = (byMs) => told.push(byMs);
    try {
      const due = { fired: false };
      world.at(world.now() + HOUR, () => {
        due.fired = true;
      });
      Date.now = () => real() + 2 * HOUR;
      await sleep(world, 5);
      expect(due.fired).toBe(true);
      await sleep(world, 5);
      expect(told.map((byMs) => Math.round(byMs / HOUR))).toEqual([2]);
    } finally {
      Date.now = real;
    }
  });
});
