import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { RealWorld } from "../../actors/runtime/world.ts";
import { readClockOffset } from "../../src/sandbox/clock.ts";
import { followClock } from "../../src/sandbox/follow.ts";
import { call } from "../../src/wire.ts";
import { buyNumber, type TestSandbox, testSandbox } from "./sandbox.ts";

const MINUTE = 60_000;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function started(...options: Parameters<typeof testSandbox>): Promise<TestSandbox> {
  const sandbox = await testSandbox(...options);
  cleanups.push(() => sandbox.remove());
  return sandbox;
}

async function follow(sandbox: TestSandbox, webhookUrl = "http://127.0.0.1:9/webhook") {
  const world = new RealWorld();
  const { stop } = await followClock(world, sandbox.url, { webhookUrl, signal: new AbortController().signal });
  cleanups.push(stop);
  return { world, stop };
}

/** Real ms that an advance took. */
async function advance(sandbox: TestSandbox, seconds: number): Promise<number> {
  const start = performance.now();
  const { status, body } = await sandbox.call("POST /sandbox/clock", { advanceSeconds: seconds });
  expect(body.error).toBeUndefined();
  expect(status).toBe(200);
  return performance.now() - start;
}

const apart = (a: RealWorld, b: RealWorld) => Math.abs(a.now() - b.now());

async function until(what: () => boolean): Promise<void> {
  while (!what()) await Bun.sleep(1);
}

describe("a follower", () => {
  test("takes over the sandbox's time before anything else, and follows every move", async () => {
    const sandbox = await started();
    await advance(sandbox, 3_600);
    const { world } = await follow(sandbox);
    expect(apart(world, sandbox.world)).toBeLessThan(250);
    await advance(sandbox, 90);
    expect(apart(world, sandbox.world)).toBeLessThan(250);
  });

  test("gets each of its own due moments, in order with those of the peers", async () => {
    const sandbox = await started();
    const { world } = await follow(sandbox);
    const start = world.now();
    const seen: string[] = [];
    const minutes = (name: string) => seen.push(`${name} ${Math.round((world.now() - start) / MINUTE)}`);
    world.at(start + MINUTE, () => minutes("follower"));
    sandbox.world.at(start + 2 * MINUTE, () => minutes("sandbox"));
    world.at(start + 3 * MINUTE, () => {
      minutes("follower");
      world.at(start + 4 * MINUTE, () => minutes("follower"));
    });
    sandbox.world.at(start + 5 * MINUTE, () => minutes("sandbox"));
    await Bun.sleep(5);
    await advance(sandbox, 600);
    expect(seen).toEqual(["follower 1", "sandbox 2", "follower 3", "follower 4", "sandbox 5"]);
  });

  test("hears of what happens at the peers at its own right time, never in the past", async () => {
    const sandbox = await started({ smsAfterMs: 10 * MINUTE });
    const heard: number[] = [];
    const service = Bun.serve({
      port: 0,
      development: false,
      fetch: () => {
        heard.push(apart(world, sandbox.world));
        return new Response("ok");
      },
    });
    cleanups.push(() => service.stop(true));
    const { world } = await follow(sandbox, `http://127.0.0.1:${service.port}/webhook`);
    await buyNumber(sandbox);
    await advance(sandbox, 900);
    expect(heard.length).toBeGreaterThanOrEqual(1);
    expect(Math.max(...heard)).toBeLessThan(250);
  });

  test("is waited for while it works", async () => {
    const sandbox = await started();
    const { world } = await follow(sandbox);
    const start = world.now();
    let doneAfter = 0;
    world.at(start + MINUTE, () => {
      const release = world.hold("work");
      setTimeout(() => {
        doneAfter = world.now() - start;
        release();
      }, 40);
    });
    await advance(sandbox, 3_600);
    expect(doneAfter).toBeWithin(MINUTE, 2 * MINUTE);
  });

  test("armed a timer after its last word: the next advance asks again", async () => {
    const sandbox = await started();
    const { world } = await follow(sandbox);
    await advance(sandbox, 1);
    const start = world.now();
    let firedAfter = 0;
    world.at(start + MINUTE, () => {
      firedAfter = world.now() - start;
    });
    await advance(sandbox, 3_600);
    expect(firedAfter).toBeWithin(MINUTE, MINUTE + 1_000);
  });

  test("gets webhooks, and what it asks of the peers because of them happens before time goes on", async () => {
    const sandbox = await started({ smsAfterMs: 4_000 });
    const asked: number[] = [];
    const service = Bun.serve({
      port: 0,
      development: false,
      fetch: () => {
        // As a service does: answer at once, ask for the messages afterwards.
        void call(world, {
          url: `${sandbox.url}/stubs/handler_api.php?action=getActiveActivations&api_key=key`,
          timeoutMs: 5_000,
        }).then(() => asked.push(world.now() - start));
        return new Response("ok");
      },
    });
    cleanups.push(() => service.stop(true));
    const { world } = await follow(sandbox, `http://127.0.0.1:${service.port}/webhook`);
    const start = world.now();
    await buyNumber(sandbox);
    await advance(sandbox, 600);
    expect(asked.length).toBeGreaterThanOrEqual(1);
    expect(asked[0]).toBeWithin(4_000, 6_000);
  });

  test("that stopped is forgotten, and its webhook address with it", async () => {
    const sandbox = await started();
    const first = await follow(sandbox);
    const second = await follow(sandbox);
    first.stop();
    await Bun.sleep(5);
    const before = first.world.offset;
    expect(await advance(sandbox, 60)).toBeLessThan(8_000);
    expect(first.world.offset).toBe(before);
    expect(apart(second.world, sandbox.world)).toBeLessThan(250);
  });

  test("finds its way back to a sandbox that was restarted", async () => {
    const sandbox = await testSandbox();
    const { world } = await follow(sandbox);
    await advance(sandbox, 60);
    expect(apart(world, sandbox.world)).toBeLessThan(250);
    const { port, dataDir } = sandbox;
    await sandbox.stop();
    const again = await started({ port, dataDir, world: new RealWorld(readClockOffset(dataDir)) });
    // It tries every quarter of a second; until it is back, the clock goes on without it.
    for (let tries = 0; tries < 100 && world.offset < 1.5 * MINUTE; tries++) {
      await Bun.sleep(20);
      await advance(again, 60);
    }
    expect(world.offset).toBeGreaterThan(1.5 * MINUTE);
    expect(apart(world, again.world)).toBeLessThan(250);
  });

  test("gives up waiting for a sandbox when told to", async () => {
    const giveUp = new AbortController();
    const following = followClock(new RealWorld(), "http://127.0.0.1:1", {
      webhookUrl: "http://127.0.0.1:9/",
      signal: giveUp.signal,
    });
    setTimeout(() => giveUp.abort(), 10);
    await expect(following).rejects.toThrow();
  });

  test("through twenty minutes with a poll of the provider every five seconds takes little real time", async () => {
    const sandbox = await started();
    const { world } = await follow(sandbox);
    let polls = 0;
    const poll = async () => {
      await call(world, {
        url: `${sandbox.url}/stubs/handler_api.php?action=getActiveActivations&api_key=key`,
        timeoutMs: 5_000,
      });
      polls++;
      world.at(world.now() + 5_000, () => void poll().catch(() => {})); // Fails once the sandbox has stopped.
    };
    void poll();
    expect(await advance(sandbox, 1_200)).toBeLessThan(8_000);
    expect(polls).toBeWithin(230, 242);
  }, 15_000);
});

describe("a follower in a process of its own", () => {
  async function spawned(sandbox: TestSandbox, ...manner: string[]) {
    const script = join(import.meta.dir, "follower-process.ts");
    const child = Bun.spawn([process.execPath, script, sandbox.url, ...manner], {
      stdout: "pipe",
      stderr: "inherit",
    });
    cleanups.push(() => child.kill("SIGKILL"));
    const lines: string[] = [];
    void (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) lines.push(...decoder.decode(chunk).trim().split("\n"));
    })();
    await until(() => lines.includes("following"));
    return { child, lines };
  }

  test("lives through every minute of an advance", async () => {
    const sandbox = await started();
    const { lines } = await spawned(sandbox);
    await advance(sandbox, 300.5);
    await until(() => lines.length >= 6);
    expect(lines.slice(1)).toEqual(["tick 1", "tick 2", "tick 3", "tick 4", "tick 5"]);
  });

  test("blocks nobody once it was killed", async () => {
    const sandbox = await started();
    const { child } = await spawned(sandbox);
    child.kill("SIGKILL");
    await child.exited;
    expect(await advance(sandbox, 3_600)).toBeLessThan(8_000);
  });

  test("that is killed at work lets the clock go on, and its successor starts at the sandbox's time", async () => {
    const sandbox = await started();
    const { child, lines } = await spawned(sandbox, "stuck");
    const start = sandbox.world.now();
    const advancing = advance(sandbox, 3_600);
    await until(() => lines.includes("tick 1"));
    await Bun.sleep(20);
    expect(sandbox.world.now() - start).toBeLessThan(2 * MINUTE);
    child.kill("SIGKILL");
    expect(await advancing).toBeLessThan(8_000);
    const { world } = await follow(sandbox);
    expect(apart(world, sandbox.world)).toBeLessThan(250);
  });
});
