/** Whatever HeroSMS answers, the adapter says one of its port's outcomes, or that the provider is unavailable. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { microUsd, parseMicroUsd } from "../../../actors/order/money.ts";
import { createHeroSms } from "../../../src/provider/herosms/adapter.ts";
import { ERROR_WORDS, read } from "../../../src/provider/herosms/dialect.ts";
import * as field from "../../../src/provider/herosms/fields.ts";
import { parseMessage } from "../../../src/provider/herosms/messages.ts";
import { parseTime } from "../../../src/provider/herosms/time.ts";
import { type NumberProvider, ProviderUnavailable } from "../../../src/provider/port.ts";
import { BASE, bend, bentPeers, runs, weird } from "./bent.ts";

const ID = /^[1-9]\d{0,19}$/;
const PHONE = /^\+[1-9]\d{5,14}$/;
const isCost = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTime = (value: unknown) =>
  value === null || (Number.isSafeInteger(value) && Math.abs(value as number) < 8.64e15);

/** What is wrong with an answer of the adapter. */
type Judge<T> = (value: T) => boolean;

const isMessage: Judge<{ id: string; code: unknown; text: unknown; receivedAt: unknown }> = ({
  id,
  code,
  text,
  receivedAt,
}) =>
  id.length > 0 &&
  id.length < 100 &&
  [code, text].every((part) => part === null || typeof part === "string") &&
  isTime(receivedAt);
const isBought: Judge<Awaited<ReturnType<NumberProvider["buyActivation"]>>> = (outcome) => {
  if (outcome.kind !== "bought")
    return outcome.kind === "refused" ? typeof outcome.refusal.why === "string" : outcome.detail.length < 80;
  const { activationId, phoneNumber, cost, currency, endsAt } = outcome.bought;
  return (
    ID.test(activationId) && PHONE.test(phoneNumber) && isCost(cost) && Number.isSafeInteger(currency) && isTime(endsAt)
  );
};

/** Every question of the port, with what its answer must be. */
const QUESTIONS: readonly ((provider: NumberProvider) => Promise<boolean>)[] = [
  async (provider) => isCost(await provider.balance()),
  async (provider) =>
    (await provider.smsOffers({ service: "tg" })).every(
      ({ cost, stock, country }) => isCost(cost) && isCost(stock) && isCost(country),
    ),
  async (provider) =>
    (await provider.smsOffers({ country: 187, for: "catalog" })).every(({ service }) => typeof service === "string"),
  async (provider) =>
    (await provider.rentalOffers({ service: "full" })).every(
      ({ cost, hours, stock }) => isCost(cost) && isCost(stock) && hours > 0,
    ),
  async (provider) => {
    const offer = await provider.reactivationOffer("635468024");
    return offer === null || isCost(offer.cost);
  },
  async (provider) =>
    (await provider.countries()).every(({ id, name }) => isCost(id) && name.length > 0 && name.length <= 200),
  async (provider) => (await provider.services()).every(({ code, name }) => code.length <= 10 && name.length <= 200),
  async (provider) => isBought(await provider.buyActivation({ service: "tg", country: 187, maxCost: microUsd(9e6) })),
  async (provider) =>
    isBought(await provider.buyRental({ service: "full", country: 187, hours: 4, maxCost: microUsd(9e9) })),
  async (provider) => isBought(await provider.reactivate({ activationId: "635468024", maxCost: microUsd(9e6) })),
  async (provider) =>
    (await provider.active()).every(
      ({ activationId, phoneNumber, boughtAt, endsAt }) =>
        ID.test(activationId) && PHONE.test(phoneNumber ?? "+123456") && isTime(boughtAt) && isTime(endsAt),
    ),
  async (provider) =>
    (await provider.history(Date.UTC(2026, 4, 31), Date.UTC(2026, 5, 2))).every(
      ({ activationId, at }) => ID.test(activationId) && isTime(at),
    ),
];

test("every question of the port, to a provider that bends its answers", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(bend, { minLength: 1, maxLength: 12 }),
      fc.nat(QUESTIONS.length - 1),
      async (bends, first) => {
        const peers = bentPeers(bends);
        try {
          const provider = createHeroSms({ world: peers.world, baseUrl: BASE, apiKey: "k", onTrouble: () => {} });
          for (let n = 0; n < 4; n++) {
            const question = QUESTIONS[(first + n * 5) % QUESTIONS.length];
            try {
              expect(await question?.(provider)).toBe(true);
            } catch (error) {
              if (!(error instanceof ProviderUnavailable)) throw error;
              expect(error.message.length).toBeLessThan(200);
            }
          }
          expect(peers.asked()).toBeLessThan(400);
        } finally {
          peers.stop();
        }
      },
    ),
    runs(250),
  );
}, 60_000);

test("an activation's whole life, with a provider that bends its answers", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(bend, { maxLength: 14 }), async (bends) => {
      const peers = bentPeers([{ kind: "true" }, ...bends]);
      try {
        const provider = createHeroSms({ world: peers.world, baseUrl: BASE, apiKey: "k", onTrouble: () => {} });
        const outcome = await provider.buyActivation({ service: "tg", country: 187, maxCost: microUsd(9e6) });
        if (outcome.kind !== "bought") return;
        const { activationId, phoneNumber } = outcome.bought;
        for (const turn of ["look", "sms", "look", "cancel", "look", "finish", "look"] as const) {
          try {
            if (turn === "sms") peers.provider.deliver({ phoneNumber: phoneNumber ?? "", text: "code 123456" });
            else if (turn === "look") {
              const { standing, messages } = await provider.look(activationId, peers.world.now());
              expect(["open", "refunded", "finished", "ended", "missing"]).toContain(standing);
              expect(messages.every(isMessage)).toBe(true);
            } else {
              const answer = await provider[turn](activationId);
              expect([
                "cancelled",
                "finished",
                "too_early",
                "sms_arrived",
                "too_late",
                "not_active",
                "refused",
                "unknown",
              ]).toContain(answer.kind);
              if (answer.kind === "too_early") expect(answer.minActivationSeconds).toBeWithin(0, 100_000);
            }
          } catch (error) {
            if (!(error instanceof ProviderUnavailable)) throw error;
          }
        }
        expect(peers.asked()).toBeLessThan(400);
      } finally {
        peers.stop();
      }
    }),
    runs(150),
  );
}, 60_000);

describe("the dialect", () => {
  const KINDS = ["empty", "text", "json", "error", "blocked", "garbled"];

  test("reads every status and body as one of its kinds, and only error words that it knows", () => {
    const body = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      weird.map((value) => JSON.stringify(value) ?? ""),
      weird.map((value) => JSON.stringify(JSON.stringify(value)) ?? ""),
      fc.record({ title: weird, details: weird, info: weird }).map((value) => JSON.stringify(value)),
      fc.record({ status: weird, msg: weird, error: weird }).map((value) => JSON.stringify(value)),
      fc.tuple(fc.constantFrom(...ERROR_WORDS), fc.string()).map(([word, rest]) => `${word}:${rest}`),
    );
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), body, (status, text) => {
        const reading = read(status, text);
        expect(KINDS).toContain(reading.kind);
        expect(reading.status).toBe(status);
        if (reading.kind === "error") {
          expect(["UNRECOGNISED", ...ERROR_WORDS]).toContain(reading.word);
          expect(typeof reading.info).toBe("object");
        }
        if (reading.kind === "text" || reading.kind === "json" || reading.kind === "empty") {
          expect(status).toBeWithin(200, 300);
        }
      }),
      runs(3_000),
    );
  });

  test("makes ids, numbers, phones, texts and times of values, or null, and nothing else", () => {
    fc.assert(
      fc.property(weird, fc.integer({ min: 1, max: 300 }), (value, limit) => {
        expect(field.id(value) ?? "1").toMatch(ID);
        expect(field.phone(value) ?? "+123456").toMatch(PHONE);
        expect(isCost(field.whole(value) ?? 0)).toBe(true);
        expect(field.country(value) ?? 0).toBeWithin(0, 1_000);
        expect(field.service(value) ?? "tg").toMatch(/^[A-Za-z0-9]{2,10}$/);
        expect((field.text(value, limit) ?? "x").length).toBeWithin(1, limit + 1);
        expect(isTime(parseTime(value))).toBe(true);
        expect(isCost(parseMicroUsd(value) ?? 0)).toBe(true);
        const message = parseMessage("1", value);
        expect(message === null || isMessage(message)).toBe(true);
      }),
      runs(3_000),
    );
  });

  test("reads every time that it could have written", () => {
    const time = fc.date({
      min: new Date("2000-01-01T00:00:00Z"),
      max: new Date("2199-12-31T23:59:59Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(time, fc.integer({ min: -14 * 60, max: 14 * 60 }), (date, offset) => {
        const seconds = Math.floor(date.getTime() / 1000) * 1000;
        const pad = (n: number) => String(Math.trunc(n)).padStart(2, "0");
        const zone = `${offset < 0 ? "-" : "+"}${pad(Math.abs(offset) / 60)}:${pad(Math.abs(offset) % 60)}`;
        const local = new Date(seconds + offset * 60_000).toISOString().slice(0, 19);
        if (!/^2[01]\d\d/.test(local)) return;
        expect(parseTime(`${local}${zone}`)).toBe(seconds);
        expect(parseTime(new Date(seconds).toISOString())).toBe(seconds);
        if (seconds >= 1e12) expect(parseTime(seconds / 1000)).toBe(seconds);
      }),
      runs(500),
    );
  });
});
