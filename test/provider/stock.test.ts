import { describe, expect, test } from "bun:test";
import { microUsd } from "../../actors/order/money.ts";
import { ProviderUnavailable, type RentalOffer, type SmsOffer } from "../../src/provider/port.ts";
import { Stock } from "../../src/provider/stock.ts";
import { HOUR, SECOND } from "../actors/runtime/engine.ts";
import { failureOf, ManualWorld } from "../support/manual-world.ts";

const sms: SmsOffer = { country: 187, service: "tg", cost: microUsd(1), stock: 5 };
const rental: RentalOffer = { ...sms, hours: 4 };

function stock() {
  const world = new ManualWorld();
  const asked: unknown[] = [];
  const self = {
    world,
    asked,
    down: false,
    busy: false,
    stock: new Stock(world, {
      smsOffers: async (filter) => {
        asked.push({ sms: filter });
        if (self.down) throw new ProviderUnavailable("down");
        if (self.busy) throw new ProviderUnavailable("not sent", "rate_limited");
        return [sms];
      },
      rentalOffers: async (filter) => {
        asked.push({ rentals: filter });
        return [rental];
      },
    }),
  };
  return self;
}

describe("offers", () => {
  test("asked for many times at once cost one question", async () => {
    const { stock: at, asked } = stock();
    const answers = await Promise.all(Array.from({ length: 20 }, () => at.sms("tg", 187)));
    expect(answers.every(([first]) => first === sms)).toBe(true);
    expect(asked).toEqual([{ sms: { service: "tg", country: 187, for: "quote" } }]);
  });

  test("are kept for ten seconds, each service, country and kind by itself", async () => {
    const { stock: at, asked, world } = stock();
    await at.sms("tg", 187);
    await at.sms("tg", null);
    await at.sms("wa", 187);
    expect(await at.rentals("tg", 187)).toEqual([rental]);
    expect(asked).toHaveLength(4);
    await world.advance(10 * SECOND - 1);
    await at.sms("tg", 187);
    expect(asked).toHaveLength(4);
    await world.advance(1);
    await at.sms("tg", 187);
    expect(asked).toHaveLength(5);
  });

  test("are not believed for an hour because the clock was set back", async () => {
    const { stock: at, asked, world } = stock();
    await at.sms("tg", 187);
    world.step(-HOUR);
    await at.sms("tg", 187);
    expect(asked).toHaveLength(2);
  });

  test("that failed are asked for again after two seconds, not at once", async () => {
    const at = stock();
    at.down = true;
    for (let asked = 0; asked < 20; asked++) {
      expect(await failureOf(at.stock.sms("tg", 187))).toBeInstanceOf(ProviderUnavailable);
    }
    expect(at.asked).toHaveLength(1);
    at.down = false;
    await at.world.advance(2 * SECOND);
    expect(await at.stock.sms("tg", 187)).toEqual([sms]);
    expect(at.asked).toHaveLength(2);
  });

  test("are believed for a minute while others use up what we may ask, and no longer", async () => {
    const at = stock();
    await at.stock.sms("tg", 187);
    at.busy = true;
    expect(await failureOf(at.stock.sms("wa", 187))).toBeInstanceOf(ProviderUnavailable);
    for (let seconds = 10; seconds < 60; seconds += 10) {
      await at.world.advance(10 * SECOND);
      expect(await at.stock.sms("tg", 187)).toEqual([sms]);
    }
    await at.world.advance(10 * SECOND);
    expect(await failureOf(at.stock.sms("tg", 187))).toBeInstanceOf(ProviderUnavailable);
    at.busy = false;
    await at.world.advance(2 * SECOND);
    expect(await at.stock.sms("tg", 187)).toEqual([sms]);
  });

  test("are not believed of a provider that is down, or that sold less than it offered", async () => {
    const at = stock();
    await at.stock.sms("tg", 187);
    await at.world.advance(10 * SECOND);
    at.down = true;
    expect(await failureOf(at.stock.sms("tg", 187))).toBeInstanceOf(ProviderUnavailable);
    at.down = false;
    await at.world.advance(2 * SECOND);
    await at.stock.sms("tg", 187);
    at.stock.doubt("tg");
    at.busy = true;
    expect(await failureOf(at.stock.sms("tg", 187))).toBeInstanceOf(ProviderUnavailable);
  });

  test("of very many questions are forgotten, those first that nobody asked for lately", async () => {
    const { stock: at, asked } = stock();
    await at.sms("first", 1);
    for (let country = 0; country < 1_999; country++) await at.sms("tg", country);
    await at.sms("first", 1);
    await at.sms("tg", 5_000);
    asked.length = 0;
    await at.sms("first", 1);
    expect(asked).toEqual([]);
    await at.sms("tg", 0);
    expect(asked).toHaveLength(1);
  });

  test("in doubt are asked for again, those of other services are not", async () => {
    const { stock: at, asked } = stock();
    for (const service of ["tg", "tgx"]) await at.sms(service, 187);
    await at.rentals("tg", null);
    at.doubt("tg");
    for (const service of ["tg", "tgx"]) await at.sms(service, 187);
    await at.rentals("tg", null);
    expect(asked).toHaveLength(5);
  });
});
