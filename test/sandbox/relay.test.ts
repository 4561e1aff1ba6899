import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { SimplePool } from "nostr-tools/pool";
import { type EventTemplate, finalizeEvent, generateSecretKey, getPublicKey } from "nostr-tools/pure";
import { RealWorld } from "../../actors/runtime/world.ts";
import { Faults } from "../../src/sandbox/faults.ts";
import { RelayPeer } from "../../src/sandbox/relay.ts";
import { type SocketData, upgrade, websocket } from "../../src/sandbox/sockets.ts";

const world = new RealWorld();
const key = generateSecretKey();
const now = () => Math.floor(world.now() / 1000);
let faults: Faults;
let server: ReturnType<typeof Bun.serve<SocketData>>;
let url: string;
let pool: SimplePool;

beforeEach(() => {
  faults = new Faults();
  const relay = new RelayPeer({ world, faults });
  server = Bun.serve<SocketData>({
    port: 0,
    development: false,
    websocket,
    fetch: (request, server) => upgrade(server, request, relay.accept, () => relay.about()),
  });
  url = `ws://127.0.0.1:${server.port}`;
  pool = new SimplePool();
});
afterEach(async () => {
  pool.destroy();
  await server.stop(true);
});

const event = (template: Partial<EventTemplate> = {}) =>
  finalizeEvent({ kind: 1, created_at: now(), tags: [], content: "hello", ...template }, key);
const publish = async (published: ReturnType<typeof event>) => Promise.all(pool.publish([url], published));
const contents = async (filter: Parameters<SimplePool["querySync"]>[1]) =>
  (await pool.querySync([url], filter)).map(({ content }) => content);

/** A plain connection: everything the relay says, in order. */
async function connect() {
  const socket = new WebSocket(url);
  const heard: unknown[][] = [];
  const waiting: (() => void)[] = [];
  const wake = () => waiting.splice(0).forEach((resolve) => void resolve());
  socket.onmessage = ({ data }) => {
    heard.push(JSON.parse(String(data)));
    wake();
  };
  const closed = new Promise<void>((resolve) => {
    socket.onclose = () => resolve();
  });
  await new Promise((resolve) => {
    socket.onopen = resolve;
  });
  const next = async (): Promise<unknown[]> => {
    while (heard.length === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    return heard.shift() ?? [];
  };
  return { say: (...message: unknown[]) => socket.send(JSON.stringify(message)), socket, next, closed };
}

describe("publish and subscribe", () => {
  test("what is published is found again, newest first", async () => {
    await publish(event({ content: "old", created_at: now() - 10 }));
    await publish(event({ content: "new" }));
    await publish(event({ content: "other kind", kind: 7 }));
    expect(await contents({ kinds: [1] })).toEqual(["new", "old"]);
    expect(await contents({ kinds: [1], limit: 1 })).toEqual(["new"]);
    expect(await contents({ authors: [getPublicKey(key)], kinds: [7] })).toEqual(["other kind"]);
  });

  test("a subscriber hears what is published later, if it matches", async () => {
    const subscriber = await connect();
    subscriber.say("REQ", "mine", { "#p": ["me"] });
    expect(await subscriber.next()).toEqual(["EOSE", "mine"]);
    await publish(event({ content: "not for me" }));
    const wrap = event({ kind: 1059, tags: [["p", "me"]], content: "for me" });
    await publish(wrap);
    expect(await subscriber.next()).toEqual(["EVENT", "mine", JSON.parse(JSON.stringify(wrap))]);
    subscriber.say("CLOSE", "mine");
    subscriber.say("REQ", "none", { ids: ["00".repeat(32)] });
    expect(await subscriber.next()).toEqual(["EOSE", "none"]);
    await publish(event({ tags: [["p", "me"]] }));
    subscriber.say("nonsense");
    expect((await subscriber.next())[0]).toBe("NOTICE");
    subscriber.socket.close();
  });

  test("of replaceable and addressable events only the newest stays", async () => {
    await publish(event({ kind: 10_050, content: "newest", created_at: now() - 5 }));
    await publish(event({ kind: 10_050, content: "older", created_at: now() - 9 }));
    expect(await contents({ kinds: [10_050] })).toEqual(["newest"]);
    for (const d of ["a", "b", "a"]) await publish(event({ kind: 30_000, tags: [["d", d]], content: `last ${d}` }));
    expect((await contents({ kinds: [30_000] })).sort()).toEqual(["last a", "last b"]);
  });

  test("ephemeral events are passed on but not kept", async () => {
    const subscriber = await connect();
    subscriber.say("REQ", "live", { kinds: [20_001] });
    await subscriber.next();
    await publish(event({ kind: 20_001 }));
    expect((await subscriber.next())[0]).toBe("EVENT");
    expect(await contents({ kinds: [20_001] })).toEqual([]);
    subscriber.socket.close();
  });
});

describe("what is refused", () => {
  test("a forged event", async () => {
    const { say, next, socket } = await connect();
    const forged = { ...event(), content: "changed" };
    say("EVENT", forged);
    expect(await next()).toEqual(["OK", forged.id, false, "invalid: bad id or signature"]);
    const real = event();
    say("EVENT", { ...real, sig: `${real.sig.slice(0, -2)}${real.sig.endsWith("00") ? "01" : "00"}` });
    expect(await next()).toEqual(["OK", real.id, false, "invalid: bad id or signature"]);
    socket.close();
  });

  test("an expired event, also when it expires later", async () => {
    const expired = event({ tags: [["expiration", String(now() - 1)]] });
    await expect(publish(expired)).rejects.toThrow("expired");
    await publish(event({ kind: 9, tags: [["expiration", String(now() + 3_600)]] }));
    expect(await contents({ kinds: [9] })).toHaveLength(1);
    world.jump(world.now() + 3_601_000);
    expect(await contents({ kinds: [9] })).toHaveLength(0);
  });

  test("messages and filters that make no sense, without losing the connection", async () => {
    const { say, next, socket } = await connect();
    for (const message of [["EVENT", { id: 1 }], ["REQ"], ["REQ", "x".repeat(65), {}], ["HELLO"], [{}]]) {
      say(...message);
      expect((await next())[0]).toBe("NOTICE");
    }
    for (const filters of [[], [{ kinds: "1" }], [{ "#p": [1] }], Array(11).fill({})]) {
      say("REQ", "bad", ...filters);
      expect((await next()).slice(0, 2)).toEqual(["CLOSED", "bad"]);
    }
    socket.send("{not json");
    expect((await next())[0]).toBe("NOTICE");
    socket.close();
  });

  test("more than twenty subscriptions on one connection", async () => {
    const { say, next, socket } = await connect();
    for (let i = 0; i < 20; i++) {
      say("REQ", `${i}`, { kinds: [3] });
      expect((await next())[0]).toBe("EOSE");
    }
    say("REQ", "20", { kinds: [3] });
    expect((await next())[0]).toBe("CLOSED");
    say("REQ", "0", { kinds: [4] });
    expect((await next())[0]).toBe("EOSE");
    socket.close();
  });

  test("a message longer than 64 KiB ends the connection", async () => {
    const { socket, closed } = await connect();
    socket.send("x".repeat(70_000));
    await closed;
  });
});

describe("faults of publish", () => {
  const plan = (fault: string) => faults.plan({ peer: "relay", action: "publish", fault, detail: {} });

  test("reject says no", async () => {
    plan("reject");
    await expect(publish(event())).rejects.toThrow("blocked");
  });

  test("silent never answers and stores nothing", async () => {
    plan("silent");
    const { say, next, socket } = await connect();
    const lost = event();
    say("EVENT", lost);
    say("REQ", "look", { ids: [lost.id] });
    expect(await next()).toEqual(["EOSE", "look"]);
    socket.close();
  });

  test("disconnect breaks the connection", async () => {
    plan("disconnect");
    const { say, closed } = await connect();
    say("EVENT", event());
    await closed;
    await publish(event()); // The next connection is fine.
  });
});

test("the relay keeps the newest thousand events", async () => {
  const { say, next, socket } = await connect();
  for (let i = 0; i < 1_003; i++) {
    say("EVENT", event({ kind: 1, content: `${i}`, created_at: 1_000 + i }));
    await next();
  }
  say("REQ", "all", { limit: 5_000 });
  let count = 0;
  while ((await next())[0] === "EVENT") count++;
  expect(count).toBe(1_000);
  say("REQ", "first", { until: 1_003 });
  expect(((await next())[2] as { content: string }).content).toBe("3");
  socket.close();
}, 15_000);

test("NIP-11 tells what the relay is", async () => {
  const response = await fetch(`http://127.0.0.1:${server.port}/`, { headers: { accept: "application/nostr+json" } });
  expect(await response.json()).toMatchObject({ supported_nips: [1, 11, 40] });
});
