import { afterEach, describe, expect, test } from "bun:test";
import { sats } from "../../../actors/order/money.ts";
import { type NwcConnection, parseNwcUri } from "../../../src/lightning/nwc/uri.ts";
import { createNwc } from "../../../src/lightning/nwc.ts";
import { MemoryOutbox } from "../../../src/lightning/outbox.ts";
import { NodeUnavailable } from "../../../src/lightning/port.ts";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import { until } from "../contract/bench.ts";
import { type Announced, INFO, type Json, ScriptedWallet } from "./scripted-wallet.ts";

const HASH = "ab".repeat(32);
/** The public key of NIP-47's example. */
const STRANGER = "b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4";
let wallet: ScriptedWallet;
afterEach(() => wallet?.stop());

function start(announced?: Announced) {
  wallet = new ScriptedWallet(announced);
  return wallet.client();
}

const received = (more: Json = {}): Json => ({
  type: "incoming",
  payment_hash: HASH,
  amount: 1_000,
  created_at: 1_700_000_000,
  settled_at: 1_700_000_100,
  ...more,
});

describe("encryption", () => {
  test.each([
    ["NIP-04 where the wallet says nothing", null, undefined],
    ["NIP-04 where it knows nothing better", "nip04", undefined],
    ["NIP-44 wherever it can", "nip04 nip44_v2", "nip44_v2"],
  ])("is %s", async (_, encryption, tag) => {
    const node = start({ encryption });
    expect((await node.info()).network).toBe("bcrt");
    const [asked] = wallet.requests("get_info");
    expect(asked?.event.tags.find(([name]) => name === "encryption")?.[1]).toBe(tag as never);
    expect(asked?.event.content.includes("?iv=")).toBe(tag === undefined);
  });
});

describe("the wallet", () => {
  test("is known by the keys of both, whatever it says of a node", async () => {
    const node = start();
    wallet.on("get_info", () => ({ ...INFO, pubkey: null }));
    const { pubkey } = await node.info();
    expect(pubkey).toBe(`nwc:${wallet.connection.wallet}:${wallet.requests("get_info")[0]?.event.pubkey}`);
  });

  test("that cannot do what a shop needs says so in plain words", async () => {
    const node = start();
    wallet.on("get_info", () => ({ ...INFO, methods: ["get_info", "pay_invoice"] }));
    await expect(node.info()).rejects.toThrow("does not offer make_invoice, lookup_invoice, list_transactions");
    for (const network of ["constructor", "litecoin", null, 7]) {
      wallet.on("get_info", () => ({ ...INFO, network }));
      await expect(node.info()).rejects.toThrow(NodeUnavailable);
    }
  });

  test("whose relays know nothing of it is told apart from relays that are away", async () => {
    start();
    const { world, connection } = wallet;
    const at = (changed: Partial<NwcConnection>) =>
      createNwc({ world, connection: { ...connection, ...changed }, outbox: new MemoryOutbox() }).info();
    await expect(at({ relays: ["ws://127.0.0.1:9/"] })).rejects.toThrow("no relay can be reached");
    await expect(at({ wallet: STRANGER })).rejects.toThrow("the relays know nothing of the wallet");
    // One dead relay beside a living one does no harm.
    expect((await at({ relays: ["ws://127.0.0.1:9/", ...connection.relays] })).network).toBe("bcrt");
  });
});

describe("an invoice", () => {
  const wanted = { key: "order:1", amountSats: sats(1_000), description: "x", expirySeconds: 300 };
  const made = (amountMsat: number): Json => ({
    type: "incoming",
    invoice: mintInvoice({
      paymentHash: HASH,
      amountMsat,
      description: "x",
      expirySeconds: 300,
      timestamp: Math.floor(Date.now() / 1000),
    }),
    payment_hash: HASH,
    amount: amountMsat,
    created_at: 1,
  });

  test("for another amount or hash is refused", async () => {
    const node = start();
    wallet.on("make_invoice", () => made(999_000));
    await expect(node.createInvoice(wanted)).rejects.toThrow("another amount");
    wallet.on("make_invoice", () => ({ ...made(1_000_000), payment_hash: "cd".repeat(32) }));
    await expect(node.createInvoice(wanted)).rejects.toThrow("another payment hash");
    wallet.on("make_invoice", () => made(1_000_000));
    expect((await node.createInvoice(wanted)).paymentHash).toBe(HASH);
  });

  test("whose answer is lost is found where the wallet keeps our name, and is not made twice", async () => {
    const node = start();
    wallet.on("make_invoice", () => undefined);
    wallet.on("list_transactions", () => ({
      transactions: [made(5_000), { ...made(1_000_000), metadata: { order: "order:1" } }],
    }));
    const making = node.createInvoice(wanted);
    await until(() => wallet.requests("make_invoice").length === 1);
    wallet.forward(21);
    expect((await making).paymentHash).toBe(HASH);
    expect(wallet.requests("make_invoice")).toHaveLength(1);
  });

  test("that the wallet calls pending for ever, and without an amount, is dead once nothing can settle any more", async () => {
    const node = start();
    const { amount: _, ...open } = made(1_000_000);
    wallet.on("lookup_invoice", () => ({ ...open, state: "pending" }));
    expect(await node.cancelInvoice(HASH)).toEqual({ kind: "open" });
    wallet.forward(301);
    expect([await node.lookupInvoice(HASH), await node.cancelInvoice(HASH)]).toEqual([
      { kind: "dead" },
      { kind: "open" },
    ]);
    wallet.forward(node.traits.settlesAfterExpiryMs / 1000);
    expect(await node.cancelInvoice(HASH)).toEqual({ kind: "dead" });
    // Held is not pending, and paid is paid for what arrived alone.
    wallet.on("lookup_invoice", () => ({ ...open, amount: 1_000_000, state: "accepted" }));
    expect(await node.cancelInvoice(HASH)).toEqual({ kind: "open" });
    wallet.on("lookup_invoice", () => ({ ...open, state: "settled", settled_at: 2 }));
    await expect(node.lookupInvoice(HASH)).rejects.toThrow(NodeUnavailable);
  });

  test("without a state is paid only if it is listed among the paid", async () => {
    const node = start();
    wallet.on("lookup_invoice", () => received());
    wallet.on("list_transactions", () => ({ transactions: [] }));
    expect((await node.lookupInvoice(HASH)).kind).not.toBe("settled");
    wallet.on("list_transactions", ({ offset }) => ({ transactions: offset === 0 ? [received()] : [] }));
    expect(await node.lookupInvoice(HASH)).toMatchObject({
      kind: "settled",
      settlement: { settledAt: 1_700_000_100_000, receivedMsats: 1_000 },
    });
  });
});

describe("settlements", () => {
  test("are asked for again when a notification tells of them, and a stranger's are not heard", async () => {
    const node = start();
    wallet.on("list_transactions", () => ({ transactions: [] }));
    wallet.on("lookup_invoice", () => received({ state: "settled" }));
    const stop = new AbortController();
    const events = node.settlements(null, stop.signal)[Symbol.asyncIterator]();
    const next = events.next();
    await until(() => wallet.requests("list_transactions").length > 0);
    wallet.publish(23197, "nonsense", [["p", "00".repeat(32)]], new Uint8Array(32).fill(3));
    wallet.notify({ payment_hash: "not a hash" });
    expect(wallet.requests("lookup_invoice")).toEqual([]);
    wallet.notify({ payment_hash: HASH, amount: 999_999_999 });
    // What the wallet answers counts, not what the notification says.
    expect((await next).value).toMatchObject({ settlement: { paymentHash: HASH, receivedMsats: 1_000 } });
    expect(wallet.requests("lookup_invoice")).toHaveLength(1);
    stop.abort();
    await events.return?.();
  });

  test("of a wallet that tells nothing are asked for every quarter of a minute", async () => {
    const node = start({ notifications: false });
    let paid: Json[] = [];
    wallet.on("list_transactions", ({ offset }) => ({ transactions: offset === 0 ? paid : [] }));
    const stop = new AbortController();
    const events = node.settlements(null, stop.signal)[Symbol.asyncIterator]();
    const next = events.next();
    await until(() => wallet.requests("list_transactions").length > 0);
    await wallet.world.drained(2_000);
    const settled_at = Math.floor(wallet.world.now() / 1000) + 5;
    paid = [received({ state: "settled", created_at: settled_at, settled_at })];
    wallet.forward(15);
    expect((await next).value).toMatchObject({
      settlement: { paymentHash: HASH },
      cursor: String(settled_at * 1000),
    });
    stop.abort();
    await events.return?.();
  });
});

describe("the list", () => {
  test("may hold what is no Lightning payment, pages of it too", async () => {
    const node = start();
    const others = Array.from({ length: 12 }, (_, index) =>
      received({ payment_hash: `0198-${index}`, state: "settled" }),
    );
    const all = [...others, received({ state: "settled" })];
    wallet.on("list_transactions", ({ offset, limit }) => ({
      transactions: all.slice(Number(offset), Number(offset) + Number(limit)),
    }));
    expect(await node.settledSince(1_700_000_000_000)).toMatchObject([{ paymentHash: HASH }]);
    all.push(received({ payment_hash: HASH.toUpperCase(), state: "settled" }));
    await expect(node.settledSince(1_700_000_000_000)).rejects.toThrow(NodeUnavailable);
  });

  test("is asked for in pages that fit into one message, whatever strangers wrote beside their payments", async () => {
    const node = start();
    const metadata = { tlv_records: "x".repeat(4_096) };
    const all = Array.from({ length: 25 }, (_, index) =>
      received({ payment_hash: index.toString(16).padStart(64, "0"), state: "settled", invoice: "", metadata }),
    );
    wallet.on("list_transactions", ({ offset, limit }) => {
      const transactions = all.slice(Number(offset), Number(offset) + Number(limit));
      return JSON.stringify(transactions).length < 65_000 ? { transactions } : undefined;
    });
    expect(await node.settledSince(1_700_000_000_000)).toHaveLength(25);
  });
});

describe("the URI", () => {
  const relay = "relay=wss%3A%2F%2Frelay.example.com%2Fv1";
  const secret = `secret=${"43".repeat(32)}`;
  const good = STRANGER;

  test("is read in the ways that wallets write it", () => {
    for (const text of [
      `nostr+walletconnect://${good}?${relay}&${secret}`,
      `nostr+walletconnect:${good}?${secret}&${relay}&lud16=me%40example.com`,
      `nostr+walletconnect://${good.toUpperCase()}?${relay}&${relay}&${secret}`,
    ]) {
      expect(parseNwcUri(text)).toMatchObject({ wallet: good, relays: ["wss://relay.example.com/v1"] });
    }
  });

  test("with something missing or wrong is none", () => {
    for (const text of [
      `nostr+walletconnect://${good}?${secret}`,
      `nostr+walletconnect://${good}?${relay}`,
      `nostr+walletconnect://${good}?${relay}&secret=${"00".repeat(32)}`,
      `nostr+walletconnect://${good}?relay=https%3A%2F%2Fx.example.com&${secret}`,
      `nostr+walletconnect://${good.slice(1)}?${relay}&${secret}`,
      // No x coordinate of a point.
      `nostr+walletconnect://${"00".repeat(32)}?${relay}&${secret}`,
      `nostr+walletconnect://${good}?${relay}&${secret}&x=${"x".repeat(2_100)}`,
    ]) {
      expect(parseNwcUri(text)).toBeNull();
    }
  });
});
