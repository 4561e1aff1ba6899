import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { migrate } from "../../actors/runtime/schema.ts";
import { allows, type BanRules, DEFAULT_BAN_RULES, Guard, lastReset } from "../../src/provider/guard.ts";
import { ACCOUNT, countOutcomes, type Pair, TrackRecord } from "../../src/provider/record.ts";
import { DAY, HOUR, idOf, MINUTE, numberOf, termsOf } from "../actors/runtime/engine.ts";
import { ManualWorld } from "../support/manual-world.ts";

const TG: Pair = { service: "tg", country: 187 };
const WA: Pair = { service: "wa", country: 6 };
const goodOf = (pair: Pair) => ({ ...termsOf(1, 0).good, ...pair });

function guarded(rules: BanRules = DEFAULT_BAN_RULES) {
  const world = new ManualWorld();
  const db = new Database(":memory:", { strict: true });
  migrate(db);
  const turns: string[] = [];
  const onTurn = ({ service }: Pair, paused: boolean) => turns.push(`${service} ${paused ? "paused" : "goes on"}`);
  const guard = new Guard({ world, record: new TrackRecord(db), rules, onTurn });
  let n = 0;
  const order = (pair: Pair, state: unknown) =>
    ({ id: idOf(n), terms: { ...termsOf(n, 0), good: goodOf(pair) }, state }) as never;
  return {
    world,
    guard,
    turns,
    /** `count` numbers are bought now; the first `delivered` of them get an SMS. */
    bought(count: number, delivered = 0, pair = TG): void {
      for (let index = 0; index < count; index++) {
        const number = numberOf(++n, world.now());
        const at = world.now();
        countOutcomes(db, order(pair, { kind: "waiting", number }), [
          { type: "NumberBought", number, overQuote: 0 as never, due: 0, at },
        ]);
        if (index >= delivered) continue;
        const messages = { type: "MessagesReceived", ids: ["m"], first: true, firstCode: true, due: 0, at } as const;
        countOutcomes(db, order(pair, { kind: "delivered", number }), [messages]);
      }
    },
    follow: (kind: string, pair = TG) => guard.follow(order(pair, { kind })),
  };
}

describe("a rule", () => {
  const rule = { numbers: 100, percent: 6 };

  test("does not judge few numbers, and judges many by their success with room to spare", () => {
    const sales = { numbers: 0.6, percent: 2 };
    expect(allows(rule, sales, { bought: 59, delivered: 0 }, 1)).toBe(true);
    expect(allows(rule, sales, { bought: 60, delivered: 0 }, 1)).toBe(false);
    expect(allows(rule, sales, { bought: 99, delivered: 12 }, 1)).toBe(true);
    expect(allows(rule, sales, { bought: 99, delivered: 11 }, 1)).toBe(false);
  });

  test("stops for certain before the provider's own line, whatever came before", () => {
    const exact = { numbers: 1, percent: 1 };
    for (let bought = 0; bought <= 300; bought++) {
      for (let delivered = 0; delivered <= bought; delivered++) {
        const wouldBan = !allows(rule, exact, { bought, delivered }, 1);
        if (wouldBan) expect(allows(rule, { numbers: 0.9, percent: 4 / 3 }, { bought, delivered }, 1)).toBe(false);
      }
    }
  });
});

describe("a pair whose numbers get no SMS", () => {
  test("is paused after sixty, long before the provider's hundred, and no other pair with it", () => {
    const { guard, bought, turns } = guarded();
    bought(59);
    expect(guard.pauses(goodOf(TG))).toBe(false);
    bought(1);
    expect(guard.pauses(goodOf(TG))).toBe(true);
    expect(guard.pauses(goodOf(WA))).toBe(false);
    expect(guard.pauses(termsOf(1, 0, "rent-number").good)).toBe(false);
    expect(turns).toEqual(["tg paused"]);
    expect(guard.pausedPairs(10)).toEqual([{ ...TG, bought: 60, delivered: 0 }]);
    expect(guard.pausedCount()).toBe(1);
  });

  test("counts what is paid and not bought yet", () => {
    const { guard, bought, follow } = guarded();
    bought(59);
    follow("buying");
    expect(guard.pauses(goodOf(TG))).toBe(true);
    follow("refunding");
    expect(guard.pauses(goodOf(TG))).toBe(false);
  });

  test("buys what was paid meanwhile, up to ninety and no further", () => {
    const { guard, bought } = guarded();
    bought(89);
    expect(guard.pauses(goodOf(TG))).toBe(true);
    expect(guard.mayBuy(goodOf(TG))).toBe(true);
    bought(1);
    expect(guard.mayBuy(goodOf(TG))).toBe(false);
    expect(guard.mayBuy(goodOf(WA))).toBe(true);
    expect(guard.mayBuy(termsOf(1, 0, "rent-number").good)).toBe(true);
  });

  test("is not paused when enough of them do: honest customers of a busy pair notice nothing", () => {
    const { guard, bought } = guarded();
    bought(400, 200);
    expect(guard.pauses(goodOf(TG))).toBe(false);
    bought(1_200);
    expect(guard.pauses(goodOf(TG))).toBe(false);
    bought(400);
    expect(guard.pauses(goodOf(TG))).toBe(true);
  });

  test("comes back as a trickle: one each half hour, and the next at once when it got its SMS", async () => {
    const { guard, bought, world, turns, follow } = guarded();
    bought(60);
    expect(guard.pauses(goodOf(TG))).toBe(true);
    await world.advance(30 * MINUTE);
    expect(guard.pauses(goodOf(TG))).toBe(false);
    follow("buying");
    expect(guard.pauses(goodOf(TG))).toBe(true);
    follow("waiting");
    bought(1, 1);
    expect(guard.pauses(goodOf(TG))).toBe(false);
    bought(1);
    expect(guard.pauses(goodOf(TG))).toBe(true);
    await world.advance(29 * MINUTE);
    expect(guard.pauses(goodOf(TG))).toBe(true);
    expect(turns).toEqual(["tg paused", "tg goes on", "tg paused", "tg goes on", "tg paused"]);
  });

  test("waits half an hour also when the clock was set back by a day, not a day longer", async () => {
    const { guard, bought, world } = guarded();
    bought(60);
    world.step(-DAY);
    expect(guard.pauses(goodOf(TG))).toBe(false);
    bought(1);
    expect(guard.pauses(goodOf(TG))).toBe(true);
    await world.advance(30 * MINUTE);
    expect(guard.pauses(goodOf(TG))).toBe(false);
  });

  test("is sold as before once honest customers have brought its rate up", () => {
    const { guard, bought } = guarded();
    bought(60);
    for (let n = 0; n < 9; n++) bought(1, 1);
    bought(1);
    expect(guard.pauses(goodOf(TG))).toBe(false);
  });

  test("is forgiven after a day", async () => {
    const { guard, bought, world } = guarded();
    bought(95);
    await world.advance(23 * HOUR);
    expect(guard.pauses(goodOf(TG))).toBe(true);
    await world.advance(2 * HOUR);
    expect(guard.pauses(goodOf(TG))).toBe(false);
  });

  test("is judged by the provider's own day too: yesterday's success does not hide today's attack", async () => {
    const { guard, bought, world } = guarded();
    await world.advance(20 * HOUR);
    bought(1_000, 500);
    await world.advance(90 * MINUTE);
    bought(60);
    expect(guard.pauses(goodOf(TG))).toBe(true);
  });
});

describe("the account", () => {
  test("is paused as a whole at 300 numbers with less than 6 %, over however many pairs they are spread", () => {
    const { guard, bought } = guarded();
    for (let pair = 0; pair < 10; pair++) bought(30, 0, { service: "tg", country: pair + 1 });
    expect(guard.pauses(goodOf({ service: "tg", country: 1 }))).toBe(false);
    expect(guard.pausesAll()).toBe(true);
    expect(guard.successRatio()).toBe(0);
    for (let pair = 10; pair < 15; pair++) bought(30, 0, { service: "tg", country: pair + 1 });
    expect(guard.mayBuy(goodOf(WA))).toBe(false);
  });

  test("is not when there is nothing to judge", () => {
    const { guard } = guarded();
    expect(guard.pausesAll()).toBe(false);
    expect(guard.successRatio()).toBeNull();
    expect(ACCOUNT).toEqual({ service: "*", country: 0 });
  });
});

test("percent 0 turns the guard off", () => {
  const off = { numbers: 100, percent: 0 };
  const { guard, bought } = guarded({ pair: off, account: off });
  bought(1_000);
  expect([guard.pauses(goodOf(TG)), guard.pausesAll(), guard.mayBuy(goodOf(TG))]).toEqual([false, false, true]);
});

test("the provider's day begins at 21:00 UTC", () => {
  const noon = Date.UTC(2026, 0, 5, 12);
  expect(lastReset(noon)).toBe(Date.UTC(2026, 0, 4, 21));
  expect(lastReset(noon + 9 * HOUR)).toBe(Date.UTC(2026, 0, 5, 21));
  expect(lastReset(noon + 9 * HOUR - 1) + DAY).toBe(Date.UTC(2026, 0, 5, 21));
});
