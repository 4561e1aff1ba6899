import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sats } from "../../../actors/order/money.ts";
import { type NodeHistory, NodeUnavailable } from "../../../src/lightning/port.ts";
import { Bench, type Dialect } from "./bench.ts";

/** What a node tells of its past, complete or not at all. */
export function historyContract(dialect: Dialect): void {
  let bench: Bench;
  let history: NodeHistory;
  beforeEach(() => {
    bench = new Bench(dialect);
    if (!bench.node.history) throw new Error("This node tells nothing of its past");
    history = bench.node.history;
  });
  afterEach(() => bench.stop());

  describe("the past", () => {
    test("has every payment since then, with how it ended, as a look-up tells it", async () => {
      const early = await bench.refund(sats(4_000));
      await bench.node.pay(early);
      bench.forward(100);
      const since = bench.world.now();
      bench.forward(1);
      const [paid, failed, held] = [
        await bench.refund(sats(1_001)),
        await bench.refund(sats(1_002)),
        await bench.refund(sats(1_003)),
      ];
      await bench.node.pay(paid);
      bench.fault("pay", "no_route");
      await bench.node.pay(failed);
      bench.fault("pay", "in_flight", { resolveAfterSeconds: "never" });
      const holding = bench.node.pay(held);
      await bench.struck();
      bench.forward(90);
      await holding;
      const told = await history.paid(since);
      const byHash = new Map(told.map((payment) => [payment.paymentHash, payment]));
      expect([...byHash.keys()].sort()).toEqual([paid, failed, held].map(({ paymentHash }) => paymentHash).sort());
      for (const { paymentHash, amountSats, bolt11 } of [paid, failed, held]) {
        const row = byHash.get(paymentHash);
        expect(row).toMatchObject({ amountMsats: amountSats * 1000, bolt11 });
        expect(row?.startedAt).toBeGreaterThanOrEqual(since - 1_000);
        const state = await bench.node.lookupPayment(paymentHash);
        expect(row?.state).toEqual(state as never);
      }
      expect((await history.paid(0)).length).toBe(4);
    });

    test("is read to its end, however many pages it has", async () => {
      const many = 1.2 * (dialect.page ?? 100);
      for (let n = 0; n < many; n++) await bench.node.pay(await bench.refund(sats(1_000)));
      expect(new Set((await history.paid(0)).map(({ paymentHash }) => paymentHash)).size).toBe(many);
    }, 30_000);

    test("has every settled invoice since then, with what it was made for, and no open one", async () => {
      const first = await bench.invoice(1_000, "order:first");
      await bench.wallet.pay(first.bolt11);
      bench.forward(100);
      const since = bench.world.now();
      const [second] = [await bench.invoice(2_000, "order:second"), await bench.invoice(3_000, "order:third")];
      await bench.wallet.pay(second.bolt11);
      const told = await history.received(since);
      expect(told).toMatchObject([
        { paymentHash: second.paymentHash, receivedMsats: 2_000_000, description: "One number" },
      ]);
      expect([null, "order:second"]).toContain(told[0]?.key as null);
      expect(await history.received(0)).toHaveLength(2);
    });

    test("is not made up when the node cannot be understood", async () => {
      for (const fault of ["garbled", "http500", "reset"]) {
        bench.faults.plan({ peer: "node", action: "*", fault, detail: {} }, 3);
        await expect(history.paid(0)).rejects.toBeInstanceOf(NodeUnavailable);
        bench.faults.clear();
        bench.faults.plan({ peer: "node", action: "*", fault, detail: {} }, 3);
        await expect(history.received(0)).rejects.toBeInstanceOf(NodeUnavailable);
        bench.faults.clear();
      }
    });
  });
}
