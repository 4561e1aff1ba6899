import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configure, migrate, SCHEMA_VERSION } from "../actors/runtime/schema.ts";
import { Store } from "../actors/runtime/store.ts";
import { bind, checkNode, WrongBinding } from "../src/binding.ts";
import { type NodeInfo, NodeUnavailable } from "../src/lightning/port.ts";
import { SECOND } from "./actors/runtime/engine.ts";
import { failureOf, ManualWorld } from "./support/manual-world.ts";
import { rewindToSchema11 } from "./support/older-schema.ts";
import { runToEnd } from "./support/server.ts";

const INFO: NodeInfo = { pubkey: `02${"11".repeat(32)}`, network: "bc", alias: "ours", synced: true };
const EXPECTED = { providerAccount: "account-1", sandbox: false };

function desk() {
  const db = new Database(":memory:", { strict: true });
  configure(db);
  migrate(db);
  const self = {
    world: new ManualWorld(),
    store: new Store(db),
    asked: 0,
    info: INFO as NodeInfo | Error,
    async bind(expected = EXPECTED) {
      const node = {
        info: async () => {
          self.asked++;
          if (self.info instanceof Error) throw self.info;
          return self.info;
        },
      };
      const binding = bind(self.world, self.store, node, expected);
      binding.catch(() => {});
      await self.world.settle();
      return binding;
    },
  };
  return self;
}

describe("the first boot", () => {
  test("binds the database to network, node, provider account and mode", async () => {
    const at = desk();
    const binding = { network: "bc", nodePubkey: INFO.pubkey, providerAccount: "account-1", sandbox: false } as const;
    expect(await at.bind()).toEqual(binding);
    expect(JSON.parse(at.store.meta("binding") ?? "")).toEqual(binding);
  });

  test("waits for the node, but not for ever", async () => {
    const at = desk();
    at.info = new NodeUnavailable("starting");
    const waiting = at.bind();
    waiting.catch(() => {});
    await at.world.advance(3 * SECOND);
    at.info = INFO;
    await at.world.advance(SECOND);
    expect((await waiting).nodePubkey).toBe(INFO.pubkey);

    const never = desk();
    never.info = new NodeUnavailable("down");
    const failing = never.bind();
    failing.catch(() => {});
    await never.world.advance(11 * SECOND);
    expect(await failureOf(failing)).toBeInstanceOf(NodeUnavailable);
    expect(never.asked).toBe(20);
    expect(never.store.meta("binding")).toBeNull();
  });
});

describe("a later boot", () => {
  test("with the same peers goes on, also while the node is away", async () => {
    const at = desk();
    const first = await at.bind();
    expect(await at.bind()).toEqual(first);
    at.info = new NodeUnavailable("down");
    expect(await at.bind()).toEqual(first);
  });

  test.each([
    ["node", { ...INFO, pubkey: `03${"22".repeat(32)}` }, EXPECTED, "Lightning node"],
    ["network", { ...INFO, network: "tb" as const }, EXPECTED, "network"],
    ["provider account", INFO, { ...EXPECTED, providerAccount: "account-2" }, "provider account"],
    ["mode", INFO, { ...EXPECTED, sandbox: true }, "mode (sandbox or not)"],
  ])("with another %s is refused, and the binding stays", async (_, info, expected, named) => {
    const at = desk();
    await at.bind();
    const stored = at.store.meta("binding");
    at.info = info;
    const failure = await failureOf(at.bind(expected));
    expect(failure?.message).toStartWith(`This database belongs to another ${named}; use another DATA_DIR`);
    expect(failure?.message.includes("rebind-provider")).toBe(named === "provider account");
    expect(await failureOf(at.bind(expected))).toBeInstanceOf(WrongBinding);
    expect(at.store.meta("binding")).toBe(stored);
  });

  test("with a wrong provider account is refused without asking the node", async () => {
    const at = desk();
    await at.bind();
    at.asked = 0;
    expect(await failureOf(at.bind({ ...EXPECTED, providerAccount: "account-2" }))).toBeInstanceOf(WrongBinding);
    expect(at.asked).toBe(0);
  });

  test("does not take a bug for an absent node", async () => {
    const at = desk();
    await at.bind();
    at.info = new TypeError("a bug");
    expect(await failureOf(at.bind())).toBeInstanceOf(TypeError);
  });
});

test("a node that comes back later is checked the same way", async () => {
  const binding = await desk().bind();
  expect(() => checkNode(INFO, binding)).not.toThrow();
  expect(() => checkNode({ ...INFO, network: "bcrt" }, binding)).toThrow(WrongBinding);
  expect(() => checkNode({ ...INFO, pubkey: "02" }, binding)).toThrow("Lightning node");
});

test("a database of an older schema is said to be brought up to date before it is bound to another key", async () => {
  const dir = mkdtempSync(join(tmpdir(), "l402-binding-"));
  try {
    const db = new Database(join(dir, "orders.sqlite"), { strict: true });
    migrate(db);
    new Store(db).setMeta("binding", JSON.stringify({ network: "bcrt", nodePubkey: INFO.pubkey, ...EXPECTED }));
    rewindToSchema11(db);
    db.close();
    const rebind = () => runToEnd({ DATA_DIR: dir }, ["rebind-provider"]);
    const told = `The database is brought up to date, from schema 11 to ${SCHEMA_VERSION}: with millions of orders this takes minutes\n`;
    const bound = "The database is now bound to the configured HeroSMS key\n";
    expect(await rebind()).toEqual({ code: 0, output: told + bound });
    expect(await rebind()).toEqual({ code: 0, output: "Nothing to change\n" });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("where there is no database, none is made to be bound to another key", async () => {
  const dir = mkdtempSync(join(tmpdir(), "l402-binding-"));
  try {
    const { code, output } = await runToEnd({ DATA_DIR: dir }, ["rebind-provider"]);
    expect({ code, output }).toEqual({ code: 1, output: `No database at "${join(dir, "orders.sqlite")}"\n` });
    expect(readdirSync(dir)).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
