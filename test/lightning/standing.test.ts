import { expect, test } from "bun:test";
import { sats } from "../../actors/order/money.ts";
import { type MayPay, type NodeInfo, NodeUnavailable } from "../../src/lightning/port.ts";
import { NodeStanding } from "../../src/lightning/standing.ts";
import { ManualWorld } from "../support/manual-world.ts";

const MAY: MayPay = { ok: true };
const MAY_NOT: MayPay = { ok: false, reason: "The connection may not pay" };
const INFO: NodeInfo = { pubkey: "02", network: "bcrt", alias: "", synced: true };

async function standing(answers: (MayPay | null)[]) {
  const world = new ManualWorld();
  const heard: boolean[] = [];
  let asked = 0;
  const node = {
    info: async () => INFO,
    balance: async () => ({ outboundSats: sats(5_000), inboundSats: null }),
    mayPay: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)] ?? null;
      if (answer === null) throw new NodeUnavailable("away");
      return answer;
    },
  };
  const at = new NodeStanding(
    world,
    node,
    () => true,
    (may) => heard.push(may.ok),
  );
  await at.start();
  return { world, at, heard, asked: () => asked };
}

test("a node that may pay could send what it has, and is asked for its rights once an hour", async () => {
  const { world, at, heard, asked } = await standing([MAY]);
  expect([at.ok, at.mayPay, at.outboundSats as number | null, heard]).toEqual([true, true, 5_000, []]);
  await world.advance(30 * 60_000);
  expect(asked()).toBe(1);
  await world.advance(40 * 60_000);
  expect(asked()).toBe(2);
});

test("nothing is believed longer because the clock was set back", async () => {
  const { world, at, asked } = await standing([MAY]);
  world.step(-24 * 60 * 60_000);
  expect(at.ok).toBe(false);
  await at.start();
  expect([at.ok, asked()]).toEqual([true, 2]);
});

test("one that can only receive could send nothing, says so once, and is asked again every minute", async () => {
  const { world, at, heard } = await standing([MAY_NOT, MAY_NOT, MAY_NOT, MAY]);
  expect([at.ok, at.mayPay, at.outboundSats as number | null, heard]).toEqual([true, false, 0, [false]]);
  await world.advance(61_000);
  expect([at.mayPay, heard]).toEqual([false, [false]]);
  await world.advance(180_000);
  expect([at.mayPay, at.outboundSats as number | null, heard]).toEqual([true, 5_000, [false, true]]);
});

test("one that cannot be asked for its rights is taken at what it said before", async () => {
  const { world, at, heard } = await standing([null, MAY_NOT, null]);
  expect([at.ok, at.mayPay, heard]).toEqual([true, true, []]);
  await world.advance(61_000);
  expect([at.mayPay, heard]).toEqual([false, [false]]);
  await world.advance(120_000);
  expect([at.mayPay, heard]).toEqual([false, [false]]);
});
