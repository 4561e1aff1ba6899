import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sats } from "../../../actors/order/money.ts";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { createCln } from "../../../src/lightning/cln.ts";
import { type LightningNode, NodeUnavailable } from "../../../src/lightning/port.ts";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import { ScriptedServer } from "../scripted.ts";

const ID = `02${"5".repeat(64)}`;
const INFO = { id: ID, alias: "shop", network: "regtest", blockheight: 144, version: "v26.06" };
const hash = (n: number) => n.toString(16).padStart(64, "0");

let server: ScriptedServer;
let node: LightningNode;
beforeEach(() => {
  server = new ScriptedServer();
  node = createCln({ world: new RealWorld(), baseUrl: server.url, rune: "a-rune" });
  server.on("POST /v1/getinfo", () => created(INFO));
});
afterEach(() => server.stop());

const created = (body: unknown): Response => Response.json(body, { status: 201 });
const params = (): unknown => JSON.parse(server.asked.at(-1)?.text ?? "");

describe("getinfo", () => {
  test.each([
    ["bitcoin", "bc"],
    ["testnet4", "tb"],
    ["signet", "tbs"],
    ["regtest", "bcrt"],
  ])("network %s", async (network, prefix) => {
    server.on("POST /v1/getinfo", () => created({ ...INFO, network }));
    expect(await node.info()).toEqual({ pubkey: ID, network: prefix as never, alias: "shop", synced: true });
  });

  test("a node that is behind the chain is not synced; one of an unknown network is none of ours", async () => {
    for (const warning of ["warning_bitcoind_sync", "warning_lightningd_sync"]) {
      server.on("POST /v1/getinfo", () => created({ ...INFO, [warning]: "Still loading latest blocks" }));
      expect((await node.info()).synced).toBe(false);
    }
    server.on("POST /v1/getinfo", () => created({ ...INFO, network: "litecoin" }));
    await expect(node.info()).rejects.toThrow("unsupported network");
  });
});

test("the balance counts channels that can send, in whole sats", async () => {
  const channel = (state: string, spendable: unknown) => ({ state, spendable_msat: spendable, receivable_msat: 1_500 });
  server.on("POST /v1/listpeerchannels", () =>
    created({
      channels: [
        channel("CHANNELD_NORMAL", 2_500),
        channel("CHANNELD_AWAITING_SPLICE", "1000msat"),
        channel("ONCHAIN", 9_000_000),
        channel("CHANNELD_AWAITING_LOCKIN", 9_000_000),
      ],
    }),
  );
  expect(await node.balance()).toEqual({ outboundSats: sats(3), inboundSats: sats(3) });
  server.on("POST /v1/listpeerchannels", () => created({ channels: [channel("CHANNELD_NORMAL", null)] }));
  await expect(node.balance()).rejects.toThrow("malformed answer");
});

describe("an invoice", () => {
  const bolt11 = mintInvoice({ paymentHash: hash(1), timestamp: 1_700_000_000, amountMsat: 1_234_000 });
  const WANTED = { key: "order-1", amountSats: sats(1_234), description: "number", expirySeconds: 300 };

  test("is made under a label of its own", async () => {
    server.on("POST /v1/invoice", () => created({ bolt11, payment_hash: hash(1), created_index: 1 }));
    expect((await node.createInvoice(WANTED)).bolt11).toBe(bolt11);
    expect(params()).toEqual({
      amount_msat: 1_234_000,
      label: "l402-numbers:order-1",
      description: "number",
      expiry: 300,
    });
  });

  test("of another amount, hash or network is not handed to a customer", async () => {
    const wrong = (more: Parameters<typeof mintInvoice>[0]) => mintInvoice(more);
    const base = { paymentHash: hash(1), timestamp: 1_700_000_000 };
    for (const text of [
      wrong({ ...base, amountMsat: 1_235_000 }),
      wrong({ ...base }),
      wrong({ ...base, amountMsat: 1_234_000, network: "bc" }),
      wrong({ ...base, amountMsat: 1_234_000, paymentHash: hash(2) }),
      "lnbcrt1",
      undefined,
    ]) {
      server.on("POST /v1/invoice", () => created({ bolt11: text, payment_hash: hash(1) }));
      await expect(node.createInvoice(WANTED)).rejects.toThrow(NodeUnavailable);
    }
  });
});

describe("the look back", () => {
  const NOW = 1_700_000_000;
  /** Invoice `n` was made at minute `n`; every third is paid a minute later. */
  const invoice = (n: number) => ({
    label: `l402-numbers:${n}`,
    payment_hash: hash(n),
    bolt11: mintInvoice({ paymentHash: hash(n), timestamp: NOW + n * 60, amountMsat: 1_000 }),
    status: n % 3 === 0 ? "paid" : "expired",
    ...(n % 3 === 0 && { paid_at: NOW + n * 60 + 60, amount_received_msat: 1_000, pay_index: n / 3 }),
    created_index: n,
  });

  test("goes page by page, bears gaps, and stops an hour before the time that is asked for", async () => {
    const gone = new Set([500, 501, 502, 610]);
    const all = Array.from({ length: 1_000 }, (_, index) => index + 1).filter((n) => !gone.has(n));
    server.on("POST /v1/wait", () => created({ subsystem: "invoices", created: 1_000 }));
    server.on("POST /v1/listinvoices", ({ text }) => {
      const { start, limit } = JSON.parse(text) as { start: number; limit: number };
      return created({
        invoices: all
          .filter((n) => n >= start)
          .slice(0, limit)
          .map(invoice),
      });
    });
    const since = (NOW + 700 * 60) * 1000;
    const found = await node.settledSince(since);
    const expected = all.filter((n) => n % 3 === 0 && n * 60 + 60 >= 700 * 60).reverse();
    expect(found.map(({ paymentHash }) => paymentHash)).toEqual(expected.map(hash));
    // Minutes 1000 to 640: two pages of 200.
    expect(server.asked.filter(({ what }) => what === "POST /v1/listinvoices")).toHaveLength(2);
  });

  test("a node without invoices has had no settlements", async () => {
    server.on("POST /v1/wait", () => created({ subsystem: "invoices", created: 0 }));
    expect(await node.settledSince(0)).toEqual([]);
  });
});

test("a stream that goes back is broken off instead of going round for ever", async () => {
  const paid = { payment_hash: hash(1), status: "paid", paid_at: 1, amount_received_msat: 1, pay_index: 3 };
  server.on("POST /v1/waitanyinvoice", () => created(paid));
  const events = node.settlements("2", new AbortController().signal)[Symbol.asyncIterator]();
  expect((await events.next()).value).toMatchObject({ cursor: "3" });
  await expect(events.next()).rejects.toThrow("malformed answer");
});
