import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";

const MINUTE = 60_000;

test("over a hundred numbers of a service and country without an SMS ban that pair for half an hour", async () => {
  const { ask, buy, peer, world } = openDesk({ bans: true });
  for (let n = 0; n < 101; n++) await buy();
  const answer = await ask("getNumberV2", { country: 187, service: "tg" });
  expect(answer.status).toBe(403);
  expect(answer.json()).toMatchObject({ title: "BANNED", info: { scope: "specific", retry_after_seconds: 1_800 } });
  expect(peer.view().bans).toMatchObject([{ service: "tg", country: 187 }]);
  expect((await buy({ service: "wa" })).id).toBeString();
  await world.advance(30 * MINUTE);
  expect((await buy()).id).toBeString();
  expect(peer.view().bans).toEqual([]);
});

test("six percent with an SMS are enough", async () => {
  const { buy, peer } = openDesk({ bans: true });
  for (let n = 0; n < 110; n++) {
    const { phone } = await buy();
    if (n < 7) peer.deliver({ phoneNumber: phone, text: "Code 123456" });
  }
  expect(peer.view().bans).toEqual([]);
});

test("five banned pairs ban the account", async () => {
  const { ask, buy, world } = openDesk({ bans: true });
  const services = ["tg", "wa", "go", "ig", "fb"];
  for (const service of services) {
    for (let n = 0; n < 98; n++) await buy({ service, maxPrice: 2 });
    await world.advance(20 * MINUTE);
  }
  // From 500 numbers on, only ten may be active.
  for (const service of services) {
    for (let n = 0; n < 3; n++) await buy({ service, maxPrice: 2 });
    await world.advance(20 * MINUTE);
  }
  const last: unknown[] = [];
  for (const service of services)
    last.push((await ask("getNumberV2", { country: 187, service, maxPrice: 2 })).json().info);
  expect(last).toMatchObject([...Array(4).fill({ scope: "specific" }), { scope: "global" }]);
  const other = await ask("getNumberV2", { country: 6, service: "ot", maxPrice: 2 });
  expect(other.json()).toMatchObject({ title: "BANNED", info: { scope: "global" } });
});

test("an account with five hundred numbers and no success has ten at a time", async () => {
  const { ask, buy, world } = openDesk({ bans: true });
  const services = ["tg", "wa", "go", "ig", "fb"];
  for (let n = 0; n < 500; n++) await buy({ service: services[n % 5] ?? "", country: n % 2 ? 187 : 6, maxPrice: 2 });
  await world.advance(20 * MINUTE);
  for (let n = 0; n < 10; n++) await buy({ service: "tg", country: 16, maxPrice: 2 });
  const refused = await ask("getNumberV2", { country: 16, service: "tg", maxPrice: 2 });
  expect(refused.json()).toMatchObject({ title: "CHANNELS_LIMIT" });
});

test("it bans nobody unless it is asked to", async () => {
  const { buy } = openDesk();
  for (let n = 0; n < 120; n++) expect((await buy()).id).toBeString();
});
