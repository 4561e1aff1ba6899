import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { decode } from "bolt11";
import { mintInvoice } from "../../../src/sandbox/lightning/mint.ts";
import { WalletRefused } from "../../../src/sandbox/lightning/wallet.ts";
import { Bench, START } from "./bench.ts";

const seconds = Math.floor(START / 1000);

async function reason(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof WalletRefused) return error.message;
    throw error;
  }
  return "paid";
}

describe("the customer's wallet pays", () => {
  test("and gets the preimage; the money moves to the merchant's side of the channel", async () => {
    const bench = new Bench();
    const { bolt11, hash } = await bench.add({ value: "1234" });
    const paid = await bench.peer.wallet.pay(bolt11);
    expect(paid).toEqual({ preimage: expect.any(String), paymentHash: hash, amountSats: 1234 });
    expect(createHash("sha256").update(Buffer.from(paid.preimage, "hex")).digest("hex")).toBe(hash);
    expect(await bench.balance()).toEqual({ local: 50_001_234_000, remote: 49_998_766_000, outgoing: 0 });
    expect(bench.peer.wallet.view()).toEqual({
      balanceSats: 9_998_766,
      payments: [{ paymentHash: hash, amountSats: 1234, direction: "out", settledAt: "2026-03-01T12:00:00.500Z" }],
    });
  });

  test("an invoice in upper case, too", async () => {
    const bench = new Bench();
    const { bolt11 } = await bench.add();
    expect(await reason(bench.peer.wallet.pay(bolt11.toUpperCase()))).toBe("paid");
  });

  test("only once", async () => {
    const bench = new Bench();
    const { bolt11 } = await bench.add({ value: "5", expiry: "300" });
    const attempts = await Promise.all([1, 2, 3].map(() => reason(bench.peer.wallet.pay(bolt11))));
    expect(attempts).toEqual(["paid", "Invoice is already paid", "Invoice is already paid"]);
    bench.world.advance(301);
    expect(await reason(bench.peer.wallet.pay(bolt11))).toBe("Invoice is already paid");
    expect(bench.peer.wallet.view().balanceSats).toBe(9_999_995);
  });

  test("nothing but a live invoice of the merchant that it can afford", async () => {
    const bench = new Bench();
    const { wallet } = bench.peer;
    const refusals: [string, string][] = [
      ["", 'Malformed invoice: prefix should be "ln"'],
      ["lnbcrt1qqqq", "Malformed invoice: unable to decode payment request"],
      [
        mintInvoice({ paymentHash: "ab".repeat(32), timestamp: seconds, network: "bc" }),
        "Malformed invoice: invoice not for current active network 'regtest'",
      ],
      [mintInvoice({ paymentHash: "ab".repeat(32), timestamp: seconds }), "Not an invoice of the merchant's node"],
      [wallet.invoice({ amountSats: 1 }).invoice, "Not an invoice of the merchant's node"],
      [(await bench.add({ memo: "any amount" })).bolt11, "Invoice has no amount"],
      [(await bench.add({ value: "10000001" })).bolt11, "Insufficient balance"],
    ];
    for (const [invoice, why] of refusals) expect(await reason(wallet.pay(invoice))).toBe(why);
    expect(wallet.view()).toEqual({ balanceSats: 10_000_000, payments: [] });
  });

  test("its whole balance, but not a sat more", async () => {
    const bench = new Bench();
    expect(await reason(bench.peer.wallet.pay((await bench.add({ value: "10000000" })).bolt11))).toBe("paid");
    expect(bench.peer.wallet.view().balanceSats).toBe(0);
    expect(await reason(bench.peer.wallet.pay((await bench.add({ value: "1" })).bolt11))).toBe("Insufficient balance");
  });

  test("no forged invoice that carries the hash of a real one", async () => {
    const bench = new Bench();
    const { hash } = await bench.add({ value: "1000" });
    const forged = mintInvoice({ paymentHash: hash, timestamp: seconds, amountMsat: 1_000 });
    expect(await reason(bench.peer.wallet.pay(forged))).toBe("Not an invoice of the merchant's node");
    expect((await bench.lookup(hash)).state).toBe("OPEN");
  });

  test("no expired invoice", async () => {
    const bench = new Bench();
    const { bolt11 } = await bench.add({ value: "1", expiry: "300" });
    bench.world.advance(300);
    expect(await reason(bench.peer.wallet.pay(bolt11))).toBe("Invoice has expired");
  });
});

describe("the customer's wallet asks for a refund", () => {
  test("with a signed invoice of its own, without an amount, that lives two hours", () => {
    const bench = new Bench();
    const { invoice, paymentHash } = bench.peer.wallet.invoice();
    const read = decode(invoice);
    expect(read.network?.bech32).toBe("bcrt");
    expect(read.millisatoshis).toBeNull();
    expect(read.tagsObject.payment_hash).toBe(paymentHash);
    expect(read.payeeNodeKey).toBe(bench.peer.wallet.pubkey);
    expect(read.timeExpireDate).toBe(seconds + 7_200);
  });

  test("with the amount and expiry it is told, and never the same hash twice", () => {
    const bench = new Bench();
    const first = bench.peer.wallet.invoice({ amountSats: 500, expirySeconds: 60 });
    const second = bench.peer.wallet.invoice({ amountSats: 500, expirySeconds: 60 });
    expect(decode(first.invoice).satoshis).toBe(500);
    expect(decode(first.invoice).timeExpireDate).toBe(seconds + 60);
    expect(first.paymentHash).not.toBe(second.paymentHash);
  });

  test("but not with an amount or expiry that is no whole number above zero", () => {
    const { wallet } = new Bench().peer;
    for (const amountSats of [0, -1, 1.5, Number.NaN, 3e15])
      expect(() => wallet.invoice({ amountSats })).toThrow(RangeError);
    for (const expirySeconds of [0, -5, 0.5, 4e7]) expect(() => wallet.invoice({ expirySeconds })).toThrow(RangeError);
  });
});
