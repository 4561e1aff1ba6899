import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";
import { ManualWorld, START } from "./manual-world.ts";

test("a missing key is 422, a bad key 401, both before the action is looked up", async () => {
  const { send } = openDesk();
  const missing = await send("/stubs/handler_api.php?action=nonsense");
  expect(missing.status).toBe(422);
  expect(missing.json()).toEqual({
    title: "UNPROCESSABLE_ENTITY",
    details: "Validation failed",
    info: { field: "api_key", code: "REQUIRED", message: "" },
  });
  const bad = await send("/stubs/handler_api.php?action=nonsense&api_key=bad");
  expect(bad.status).toBe(401);
  expect(bad.json()).toEqual({ title: "BAD_KEY", details: "Unauthorized" });
});

test("an unknown action, and a known one by the wrong method, are 404 BAD_ACTION", async () => {
  const { ask } = openDesk();
  for (const answer of [
    await ask("getPricesV3"),
    await ask("getFullSms"),
    await ask("constructor"),
    await ask("reactivate", { id: 1 }),
    await ask("getBalance", {}, { method: "POST" }),
  ]) {
    expect(answer.status).toBe(404);
    expect(answer.json()).toEqual({ title: "BAD_ACTION", details: "Method Not Found" });
  }
});

test("text and JSON alike are served as text/html", async () => {
  const { ask } = openDesk();
  expect((await ask("getBalance")).headers.get("content-type")).toStartWith("text/html");
  expect((await ask("getActiveActivations")).headers.get("content-type")).toStartWith("text/html");
});

test("the balance starts at 100,000 USD and has four decimals", async () => {
  const { ask, peer } = openDesk();
  expect((await ask("getBalance")).text).toBe("ACCESS_BALANCE:100000.0000");
  expect(peer.view()).toEqual({ bans: [], balanceUsd: "100000", activations: [] });
});

test("an unknown path is an HTML 404", async () => {
  const answer = await openDesk().send("/stubs/other.php");
  expect(answer.status).toBe(404);
  expect(answer.text).toStartWith("<!DOCTYPE html>");
});

test("the same seed and the same calls give the same answers, another seed does not", async () => {
  const life = async (seed: number) => {
    const { ask, world, buy } = openDesk({ smsAfterMs: 4_000, world: new ManualWorld(START, seed) });
    const { id } = await buy();
    await world.advance(4_000);
    return [(await ask("getActiveActivations")).text, (await ask("getStatus", { id })).text];
  };
  expect(await life(1)).toEqual(await life(1));
  expect(await life(1)).not.toEqual(await life(2));
});
