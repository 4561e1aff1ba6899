import { describe, expect, test } from "bun:test";
import type { BuyAnswer, BuySearch } from "../../actors/order/commands.ts";
import type { EffectOf } from "../../actors/order/effects.ts";
import { microUsd } from "../../actors/order/money.ts";
import type { Good, OrderType } from "../../actors/order/terms.ts";
import type { AccountTrouble, BuyRefusal, NumberProvider } from "../../src/provider/port.ts";
import { Purchases } from "../../src/provider/purchases.ts";
import {
  type BrittleDatabase,
  type Engine,
  idOf,
  MAX_COST,
  MINUTE,
  numberOf,
  SECOND,
  startEngine,
  termsOf,
} from "../actors/runtime/engine.ts";
import { activeRow, bought, pastRow, ScriptedProvider } from "./scripted-provider.ts";

const HOUR = 60 * MINUTE;
const UNKNOWN = { kind: "unknown", detail: "timeout" } as const;
const unsure = (reason: string): BuySearch => ({ kind: "unsure", reason });

function goodOf(type: OrderType = "receive-sms", changes: { service?: string; country?: number } = {}): Good {
  return { ...termsOf(1, 0, type).good, ...changes };
}

function shop(engine: Engine = startEngine(), provider = new ScriptedProvider(() => engine.world.now())) {
  const { world } = engine;
  const troubles: AccountTrouble[] = [];
  const barred: unknown[][] = [];
  const purchases = new Purchases({
    world,
    journal: engine.journal,
    // Only what a buyer uses.
    provider: provider as unknown as NumberProvider,
    onTrouble: (trouble) => troubles.push(trouble),
    onBarred: (...pair) => barred.push(pair),
    mayBuy: () => self.mayBuy,
  });

  const self = {
    ...engine,
    provider,
    purchases,
    troubles,
    barred,
    mayBuy: true,

    /** Starts to buy for order `n`, and comes back once it waits for the provider or for its lane. */
    async buy(n: number, good = goodOf(), notAfter = world.now() + 4 * MINUTE): Promise<{ answer: BuyAnswer | null }> {
      const effect: EffectOf<"buy"> = { kind: "buy", key: `${idOf(n)}:buy:1`, attempt: 1, good, notAfter };
      const result: { answer: BuyAnswer | null } = { answer: null };
      void purchases.buy(effect).then((answer) => {
        result.answer = answer;
      });
      await world.settle();
      return result;
    },

    /** Buys for order `n` and loses the answer. */
    async lose(n: number, good = goodOf()): Promise<void> {
      const buying = await self.buy(n, good);
      provider.sent.at(-1)?.answer(UNKNOWN);
      await world.settle();
      expect(buying.answer).toEqual({ kind: "unknown", reason: "timeout" });
    },

    async find(n: number, { good = goodOf(), last = false } = {}): Promise<BuySearch | null> {
      let found: BuySearch | null = null;
      const effect: EffectOf<"findBuy"> = { kind: "findBuy", key: `${idOf(n)}:findBuy:7`, attempt: 1, good, last };
      void purchases.find(effect, idOf(n)).then((answer) => {
        found = answer;
      });
      await world.settle();
      return found;
    },

    /** The process dies, and another one takes over the database and the provider. */
    restarted: () => shop(startEngine({ world, db: engine.db }), provider),
  };
  return self;
}

describe("buying", () => {
  test("asks for the good with its cap and answers with the number", async () => {
    const { buy, provider, world } = shop();
    const buying = await buy(1);
    expect(provider.sent).toHaveLength(1);
    expect(provider.sent[0]).toMatchObject({
      what: "activation",
      request: { service: "tg", country: 187, maxCost: MAX_COST },
    });
    provider.sent[0]?.answer(bought("501", { endsAt: world.now() + 15 * MINUTE }));
    await world.settle();
    expect(buying.answer).toEqual({
      kind: "bought",
      number: {
        activationId: "501",
        phoneNumber: "+1555501",
        cost: microUsd(200_000),
        boughtAt: world.now(),
        endsAt: world.now() + 15 * MINUTE,
      },
    });
  });

  test("of a rental and of a reactivation goes the way of its kind, with its cap", async () => {
    const { buy, provider } = shop();
    await buy(1, goodOf("rent-number"));
    await buy(2, goodOf("receive-sms-reactivate"));
    expect(provider.sent.map(({ what, request }) => ({ what, request }))).toEqual([
      { what: "rental", request: { service: "tg", country: 187, hours: 4, maxCost: MAX_COST } },
      { what: "reactivation", request: { activationId: "900009999", maxCost: MAX_COST } },
    ]);
  });

  test("a number whose end the provider did not tell lives as long as its kind does", async () => {
    const { buy, provider, world } = shop();
    const [sms, rental] = [await buy(1), await buy(2, goodOf("rent-number"))];
    provider.sent[0]?.answer(bought("1"));
    provider.sent[1]?.answer(bought("2"));
    await world.settle();
    expect(sms.answer).toMatchObject({ number: { endsAt: world.now() + 20 * MINUTE } });
    expect(rental.answer).toMatchObject({ number: { endsAt: world.now() + 240 * MINUTE } });
  });

  test("a rental's end that cannot be true does not cut its life or stretch it: it was misread", async () => {
    const { buy, provider, world } = shop();
    const ends = async (n: number, type: OrderType, told: number) => {
      const buying = await buy(n, goodOf(type));
      provider.sent.at(-1)?.answer(bought(String(n), { endsAt: world.now() + told }));
      await world.settle();
      return buying.answer?.kind === "bought" ? (buying.answer.number.endsAt - world.now()) / MINUTE : null;
    };
    // Told without a zone, or by another clock: three hours before what was bought, and eight after.
    expect(await ends(1, "rent-number", 60 * MINUTE)).toBe(240);
    expect(await ends(2, "rent-number", -10 * MINUTE)).toBe(240);
    expect(await ends(3, "rent-number", 720 * MINUTE)).toBe(240);
    expect(await ends(4, "rent-number", 243 * MINUTE)).toBe(243);
    expect(await ends(5, "receive-sms", -160 * MINUTE)).toBe(20);
    expect(await ends(6, "receive-sms", 100_000 * MINUTE)).toBe(20);
    expect(await ends(7, "receive-sms", 45 * MINUTE)).toBe(45);
    expect(await ends(8, "receive-sms-reactivate", 24 * 60 * MINUTE)).toBe(24 * 60);
  });

  test("a dearer answer is served; another currency is served and reported", async () => {
    const { buy, provider, world, troubles } = shop();
    const buying = await buy(1);
    provider.sent[0]?.answer(bought("1", { cost: microUsd(900_000), currency: 978 }));
    await world.settle();
    expect(buying.answer).toMatchObject({ kind: "bought", number: { cost: 900_000 } });
    expect(troubles).toEqual(["currency"]);
  });

  test("a number that was answered is its order's, first by memory and from its commit on by its row", async () => {
    const { buy, provider, world, purchases, ...engine } = shop();
    const first = await buy(1);
    provider.sent.at(-1)?.answer(bought("900000001"));
    await world.settle();
    expect(first.answer).toMatchObject({ kind: "bought" });
    const again = async (n: number) => {
      const buying = await buy(n, goodOf("receive-sms", { service: `s${n}` }));
      provider.sent.at(-1)?.answer(bought("900000001"));
      await world.settle();
      return buying.answer;
    };
    expect(await again(2)).toEqual({ kind: "unknown", reason: "number_of_another" });
    const order = await engine.withNumber(1);
    purchases.follow(order);
    expect(await again(3)).toEqual({ kind: "unknown", reason: "number_of_another" });
    // Nothing but the row remembers it.
    engine.db.run("UPDATE orders SET activation_id = NULL WHERE id = ?", [order.id]);
    expect(await again(4)).toMatchObject({ kind: "bought" });
  });

  test("an answer that names a number which another order has, or which was there before, is none: it is searched for", async () => {
    const { buy, find, provider, world, purchases, ...engine } = shop();
    await engine.withNumber(8);
    provider.listed = [activeRow("500")];
    for (const [n, old] of [
      [1, numberOf(8, 0).activationId],
      [2, "500"],
    ] as const) {
      const buying = await buy(n);
      provider.sent.at(-1)?.answer(bought(old));
      await world.settle();
      expect(buying.answer).toEqual({ kind: "unknown", reason: "number_of_another" });
      expect(purchases.stuck(goodOf())).toBe(true);
      provider.listed.push(activeRow(`90${n}`, { boughtAt: world.now() }));
      expect(await find(n)).toMatchObject({ kind: "found", number: { activationId: `90${n}` } });
    }
  });

  test("the intent is durable before anything is sent, with everything the lane showed then", async () => {
    const shopping = shop();
    const { provider, db, world } = shopping;
    await shopping.withNumber(8);
    provider.listed = [
      activeRow("900000008"),
      activeRow("11"),
      activeRow("12", { rental: true }),
      activeRow("13", { service: "wa" }),
    ];
    const before = (db as BrittleDatabase).commits;
    let atSend: unknown = null;
    provider.onSend = () => {
      const commits = (db as BrittleDatabase).commits - before;
      atSend = { commits, open: db.inTransaction, rows: db.query("SELECT * FROM intents").all() };
    };
    await shopping.buy(1);
    expect(atSend).toEqual({
      commits: 1,
      open: false,
      rows: [{ key: `${idOf(1)}:buy:1`, sent_at: world.now(), told_at: world.now(), known: '["900000008","11","12"]' }],
    });
  });

  test("is not sent while the intent cannot be stored; the lane is free afterwards", async () => {
    const { buy, db, provider, purchases } = shop();
    (db as BrittleDatabase).failCommits = true;
    expect((await buy(1)).answer).toEqual({ kind: "refused", reason: "provider_unreachable", retry: "later" });
    expect(provider.sent).toEqual([]);
    expect(purchases.stuck(goodOf())).toBe(false);
    (db as BrittleDatabase).failCommits = false;
    await buy(1);
    expect(provider.sent).toHaveLength(1);
  });

  test("is not sent while the list cannot be read: a lost answer could not be matched", async () => {
    const { buy, provider, count } = shop();
    provider.listed = null;
    expect((await buy(1)).answer).toEqual({ kind: "refused", reason: "provider_unreachable", retry: "later" });
    expect(provider.sent).toEqual([]);
    expect(count("intents")).toBe(0);
    provider.listed = [];
    await buy(1);
    expect(provider.sent).toHaveLength(1);
  });

  test("is not sent after its time", async () => {
    const { buy, provider, world } = shop();
    expect((await buy(1, goodOf(), world.now())).answer).toEqual({
      kind: "refused",
      reason: "too_late",
      retry: "never",
    });
    expect(provider.sent).toEqual([]);
    await buy(2);
    expect(provider.sent).toHaveLength(1);
  });

  test("is not sent when one more number could bring a ban; the lane is free afterwards", async () => {
    const shopping = shop();
    shopping.mayBuy = false;
    expect((await shopping.buy(1)).answer).toEqual({ kind: "refused", reason: "account_protected", retry: "never" });
    expect(shopping.provider.sent).toEqual([]);
    expect(shopping.count("intents")).toBe(0);
    shopping.mayBuy = true;
    await shopping.buy(2);
    expect(shopping.provider.sent).toHaveLength(1);
  });

  test("an adapter that breaks after it sent may have bought: unknown, never refused", async () => {
    const { buy, provider, world, purchases } = shop();
    const buying = await buy(1);
    provider.sent[0]?.fail(new Error("a bug"));
    await world.settle();
    expect(buying.answer).toEqual({ kind: "unknown", reason: "adapter_failed" });
    expect(purchases.stuck(goodOf())).toBe(true);
  });
});

describe("every refusal", () => {
  const cases: readonly [BuyRefusal, BuyAnswer & { kind: "refused" }][] = [
    [{ why: "no_numbers" }, { kind: "refused", reason: "no_numbers", retry: "soon" }],
    [
      { why: "price_above_cap", minimum: null },
      { kind: "refused", reason: "price_above_cap", retry: "soon" },
    ],
    [{ why: "sim_offline" }, { kind: "refused", reason: "sim_offline", retry: "soon" }],
    [
      { why: "pair_barred", until: 5 },
      { kind: "refused", reason: "pair_barred", retry: "never" },
    ],
    [
      { why: "invalid", detail: "BAD_SERVICE" },
      { kind: "refused", reason: "invalid", retry: "never" },
    ],
    ...(["bad_key", "no_balance", "inactive", "banned", "channels_limit", "currency"] as const).map(
      (trouble): [BuyRefusal, BuyAnswer & { kind: "refused" }] => [
        { why: "account", trouble },
        { kind: "refused", reason: trouble, retry: "never" },
      ],
    ),
    ...(["rate_limited", "blocked"] as const).map((trouble): [BuyRefusal, BuyAnswer & { kind: "refused" }] => [
      { why: "account", trouble },
      { kind: "refused", reason: trouble, retry: "later" },
    ]),
  ];

  test.each(cases)("%j frees the lane and says whether trying again helps", async (refusal, answer) => {
    const { buy, provider, world, troubles, barred, purchases } = shop();
    const buying = await buy(1);
    provider.sent[0]?.answer({ kind: "refused", refusal });
    await world.settle();
    expect(buying.answer).toEqual(answer);
    expect(troubles).toEqual(refusal.why === "account" ? [refusal.trouble] : []);
    expect(barred).toEqual(refusal.why === "pair_barred" ? [["tg", 187, 5]] : []);
    expect(purchases.stuck(goodOf())).toBe(false);
    await buy(2);
    expect(provider.sent).toHaveLength(2);
  });
});

describe("lanes", () => {
  test("let one buy of a service, country and kind through at a time, and others go beside it", async () => {
    const { buy, provider, world } = shop();
    await buy(1);
    await buy(2);
    await buy(3, goodOf("receive-sms-reactivate"));
    expect(provider.sent).toHaveLength(1);
    await buy(4, goodOf("receive-sms", { country: 6 }));
    await buy(5, goodOf("receive-sms", { service: "wa" }));
    await buy(6, goodOf("rent-number"));
    expect(provider.sent).toHaveLength(4);
    provider.sent[0]?.answer(bought("1"));
    await world.settle();
    expect(provider.sent).toHaveLength(5);
    expect(provider.sent[4]?.what).toBe("activation");
    provider.sent[4]?.answer({ kind: "refused", refusal: { why: "no_numbers" } });
    await world.settle();
    expect(provider.sent[5]?.what).toBe("reactivation");
  });

  test("are closed by an unknown buy, and say so", async () => {
    const { buy, lose, provider, purchases } = shop();
    await lose(1);
    expect(purchases.stuck(goodOf())).toBe(true);
    expect(purchases.stuck(goodOf("rent-number"))).toBe(false);
    await buy(2);
    expect(provider.sent).toHaveLength(1);
  });

  test("refuse who has waited past its time, and forget it", async () => {
    const { buy, lose, find, provider, world, purchases } = shop();
    await lose(1);
    const waiting = await buy(2, goodOf(), world.now() + MINUTE);
    await world.advance(MINUTE);
    expect(waiting.answer).toEqual({ kind: "refused", reason: "lane_closed", retry: "never" });
    provider.listed = [activeRow("77", { boughtAt: world.now() - MINUTE })];
    expect((await find(1))?.kind).toBe("found");
    expect(purchases.stuck(goodOf())).toBe(false);
    expect(provider.sent).toHaveLength(1);
  });

  test("in which very many wait already sell nothing more, until they are through", async () => {
    const { buy, provider, purchases, world } = shop();
    for (let n = 0; n <= 40; n++) {
      expect(purchases.stuck(goodOf())).toBe(false);
      await buy(n);
    }
    expect(purchases.stuck(goodOf())).toBe(true);
    expect(purchases.stuck(goodOf("receive-sms", { country: 6 }))).toBe(false);
    provider.sent[0]?.answer(bought("1"));
    await world.settle();
    expect(purchases.stuck(goodOf())).toBe(false);
  });

  test("closed by several unknown buys after a restart open only when the last one is resolved", async () => {
    const { purchases, find, provider, buy, world } = shop();
    purchases.restore(`${idOf(1)}:buy:1`, goodOf());
    purchases.restore(`${idOf(2)}:buy:1`, goodOf());
    await buy(3);
    // Neither has an intent: neither was sent.
    expect(await find(2)).toEqual({ kind: "absent" });
    expect(purchases.stuck(goodOf())).toBe(true);
    expect(provider.sent).toHaveLength(0);
    expect(await find(1)).toEqual({ kind: "absent" });
    await world.settle();
    expect(purchases.stuck(goodOf())).toBe(false);
    expect(provider.sent).toHaveLength(1);
  });
});

describe("an order that was set aside", () => {
  test("keeps nobody else from buying, whether it broke before its answer came or after", async () => {
    const { lose, buy, provider, purchases, world, db } = shop();
    await lose(1);
    expect(purchases.stuck(goodOf())).toBe(true);
    purchases.forget(idOf(1));
    expect(purchases.stuck(goodOf())).toBe(false);

    const late = await buy(2);
    db.run("INSERT INTO quarantine VALUES (?, 0, 'Error')", [idOf(2)]);
    purchases.forget(idOf(2));
    expect(purchases.stuck(goodOf())).toBe(false);
    provider.sent[1]?.answer(UNKNOWN);
    await world.settle();
    expect(late.answer?.kind).toBe("unknown");
    expect(purchases.stuck(goodOf())).toBe(false);
    await buy(3);
    expect(provider.sent).toHaveLength(3);
  });
});

describe("searching a lost buy", () => {
  test("adopts the one activation that is new, fits and is nobody's, and frees the lane", async () => {
    const { lose, find, provider, world, purchases } = shop();
    await lose(1);
    const boughtAt = world.now() + 3 * SECOND;
    provider.listed = [activeRow("77", { boughtAt })];
    expect(await find(1)).toEqual({
      kind: "found",
      number: {
        activationId: "77",
        phoneNumber: "+155577",
        cost: microUsd(200_000),
        boughtAt,
        endsAt: world.now() + 20 * MINUTE,
      },
    });
    expect(purchases.stuck(goodOf())).toBe(false);
  });

  test("never adopts what was there before, whosever it is", async () => {
    const { lose, find, provider, world } = shop();
    provider.listed = [activeRow("5", { boughtAt: world.now() - SECOND })];
    await lose(1);
    expect(await find(1)).toEqual(unsure("not_seen_yet"));
  });

  test("never adopts another order's number, not even after that order gave it back", async () => {
    const { lose, find, provider, world, ...engine } = shop();
    await engine.withNumber(8);
    await lose(1);
    const theirs = numberOf(8, 0).activationId;
    provider.listed = [activeRow(theirs, { boughtAt: world.now() })];
    expect(await find(1)).toEqual(unsure("not_seen_yet"));
    // Order 8 closes without an SMS, is charged, and goes on to its refund; the provider lists the number still.
    await world.advance(4 * MINUTE);
    await engine.tell(8, { type: "CancelAsked" });
    for (const _ of [1, 2, 3]) {
      const answer = { kind: "seen", standing: "ended", messages: [] } as const;
      await engine.answer("look", { type: "Looked", answer });
      await world.advance(MINUTE);
      await engine.tell(8, { type: "Due" });
    }
    expect(engine.order(8).state.kind).toBe("refundStuck");
    expect((await find(1))?.kind).not.toBe("found");
  });

  test("never adopts another service's, country's or kind's", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    const boughtAt = world.now();
    provider.listed = [
      activeRow("1", { boughtAt, service: "wa" }),
      activeRow("2", { boughtAt, country: 6 }),
      activeRow("3", { boughtAt, rental: true }),
      activeRow("4", { boughtAt, cost: microUsd(MAX_COST + 1) }),
    ];
    expect(await find(1)).toEqual(unsure("not_seen_yet"));
  });

  test("does not hold a rental's cost against it: only an activation's is capped on the wire", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1, goodOf("rent-number"));
    provider.listed = [activeRow("3", { boughtAt: world.now(), rental: true, cost: microUsd(MAX_COST * 2) })];
    expect((await find(1, { good: goodOf("rent-number") }))?.kind).toBe("found");
  });

  test("of a reactivation takes only the number that was asked for", async () => {
    const { lose, find, provider, world } = shop();
    const good = goodOf("receive-sms-reactivate");
    await lose(1, good);
    provider.listed = [activeRow("1", { boughtAt: world.now(), phoneNumber: "+15550000000" })];
    expect(await find(1, { good })).toEqual(unsure("not_seen_yet"));
    provider.past = [pastRow("3", world.now(), { phoneNumber: "+15550000000" })];
    expect(await find(1, { good })).toEqual(unsure("not_seen_yet"));
    provider.listed.push(activeRow("2", { boughtAt: world.now(), phoneNumber: "+15550009999" }));
    expect(await find(1, { good })).toMatchObject({ kind: "found", number: { activationId: "2" } });
  });

  test("of a rental does not adopt one that was bought for another length", async () => {
    const { lose, find, provider, world } = shop();
    const good = goodOf("rent-number");
    await lose(1, good);
    const boughtAt = world.now();
    provider.listed = [activeRow("1", { boughtAt, rental: true, endsAt: boughtAt + 24 * 60 * MINUTE })];
    expect(await find(1, { good })).toEqual(unsure("unexplained_number"));
    provider.listed = [activeRow("1", { boughtAt, rental: true, endsAt: boughtAt + 4 * 60 * MINUTE + MINUTE })];
    expect((await find(1, { good }))?.kind).toBe("found");
  });

  test("is unsure between two, and about one whose time does not fit", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    provider.listed = [activeRow("1", { boughtAt: world.now() }), activeRow("2", { boughtAt: world.now() })];
    expect(await find(1)).toEqual(unsure("ambiguous"));
    provider.listed = [activeRow("1", { boughtAt: world.now() - 3 * 60 * MINUTE })];
    expect(await find(1)).toEqual(unsure("unexplained_number"));
    provider.listed = [activeRow("1", { boughtAt: world.now() }), activeRow("2", { boughtAt: world.now() - MINUTE })];
    expect(await find(1)).toEqual(unsure("unexplained_number"));
  });

  test("takes a row without a time for one of the right time, while nobody else can buy in the lane", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    provider.listed = [activeRow("1", { boughtAt: null })];
    expect(await find(1)).toMatchObject({ kind: "found", number: { boughtAt: world.now() } });
  });

  test("is unsure about a row of its time that does not tell its service, country or number", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    const boughtAt = world.now();
    for (const change of [{ service: null }, { country: null }, { phoneNumber: null }]) {
      provider.listed = [activeRow("1", { boughtAt, ...change })];
      expect(await find(1)).toEqual(unsure("unexplained_number"));
    }
    await world.advance(5 * MINUTE);
    for (const _ of [1, 2, 3]) expect(await find(1)).toEqual(unsure("unexplained_number"));
    // What surely is another's stays another's.
    provider.listed = [activeRow("1", { boughtAt, service: null, country: 6 })];
    expect(await find(1)).toEqual(unsure("not_seen_yet"));
  });

  test("an unreadable row of a stranger that was there before does not keep anybody from buying or searching", async () => {
    const { lose, find, provider, world } = shop();
    provider.listed = [activeRow("5", { service: null, country: null, phoneNumber: null })];
    await lose(1);
    provider.listed.push(activeRow("77", { boughtAt: world.now() }));
    expect(await find(1)).toMatchObject({ kind: "found", number: { activationId: "77" } });
  });

  test("says absent only after two complete looks that came 180 s after the request", async () => {
    const { lose, find, world, purchases } = shop();
    await lose(1);
    for (let look = 0; look < 17; look++) {
      await world.advance(10 * SECOND);
      expect(await find(1)).toEqual(unsure("not_seen_yet"));
    }
    await world.advance(10 * SECOND);
    expect(await find(1)).toEqual(unsure("not_seen_yet"));
    await world.advance(10 * SECOND);
    expect(purchases.stuck(goodOf())).toBe(true);
    expect(await find(1)).toEqual({ kind: "absent" });
    expect(purchases.stuck(goodOf())).toBe(false);
  });

  test("never reads a list that failed as absence", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    await world.advance(10 * MINUTE);
    provider.listed = null;
    for (let look = 0; look < 5; look++) expect(await find(1)).toEqual(unsure("provider_unreachable"));
    provider.listed = [];
    provider.past = null;
    for (let look = 0; look < 5; look++) expect(await find(1)).toEqual(unsure("provider_unreachable"));
    provider.past = [];
    expect(await find(1)).toEqual(unsure("not_seen_yet"));
    provider.listed = null;
    expect(await find(1)).toEqual(unsure("provider_unreachable"));
    provider.listed = [];
    expect(await find(1)).toEqual({ kind: "absent" });
  });

  test("finds one that has ended in the history; one that was refunded is as good as never bought", async () => {
    const { lose, find, provider, world } = shop();
    const known = world.now() - SECOND;
    provider.listed = [activeRow("2")];
    await lose(1);
    provider.listed = [];
    provider.past = [
      pastRow("2", known),
      pastRow("3", world.now(), { standing: "refunded" }),
      pastRow("4", world.now(), { service: "wa" }),
    ];
    expect(await find(1)).toEqual(unsure("not_seen_yet"));
    provider.past.push(pastRow("5", world.now() - 30 * SECOND));
    provider.past.push(pastRow("6", world.now() + SECOND, { standing: "finished" }));
    expect(await find(1)).toMatchObject({ kind: "found", number: { activationId: "6" } });
  });

  test("does not overlook one that was bought while our clock was minutes off", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    const sentAt = world.now();
    await world.advance(5 * MINUTE);
    for (const off of [-4 * MINUTE, -45 * SECOND, 4 * MINUTE]) {
      provider.past = [pastRow("6", sentAt + off, { standing: "finished" })];
      for (let look = 0; look < 3; look++) expect(await find(1)).toEqual(unsure("unexplained_number"));
    }
    provider.past = [pastRow("6", sentAt - 6 * MINUTE)];
    await find(1);
    expect(await find(1)).toEqual({ kind: "absent" });
  });

  describe("does not trust our clock:", () => {
    /** The provider's clock is right, and ours is so far ahead of it from the start. */
    const ahead = (ms: number) => {
      const engine = startEngine();
      const provider = new ScriptedProvider(
        () => engine.world.now(),
        () => engine.world.now() - ms,
      );
      const its = () => engine.world.now() - ms;
      return { ...shop(engine, provider), its };
    };

    test.each([-HOUR, HOUR])("a number bought while it is %d ms off is found, and lives by it", async (off) => {
      const { lose, find, provider, world, its } = ahead(off);
      await lose(1);
      const bought = world.now();
      provider.listed = [activeRow("77", { boughtAt: its(), endsAt: its() + 30 * MINUTE })];
      await world.advance(2 * MINUTE);
      const number = { activationId: "77", boughtAt: bought, endsAt: bought + 30 * MINUTE };
      expect(await find(1)).toMatchObject({ kind: "found", number });
    });

    test.each([-HOUR, HOUR])("one that is only in the history, %d ms off, is found as well", async (off) => {
      const { lose, find, provider, world, its } = ahead(off);
      await lose(1);
      provider.past = [pastRow("77", its(), { standing: "finished" })];
      await world.advance(21 * MINUTE);
      expect(await find(1)).toMatchObject({ kind: "found", number: { activationId: "77" } });
    });

    test.each([-HOUR, HOUR])("it is set by %d ms after the send: that is no time that passed", async (step) => {
      const { lose, find, provider, world } = shop();
      let behind = 0;
      provider.now = () => world.now() - behind;
      await lose(1);
      const sentAt = world.now();
      world.step(step);
      behind = step;
      for (let look = 0; look < 3; look++) expect(await find(1)).toEqual(unsure("clocks_disagree"));
      provider.past = [pastRow("77", sentAt)];
      await world.advance(5 * MINUTE);
      expect(await find(1)).toMatchObject({ kind: "found", number: { boughtAt: sentAt + step } });
    });

    test("a process that starts with another clock searches as the one did that died", async () => {
      const { lose, restarted, provider, world } = shop();
      await lose(1);
      const sentAt = world.now();
      world.step(-HOUR);
      provider.now = () => world.now() + HOUR;
      provider.past = [pastRow("77", sentAt)];
      expect(await restarted().find(1)).toMatchObject({ kind: "found", number: { activationId: "77" } });
    });

    test("when nothing was bought the search ends, however wrong it is", async () => {
      for (const off of [-HOUR, HOUR]) {
        const { lose, find, world } = ahead(off);
        await lose(1);
        await world.advance(3 * MINUTE);
        expect(await find(1)).toEqual(unsure("not_seen_yet"));
        expect(await find(1)).toEqual({ kind: "absent" });
      }
    });

    test("a provider that tells no time, at the send or at the look, proves nothing away", async () => {
      const { lose, find, provider, world } = shop();
      await lose(1);
      await world.advance(5 * MINUTE);
      const { now } = provider;
      provider.now = () => null;
      for (let look = 0; look < 3; look++) expect(await find(1)).toEqual(unsure("clocks_disagree"));
      provider.now = now;
      await find(1);
      expect(await find(1)).toEqual({ kind: "absent" });

      provider.now = () => null;
      await lose(2);
      provider.now = now;
      await world.advance(5 * MINUTE);
      for (let look = 0; look < 3; look++) expect(await find(2)).toEqual(unsure("clocks_disagree"));
      provider.listed = [activeRow("77", { boughtAt: world.now() - 5 * MINUTE })];
      expect(await find(2)).toMatchObject({ kind: "found", number: { activationId: "77" } });
    });
  });

  describe("does not trust the provider's clock alone:", () => {
    test("a look that is dated ahead is no time that passed", async () => {
      const { lose, find, provider, world } = shop();
      await lose(1);
      provider.now = () => world.now() + 3 * MINUTE;
      await world.advance(5 * SECOND);
      for (let look = 0; look < 3; look++) expect(await find(1)).toEqual(unsure("not_seen_yet"));
    });

    test("a list before the send that came out of a cache proves nothing away", async () => {
      const { lose, find, provider, world } = shop();
      provider.now = () => world.now() - 6 * MINUTE;
      await lose(1);
      provider.now = () => world.now();
      await world.advance(5 * MINUTE);
      for (let look = 0; look < 3; look++) expect(await find(1)).toEqual(unsure("clocks_disagree"));
    });

    test("what is found by a look without a date lives by our clock", async () => {
      const engine = startEngine();
      const its = () => engine.world.now() - HOUR;
      const { lose, find, provider, world } = shop(engine, new ScriptedProvider(() => engine.world.now(), its));
      await lose(1);
      const bought = world.now();
      provider.now = () => null;
      provider.listed = [activeRow("77", { boughtAt: its(), endsAt: its() + 30 * MINUTE })];
      const number = { activationId: "77", boughtAt: bought, endsAt: bought + 30 * MINUTE };
      expect(await find(1)).toMatchObject({ kind: "found", number });
    });
  });

  test("does not overlook one of the history whose time lies outside of what was asked for: it was misread", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    await world.advance(5 * MINUTE);
    // Told in another zone than we think.
    for (const off of [-3 * HOUR, 3 * HOUR]) {
      provider.history = async () => [pastRow("77", world.now() + off)];
      for (let look = 0; look < 3; look++) expect(await find(1)).toEqual(unsure("unexplained_number"));
    }
  });

  test("takes an entry of the history that does not tell its service for neither ours nor absent", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    provider.past = [pastRow("6", world.now(), { service: null, country: null })];
    await world.advance(5 * MINUTE);
    for (let look = 0; look < 3; look++) expect(await find(1)).toEqual(unsure("unexplained_number"));
    provider.past = [pastRow("6", null)];
    expect(await find(1)).toEqual(unsure("unexplained_number"));
  });

  test("without an intent nothing was sent: surely absent, and nothing is asked", async () => {
    const { find, provider } = shop();
    expect(await find(1)).toEqual({ kind: "absent" });
    expect(provider.looks).toBe(0);
  });

  test("the number one search was answered with is not given to another before its order holds it", async () => {
    const { lose, find, provider, world } = shop();
    await lose(1);
    await find(1, { last: true });
    await lose(2);
    provider.listed = [activeRow("77", { boughtAt: world.now() + 5 * SECOND })];
    expect(await find(2)).toMatchObject({ kind: "found", number: { activationId: "77" } });
    await world.advance(5 * MINUTE);
    expect(await find(1)).not.toMatchObject({ kind: "found" });
    // The same search may be answered again: its first answer may have been lost.
    expect(await find(2)).toMatchObject({ kind: "found", number: { activationId: "77" } });
  });
});

describe("after a restart", () => {
  test("between intent and send, the search waits its time and then says absent", async () => {
    const { buy, restarted, world } = shop();
    await buy(1);
    const after = restarted();
    expect(await after.find(1)).toEqual(unsure("not_seen_yet"));
    await world.advance(180 * SECOND);
    expect(await after.find(1)).toEqual(unsure("not_seen_yet"));
    await world.advance(10 * SECOND);
    expect(await after.find(1)).toEqual({ kind: "absent" });
  });

  test("a buy that happened is found by the intent of the process that died", async () => {
    const { buy, restarted, provider, world } = shop();
    provider.listed = [activeRow("5", { boughtAt: world.now() })];
    await buy(1);
    provider.listed.push(activeRow("77", { boughtAt: world.now() + SECOND }));
    const after = restarted();
    after.purchases.restore(`${idOf(1)}:buy:1`, goodOf());
    expect(after.purchases.stuck(goodOf())).toBe(true);
    expect(await after.find(1)).toMatchObject({ kind: "found", number: { activationId: "77" } });
    expect(after.purchases.stuck(goodOf())).toBe(false);
  });

  test("a search closes its lane by itself", async () => {
    const { buy, restarted } = shop();
    await buy(1);
    const after = restarted();
    await after.find(1);
    expect(after.purchases.stuck(goodOf())).toBe(true);
    await after.buy(2);
    expect(after.provider.sent).toHaveLength(1);
  });
});

describe("the last search", () => {
  test("frees the lane at once and goes on until the number turns up", async () => {
    const { lose, find, buy, provider, world, purchases } = shop();
    await lose(1);
    const sentAt = world.now();
    let found: BuySearch | null = null;
    const effect = { kind: "findBuy", key: "k", attempt: 1, good: goodOf(), last: true } as const;
    void purchases.find(effect, idOf(1)).then((answer) => {
      found = answer;
    });
    await world.settle();
    expect(purchases.stuck(goodOf())).toBe(false);
    await buy(2);
    expect(provider.sent).toHaveLength(2);
    provider.sent[1]?.answer(bought("2"));
    await world.advance(2 * MINUTE);
    expect(found).toBeNull();
    provider.listed = [activeRow("77", { boughtAt: sentAt + 20 * SECOND })];
    await world.advance(15 * SECOND);
    expect(found as BuySearch | null).toMatchObject({ kind: "found", number: { activationId: "77" } });
    expect(await find(9)).toEqual({ kind: "absent" });
  });

  /** The search for order 1 goes on behind its back. */
  function searchOn({ purchases }: ReturnType<typeof shop>): { answer: BuySearch | null } {
    const result: { answer: BuySearch | null } = { answer: null };
    const effect = { kind: "findBuy", key: "k", attempt: 1, good: goodOf(), last: true } as const;
    void purchases.find(effect, idOf(1)).then((answer) => {
      result.answer = answer;
    });
    return result;
  }

  test("never takes, and gives back, the number of a buy whose answer is on its way", async () => {
    const shopping = shop();
    const { lose, buy, provider, world } = shopping;
    await lose(1);
    const search = searchOn(shopping);
    await world.settle();
    await world.advance(14 * SECOND);
    const other = await buy(2);
    // The provider has sold it, and its answer has not arrived yet.
    provider.listed = [activeRow("77", { boughtAt: world.now() })];
    await world.advance(SECOND);
    expect(search.answer).toBeNull();
    provider.sent[1]?.answer(bought("77"));
    await world.advance(5 * MINUTE);
    expect(other.answer).toMatchObject({ kind: "bought", number: { activationId: "77" } });
    expect(search.answer).toEqual({ kind: "absent" });
  });

  test("leaves a number that another unknown buy explains to that one", async () => {
    const shopping = shop();
    const { lose, find, provider, world } = shopping;
    await lose(1);
    const search = searchOn(shopping);
    await world.settle();
    await lose(2);
    provider.listed = [activeRow("77", { boughtAt: world.now() + 5 * SECOND })];
    await world.advance(30 * SECOND);
    expect(search.answer).toBeNull();
    expect(await find(2)).toMatchObject({ kind: "found", number: { activationId: "77" } });
    await world.advance(5 * MINUTE);
    expect(search.answer).toEqual({ kind: "absent" });
  });

  test("gives nothing back whose time the provider does not tell", async () => {
    const shopping = shop();
    const { lose, provider, world } = shopping;
    await lose(1);
    const search = searchOn(shopping);
    provider.listed = [activeRow("77", { boughtAt: null })];
    await world.advance(26 * MINUTE);
    expect(search.answer).toEqual(unsure("unexplained_number"));
  });

  test("ends unsure when the provider never answered in all that time", async () => {
    const { lose, provider, world, purchases } = shop();
    await lose(1);
    provider.listed = null;
    let found: BuySearch | null = null;
    const effect = { kind: "findBuy", key: "k", attempt: 1, good: goodOf(), last: true } as const;
    void purchases.find(effect, idOf(1)).then((answer) => {
      found = answer;
    });
    await world.advance(24 * MINUTE);
    expect(found).toBeNull();
    await world.advance(2 * MINUTE);
    expect(found as BuySearch | null).toEqual(unsure("provider_unreachable"));
    expect(world.armed()).toEqual([]);
  });
});
