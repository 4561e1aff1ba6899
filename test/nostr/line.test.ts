/** A lasting connection to a relay: who we are when it insists, what is published again, and when it is given up. */
import { afterEach, expect, test } from "bun:test";
import type { NostrEvent } from "nostr-tools/pure";
import { RealWorld } from "../../actors/runtime/world.ts";
import { sign } from "../../src/nostr/event.ts";
import { Line } from "../../src/nostr/line.ts";
import { until } from "../lightning/contract/bench.ts";

type Frame = unknown[];
type Talk = (frame: Frame, say: (...frame: unknown[]) => void) => void;

const KEY = new Uint8Array(32).fill(7);
const world = new RealWorld();
const template = (content: string) => ({ kind: 1, created_at: Math.floor(world.now() / 1000), tags: [], content });
const EVENT = sign(world, template("hello"), KEY);

const servers: Bun.Server<undefined>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** A relay that says what `talk` says, and a line to it. */
function open(talk: Talk) {
  const heard: unknown[] = [];
  const told: Frame[] = [];
  const state = { opened: 0, ended: 0 };
  const server = Bun.serve<undefined>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, server) => (server.upgrade(request, { data: undefined }) ? undefined : new Response("x")),
    websocket: {
      message(socket, text) {
        const frame = JSON.parse(String(text)) as Frame;
        told.push(frame);
        talk(frame, (...answer) => void socket.send(JSON.stringify(answer)));
      },
    },
  });
  servers.push(server);
  const line = new Line({
    world,
    url: `ws://127.0.0.1:${server.port}/`,
    filters: [{ kinds: [1] }],
    sign: (wanted) => sign(world, { ...wanted, created_at: Math.floor(world.now() / 1000) }, KEY),
    heard: (event) => heard.push(event),
    opened: () => state.opened++,
    ended: () => state.ended++,
  });
  return { line, heard, told, state, verbs: () => told.map(([verb]) => verb) };
}

test("says who we are when the relay insists, then asks and publishes again", async () => {
  let isKnown = false;
  const { line, told, state, heard } = open(([verb, first], say) => {
    if (verb === "AUTH") {
      isKnown = true;
      return say("OK", (first as NostrEvent).id, true, "");
    }
    if (!isKnown) {
      say("AUTH", "a challenge");
      return verb === "REQ"
        ? say("CLOSED", first, "auth-required: members only")
        : say("OK", (first as NostrEvent).id, false, "auth-required: members only");
    }
    if (verb === "EVENT") return say("OK", (first as NostrEvent).id, true, "");
    say("EVENT", first, EVENT);
    say("EOSE", first);
  });
  line.publish(EVENT);
  await until(() => state.opened === 1 && told.filter(([verb]) => verb === "EVENT").length === 2);
  const auth = told.filter(([verb]) => verb === "AUTH").map(([, event]) => event as NostrEvent);
  expect(auth).toHaveLength(1);
  expect(auth[0]?.tags).toContainEqual(["challenge", "a challenge"]);
  expect(heard).toEqual([EVENT]);
  line.close();
});

test("gives up a relay that does not let us in, and says so once", async () => {
  const { state, verbs } = open(([verb, first], say) => {
    if (verb === "AUTH") return say("OK", (first as NostrEvent).id, false, "restricted: not you");
    say("AUTH", "a challenge");
    say("CLOSED", first, "auth-required: members only");
  });
  await until(() => state.ended > 0);
  expect([state, verbs()]).toEqual([{ opened: 0, ended: 1 }, ["REQ", "AUTH"]]);
});

test("publishes what was given before the connection stood, and nothing that was refused again", async () => {
  const { line, told, state } = open(([verb, first], say) => {
    if (verb === "REQ") return say("EOSE", first);
    say("OK", (first as NostrEvent).id, false, "rate-limited: slow down");
  });
  line.publish(EVENT);
  await until(() => state.opened === 1 && told.length === 2);
  expect(told.map(([verb]) => verb)).toEqual(["REQ", "EVENT"]);
  expect(line.isOver).toBe(false);
  line.close();
  expect([line.isOver, state.ended]).toEqual([true, 1]);
  line.publish(EVENT);
  line.close();
  expect(state.ended).toBe(1);
});

test("ends when the relay sends what is no frame, closes the subscription, or nobody is there", async () => {
  const nonsense = open((_, say) => say("x".repeat(300_000)));
  const closed = open(([, first], say) => say("CLOSED", first, "error: shutting down"));
  await until(() => nonsense.state.ended === 1 && closed.state.ended === 1);
  let ended = 0;
  const nobody = new Line({
    world,
    url: "ws://127.0.0.1:9/",
    filters: [],
    sign: (wanted) => sign(world, wanted, KEY),
    heard: () => {},
    opened: () => {},
    ended: () => ended++,
  });
  await until(() => ended === 1);
  expect(nobody.isOver).toBe(true);
});
