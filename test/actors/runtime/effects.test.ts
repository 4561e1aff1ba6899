import { describe, expect, test } from "bun:test";
import type { Command } from "../../../actors/order/commands.ts";
import { type Effect, lostResult } from "../../../actors/order/effects.ts";
import type { Order } from "../../../actors/order/state.ts";
import { EffectRunner } from "../../../actors/runtime/effects.ts";
import { ManualWorld } from "../../support/manual-world.ts";
import { idOf, MINUTE, opening, ScriptedEffects, SECOND } from "./engine.ts";

const look = (key: string): Effect => ({ kind: "look", key, activationId: "1", boughtAt: 1 });
const nothing: Command = { type: "Looked", answer: { kind: "unavailable" } };

class Hopeless extends Error {}

function runner(
  deliver: (command: Command, key: string) => Promise<unknown> = () => Promise.resolve(),
  holds?: (effect: Effect, order: Order) => boolean,
) {
  const world = new ManualWorld();
  const effects = new ScriptedEffects();
  const order: Order = opening(1, world.now()).order;
  const delivered: { command: Command; key: string; at: number }[] = [];
  const failed: { effect: string; error: unknown }[] = [];
  const start = world.now();
  const running = new EffectRunner({
    world,
    handlers: effects.handlers,
    ...(holds && { holds }),
    deliver: (id, command, key) => {
      expect(id).toBe(order.id);
      delivered.push({ command, key, at: world.now() - start });
      return deliver(command, key);
    },
    hopeless: (error) => error instanceof Hopeless,
    failed: (effect, error) => failed.push({ effect, error }),
  });
  return { world, effects, order, delivered, failed, runner: running };
}

describe("an effect", () => {
  test("runs once and comes back as its command, with its key", async () => {
    const { world, effects, order, delivered, runner: run } = runner();
    run.perform(order, [look("a"), look("b")]);
    expect(run.running).toBe(2);
    effects.asked[0]?.answer(nothing);
    await world.settle();
    expect(delivered).toEqual([{ command: nothing, key: "a", at: 0 }]);
    expect(run.running).toBe(1);
  });

  test("with the same key does not run twice at once", async () => {
    const { world, effects, order, runner: run } = runner();
    run.perform(order, [look("a")]);
    run.perform(order, [look("a")]);
    await world.settle();
    expect(effects.asked).toHaveLength(1);
  });

  test("whose handler throws is told as a lost answer: nothing is known", async () => {
    const { world, effects, order, delivered, failed, runner: run } = runner();
    const effect = look("a");
    run.perform(order, [effect]);
    const error = new Error("a bug");
    effects.last("look").fail(error);
    await world.settle();
    expect(delivered.map(({ command }) => command)).toEqual([lostResult(effect)]);
    expect(failed).toEqual([{ effect: "look", error }]);
  });
});

describe("an effect that is held back", () => {
  test("is not performed, nobody waits for it, and the others run", async () => {
    const {
      world,
      effects,
      order,
      delivered,
      runner: run,
    } = runner(undefined, ({ key }, of) => key === "a" && of.id === idOf(1));
    run.perform(order, [look("a"), look("b")]);
    expect([run.held, run.running]).toEqual([1, 1]);
    effects.last("look").answer(nothing);
    await world.advance(10 * MINUTE);
    expect(delivered.map(({ key }) => key)).toEqual(["b"]);
    expect([effects.asked.length, run.running]).toEqual([1, 0]);
  });
});

describe("a result that is not taken", () => {
  test("is offered again, ever more slowly, until it is", async () => {
    let broken = true;
    const {
      world,
      effects,
      order,
      delivered,
      runner: run,
    } = runner(() => (broken ? Promise.reject(new Error("disk full")) : Promise.resolve()));
    run.perform(order, [look("a")]);
    effects.last("look").answer(nothing);
    await world.advance(2 * MINUTE);
    expect(delivered.map(({ at }) => at)).toEqual([0, 500, 1_500, 3_500, 8_500, 18_500, 48_500, 78_500, 108_500]);
    broken = false;
    await world.advance(MINUTE);
    expect(delivered).toHaveLength(10);
    expect(run.running).toBe(0);
    expect(effects.asked).toHaveLength(1);
    expect(world.armed()).toEqual([]);
  });

  test("for a reason that no waiting mends is not offered for ever", async () => {
    const { world, effects, order, delivered, runner: run } = runner(() => Promise.reject(new Hopeless()));
    run.perform(order, [look("a")]);
    effects.last("look").answer(nothing);
    await world.advance(10 * MINUTE);
    expect(delivered).toHaveLength(1);
    expect(run.running).toBe(0);
  });
});

describe("stopping", () => {
  test("starts nothing new and delivers nothing more", async () => {
    const { world, effects, order, delivered, runner: run } = runner();
    run.perform(order, [look("a")]);
    run.stop();
    run.perform(order, [look("b")]);
    expect(effects.asked).toHaveLength(1);
    effects.last("look").answer(nothing);
    await world.advance(MINUTE);
    expect(delivered).toEqual([]);
  });
});

describe("an interrupted effect", () => {
  test("is told as interrupted, under its own key", async () => {
    const { world, effects, delivered, runner: run } = runner();
    const effect = look("a");
    await run.interrupted(idOf(1), effect);
    await world.advance(MINUTE);
    expect(delivered).toEqual([{ command: { type: "EffectInterrupted", effect }, key: "a", at: 0 }]);
    expect(effects.asked).toEqual([]);
  });

  test("that cannot be told now lets the start go on, and is told later", async () => {
    let tries = 0;
    const {
      world,
      delivered,
      runner: run,
    } = runner(() => (++tries < 3 ? Promise.reject(new Error("not now")) : Promise.resolve()));
    await run.interrupted(idOf(1), look("a"));
    expect(delivered).toHaveLength(1);
    await world.advance(10 * SECOND);
    expect(delivered).toHaveLength(3);
    expect(world.armed()).toEqual([]);
  });
});
