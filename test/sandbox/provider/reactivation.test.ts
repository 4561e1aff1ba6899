import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";

async function finished() {
  const desk = openDesk({ smsAfterMs: 4_000 });
  const bought = await desk.buy();
  await desk.world.advance(4_000);
  await desk.status(bought.id);
  await desk.ask("finishActivation", { id: bought.id });
  const reactivate = (query: Record<string, string | number>) => desk.ask("reactivate", query, { method: "POST" });
  return { ...desk, bought, reactivate };
}

test("a finished activation comes back with a new id, the same number and the price of its option", async () => {
  const { ask, bought, reactivate, world, status, row } = await finished();
  const { options } = (await ask("reactivateOptions", { id: bought.id })).json().data;
  expect(options.map(({ duration }: { duration: unknown }) => duration)).toEqual([
    { unit: "hour", value: 2 },
    { unit: "hour", value: 24 },
  ]);
  const again = (await reactivate({ id: bought.id })).json();
  expect(again).toMatchObject({
    activationId: "900000002",
    phoneNumber: bought.phone,
    activationCost: options[0].price,
    serviceCode: "tg",
    subtype: 1,
    status: 4,
  });
  expect(row("900000002").messages).toBe(0);
  await world.advance(4_000);
  expect(await status("900000002")).toStartWith("STATUS_OK:");
});

test("the number cannot be reactivated while somebody holds it", async () => {
  const { bought, reactivate, world } = await finished();
  expect((await reactivate({ id: bought.id, duration: 24 })).status).toBe(200);
  expect((await reactivate({ id: bought.id })).json().title).toBe("SIM_OFFLINE");
  await world.advance(24 * 3_600_000);
  expect((await reactivate({ id: bought.id })).status).toBe(200);
});

test("only an activation that was finished is reactivated", async () => {
  const { ask, buy, reactivate, world } = await finished();
  const waiting = await buy({ country: 36 });
  await world.advance(0);
  for (const answer of [await reactivate({ id: waiting.id }), await ask("reactivateOptions", { id: waiting.id })]) {
    expect([answer.status, answer.json().title]).toEqual([403, "SERVICE_NOT_AVAILABLE"]);
  }
  const rented = (await ask("getRentNumber", { country: 187, service: "tg", duration: 2 })).json();
  await ask("finishActivation", { id: rented.activationId });
  expect((await reactivate({ id: rented.activationId })).json().title).toBe("SERVICE_NOT_AVAILABLE");
  expect((await reactivate({ id: 1 })).json().title).toBe("NOT_FOUND");
});

test("an unknown duration is 422, an empty account 402", async () => {
  const { bought, reactivate, books } = await finished();
  expect((await reactivate({ id: bought.id, duration: 3 })).json().info.field).toBe("duration");
  books.run("UPDATE provider_account SET balance = 0");
  expect((await reactivate({ id: bought.id })).json().title).toBe("NO_BALANCE");
});
