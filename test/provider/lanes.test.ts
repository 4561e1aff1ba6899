import { describe, expect, test } from "bun:test";
import { Lanes } from "../../src/provider/lanes.ts";
import { ManualWorld } from "../support/manual-world.ts";

function lanes() {
  const world = new ManualWorld();
  const self = new Lanes(world);
  const entered: string[] = [];
  return {
    world,
    lanes: self,
    entered,
    enter(name: string, key: string, waitMs = 1_000): void {
      void self.enter(name, key, world.now() + waitMs).then((ok) => entered.push(ok ? key : `${key} gave up`));
    },
  };
}

describe("a lane", () => {
  test("lets in one at a time, in the order in which they came", async () => {
    const { world, lanes: all, entered, enter } = lanes();
    for (const key of ["a", "b", "c"]) enter("tg", key);
    await world.ready();
    expect(entered).toEqual(["a"]);
    all.leave("tg", "a");
    await world.ready();
    expect(entered).toEqual(["a", "b"]);
    all.leave("tg", "b");
    await world.ready();
    expect(entered).toEqual(["a", "b", "c"]);
  });

  test("keeps nobody of another lane waiting", async () => {
    const { world, entered, enter } = lanes();
    enter("tg", "a");
    enter("wa", "b");
    await world.ready();
    expect(entered).toEqual(["a", "b"]);
  });

  test("sends away who waited past its time, and nobody else", async () => {
    const { world, lanes: all, entered, enter } = lanes();
    enter("tg", "a");
    enter("tg", "b", 10);
    enter("tg", "c", 30);
    enter("tg", "d", 20);
    await world.advance(20);
    expect(entered).toEqual(["a", "b gave up", "d gave up"]);
    all.leave("tg", "a");
    await world.advance(100);
    expect(entered).toEqual(["a", "b gave up", "d gave up", "c"]);
    expect(world.armed()).toEqual([]);
  });

  test("does not keep waiting who came too late already", async () => {
    const { world, entered, enter } = lanes();
    enter("tg", "a");
    enter("tg", "b", -5);
    await world.advance(0);
    expect(entered).toEqual(["a", "b gave up"]);
  });

  test("that was closed by several opens when the last of them leaves", async () => {
    const { world, lanes: all, entered, enter } = lanes();
    all.close("tg", "x");
    all.close("tg", "y");
    all.close("tg", "y");
    enter("tg", "a");
    all.leave("tg", "y");
    await world.ready();
    expect(entered).toEqual([]);
    all.leave("tg", "x");
    await world.ready();
    expect(entered).toEqual(["a"]);
  });

  test("is not opened by one who is not in it", async () => {
    const { world, lanes: all, entered, enter } = lanes();
    enter("tg", "a");
    enter("tg", "b");
    all.leave("tg", "b");
    all.leave("tg", "stranger");
    all.leave("nowhere", "a");
    await world.ready();
    expect(entered).toEqual(["a"]);
  });
});
