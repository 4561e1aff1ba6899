import { afterEach, expect, test } from "bun:test";
import * as nip17 from "nostr-tools/nip17";
import { npubEncode } from "nostr-tools/nip19";
import { finalizeEvent, generateSecretKey, getPublicKey } from "nostr-tools/pure";
import { RealWorld } from "../../actors/runtime/world.ts";
import { NostrNotifier, type NostrOptions } from "../../src/notices/nostr.ts";
import type { NoticeOutcome } from "../../src/notices/port.ts";
import { cpuMs } from "../support/cpu.ts";
import { FakeRelay, type RelayBehaviour } from "./fake-relay.ts";

const secretKey = generateSecretKey();
const customer = generateSecretKey();
const npub = npubEncode(getPublicKey(customer));
const DEAD = "ws://127.0.0.1:1/";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0)) await step();
});

function relay(behaviour: RelayBehaviour = {}): FakeRelay {
  const made = new FakeRelay(behaviour);
  cleanUp.push(() => made.stop());
  return made;
}

/** A relay list as the customer publishes it. */
const relayList = (urls: string[], createdAt = 1_700_000_000, key = customer) =>
  finalizeEvent({ kind: 10050, created_at: createdAt, content: "", tags: urls.map((url) => ["relay", url]) }, key);

function notifier(options: Partial<NostrOptions> & { discoveryRelays: string[] }) {
  const world = new RealWorld();
  const ends: [NoticeOutcome, string][] = [];
  const waiting: (() => void)[] = [];
  const { limits, ...others } = options;
  const made = new NostrNotifier(world, {
    secretKey,
    allowLoopback: true,
    observe(outcome, orderId) {
      ends.push([outcome, orderId]);
      for (const wake of waiting.splice(0)) wake();
    },
    limits: { relayMs: 200, retryMs: [5, 10], ...limits },
    ...others,
  });
  cleanUp.push(() => made.stop());
  /** Resolves with all ends once there are so many. */
  const ended = async (count: number) => {
    while (ends.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    return ends;
  };
  return { world, made, ends, ended };
}

/** Discovery and inbox relay with the customer's list in place. */
function customerRelays(inboxBehaviour: RelayBehaviour = {}, discoveryBehaviour: RelayBehaviour = {}) {
  const inbox = relay(inboxBehaviour);
  const discovery = relay(discoveryBehaviour);
  discovery.stored.push(relayList([inbox.url]));
  return { inbox, discovery };
}

test("the customer finds the notice on the relay they named, and it names the order and no code", async () => {
  const { inbox, discovery } = customerRelays();
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("order-17", npub);
  expect(made.pending()).toBe(1);
  expect(await ended(1)).toEqual([["sent", "order-17"]]);
  expect(made.pending()).toBe(0);
  expect(inbox.stored).toHaveLength(1);
  expect(discovery.received).toHaveLength(0);
  const [event] = inbox.stored;
  if (!event) throw new Error("no event");
  const rumor = nip17.unwrapEvent(event, customer);
  expect(rumor.content).toBe("Code received for order order-17");
  expect(rumor.pubkey).toBe(getPublicKey(secretKey));
  const { expiration } = Object.fromEntries(event.tags);
  expect(Number(expiration)).toBeGreaterThan(Date.now() / 1000 + 3_600);
});

test("every relay on the list gets the same event, and one that takes it is enough", async () => {
  const second = relay();
  const { inbox, discovery } = customerRelays();
  discovery.stored.push(relayList([inbox.url, DEAD, second.url], 1_700_000_001));
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["sent", "o1"]]);
  expect(inbox.stored).toHaveLength(1);
  expect(second.stored).toEqual(inbox.stored);
});

test("the newest relay list of all discovery relays counts, and only the recipient's own", async () => {
  const { inbox: old, discovery: first } = customerRelays();
  const current = relay();
  const stranger = relay();
  const second = relay();
  second.stored.push(relayList([current.url], 1_700_000_005));
  const foreign = relayList([stranger.url], 1_700_000_009, generateSecretKey());
  const forged = { ...foreign, pubkey: getPublicKey(customer) };
  second.behaviour = {
    beforeStored: (id) => [
      ["EVENT", id, foreign],
      ["EVENT", id, forged],
      ["EVENT", id, null],
    ],
  };
  const { made, ended } = notifier({ discoveryRelays: [first.url, DEAD, second.url] });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["sent", "o1"]]);
  expect([old.connections, stranger.connections, current.stored.length]).toEqual([0, 0, 1]);
});

test("a recipient without a relay list gets nothing, and nothing is tried again", async () => {
  const discovery = relay();
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["no_relays", "o1"]]);
  expect(discovery.connections).toBe(1);
  expect(discovery.received).toHaveLength(0);
});

test("a recipient that is no npub is reported and goes no further", () => {
  const { made, ends } = notifier({ discoveryRelays: [DEAD] });
  for (const text of ["", "npub1xyz", "not a key", "\u0000"]) made.codeReceived("o1", text);
  expect(ends).toEqual(Array(4).fill(["bad_recipient", "o1"]));
  expect(made.pending()).toBe(0);
});

test("malformed and private relay URLs on a list are passed over, and the good one still gets the notice", async () => {
  const { inbox, discovery } = customerRelays();
  const bad = [
    "",
    "nonsense",
    "wss://",
    "http://x.com",
    "wss://[::",
    "ws://10.0.0.1:80",
    "wss://192.168.1.1",
    "wss://db.internal",
  ];
  discovery.stored.push(relayList([...bad, inbox.url], 1_700_000_001));
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["sent", "o1"]]);
});

test("outside the sandbox no relay on this host is connected to, by address, by name, or by what a name leads to", async () => {
  const { inbox, discovery } = customerRelays();
  const { port } = new URL(inbox.url);
  const asked: string[] = [];
  const resolve = async (host: string) => {
    asked.push(host);
    return host === "mixed.example.com" ? ["8.8.8.8", "10.0.0.1"] : ["127.0.0.1"];
  };
  const urls = [
    inbox.url,
    `wss://localhost:${port}`,
    `wss://rebind.example.com:${port}`,
    `wss://mixed.example.com:${port}`,
  ];
  discovery.stored.push(relayList(urls, 1_700_000_001));
  const { made, ended } = notifier({ discoveryRelays: [discovery.url], allowLoopback: false, resolve });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["no_relays", "o1"]]);
  expect(asked.sort()).toEqual(["mixed.example.com", "rebind.example.com"]);
  expect(inbox.connections).toBe(0);
});

test("a host name that cannot be resolved now is tried again", async () => {
  const discovery = relay();
  discovery.stored.push(relayList(["wss://relay.example.com"]));
  let tries = 0;
  const resolve = async () => {
    tries++;
    throw new Error("SERVFAIL");
  };
  const { made, ended } = notifier({ discoveryRelays: [discovery.url], resolve });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["failed", "o1"]]);
  expect(tries).toBe(3);
});

test("a long relay list does not make us call them all", async () => {
  const { inbox, discovery } = customerRelays();
  const paths = Array.from({ length: 50 }, (_, index) => `${inbox.url}${index}`);
  discovery.stored.push(relayList(paths, 1_700_000_001));
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("o1", npub);
  await ended(1);
  expect(inbox.connections).toBe(4);
});

test("when all relays are down it tries three times, then gives up", async () => {
  const discovery = relay();
  discovery.stored.push(relayList([DEAD]));
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["failed", "o1"]]);
  expect(discovery.connections).toBe(3);
  const nowhere = notifier({ discoveryRelays: [DEAD] });
  nowhere.made.codeReceived("o2", npub);
  expect(await nowhere.ended(1)).toEqual([["failed", "o2"]]);
});

test("a relay that refuses at first gets the same event again, so that none shows it twice", async () => {
  const { inbox, discovery } = customerRelays({ onEvent: (event) => ["OK", event.id, false, "error: try later"] });
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("o1", npub);
  while (inbox.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  inbox.behaviour = {};
  expect(await ended(1)).toEqual([["sent", "o1"]]);
  expect(inbox.received.length).toBeGreaterThanOrEqual(2);
  expect(new Set(inbox.received.map(({ id }) => id)).size).toBe(1);
});

test("authenticates to relays that demand it (NIP-42), for reading and for writing", async () => {
  const { inbox, discovery } = customerRelays({ auth: "both" }, { auth: "both" });
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["sent", "o1"]]);
  expect(inbox.stored).toHaveLength(1);
  const [proof] = inbox.authentications;
  expect(proof).toMatchObject({ kind: 22242, pubkey: getPublicKey(secretKey) });
  expect(Object.fromEntries(proof?.tags ?? []).relay).toBe(inbox.url);
  expect(Math.abs((proof?.created_at ?? 0) - Date.now() / 1000)).toBeLessThan(10);
});

test("does not say who it is to a relay that does not insist", async () => {
  const { inbox, discovery } = customerRelays({ auth: "read" });
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  made.codeReceived("o1", npub);
  expect(await ended(1)).toEqual([["sent", "o1"]]);
  expect(inbox.authentications).toHaveLength(0);
});

for (const [what, behaviour] of [
  ["rejects the proof", { rejectAuth: true }],
  ["wants ever more proof", { forgetsAuth: true }],
] as const) {
  test(`a relay that ${what} is given up at once, and shown one proof a try`, async () => {
    const { inbox, discovery } = customerRelays({ auth: "write", ...behaviour });
    const { made, ended } = notifier({ discoveryRelays: [discovery.url], limits: { relayMs: 60_000 } });
    made.codeReceived("o1", npub);
    expect(await ended(1)).toEqual([["failed", "o1"]]);
    expect(inbox.authentications).toHaveLength(3);
  });
}

const hostile: [string, RelayBehaviour][] = [
  ["is silent", { silent: true }],
  ["sends no JSON", { greeting: ["<html>"] }],
  ["sends a frame that is no list", { greeting: ['{"a":1}'] }],
  ["floods", { greeting: Array(100).fill('["NOTICE","hi"]') }],
  ["sends a giant frame", { greeting: [JSON.stringify(["NOTICE", "x".repeat(1_000_000)])] }],
  ["answers for another event", { onEvent: () => ["OK", "0".repeat(64), true, ""] }],
  ["sends events instead of an answer", { onEvent: (event) => ["EVENT", "1", event] }],
];
for (const [what, behaviour] of hostile) {
  test(`a relay that ${what} costs its own notice and delays no other for long`, async () => {
    const bad = relay(behaviour);
    const good = relay();
    const other = generateSecretKey();
    const discovery = relay();
    discovery.stored.push(relayList([bad.url]), relayList([good.url], 1_700_000_000, other));
    const { made, ended } = notifier({ discoveryRelays: [discovery.url], limits: { relayMs: 300, retryMs: [5] } });
    made.codeReceived("bad", npub);
    made.codeReceived("good", npubEncode(getPublicKey(other)));
    // The good one does not wait for the bad one's second attempt.
    expect(await ended(2)).toEqual([
      ["sent", "good"],
      ["failed", "bad"],
    ]);
  });
}

test("nothing that a relay says is printed", async () => {
  const printed: unknown[] = [];
  const original = { ...console };
  for (const name of ["log", "debug", "info", "warn", "error"] as const)
    console[name] = (...line) => printed.push(line);
  try {
    const greeting = [
      '["NOTICE","canary"]',
      '["EVENT","9",{"content":"canary"}]',
      '["OK"]',
      '["AUTH",7]',
      "[]",
      "[null]",
    ];
    const { discovery } = customerRelays({ greeting });
    const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
    made.codeReceived("o1", npub);
    expect(await ended(1)).toEqual([["sent", "o1"]]);
  } finally {
    Object.assign(console, original);
  }
  expect(printed).toEqual([]);
});

test("the queue is bounded: the oldest notices are dropped and counted", async () => {
  const { inbox, discovery } = customerRelays();
  const { made, ended } = notifier({ discoveryRelays: [discovery.url], limits: { queue: 3 } });
  for (let order = 0; order < 10; order++) made.codeReceived(`o${order}`, npub);
  // One under way and three waiting.
  expect(made.pending()).toBe(4);
  const ends = await ended(10);
  const orders = (outcome: NoticeOutcome) => ends.filter(([end]) => end === outcome).map(([, order]) => order);
  expect(orders("dropped")).toEqual(["o1", "o2", "o3", "o4", "o5", "o6"]);
  expect(orders("sent")).toEqual(["o0", "o7", "o8", "o9"]);
  expect(inbox.stored).toHaveLength(4);
});

test("a notice whose time ran out while it waited is not sent any more", async () => {
  const { inbox, discovery } = customerRelays();
  const { made, ended, world } = notifier({ discoveryRelays: [discovery.url], limits: { noticeMs: 1_000 } });
  made.codeReceived("o1", npub);
  made.codeReceived("o2", npub);
  world.jump(world.now() + 2_000);
  expect(await ended(2)).toEqual([
    ["expired", "o1"],
    ["expired", "o2"],
  ]);
  expect(inbox.connections).toBe(0);
});

test("one notice is under way at a time", async () => {
  const { inbox, discovery } = customerRelays();
  let most = 0;
  inbox.behaviour = {
    onEvent: (event) => {
      most = Math.max(most, inbox.open);
      return ["OK", event.id, true, ""];
    },
  };
  const { made, ended } = notifier({ discoveryRelays: [discovery.url] });
  for (let order = 0; order < 5; order++) made.codeReceived(`o${order}`, npub);
  expect((await ended(5)).map(([, order]) => order)).toEqual(["o0", "o1", "o2", "o3", "o4"]);
  expect(most).toBe(1);
});

test("queueing costs the caller next to nothing, and an observer's bug does not reach it", async () => {
  const { inbox, discovery } = customerRelays();
  const observe = () => {
    throw new Error("observer");
  };
  const { made } = notifier({ discoveryRelays: [discovery.url], observe });
  made.codeReceived("warm-up", npub);
  const spent = cpuMs(() => {
    for (let order = 0; order < 50; order++) made.codeReceived(`o${order}`, npub);
  });
  expect(spent / 50).toBeLessThan(4);
  expect(() => made.codeReceived("o", "nonsense")).not.toThrow();
  while (inbox.stored.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
});

test("stop ends what is under way at once, drops the rest, and leaves no timer and no socket", async () => {
  const { inbox, discovery } = customerRelays({ silent: true });
  const { made, ends, world } = notifier({ discoveryRelays: [discovery.url], limits: { relayMs: 60_000 } });
  made.codeReceived("o1", npub);
  made.codeReceived("o2", npub);
  while (inbox.open === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await made.stop();
  expect(ends.sort()).toEqual([
    ["dropped", "o1"],
    ["dropped", "o2"],
  ]);
  expect(made.pending()).toBe(0);
  expect(world.nextDue()).toBeNull();
  expect(world.busy()).toEqual([]);
  made.codeReceived("o3", npub);
  expect(ends.at(-1)).toEqual(["dropped", "o3"]);
  while (inbox.open > 0) await new Promise((resolve) => setTimeout(resolve, 1));
});

test("stop while a notice rests between attempts drops it", async () => {
  const discovery = relay();
  discovery.stored.push(relayList([DEAD]));
  const { made, ends, world } = notifier({ discoveryRelays: [discovery.url], limits: { retryMs: [60_000] } });
  made.codeReceived("o1", npub);
  while (world.nextDue() === null || world.busy().length > 0 || discovery.open > 0 || discovery.connections === 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await made.stop();
  expect(ends).toEqual([["dropped", "o1"]]);
  expect(world.nextDue()).toBeNull();
});

test("a configuration without usable discovery relays is refused, without quoting it", () => {
  expect(() => notifier({ discoveryRelays: [] })).toThrow(RangeError);
  expect(() => notifier({ discoveryRelays: ["https://u:s3cret@relay.example"] })).toThrow(/^((?!s3cret).)*$/);
});
