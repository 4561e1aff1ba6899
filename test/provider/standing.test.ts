import { describe, expect, test } from "bun:test";
import { microUsd } from "../../actors/order/money.ts";
import { type AccountTrouble, ProviderUnavailable } from "../../src/provider/port.ts";
import { ProviderStanding } from "../../src/provider/standing.ts";
import { DAY, MINUTE, SECOND } from "../actors/runtime/engine.ts";
import { ManualWorld } from "../support/manual-world.ts";

function standing() {
  const world = new ManualWorld();
  const told: AccountTrouble[] = [];
  const self = {
    world,
    told,
    asked: 0,
    failure: null as ProviderUnavailable | null,
    standing: new ProviderStanding({
      world,
      provider: {
        balance: async () => {
          self.asked++;
          if (self.failure) throw self.failure;
          return microUsd(5_000_000);
        },
      },
      onTrouble: (trouble) => told.push(trouble),
    }),
  };
  return self;
}

describe("whether sales may go on", () => {
  test("is not known before the first balance, and yes afterwards", async () => {
    const at = standing();
    expect(at.standing.ok).toBe(false);
    expect(at.standing.balance).toBeNull();
    await at.standing.start();
    expect(at.standing.ok).toBe(true);
    expect(at.standing.balance).toBe(microUsd(5_000_000));
    expect(at.standing.checkedAt).toBe(at.world.now());
  });

  test("is asked about every minute, and sooner after a failure", async () => {
    const at = standing();
    await at.standing.start();
    await at.world.advance(5 * MINUTE);
    expect(at.asked).toBe(6);
    at.failure = new ProviderUnavailable("down");
    await at.world.advance(MINUTE);
    at.asked = 0;
    await at.world.advance(MINUTE);
    expect(at.asked).toBe(6);
  });

  test("is no when nothing was heard for three minutes, and yes again with the next good answer", async () => {
    const at = standing();
    await at.standing.start();
    at.failure = new ProviderUnavailable("down");
    await at.world.advance(179 * SECOND);
    expect(at.standing.ok).toBe(true);
    await at.world.advance(2 * SECOND);
    expect(at.standing.ok).toBe(false);
    expect(at.told).toEqual([]);
    at.failure = null;
    await at.world.advance(10 * SECOND);
    expect(at.standing.ok).toBe(true);
  });

  test("is no while the account is in trouble, which is told", async () => {
    const at = standing();
    await at.standing.start();
    at.standing.met("banned");
    expect(at.told).toEqual(["banned"]);
    await at.world.advance(299 * SECOND);
    expect(at.standing.ok).toBe(false);
    await at.world.advance(SECOND);
    expect(at.standing.ok).toBe(true);
  });

  test("a trouble that passes by itself is believed for seconds, and does not hide one that lasts", async () => {
    const at = standing();
    await at.standing.start();
    at.standing.met("rate_limited");
    await at.world.advance(2 * SECOND);
    expect(at.standing.ok).toBe(true);
    at.standing.met("banned");
    at.standing.met("rate_limited");
    await at.world.advance(10 * SECOND);
    expect(at.standing.ok).toBe(false);
  });

  test("a check that the account's trouble fails reports that trouble", async () => {
    const at = standing();
    at.failure = new ProviderUnavailable("no", "bad_key");
    await at.standing.start();
    expect(at.told).toEqual(["bad_key"]);
    expect(at.standing.ok).toBe(false);
  });

  test("comes back in minutes although the clock was set back by a day, and does not hold for a day", async () => {
    const at = standing();
    await at.standing.start();
    at.standing.met("rate_limited");
    at.world.step(-DAY);
    expect(at.standing.ok).toBe(false);
    await at.standing.start();
    await at.world.advance(299 * SECOND);
    expect(at.standing.ok).toBe(false);
    await at.world.advance(SECOND);
    expect(at.standing.ok).toBe(true);
    at.standing.stop();
    at.world.step(-DAY);
    expect(at.standing.ok).toBe(false);
  });

  test("is not asked any more after stop", async () => {
    const at = standing();
    await at.standing.start();
    at.standing.stop();
    await at.world.advance(10 * MINUTE);
    expect(at.asked).toBe(1);
    expect(at.world.armed()).toEqual([]);
  });
});

describe("a barred pair", () => {
  test("is barred until the provider's time, and only that pair", async () => {
    const { standing: at, world } = standing();
    at.bar("tg", 187, world.now() + MINUTE);
    expect(at.barred("tg", 187)).toBe(true);
    expect(at.barred("tg", 6)).toBe(false);
    expect(at.barred("wa", 187)).toBe(false);
    await world.advance(MINUTE);
    expect(at.barred("tg", 187)).toBe(false);
  });

  test("without a known end is barred for half an hour", async () => {
    const { standing: at, world } = standing();
    at.bar("tg", 187, 0);
    await world.advance(30 * MINUTE - 1);
    expect(at.barred("tg", 187)).toBe(true);
    await world.advance(1);
    expect(at.barred("tg", 187)).toBe(false);
  });

  test("outlives the process: it is told of when it begins, and known when it is given", async () => {
    const world = new ManualWorld();
    const told: unknown[][] = [];
    const options = { world, provider: { balance: async () => microUsd(1) }, onTrouble: () => {} };
    const at = new ProviderStanding({ ...options, onBarred: (...bar) => told.push(bar) });
    at.bar("tg", 187, 0);
    expect(told).toEqual([["tg", 187, world.now() + 30 * MINUTE]]);
    const next = new ProviderStanding({
      ...options,
      bars: [{ service: "tg", country: 187, until: world.now() + MINUTE }],
    });
    expect([next.barred("tg", 187), next.barred("wa", 187), next.bars]).toEqual([true, false, 1]);
    await world.advance(MINUTE);
    expect([next.barred("tg", 187), next.bars]).toEqual([false, 0]);
  });
});
