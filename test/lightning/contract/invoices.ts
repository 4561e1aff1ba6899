import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { toMsats } from "../../../actors/order/money.ts";
import { readInvoice } from "../../../src/lightning/bolt11.ts";
import { NodeUnavailable } from "../../../src/lightning/port.ts";
import { Bench, type Dialect, sha256 } from "./bench.ts";

/** Making invoices, asking about them, and making them unpayable. */
export function invoiceContract(dialect: Dialect): void {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench(dialect);
  });
  afterEach(() => bench.stop());

  describe("invoices", () => {
    test("say what was asked for, and who will be paid", async () => {
      const { node } = bench;
      const { bolt11, paymentHash, node: madeBy } = await bench.invoice(777);
      const read = readInvoice(bolt11, "bcrt");
      if (!read.ok) throw new Error(read.reason);
      const { amountMsats, description, issuedAt, expiresAt } = read.facts;
      expect([amountMsats as number | null, description, expiresAt - issuedAt]).toEqual([
        777_000,
        "One number",
        300_000,
      ]);
      expect(read.facts.paymentHash).toBe(paymentHash);
      expect(madeBy).toBe((await node.info()).pubkey);
    });

    test("a customer pays, and every way of asking says so", async () => {
      const { node, wallet, world } = bench;
      const { bolt11, paymentHash } = await bench.invoice();
      expect(await node.lookupInvoice(paymentHash)).toEqual({ kind: "open" });
      const { preimage, amountSats } = await wallet.pay(bolt11);
      expect(sha256(preimage)).toBe(paymentHash);
      const state = await node.lookupInvoice(paymentHash);
      expect(state).toMatchObject({ kind: "settled", settlement: { paymentHash } });
      if (state.kind !== "settled") return;
      expect(state.settlement.receivedMsats).toBe(toMsats(amountSats as never));
      expect(Math.abs(state.settlement.settledAt - world.now())).toBeLessThan(5_000);
      expect(await node.settledSince(world.now() - 60_000)).toEqual([state.settlement]);
      expect(await node.cancelInvoice(paymentHash)).toEqual(state);
    });

    test("the node does not know are missing, and nobody can pay them", async () => {
      expect(await bench.node.lookupInvoice("00".repeat(32))).toEqual({ kind: "missing" });
      expect(await bench.node.cancelInvoice("00".repeat(32))).toEqual({ kind: "missing" });
    });

    test("that expired cannot be paid", async () => {
      const { node, wallet } = bench;
      const { bolt11, paymentHash } = await bench.invoice();
      bench.forward(301);
      expect(await node.lookupInvoice(paymentHash)).toEqual({ kind: "dead" });
      await expect(wallet.pay(bolt11)).rejects.toThrow("expired");
    });

    test("that the node did not make are not there", async () => {
      for (const name of dialect.before) {
        bench.fault("create", name);
        const making = bench.invoice().catch((error: unknown) => error);
        if (name === "hang") await bench.struck().then(() => bench.forward(60));
        expect([name, (await making) instanceof NodeUnavailable]).toEqual([name, true]);
      }
    });

    test("whose answer is lost are found", async () => {
      const { node, wallet } = bench;
      for (const name of dialect.after) {
        bench.fault("create", name);
        const making = bench.invoice();
        if (name === "hang_after") await bench.struck().then(() => bench.forward(60));
        const { bolt11, paymentHash } = await making;
        await wallet.pay(bolt11);
        expect([name, (await node.lookupInvoice(paymentHash)).kind]).toEqual([name, "settled"]);
      }
    });

    test("are found in more than one page of the past", async () => {
      const { node, wallet, world } = bench;
      const hashes: string[] = [];
      for (let count = 0; count < 2.3 * (dialect.page ?? 100); count++) {
        const { bolt11, paymentHash } = await bench.invoice(1 + count);
        if (count % 2 === 0) {
          await wallet.pay(bolt11);
          hashes.push(paymentHash);
        }
      }
      const found = await node.settledSince(world.now() - 60_000);
      expect(found.map(({ paymentHash }) => paymentHash).sort()).toEqual(hashes.sort());
    }, 30_000);

    test("of long ago are not in the recent past", async () => {
      const { node, wallet, world } = bench;
      await wallet.pay((await bench.invoice()).bolt11);
      bench.forward(7_200);
      const { bolt11, paymentHash } = await bench.invoice();
      await wallet.pay(bolt11);
      const found = await node.settledSince(world.now() - 60_000);
      expect(found.map((settlement) => settlement.paymentHash)).toEqual([paymentHash]);
      expect(await node.settledSince(world.now() - 8_000_000)).toHaveLength(2);
    });

    test("cannot be asked about while the node is away, and a proxy's page is no answer", async () => {
      const { paymentHash } = await bench.invoice();
      for (const name of [...dialect.before, ...dialect.after]) {
        for (const role of ["lookup", "list"] as const) {
          bench.faults.clear();
          bench.fault(role, name, {}, 3);
          const { node, world } = bench;
          const asking = (role === "lookup" ? node.lookupInvoice(paymentHash) : node.settledSince(world.now())).catch(
            (error: unknown) => error,
          );
          if (name.startsWith("hang")) {
            await bench.met();
            bench.forward(60);
          }
          expect([name, role, (await asking) instanceof NodeUnavailable]).toEqual([name, role, true]);
        }
      }
    });
  });

  const cancel = dialect.calls.cancel;
  describe.if(cancel !== null)("an invoice that is cancelled", () => {
    test("is dead, however often, and cannot be paid", async () => {
      const { node, wallet } = bench;
      const { bolt11, paymentHash } = await bench.invoice();
      expect(await node.cancelInvoice(paymentHash)).toEqual({ kind: "dead" });
      expect((await node.cancelInvoice(paymentHash)).kind).toBeOneOf(["dead", "missing"]);
      await expect(wallet.pay(bolt11)).rejects.toThrow();
    });

    test("although the answer is lost is known to be dead", async () => {
      for (const name of dialect.after.filter((fault) => !fault.startsWith("hang"))) {
        const { paymentHash } = await bench.invoice();
        bench.fault("cancel", name);
        expect(await bench.node.cancelInvoice(paymentHash)).toEqual({ kind: "dead" });
      }
    });

    test("in vain is still open, and that is not hidden", async () => {
      for (const name of dialect.before.filter((fault) => fault !== "hang")) {
        const { paymentHash } = await bench.invoice();
        bench.fault("cancel", name);
        await expect(bench.node.cancelInvoice(paymentHash)).rejects.toThrow(NodeUnavailable);
        expect(await bench.node.lookupInvoice(paymentHash)).toEqual({ kind: "open" });
      }
    });
  });

  describe.if(cancel === null)("an invoice that cannot be cancelled", () => {
    test("stays open until it has expired and nothing can settle any more", async () => {
      const { node, wallet } = bench;
      const { bolt11, paymentHash } = await bench.invoice();
      expect(node.traits.settlesAfterExpiryMs).toBeGreaterThan(0);
      expect(await node.cancelInvoice(paymentHash)).toEqual({ kind: "open" });
      bench.forward(301);
      expect(await node.cancelInvoice(paymentHash)).toEqual({ kind: "open" });
      bench.forward(node.traits.settlesAfterExpiryMs / 1000);
      expect(await node.cancelInvoice(paymentHash)).toEqual({ kind: "dead" });
      await expect(wallet.pay(bolt11)).rejects.toThrow("expired");
    });
  });

  describe("the node", () => {
    test("has an identity and a balance", async () => {
      const { node, wallet } = bench;
      expect(await node.info()).toMatchObject({ network: "bcrt", synced: true });
      const before = await node.balance();
      await wallet.pay((await bench.invoice(500)).bolt11);
      const after = await node.balance();
      expect(after.outboundSats - before.outboundSats).toBe(500);
      if (before.inboundSats !== null) expect((after.inboundSats ?? 0) - before.inboundSats).toBe(-500);
    });

    test("says whether it may pay, without paying", async () => {
      const { node } = bench;
      expect(await node.mayPay()).toEqual({ ok: true });
      const { receiveOnly } = dialect;
      if (receiveOnly)
        bench.faults.plan({ peer: "node", action: receiveOnly.call, fault: receiveOnly.fault, detail: {} });
      else bench.fault("pay", "forbidden");
      expect(await node.mayPay()).toMatchObject({ ok: false, reason: expect.any(String) });
      expect(bench.refundsReceived()).toEqual([]);
    });
  });
}
