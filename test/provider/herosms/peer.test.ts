/** The adapter against the sandbox's HeroSMS, over real sockets: both sides must mean the same by every word. */
import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { createHeroSms } from "../../../src/provider/herosms/adapter.ts";
import type { Bought, BuyOutcome, NumberProvider, SmsOffer } from "../../../src/provider/port.ts";
import { Faults } from "../../../src/sandbox/faults.ts";
import { ProviderPeer } from "../../../src/sandbox/provider/peer.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function open(mode: "current" | "legacy" = "current", smsAfterMs: number | null = null) {
  const world = new RealWorld();
  const faults = new Faults();
  const books = new Database(":memory:");
  const peer = new ProviderPeer({ world, books, faults, smsAfterMs, webhooks: () => [], mode });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) => peer.fetch(request),
    error: () => new Response("broken", { status: 500 }),
  });
  stops.push(async () => {
    await server.stop(true);
    peer.stop();
    books.close();
  });
  const provider = createHeroSms({ world, baseUrl: `http://127.0.0.1:${server.port}`, apiKey: "key-of-the-peer" });
  const plan = (action: string, fault: string, detail = {}) => faults.plan({ peer: "provider", action, fault, detail });
  const advance = (ms: number) => world.jump(world.now() + ms);
  return { world, peer, provider, plan, advance };
}

async function cheapest(provider: NumberProvider): Promise<SmsOffer> {
  const [offer] = await provider.smsOffers({ service: "tg", country: 187 });
  if (!offer) throw new Error("The peer sells no tg in 187");
  return offer;
}

function bought(outcome: BuyOutcome): Bought {
  if (outcome.kind !== "bought") throw new Error(`Not bought: ${JSON.stringify(outcome)}`);
  return outcome.bought;
}

async function buy(provider: NumberProvider): Promise<Bought> {
  const { service, country, cost } = await cheapest(provider);
  return bought(await provider.buyActivation({ service, country, maxCost: cost }));
}

for (const mode of ["current", "legacy"] as const) {
  describe(`in the ${mode} form`, () => {
    test("a number bought at its quote gets an SMS, is read, finished and found in the history", async () => {
      const { provider, peer, world } = open(mode);
      const offer = await cheapest(provider);
      const number = await buy(provider);
      expect(number).toMatchObject({ service: "tg", country: 187, cost: offer.cost, currency: 840 });
      expect(await provider.look(number.activationId)).toEqual({ standing: "open", messages: [] });

      peer.deliver({ phoneNumber: number.phoneNumber, text: "Your code is 012345" });
      const look = await provider.look(number.activationId);
      expect(look).toMatchObject({ standing: "open", messages: [{ code: "012345", text: "Your code is 012345" }] });
      expect(Math.abs((look.messages[0]?.receivedAt ?? 0) - world.now())).toBeLessThan(5 * SECOND);
      expect(await provider.active()).toMatchObject([
        {
          activationId: number.activationId,
          phoneNumber: number.phoneNumber,
          rental: false,
          newest: expect.any(String),
          message: { code: "012345", text: "Your code is 012345" },
        },
      ]);

      expect(await provider.finish(number.activationId)).toEqual({ kind: "finished" });
      expect(await provider.finish(number.activationId)).toEqual({ kind: "not_active" });
      expect(await provider.active()).toEqual([]);
      expect(await provider.look(number.activationId)).toMatchObject({
        standing: "finished",
        messages: [{ code: "012345" }],
      });
      expect(await provider.history(world.now() - MINUTE, world.now() + MINUTE)).toMatchObject([
        { activationId: number.activationId, standing: "finished", service: "tg", country: 187 },
      ]);
    });

    test("a cancel is refused before two minutes and gives the money back after them", async () => {
      const { provider, advance } = open(mode);
      const before = await provider.balance();
      const { activationId } = await buy(provider);
      expect(await provider.balance()).toBeLessThan(before);
      expect(await provider.cancel(activationId)).toEqual({ kind: "too_early", minActivationSeconds: 120 });
      advance(2 * MINUTE);
      expect(await provider.cancel(activationId)).toEqual({ kind: "cancelled" });
      expect(await provider.cancel(activationId)).toEqual({ kind: "not_active" });
      expect(await provider.look(activationId)).toEqual({ standing: "refunded", messages: [] });
      expect(await provider.balance()).toBe(before);
    });

    test("what expired without an SMS is refunded", async () => {
      const { provider, advance } = open(mode);
      const { activationId } = await buy(provider);
      advance(21 * MINUTE);
      expect(await provider.look(activationId)).toEqual({ standing: "refunded", messages: [] });
    });

    test("what nobody bought is missing", async () => {
      expect(await open(mode).provider.look("123")).toEqual({ standing: "missing", messages: [] });
    });
  });
}

describe("an SMS that lands during a release", () => {
  test("stops the cancel and comes with it", async () => {
    const { provider, peer, advance } = open();
    const number = await buy(provider);
    advance(3 * MINUTE);
    peer.deliver({ phoneNumber: number.phoneNumber, text: "Your code is 4711" });
    const cancelled = await provider.cancel(number.activationId);
    expect(cancelled).toMatchObject({ kind: "sms_arrived", messages: [{ code: "4711" }] });
    expect(await provider.look(number.activationId)).toMatchObject({ messages: [{ code: "4711" }] });
    expect(await provider.cancel(number.activationId)).toEqual({ kind: "sms_arrived", messages: [] });
  });

  test("stops the finish once; the repeat confirms it", async () => {
    const { provider, peer } = open();
    const number = await buy(provider);
    peer.deliver({ phoneNumber: number.phoneNumber, text: "Your code is 4711" });
    expect(await provider.finish(number.activationId)).toMatchObject({
      kind: "sms_arrived",
      messages: [{ code: "4711" }],
    });
    expect(await provider.finish(number.activationId)).toEqual({ kind: "finished" });
  });

  test("a finish without any SMS is refused", async () => {
    const { provider } = open();
    const { activationId } = await buy(provider);
    expect(await provider.finish(activationId)).toEqual({ kind: "refused", detail: "BAD_STATUS" });
  });
});

describe("a purchase whose answer was lost", () => {
  const faults: [fault: string, detail: object][] = [
    ["hang_bought", {}],
    ["empty", {}],
    ["garbled", {}],
    ["missing_id", {}],
    ["text_number", {}],
    ["http500", { after: true }],
    ["html502", { after: true }],
  ];
  for (const [fault, detail] of faults) {
    test(`${fault} is unknown, and found in the active list`, async () => {
      const { provider, world, plan, peer } = open();
      const { cost, service, country } = await cheapest(provider);
      plan("getNumberV2", fault, detail);
      const started = world.now();
      const outcome = provider.buyActivation({ service, country, maxCost: cost });
      if (fault === "hang_bought") {
        while (peer.view().activations.length === 0) await Bun.sleep(1);
        world.jump(world.now() + 15 * SECOND);
      }
      expect(await outcome).toMatchObject({ kind: "unknown" });
      const active = await provider.active();
      expect(active).toMatchObject([{ service, country, cost, rental: false, newest: null }]);
      expect(active[0]?.boughtAt).toBeGreaterThanOrEqual(started - SECOND);
      expect(active[0]?.boughtAt).toBeLessThanOrEqual(world.now());
    });
  }

  test("a refusal leaves nothing behind", async () => {
    for (const fault of [
      "no_numbers",
      "wrong_max_price",
      "no_balance",
      "banned_specific",
      "service_na",
      "html403",
      "rate_limit",
    ]) {
      const { provider, plan, peer } = open();
      const { cost, service, country } = await cheapest(provider);
      plan("getNumberV2", fault);
      expect(await provider.buyActivation({ service, country, maxCost: cost })).toMatchObject({ kind: "refused" });
      expect(peer.view().activations).toEqual([]);
    }
  });

  test("a purchase in another currency is ours", async () => {
    const { provider, plan } = open();
    const { cost, service, country } = await cheapest(provider);
    plan("getNumberV2", "currency");
    expect(await provider.buyActivation({ service, country, maxCost: cost })).toMatchObject({
      kind: "bought",
      bought: { currency: 978 },
    });
  });
});

test("a cap below the price is refused with the price", async () => {
  const { provider } = open();
  const { cost, service, country } = await cheapest(provider);
  const outcome = await provider.buyActivation({ service, country, maxCost: (cost - 100) as typeof cost });
  expect(outcome).toMatchObject({ kind: "refused", refusal: { why: "price_above_cap", minimum: cost } });
});

test("every quoted offer of a service can really be bought at its price", async () => {
  const { provider } = open();
  const offers = await provider.smsOffers({ service: "tg" });
  expect(offers.length).toBeGreaterThan(100);
  for (const { service, country, cost } of offers.slice(0, 20)) {
    const number = bought(await provider.buyActivation({ service, country, maxCost: cost }));
    expect(number.cost).toBeLessThanOrEqual(cost);
    expect(number.country).toBe(country);
  }
});

test("the whole catalog, the countries and the services are read", async () => {
  const { provider } = open();
  expect((await provider.smsOffers({})).length).toBeGreaterThan(1_000);
  expect((await provider.smsOffers({ country: 187 })).length).toBeGreaterThan(10);
  expect(await provider.countries()).toContainEqual({ id: 187, name: "USA", visible: true, rent: true });
  expect(await provider.services()).toContainEqual({ code: "full", name: "Full rent" });
});

test("a rental is offered, bought at its price, receives, and is listed as one", async () => {
  const { provider, peer, world } = open();
  const offers = await provider.rentalOffers({ service: "full" });
  const offer = offers.find(({ country, hours }) => country === 187 && hours === 2);
  if (!offer) throw new Error("The peer rents nothing in 187");
  const { service, country, hours, cost } = offer;
  const refused = await provider.buyRental({ service, country, hours, maxCost: (cost - 1) as typeof cost });
  expect(refused).toEqual({ kind: "refused", refusal: { why: "price_above_cap", minimum: cost } });
  const rental = bought(await provider.buyRental({ service, country, hours, maxCost: cost }));
  expect(Math.abs((rental.endsAt ?? 0) - world.now() - 2 * 60 * MINUTE)).toBeLessThan(5 * SECOND);
  expect(await provider.active()).toMatchObject([{ activationId: rental.activationId, rental: true }]);
  peer.deliver({ phoneNumber: rental.phoneNumber, text: "one 1111" });
  peer.deliver({ phoneNumber: rental.phoneNumber, text: "two 2222" });
  const { messages } = await provider.look(rental.activationId);
  expect(messages.map(({ code }) => code).sort()).toEqual(["1111", "2222"]);
  expect(await provider.finish(rental.activationId)).toEqual({ kind: "finished" });
});

test("a finished number is reactivated at the offered price, under a new id", async () => {
  const { provider, peer } = open();
  const number = await buy(provider);
  expect(await provider.reactivationOffer(number.activationId)).toBeNull();
  peer.deliver({ phoneNumber: number.phoneNumber, text: "Your code is 1234" });
  await provider.look(number.activationId);
  expect(await provider.finish(number.activationId)).toEqual({ kind: "finished" });

  const offer = await provider.reactivationOffer(number.activationId);
  if (!offer) throw new Error("The peer offers no reactivation");
  const again = { activationId: number.activationId, maxCost: offer.cost };
  const tooCheap = { ...again, maxCost: (offer.cost - 1) as typeof offer.cost };
  expect(await provider.reactivate(tooCheap)).toMatchObject({ kind: "refused", refusal: { why: "price_above_cap" } });
  const next = bought(await provider.reactivate(again));
  expect(next).toMatchObject({ phoneNumber: number.phoneNumber, cost: offer.cost, service: "tg", country: 187 });
  expect(next.activationId).not.toBe(number.activationId);
  expect(await provider.reactivate(again)).toEqual({ kind: "refused", refusal: { why: "sim_offline" } });
});
