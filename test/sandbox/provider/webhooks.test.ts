import { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { openDesk } from "./desk.ts";
import { ManualWorld, START } from "./manual-world.ts";

const servers: ReturnType<typeof Bun.serve>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});

/** A customer's endpoint over a real socket; answers with `answer()`. */
function endpoint(answer: () => Response | Promise<Response> = () => new Response("ok")) {
  const heard: { body: Record<string, unknown>; type: string | null; method: string }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      heard.push({
        body: (await request.json()) as Record<string, unknown>,
        type: request.headers.get("content-type"),
        method: request.method,
      });
      return answer();
    },
  });
  servers.push(server);
  return { heard, url: `http://127.0.0.1:${server.port}/hook` };
}

test("every SMS is posted to every endpoint", async () => {
  const [one, two] = [endpoint(), endpoint()];
  const { buy, world } = openDesk({ smsAfterMs: 4_000, webhooks: () => [one.url, two.url] });
  const { id } = await buy();
  await world.advance(4_000);
  expect(one.heard).toEqual([
    {
      method: "POST",
      type: "application/json",
      body: {
        activationId: id,
        service: "tg",
        text: expect.stringMatching(/^Your Telegram code is \d{6}$/),
        code: expect.stringMatching(/^\d{6}$/),
        country: 187,
        receivedAt: "2026-09-21T14:13:24.000000Z",
        phoneFrom: "Telegram",
      },
    },
  ]);
  expect(two.heard).toEqual(one.heard);
  await world.advance(300_000);
  expect(one.heard.length).toBe(1);
});

test("anything but 200 is repeated every 25 s, seven times", async () => {
  const hook = endpoint(() => new Response(null, { status: 204 }));
  const { buy, peer, world } = openDesk({ webhooks: () => [hook.url] });
  const { phone } = await buy();
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  await world.advance(24_999);
  expect(hook.heard.length).toBe(1);
  await world.advance(1);
  expect(hook.heard.length).toBe(2);
  await world.advance(600_000);
  expect(hook.heard.length).toBe(8);
  expect(new Set(hook.heard.map(({ body }) => JSON.stringify(body))).size).toBe(1);
});

test("an endpoint that takes more than 3 s, or is not there, counts as failed", async () => {
  let slow = true;
  const hook = endpoint(() => (slow ? new Promise<Response>(() => {}) : new Response("ok")));
  const world = new ManualWorld();
  const { buy, peer } = openDesk({ world, webhooks: () => [hook.url, "http://127.0.0.1:1/"] });
  const { phone } = await buy();
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  while (hook.heard.length === 0) await Bun.sleep(1);
  slow = false;
  // The call itself is held until its 3 s are over, so only the timer may be waited for.
  const timeout = world.armed().find((time) => time === START + 3_000);
  expect(timeout).toBeDefined();
  world.fire(3_000);
  await world.advance(25_000);
  expect(hook.heard.length).toBe(2);
});

test("a delivery still owed is sent after a restart", async () => {
  const books = new Database(":memory:");
  let up = false;
  const hook = endpoint(() => new Response(null, { status: up ? 200 : 500 }));
  const before = openDesk({ books, webhooks: () => [hook.url] });
  const { phone } = await before.buy();
  before.peer.deliver({ phoneNumber: phone, text: "code 1111" });
  await before.world.idle();
  before.peer.stop();
  up = true;
  const after = openDesk({ books, world: new ManualWorld(START + 1_000), webhooks: () => [hook.url] });
  await after.world.advance(60_000);
  expect(hook.heard.length).toBe(2);
});

test("a delivery that was under way is sent again after a restart", async () => {
  const books = new Database(":memory:");
  const hook = endpoint(() => (hook.heard.length === 1 ? new Promise<Response>(() => {}) : new Response("ok")));
  const before = openDesk({ books, webhooks: () => [hook.url] });
  const { phone } = await before.buy();
  before.peer.deliver({ phoneNumber: phone, text: "code 1111" });
  while (hook.heard.length === 0) await Bun.sleep(1);
  before.peer.stop();
  const after = openDesk({ books, world: new ManualWorld(START + 1_000), webhooks: () => [hook.url] });
  await after.world.idle();
  expect(hook.heard.length).toBe(2);
  expect(books.query("SELECT * FROM provider_webhooks").all()).toEqual([]);
});

test("of many deliveries no more than 64 are under way, and all are sent", async () => {
  const answers: (() => void)[] = [];
  const hook = endpoint(() => new Promise((go) => answers.push(() => go(new Response("ok")))));
  const urls = Array.from({ length: 70 }, (_, n) => `${hook.url}/${n}`);
  const { buy, peer, world } = openDesk({ webhooks: () => urls });
  const { phone } = await buy();
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  while (hook.heard.length < 64) await Bun.sleep(1);
  await Bun.sleep(50);
  expect(hook.heard.length).toBe(64);
  for (const answer of answers.splice(0)) answer();
  while (hook.heard.length < 70) await Bun.sleep(1);
  for (const answer of answers.splice(0)) answer();
  await world.idle();
  expect(hook.heard.length).toBe(70);
});

test("repeats that are due go before new ones, and together no more than 64 are under way", async () => {
  let up = false;
  const answers: (() => void)[] = [];
  const held = () => new Promise<Response>((go) => answers.push(() => go(new Response("ok"))));
  const hook = endpoint(() => (up ? held() : new Response(null, { status: 500 })));
  const urls = Array.from({ length: 40 }, (_, n) => `${hook.url}/${n}`);
  const { buy, peer, world } = openDesk({ smsAfterMs: 25_000, webhooks: () => urls });
  const { phone } = await buy();
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  await world.idle();
  expect(hook.heard.length).toBe(40);
  up = true;
  // An SMS comes at the very time at which the failed ones are repeated.
  world.fire(25_000);
  while (hook.heard.length < 104) await Bun.sleep(1);
  await Bun.sleep(50);
  expect(hook.heard.length).toBe(104);
  expect(hook.heard.filter(({ body }) => body.code === "1111").length).toBe(80);
  for (const answer of answers.splice(0)) answer();
  while (hook.heard.length < 120) await Bun.sleep(1);
  for (const answer of answers.splice(0)) answer();
  await world.idle();
  expect(hook.heard.length).toBe(120);
});

test("a duplicate webhook comes twice, a lost one never", async () => {
  const hook = endpoint();
  const { buy, peer, world, plan, faults } = openDesk({ webhooks: () => [hook.url] });
  const { phone } = await buy();
  plan("webhook", "duplicate_webhook");
  plan("webhook", "lost_webhook");
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  peer.deliver({ phoneNumber: phone, text: "code 2222" });
  await world.advance(120_000);
  expect(hook.heard.map(({ body }) => body.code)).toEqual(["1111", "1111"]);
  expect(faults.list()).toEqual([]);
});

test("a late webhook comes after 60 s", async () => {
  const hook = endpoint();
  const { buy, peer, world, plan } = openDesk({ webhooks: () => [hook.url] });
  const { phone } = await buy();
  plan("webhook", "late_webhook");
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  await world.advance(59_999);
  expect(hook.heard).toEqual([]);
  await world.advance(1);
  expect(hook.heard.length).toBe(1);
});

test("an early webhook comes before the answer to the buy", async () => {
  const order: string[] = [];
  const hook = endpoint(() => {
    order.push("webhook");
    return new Response("ok");
  });
  const { buy, plan, world, row } = openDesk({ smsAfterMs: 4_000, webhooks: () => [hook.url] });
  plan("webhook", "early_webhook");
  const { id } = await buy();
  order.push("bought");
  expect(order).toEqual(["webhook", "bought"]);
  expect(hook.heard[0]?.body.activationId).toBe(id);
  await world.advance(10_000);
  expect(row(id).messages).toBe(1);
});
