import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RealWorld } from "../../actors/runtime/world.ts";
import { openBooks } from "../../src/sandbox/books.ts";
import { readClockOffset, SandboxClock } from "../../src/sandbox/clock.ts";
import { Followers } from "../../src/sandbox/followers.ts";

const MINUTE = 60_000;
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function dataDir(): string {
  const directory = mkdtempSync(join(tmpdir(), "clock-"));
  directories.push(directory);
  return directory;
}

function sandboxClock(options: { world?: RealWorld; directory?: string; restLimitMs?: number } = {}) {
  const world = options.world ?? new RealWorld();
  const books = openBooks(options.directory ?? dataDir());
  const followers = new Followers(() => world.now() - world.offset, world.offset);
  const { restLimitMs = 10_000 } = options;
  return { world, books, clock: new SandboxClock({ world, books, followers, restLimitMs }) };
}

/** Runs `each` every `ms` of the world's time. */
function every(world: RealWorld, ms: number, each: () => void): void {
  world.at(world.now() + ms, () => {
    each();
    every(world, ms, each);
  });
}

describe("an advance", () => {
  test("fires every timer at its own time, in order, and lands on the target", async () => {
    const { world, clock } = sandboxClock();
    const start = world.now();
    const seen: number[] = [];
    every(world, MINUTE, () => seen.push(Math.round((world.now() - start) / MINUTE)));
    const moved = await clock.advance(20 * 60);
    expect(moved.kind).toBe("moved");
    expect(world.now() - start).toBeWithin(20 * MINUTE, 20 * MINUTE + 2_000);
    // Each re-arms a little after its due time, so the last one may fall just behind the target.
    expect(seen.length).toBeWithin(19, 21);
    expect(seen).toEqual(seen.map((_, index) => index + 1));
  });

  test("waits at each moment for the work that moment set off, and for timers that work arms", async () => {
    const { world, clock } = sandboxClock();
    const start = world.now();
    const log: string[] = [];
    world.at(start + MINUTE, () => {
      const release = world.hold("slow work");
      setTimeout(() => {
        world.at(world.now() + 5 * MINUTE, () => log.push(`chained ${Math.round((world.now() - start) / MINUTE)}`));
        release();
      }, 15);
    });
    world.at(start + 4 * MINUTE, () => log.push("four"));
    world.at(start + 8 * MINUTE, () => log.push("eight"));
    await clock.advance(10 * 60);
    expect(log).toEqual(["four", "chained 6", "eight"]);
  });

  test("also runs what is due at once when it arrives", async () => {
    const { world, clock } = sandboxClock();
    let ran = false;
    world.at(world.now() + MINUTE, () =>
      world.at(world.now(), () => {
        ran = true;
      }),
    );
    await clock.advance(60);
    expect(ran).toBe(true);
  });

  test("names what never comes to rest, and leaves the clock where it got to", async () => {
    const { world, clock } = sandboxClock({ restLimitMs: 50 });
    const start = world.now();
    let release = () => {};
    world.at(start + MINUTE, () => {
      release = world.hold("endless work");
    });
    expect(await clock.advance(3_600)).toEqual({ kind: "busy", what: ["endless work"] });
    expect(world.now() - start).toBeWithin(MINUTE, MINUTE + 1_000);
    release();
    expect((await clock.advance(1)).kind).toBe("moved");
  });

  test("does not spin for ever on a timer that is always due", async () => {
    const { world, clock } = sandboxClock();
    let stop = false;
    const again = () => void (stop || world.at(world.now() - 1, again));
    again();
    expect(await clock.advance(10)).toEqual({ kind: "busy", what: ["a timer that is always due"] });
    stop = true;
  });

  test("waits for the one before it", async () => {
    const { world, clock } = sandboxClock();
    const start = world.now();
    const landed: number[] = [];
    const land = (minutes: number) =>
      clock.advance(minutes * 60).then(() => landed.push(Math.round((world.now() - start) / MINUTE)));
    await Promise.all([land(10), land(1), land(5)]);
    expect(landed).toEqual([10, 11, 16]);
  });

  test("refuses to queue without end", async () => {
    const { clock } = sandboxClock();
    const kinds = await Promise.all(Array.from({ length: 40 }, async () => (await clock.advance(1)).kind));
    expect(kinds.filter((kind) => kind === "queue_full")).toHaveLength(8);
  });

  test("stops where it is when the caller goes away", async () => {
    const { world, clock } = sandboxClock();
    const caller = new AbortController();
    const start = world.now();
    every(world, MINUTE, () => world.now() - start > 5 * MINUTE && caller.abort());
    expect(await clock.advance(24 * 3_600, caller.signal)).toEqual({ kind: "abandoned" });
    expect(world.now() - start).toBeLessThan(8 * MINUTE);
  });

  test("takes a number of seconds above zero and at most 400 days", async () => {
    const { clock } = sandboxClock();
    for (const seconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 400 * 86_400 + 1]) {
      await expect(clock.advance(seconds)).rejects.toThrow(RangeError);
    }
  });

  test("through a day with a timer every minute takes a few real seconds", async () => {
    const { world, clock } = sandboxClock();
    let fired = 0;
    every(world, MINUTE, () => fired++);
    const start = performance.now();
    await clock.advance(24 * 3_600);
    expect(fired).toBeWithin(1_430, 1_441);
    expect(performance.now() - start).toBeLessThan(8_000);
  }, 10_000);
});

describe("the offset", () => {
  test("is stored, so that a restarted sandbox goes on at the same time", async () => {
    const directory = dataDir();
    expect(readClockOffset(directory)).toBe(0);
    const { world, books, clock } = sandboxClock({ directory });
    await clock.advance(3_600);
    books.close();
    const offset = readClockOffset(directory);
    expect(Math.abs(offset - world.offset)).toBeLessThan(250);
    expect(Math.abs(new RealWorld(offset).now() - world.now())).toBeLessThan(250);
  });

  test("is taken over by a world that was started without it", async () => {
    const directory = dataDir();
    const first = sandboxClock({ directory });
    await first.clock.advance(3_600);
    first.books.close();
    const second = sandboxClock({ directory });
    expect(second.world.offset).toBeWithin(3_599_000, 3_601_000);
  });
});
