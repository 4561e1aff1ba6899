/**
 * Answers that are almost right. The sandbox's peers give true ones; each is bent on its way as fast-check draws it: a value replaced by
 * something strange, a member gone, a body cut, another status, no answer at all. Random bytes alone would never get past the first brace.
 */
import { Database } from "bun:sqlite";
import fc from "fast-check";
import { decrypt, encrypt, getConversationKey } from "nostr-tools/nip44";
import { finalizeEvent, type NostrEvent } from "nostr-tools/pure";
import type { Connect } from "../../../actors/runtime/sockets.ts";
import type { Cancel, Fetch, Millis, World } from "../../../actors/runtime/world.ts";
import { Faults } from "../../../src/sandbox/faults.ts";
import { FirebasePeer } from "../../../src/sandbox/firebase.ts";
import { WALLET_KEY } from "../../../src/sandbox/lightning/nwc/peer.ts";
import { LightningPeer, type NodeKind } from "../../../src/sandbox/lightning/peer.ts";
import { PricePeer } from "../../../src/sandbox/prices.ts";
import { ProviderPeer } from "../../../src/sandbox/provider/peer.ts";
import { connectInProcess } from "../../support/sockets.ts";
import { TIMES } from "../server.ts";

/** How many cases, and in the short form the same ones each time: a gate must not fail by chance. */
export const runs = (numRuns: number) => ({ numRuns: numRuns * TIMES, ...(TIMES === 1 && { seed: 402 }) });

/** Whatever JSON can hold, and what code that trusts it would stumble over. */
export const weird: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -0,
    -1,
    1,
    1.5,
    1e15,
    2 ** 53,
    -(2 ** 53),
    1e21,
    1e308,
    5e-324,
    "",
    " ",
    "0",
    "-1",
    "1e9",
    "0x10",
    "NaN",
    "null",
    "9".repeat(19),
    "9".repeat(400),
    "__proto__",
    "constructor",
    "toString",
    "\u0000",
    "\ud800",
    "٣",
    "x".repeat(5_000),
    "2999-12-31T23:59:59Z",
    "0000-00-00 00:00:00",
    "STATUS_OK:",
    "SETTLED",
    "SUCCEEDED",
    [],
    [null],
    [[]],
    {},
    { length: 3 },
    { toString: null },
    { constructor: { prototype: 1 } },
  ),
  fc.jsonValue({ maxDepth: 3 }),
  fc.double({ noNaN: true }),
  fc.string({ unit: "binary", maxLength: 40 }),
);

/** Where in a value, and what is done there. Steps count children, so that they fit any value. */
export interface Edit {
  readonly path: readonly number[];
  readonly how: "replace" | "remove" | "double" | "add" | "swap";
  readonly value: unknown;
}

export type Bend =
  | { readonly kind: "true" }
  | { readonly kind: "lost" }
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "cut"; readonly part: number }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "edit"; readonly edits: readonly Edit[] };

const edit: fc.Arbitrary<Edit> = fc.record({
  path: fc.array(fc.nat(40), { maxLength: 5 }),
  how: fc.constantFrom(
    "replace" as const,
    "replace" as const,
    "remove" as const,
    "double" as const,
    "add" as const,
    "swap" as const,
  ),
  value: weird,
});

const TEXTS = [
  "",
  "<html><title>502 Bad Gateway</title></html>",
  "null",
  "[]",
  "{}",
  '"{}"',
  "error code: 1020",
  "NO_NUMBERS",
  "BANNED",
  "ACCESS_BALANCE:",
  "ACCESS_BALANCE:1e999",
  "ACCESS_BALANCE:-5",
  "STATUS_OK:\u0000",
  '{"__proto__":{"status":"success"}}',
  '{"status":"success","data":{"__proto__":[]}}',
  '{"title":"__proto__"}',
  '{"title":"constructor","info":[]}',
  `${"[".repeat(3_000)}`,
  "\ufeff{}",
  "1e999",
];

export const bend: fc.Arbitrary<Bend> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("edit" as const), edits: fc.array(edit, { minLength: 1, maxLength: 3 }) }),
  },
  { weight: 4, arbitrary: fc.constant<Bend>({ kind: "true" }) },
  { weight: 1, arbitrary: fc.constant<Bend>({ kind: "lost" }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("status" as const),
      status: fc.constantFrom(200, 201, 204, 302, 400, 401, 403, 404, 409, 412, 429, 500, 503, 599),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("cut" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("text" as const),
      text: fc.oneof(fc.constantFrom(...TEXTS), fc.json(), fc.string({ unit: "binary", maxLength: 200 })),
    }),
  },
);

function edited(value: unknown, { path, how, value: strange }: Edit, depth = 0): unknown {
  const isList = Array.isArray(value);
  const children = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const step = path[depth];
  if (step === undefined || children.length === 0) return how === "remove" ? null : strange;
  const at = step % children.length;
  const [key, child] = children[at] as [string, unknown];
  const isLast = depth === path.length - 1;
  if (!isLast || how === "replace") children[at] = [key, edited(child, { path, how, value: strange }, depth + 1)];
  else if (how === "remove") children.splice(at, 1);
  else if (how === "double") children.push([`${key}2`, child]);
  else if (how === "add") children.push([typeof strange === "string" ? strange : "more", strange]);
  else {
    const other = children[(at + 1) % children.length] as [string, unknown];
    children[at] = [key, other[1]];
  }
  if (isList) return children.map(([, one]) => one);
  // As JSON.parse would make it: `__proto__` is a member like any other.
  return JSON.parse(
    `{${children.map(([name, one]) => `${JSON.stringify(name)}:${JSON.stringify(one) ?? "null"}`).join(",")}}`,
  );
}

/** Every line by itself, because streams send a message a line. */
function editedText(text: string, edits: readonly Edit[]): string {
  return text
    .split("\n")
    .map((line) => {
      try {
        return JSON.stringify(edits.reduce((value, one) => edited(value, one), JSON.parse(line) as unknown)) ?? line;
      } catch {
        return line.slice(0, -1);
      }
    })
    .join("\n");
}

/** The same, of a text alone; a text that is lost is empty. */
export function bentText(text: string, how: Bend): string {
  if (how.kind === "edit") return editedText(text, how.edits);
  if (how.kind === "cut") return text.slice(0, Math.floor(text.length * how.part));
  return how.kind === "text" ? how.text : how.kind === "lost" ? "" : text;
}

const WALLET_ANSWERS: readonly unknown[] = [23195, 23197];

/**
 * The same, of what a wallet sealed into an event: a wallet that writes nonsense signs it well. Other frames of its relay are bent as they are.
 */
function bentInside(frame: string, how: Bend): string {
  if (how.kind === "true") return frame;
  const [verb, subscription, event] = JSON.parse(frame) as [string, string, NostrEvent];
  if (verb !== "EVENT" || !WALLET_ANSWERS.includes(event.kind)) return bentText(frame, how);
  const client = event.tags.find(([name]) => name === "p")?.[1] ?? "";
  const key = getConversationKey(WALLET_KEY, client);
  const text = bentText(decrypt(event.content, key), how);
  // What cannot be sealed is no answer.
  if (text === "" || text.length > 60_000) return bentText(frame, how);
  const { kind, tags, created_at } = event;
  return JSON.stringify([
    verb,
    subscription,
    finalizeEvent({ kind, tags, created_at, content: encrypt(text, key) }, WALLET_KEY),
  ]);
}

async function bent(response: Response, how: Bend): Promise<Response> {
  const { headers, status } = response;
  switch (how.kind) {
    case "true":
      return response;
    case "lost":
      throw new TypeError("connection lost");
    case "status":
      return new Response([204, 304].includes(how.status) ? null : await response.text(), {
        status: how.status,
        headers,
      });
    case "cut": {
      const text = await response.text();
      return new Response(text.slice(0, Math.floor(text.length * how.part)), { status, headers });
    }
    case "text":
      return new Response(how.text, { status: status === 204 ? 200 : status, headers });
    case "edit":
      return new Response(editedText(await response.text(), how.edits), {
        status: status === 204 ? 200 : status,
        headers,
      });
  }
}

/**
 * A world whose clock jumps to the next timer whenever nothing has happened for some turns of the event loop: what waits for seconds or for its
 * time to be over takes a moment. Chance is real, because nothing here depends on it.
 */
export class HurriedWorld implements World {
  readonly fetch: Fetch;
  readonly connect: Connect;
  #now = Date.UTC(2026, 5, 1);
  #timers: { readonly time: Millis; readonly run: () => void }[] = [];
  #idle = 0;
  #stopped = false;

  constructor(fetch: (world: HurriedWorld) => Fetch, connect: (world: HurriedWorld) => Connect) {
    this.fetch = (...call) => {
      this.#idle = 0;
      return fetch(this)(...call);
    };
    this.connect = (...call) => {
      this.#idle = 0;
      return connect(this)(...call);
    };
    const turn = () => {
      if (this.#stopped) return;
      if (++this.#idle > 12) this.#jump();
      setImmediate(turn);
    };
    setImmediate(turn);
  }

  now(): Millis {
    return this.#now;
  }

  random(length: number): Uint8Array {
    return crypto.getRandomValues(new Uint8Array(length));
  }

  at(time: Millis, run: () => void): Cancel {
    this.#idle = 0;
    const timer = { time, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  hold(): () => void {
    return () => {};
  }

  stop(): void {
    this.#stopped = true;
  }

  #jump(): void {
    const next = this.#timers.toSorted((a, b) => a.time - b.time)[0];
    if (!next) return;
    this.#timers = this.#timers.filter((timer) => timer !== next);
    this.#now = Math.max(this.#now, next.time);
    this.#idle = 0;
    next.run();
  }
}

export const BASE = "http://peers.test";

/** The sandbox's peers in memory, with every answer bent in turn; when the bends are used up, answers are true. */
export function bentPeers(bends: readonly Bend[], kind: NodeKind = "lnd") {
  let asked = 0;
  const books = new Database(":memory:", { strict: true });
  const faults = new Faults();
  const fetch: Fetch = async (url, options = {}) => {
    const { method, headers, body } = options;
    const request = new Request(url, {
      ...(method && { method }),
      ...(headers && { headers }),
      ...(body !== undefined && { body }),
    });
    return bent(await handle(request), bends[asked++] ?? { kind: "true" });
  };
  const world: HurriedWorld = new HurriedWorld(
    () => fetch,
    () =>
      connectInProcess({
        later: (act) => world.soon(act),
        accept: (request) => {
          const accepted = lightning.socket(request);
          return accepted instanceof Response ? null : accepted;
        },
        frame: (text) => (kind === "nwc" ? bentInside : bentText)(text, bends[asked++] ?? { kind: "true" }),
      }),
  );
  const provider = new ProviderPeer({ world, books, faults, smsAfterMs: null, webhooks: () => [] });
  const lightning = new LightningPeer({ world, books, faults, kind });
  const prices = new PricePeer({ world, faults });
  const firebase = new FirebasePeer({ books, faults });
  const handle = (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/prices/")) return prices.fetch(request);
    if (pathname.startsWith("/firebase/")) return firebase.fetch(request);
    return /^\/(?:stubs|api)\//.test(pathname) ? provider.fetch(request) : lightning.fetch(request);
  };
  return {
    world,
    provider,
    lightning,
    /** How many calls were made. */
    asked: () => asked,
    stop(): void {
      world.stop();
      lightning.close();
      books.close();
    },
  };
}
