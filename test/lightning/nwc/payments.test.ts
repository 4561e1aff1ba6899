import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { sats } from "../../../actors/order/money.ts";
import { Journal } from "../../../actors/runtime/journal.ts";
import { MemoryOutbox } from "../../../src/lightning/outbox.ts";
import type { LightningNode, Payment } from "../../../src/lightning/port.ts";
import { sqliteOutbox } from "../../../src/lightning/sqlite-outbox.ts";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import { until } from "../contract/bench.ts";
import { INFO, type Json, ScriptedWallet } from "./scripted-wallet.ts";

const PREIMAGE = "77".repeat(32);
const HASH = createHash("sha256").update(Buffer.from(PREIMAGE, "hex")).digest("hex");
const NOT_FOUND = { error: { code: "NOT_FOUND", message: "no" } };
const NOTHING = { transactions: [] };

let wallet: ScriptedWallet;
let outbox: MemoryOutbox;
let node: LightningNode;
let payment: Payment;
beforeEach(() => {
  wallet = new ScriptedWallet();
  outbox = new MemoryOutbox();
  node = wallet.client(outbox);
  wallet.on("lookup_invoice", () => NOT_FOUND).on("list_transactions", () => NOTHING);
  payment = refund();
});
afterEach(() => wallet.stop());

function refund(): Payment {
  const bolt11 = mintInvoice({
    paymentHash: HASH,
    description: "refund",
    expirySeconds: 7200,
    timestamp: Math.floor(wallet.world.now() / 1000),
  });
  return { bolt11, paymentHash: HASH, amountSats: sats(5_000), maxFeeSats: sats(25), timeoutSeconds: 60 };
}

const transaction = (more: Json): Json => ({
  type: "outgoing",
  payment_hash: HASH,
  amount: 5_000_000,
  fees_paid: 3_000,
  created_at: 1,
  ...more,
});

/** Pays, and gives the answer up when the request has reached the wallet. */
async function losing(paying: LightningNode = node) {
  const before = wallet.requests("pay_invoice").length;
  const outcome = paying.pay(payment);
  await until(() => wallet.requests("pay_invoice").length > before);
  wallet.forward(76);
  return outcome;
}

describe("pay_invoice", () => {
  test("says the amount in msats and until when it is good, and is answered once", async () => {
    wallet.on("pay_invoice", () => ({ preimage: PREIMAGE, fees_paid: 3_000 }));
    expect(await node.pay(payment)).toEqual({ kind: "succeeded", preimage: PREIMAGE, feeMsats: 3_000 as never });
    const [asked] = wallet.requests("pay_invoice");
    expect(asked?.params).toEqual({ invoice: payment.bolt11, amount: 5_000_000 });
    const tag = (name: string) => asked?.event.tags.find(([tag]) => tag === name)?.[1];
    expect(tag("encryption")).toBe("nip44_v2");
    expect(Number(tag("expiration")) - (asked?.event.created_at ?? 0)).toBe(75);
    expect(outbox.get(HASH)).toBeNull();
  });

  test("whose answer is lost is stored before it goes out, and only the same one goes out again while it may come late", async () => {
    wallet.on("pay_invoice", () => undefined);
    const first = node.pay(payment);
    await until(() => wallet.requests("pay_invoice").length === 1);
    expect(outbox.get(HASH)?.text).toBe(JSON.stringify(wallet.requests("pay_invoice")[0]?.event));
    // Asked about while it is good: published again, and nothing else.
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "published_again" });
    wallet.forward(76);
    expect(await first).toEqual({ kind: "unknown", reason: "answer_lost_timeout" });
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "may_come_late" });
    expect(await node.pay(payment)).toEqual({ kind: "unknown", reason: "may_come_late" });
    wallet.forward(530);
    // It may have been away, and just be finding the request.
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "may_come_late" });
    wallet.forward(60);
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "never_sent" });
    expect(new Set(wallet.requests("pay_invoice").map(({ event }) => event.id)).size).toBe(1);
  });

  test("is not made anew by a process that started after the one which sent it", async () => {
    wallet.on("pay_invoice", () => undefined);
    const journal = new Journal(new Database(":memory:", { strict: true }), wallet.world);
    const lost = wallet.client(sqliteOutbox(journal)).pay(payment);
    await until(() => wallet.requests("pay_invoice").length === 1);
    const [sent] = wallet.requests("pay_invoice");
    const reborn = wallet.client(sqliteOutbox(journal));
    // The wallet was away, and acts when it hears the same request again.
    const again = reborn.pay(payment);
    await until(() => wallet.requests("pay_invoice").length === 2);
    if (sent) wallet.answer(sent, { preimage: PREIMAGE, fees_paid: 1_000 });
    expect(await again).toEqual({ kind: "succeeded", preimage: PREIMAGE, feeMsats: 1_000 as never });
    await lost;
    expect(new Set(wallet.requests("pay_invoice").map(({ event }) => event.id))).toEqual(
      new Set([sent?.event.id ?? ""]),
    );
    journal.close();
  });

  test("is believed only with its preimage, and only from the wallet's own key", async () => {
    wallet.on("pay_invoice", () => undefined);
    const paying = node.pay(payment);
    await until(() => wallet.requests("pay_invoice").length === 1);
    const [asked] = wallet.requests("pay_invoice");
    if (!asked) throw new Error("Nothing was asked");
    wallet.answer(
      asked,
      { error: { code: "PAYMENT_FAILED", message: "a stranger says so" } },
      new Uint8Array(32).fill(1),
    );
    wallet.answer(asked, { preimage: "66".repeat(32), fees_paid: 0 });
    expect(await paying).toEqual({ kind: "unknown", reason: "wrong_preimage" });
  });

  test.each(["INTERNAL", "OTHER", "BAD_REQUEST", "constructor", 7])(
    "that is refused with %p is no failure while it may have been begun",
    async (code) => {
      wallet.on("pay_invoice", () => ({ error: { code: code as string, message: "there is already a payment" } }));
      expect(await node.pay(payment)).toEqual({ kind: "unknown", reason: "refused_unconfirmed" });
      wallet.on("lookup_invoice", () => transaction({ state: "pending" }));
      expect(await node.lookupPayment(HASH)).toEqual({ kind: "in_flight" });
    },
  );

  test.each(["received payment failed event: RouteNotFound", "FAILURE_REASON_NO_ROUTE"])(
    "that Alby Hub's node gave up (%s) has failed, in its one code for everything",
    async (message) => {
      wallet.on("pay_invoice", () => ({ error: { code: "INTERNAL", message } }));
      wallet.on("lookup_invoice", () => transaction({ state: "failed" }));
      expect(await node.pay(payment)).toEqual({ kind: "failed", reason: "failed" });
      expect(await node.lookupPayment(HASH)).toEqual({ kind: "failed", reason: "failed" });
      wallet.on("lookup_invoice", () => transaction({ state: "pending" }));
      expect(await node.pay(payment)).toEqual({ kind: "in_flight" });
    },
  );

  test.each(["context canceled", "NodeError: DuplicatePayment", "rpc error: FAILURE_REASON_NONE"])(
    "of which its node did not say so (%s) may be out, although it is called failed",
    async (message) => {
      wallet.on("pay_invoice", () => ({ error: { code: "INTERNAL", message } }));
      wallet.on("lookup_invoice", () => transaction({ state: "failed" }));
      expect((await node.pay(payment)).kind).toBe("unknown");
      expect((await node.lookupPayment(HASH)).kind).toBe("unknown");
    },
  );

  test("that failed by the wallet's word is no failure while the wallet shows it under way or paid", async () => {
    wallet.on("pay_invoice", () => ({ error: { code: "PAYMENT_FAILED", message: "timeout" } }));
    wallet.on("lookup_invoice", () => transaction({ state: "pending" }));
    expect(await node.pay(payment)).toEqual({ kind: "in_flight" });
    wallet.on("lookup_invoice", () => transaction({ state: "settled", preimage: PREIMAGE, settled_at: 2 }));
    expect(await node.pay(payment)).toEqual({ kind: "succeeded", preimage: PREIMAGE, feeMsats: 3_000 as never });
    wallet.on("lookup_invoice", () => undefined);
    const asking = node.pay(payment);
    await until(() => wallet.requests("lookup_invoice").length >= 3);
    wallet.forward(21);
    expect(await asking).toEqual({ kind: "unknown", reason: "refused_unconfirmed" });
  });

  test("is never sent for an invoice that is over", async () => {
    wallet.forward(7_300);
    expect(await node.pay(payment)).toEqual({ kind: "failed", reason: "invoice_expired" });
    expect(wallet.requests("pay_invoice")).toEqual([]);
  });
});

describe("lookup_invoice", () => {
  test("is the truth, with or without a state", async () => {
    const said = async (more: Json) => {
      wallet.on("lookup_invoice", () => transaction(more));
      const state = await node.lookupPayment(HASH);
      return "reason" in state ? [state.kind, state.reason] : [state.kind];
    };
    expect(await said({ state: "settled", preimage: PREIMAGE, settled_at: 2 })).toEqual(["succeeded"]);
    expect(await said({ preimage: PREIMAGE, settled_at: 2 })).toEqual(["succeeded"]);
    expect(await said({ state: "settled", settled_at: 2 })).toEqual(["unknown", "wrong_preimage"]);
    expect(await said({})).toEqual(["in_flight"]);
    // LNbits gives a settle time to what failed.
    expect(await said({ settled_at: 2 })).toEqual(["unknown", "no_proof"]);
    expect(await said({ state: "failed" })).toEqual(["failed", "failed"]);
    // Alby Hub says so of what is under way when its invoice is over.
    expect(await said({ state: "expired" })).toEqual(["unknown", "expired"]);
    expect(await said({ type: "incoming", state: "settled", preimage: PREIMAGE, settled_at: 2 })).toEqual([
      "unknown",
      "wrong_payment",
    ]);
  });

  test("of a wallet that does not find what it paid proves nothing", async () => {
    wallet.on("list_transactions", ({ offset }) =>
      offset === 0 ? { transactions: [transaction({ payment_hash: "ab".repeat(32), state: "settled" })] } : NOTHING,
    );
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "cannot_find_payments" });
  });

  test("is believed once no request can come any more, after a lost answer too", async () => {
    wallet.on("pay_invoice", () => undefined);
    expect((await losing()).kind).toBe("unknown");
    wallet.forward(600);
    expect((await node.lookupPayment(HASH)).kind).toBe("unknown");
    wallet.forward(60);
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "never_sent" });
    wallet.on("pay_invoice", () => ({ preimage: PREIMAGE, fees_paid: 0 }));
    expect((await node.pay(payment)).kind).toBe("succeeded");
    expect(new Set(wallet.requests("pay_invoice").map(({ event }) => event.id)).size).toBe(2);
  });
});

test("a failure of the attempt before is none of the request that is still on its way", async () => {
  wallet.on("pay_invoice", () => ({ error: { code: "PAYMENT_FAILED", message: "no route" } }));
  wallet.on("lookup_invoice", () => transaction({ state: "failed" }));
  expect(await node.pay(payment)).toEqual({ kind: "failed", reason: "failed" });
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "failed", reason: "failed" });
  wallet.on("pay_invoice", () => undefined);
  expect((await losing()).kind).toBe("unknown");
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "may_come_late" });
  // It came, and is under way: from here on the wallet's word is about this one.
  wallet.on("lookup_invoice", () => transaction({ state: "pending" }));
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "in_flight" });
  wallet.on("lookup_invoice", () => transaction({ state: "failed" }));
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "failed", reason: "failed" });
});

describe("a wallet whose look-up finds nothing once there were two attempts", () => {
  const attempts = (...states: Json[]) =>
    wallet.on("list_transactions", ({ offset }) =>
      offset === 0
        ? { transactions: states.map((more, index) => transaction({ created_at: 9 - index, ...more })) }
        : NOTHING,
    );

  /** The first attempt fails as it should. */
  const failOnce = async () => {
    wallet.on("pay_invoice", () => ({ error: { code: "PAYMENT_FAILED", message: "no route" } }));
    wallet.on("lookup_invoice", () => transaction({ state: "failed" }));
    attempts({ state: "failed" });
    expect(await node.pay(payment)).toEqual({ kind: "failed", reason: "failed" });
    wallet.on("lookup_invoice", () => NOT_FOUND);
  };

  test("is not taken at its word while the receiver holds the second one", async () => {
    await failOnce();
    wallet.on("pay_invoice", () => undefined);
    attempts({ state: "pending" }, { state: "failed" });
    expect((await losing()).kind).toBe("unknown");
    for (const seconds of [0, 600, 61, 86_400]) {
      wallet.forward(seconds);
      expect(await node.lookupPayment(HASH)).toEqual({ kind: "in_flight" });
    }
    // Looked for from when it was sent on, not in all that was ever paid.
    const [asked] = wallet.requests("list_transactions").slice(-1);
    expect(Number(asked?.params.from)).toBeGreaterThan(
      (wallet.requests("pay_invoice")[1]?.event.created_at as number) - 700,
    );
    // As is a process that remembers nothing of the first one.
    expect(await wallet.client(outbox).lookupPayment(HASH)).toEqual({ kind: "in_flight" });
    attempts({ state: "settled", preimage: PREIMAGE, settled_at: 2 }, { state: "failed" });
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "succeeded", preimage: PREIMAGE, feeMsats: 3_000 as never });
  });

  test("is not when it gives up the second one with a part of it still out", async () => {
    await failOnce();
    attempts({ state: "pending" }, { state: "failed" });
    expect(await node.pay(payment)).toEqual({ kind: "in_flight" });
    attempts({ state: "failed" }, { state: "failed" });
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "failed", reason: "failed" });
  });

  test("is not when it shows the first one, which failed", async () => {
    await failOnce();
    wallet.on("lookup_invoice", () => transaction({ state: "failed" }));
    wallet.on("pay_invoice", () => undefined);
    attempts({ state: "failed" }, { state: "pending" });
    expect((await losing()).kind).toBe("unknown");
    wallet.forward(3_600);
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "in_flight" });
  });
});

test("a wallet that was away for hours, and acts on the old request when it is back, has paid once", async () => {
  wallet.on("pay_invoice", () => undefined);
  expect((await losing()).kind).toBe("unknown");
  wallet.forward(3 * 3_600);
  // Its first answer comes before it has looked at what waits.
  expect((await node.lookupPayment(HASH)).kind).toBe("unknown");
  wallet.on("lookup_invoice", () => transaction({ state: "settled", preimage: PREIMAGE, settled_at: 2 }));
  wallet.forward(60);
  expect(await node.lookupPayment(HASH)).toMatchObject({ kind: "succeeded" });
  expect(new Set(wallet.requests("pay_invoice").map(({ event }) => event.id)).size).toBe(1);
});

test("a wallet that goes on knowing nothing is believed a minute after the clock was set back, not when it has come that far again", async () => {
  wallet.on("pay_invoice", () => undefined);
  expect((await losing()).kind).toBe("unknown");
  wallet.forward(3 * 3_600);
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "may_come_late" });
  const real = Date.now;
  try {
    Date.now = () => real() - 2 * 3_600_000;
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "may_come_late" });
    wallet.forward(60);
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "never_sent" });
  } finally {
    Date.now = real;
  }
});

test("a wallet that was away with the second request is waited for like with the first", async () => {
  wallet.on("pay_invoice", () => undefined);
  await losing();
  wallet.forward(600);
  await node.lookupPayment(HASH);
  wallet.forward(60);
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "never_sent" });
  await losing();
  wallet.forward(3 * 3_600);
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "may_come_late" });
  wallet.on("lookup_invoice", () => transaction({ state: "pending" }));
  wallet.forward(60);
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "in_flight" });
});

test("what the wallet calls expired has failed when no receiver can hold it any more, and not before", async () => {
  wallet.on("pay_invoice", () => undefined);
  await losing();
  wallet.on("lookup_invoice", () => transaction({ state: "pending" }));
  expect(await node.lookupPayment(HASH)).toEqual({ kind: "in_flight" });
  wallet.on("lookup_invoice", () => transaction({ state: "expired" }));
  for (let day = 0; day < 21; day++) {
    expect(await node.lookupPayment(HASH)).toEqual({ kind: "unknown", reason: "expired" });
    wallet.forward(86_400);
  }
  expect(await wallet.client(outbox).lookupPayment(HASH)).toEqual({ kind: "failed", reason: "expired" });
  // It settled after all, in time.
  wallet.on("lookup_invoice", () => transaction({ state: "settled", preimage: PREIMAGE, settled_at: 2 }));
  expect(await node.lookupPayment(HASH)).toMatchObject({ kind: "succeeded" });
});

describe("a wallet that may only receive", () => {
  test.each([
    [
      "is told by its methods",
      { ...INFO, methods: (INFO.methods as string[]).filter((word) => word !== "pay_invoice") },
    ],
    ["is told by its name", { ...INFO, alias: "My LNbits" }],
    ["is told by having no node behind it", { ...INFO, alias: "Shop", pubkey: "", block_height: 0, block_hash: "" }],
  ])("%s", async (_, info) => {
    wallet.on("get_info", () => info as Json);
    expect(await node.mayPay()).toMatchObject({ ok: false, reason: expect.any(String) });
  });

  test("is not told of one that can pay", async () => {
    expect(await node.mayPay()).toEqual({ ok: true });
  });
});
