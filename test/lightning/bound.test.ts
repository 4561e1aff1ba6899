import { describe, expect, test } from "bun:test";
import { sats } from "../../actors/order/money.ts";
import { boundNode } from "../../src/lightning/bound.ts";
import { type LightningNode, type NodeInfo, NodeUnavailable } from "../../src/lightning/port.ts";
import { TRAITS } from "./traits.ts";

const HASH = "ab".repeat(32);
const PAYMENT = { bolt11: "lnbcrt1", paymentHash: HASH, amountSats: sats(10), maxFeeSats: sats(2), timeoutSeconds: 60 };

const WANTED = { key: "order", amountSats: sats(1), description: "", expirySeconds: 300 };

/** A node that knows nothing of our hashes, as a stranger would. */
function stranger(pubkey: string, traits = TRAITS) {
  const asked: string[] = [];
  const info: NodeInfo = { pubkey, network: "bcrt", alias: "", synced: true };
  const node: Omit<LightningNode, "balance" | "mayPay"> = {
    traits,
    info: async () => info,
    createInvoice: async () => ({ bolt11: "lnbcrt1", paymentHash: HASH, node: pubkey }),
    lookupInvoice: async () => {
      asked.push("lookupInvoice");
      return { kind: "missing" };
    },
    async *settlements() {
      asked.push("settlements");
      yield* [];
    },
    settledSince: async () => {
      asked.push("settledSince");
      return [];
    },
    pay: async () => {
      asked.push("pay");
      return { kind: "failed", reason: "no_route" };
    },
    lookupPayment: async () => {
      asked.push("lookupPayment");
      return { kind: "never_sent" };
    },
    cancelInvoice: async () => {
      asked.push("cancelInvoice");
      return { kind: "missing" };
    },
  };
  const bound = boundNode(node as LightningNode, "ours", ({ pubkey: found }) => found === "ours");
  return { bound, asked };
}

describe("another node that answers", () => {
  test("is never paid through, and its silence about a payment proves nothing", async () => {
    const { bound, asked } = stranger("theirs");
    expect(await bound.pay(PAYMENT)).toEqual({ kind: "unknown", reason: "node_unavailable" });
    const events = bound.settlements(null, new AbortController().signal)[Symbol.asyncIterator]();
    const answers = await Promise.allSettled([
      bound.lookupPayment(HASH),
      bound.cancelInvoice(HASH),
      bound.lookupInvoice(HASH),
      bound.settledSince(0),
      events.next(),
      bound.createInvoice(WANTED),
    ]);
    for (const answer of answers) {
      expect(answer.status === "rejected" && answer.reason).toBeInstanceOf(NodeUnavailable);
    }
    expect(asked).toEqual([]);
  });

  test("cannot be where every answer proves who wrote it: such a node is not asked for its name each time", async () => {
    const { bound, asked } = stranger("theirs", { ...TRAITS, provenBy: "answers" });
    expect((await bound.pay(PAYMENT)).kind).toBe("failed");
    expect((await bound.lookupPayment(HASH)).kind).toBe("never_sent");
    expect(asked).toEqual(["pay", "lookupPayment"]);
    // An invoice still has to say who made it.
    await expect(bound.createInvoice(WANTED)).rejects.toThrow("another node answers");
  });

  test("is told apart from our own", async () => {
    const { bound, asked } = stranger("ours");
    expect((await bound.pay(PAYMENT)).kind).toBe("failed");
    expect((await bound.lookupPayment(HASH)).kind).toBe("never_sent");
    expect((await bound.cancelInvoice(HASH)).kind).toBe("missing");
    expect((await bound.lookupInvoice(HASH)).kind).toBe("missing");
    expect((await bound.createInvoice(WANTED)).node).toBe("ours");
    expect(asked).toEqual(["pay", "lookupPayment", "cancelInvoice", "lookupInvoice"]);
  });
});
