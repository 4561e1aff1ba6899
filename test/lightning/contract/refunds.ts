import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sats } from "../../../actors/order/money.ts";
import { NodeUnavailable } from "../../../src/lightning/port.ts";
import { Bench, type Dialect, sha256 } from "./bench.ts";

/** Paying exactly once: what is failed, what is unknown, and how an unknown one is resolved. */
export function refundContract(dialect: Dialect): void {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench(dialect);
  });
  afterEach(() => bench.stop());

  /** Longer than any adapter waits for the end of a payment of 60 s. */
  const PATIENCE = 90;
  const received = () => bench.refundsReceived();

  describe("refunds", () => {
    test("arrive once, with proof and exact amount, however often they are sent", async () => {
      const { node } = bench;
      const payment = await bench.refund(sats(4_321));
      const outcome = await node.pay(payment);
      expect(outcome).toMatchObject({ kind: "succeeded", feeMsats: expect.any(Number) });
      if (outcome.kind === "succeeded") expect(sha256(outcome.preimage)).toBe(payment.paymentHash);
      expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
      expect(await node.lookupPayment(payment.paymentHash)).toMatchObject({ kind: "succeeded" });
      expect(received()).toMatchObject([{ paymentHash: payment.paymentHash, amountSats: 4_321 }]);
    });

    test("cost what the node says, in all answers alike", async () => {
      const { node } = bench;
      const before = (await node.balance()).outboundSats;
      const payment = await bench.refund(sats(5_000));
      const outcome = await node.pay(payment);
      const asked = await node.lookupPayment(payment.paymentHash);
      if (outcome.kind !== "succeeded" || asked.kind !== "succeeded") throw new Error(outcome.kind);
      const cost = before - (await node.balance()).outboundSats;
      expect(Math.round(outcome.feeMsats / 1000)).toBe(cost - 5_000);
      expect(asked.feeMsats).toBe(outcome.feeMsats);
    });

    const definite = ["no_route", "insufficient_balance", "incorrect_details"] as const;
    for (const name of definite) {
      test(`that fail for sure (${name}) can be sent again to the same invoice`, async () => {
        const { node } = bench;
        const payment = await bench.refund();
        bench.fault("pay", name);
        expect(await node.pay(payment)).toEqual({ kind: "failed", reason: dialect.reasons[name] });
        const asked = await node.lookupPayment(payment.paymentHash);
        expect(asked).toEqual({ kind: "failed", reason: dialect.remembersReasons ? dialect.reasons[name] : "failed" });
        expect(received()).toEqual([]);
        expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
        expect(received()).toHaveLength(1);
      });
    }

    test("that time out are never called paid, and can be sent again once the node says they failed", async () => {
      const { node } = bench;
      const payment = await bench.refund();
      bench.fault("pay", "timeout");
      const outcome = await node.pay(payment);
      expect(outcome.kind).toBeOneOf(["failed", "unknown"]);
      // A node that did not say that it has given up may be between two tries.
      if (outcome.kind === "unknown") bench.forward(120);
      expect((await node.lookupPayment(payment.paymentHash)).kind).toBe("failed");
      expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
      expect(received()).toHaveLength(1);
    });

    test("keep to the fee limit where anybody can", async () => {
      const { node } = bench;
      const payment = { ...(await bench.refund()), maxFeeSats: sats(0) };
      const outcome = await node.pay(payment);
      if (node.traits.feeLimit === "nobody") return expect(outcome.kind).toBe("succeeded");
      expect(outcome.kind).toBe("failed");
      expect(received()).toEqual([]);
    });

    test("to an invoice that expired meanwhile fail for sure, but not if they went out before", async () => {
      const { node } = bench;
      const late = await bench.refund(sats(4_000), 120);
      const paid = await bench.refund(sats(4_000), 120);
      expect(await node.pay(paid)).toMatchObject({ kind: "succeeded" });
      bench.forward(121);
      expect(await node.pay(late)).toEqual({ kind: "failed", reason: dialect.reasons.invoice_expired });
      expect(await node.pay(paid)).toMatchObject({ kind: "succeeded" });
      expect(received()).toHaveLength(1);
    });

    for (const resolve of ["succeeded", "failed"] as const) {
      test(`held by the recipient for an hour are not over all the time, then have ${resolve}`, async () => {
        const { node } = bench;
        const payment = await bench.refund();
        bench.fault("pay", "in_flight", { resolveAfterSeconds: 3600, resolve });
        const paying = node.pay(payment);
        await bench.struck();
        bench.forward(PATIENCE);
        expect((await paying).kind).toBeOneOf(["in_flight", "unknown"]);
        expect(await node.lookupPayment(payment.paymentHash)).toEqual({ kind: "in_flight" });
        expect((await node.pay(payment)).kind).toBe("in_flight");
        bench.forward(3_600);
        const state = await node.lookupPayment(payment.paymentHash);
        expect(state.kind).toBe(resolve);
        // One that failed can be sent again; one that succeeded is not paid twice.
        expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
        expect(received()).toHaveLength(1);
      });
    }

    test("that end while they are waited for are known at once", async () => {
      const payment = await bench.refund();
      bench.fault("pay", "in_flight", { resolveAfterSeconds: 30 });
      const paying = bench.node.pay(payment);
      await bench.struck();
      bench.forward(30);
      expect(await paying).toMatchObject({ kind: "succeeded" });
    });

    for (const name of dialect.before) {
      test(`whose request does not reach the node (${name}) are not paid, and not called so`, async () => {
        const { node } = bench;
        const payment = await bench.refund();
        const begun = bench.world.now();
        bench.fault("pay", name);
        const paying = node.pay(payment);
        if (name === "hang") await bench.struck().then(() => bench.forward(PATIENCE));
        // A refusal of the whole call may be taken for what it is; everything else is unknown.
        const { kind } = await paying;
        const isRefusal = (dialect.refusals ?? ["unauthorized"]).includes(name);
        expect(kind).toBeOneOf(isRefusal ? ["unknown", "failed"] : ["unknown"]);
        expect(received()).toEqual([]);
        if (kind === "unknown" && dialect.mayComeLate) {
          expect((await node.lookupPayment(payment.paymentHash)).kind).toBe("unknown");
          const again = node.pay(payment);
          await bench.quiet();
          bench.forward(PATIENCE);
          expect((await again).kind).toBe("unknown");
          // However often it is asked for.
          for (let asked = 0; asked < 20; asked++) {
            if ((await node.lookupPayment(payment.paymentHash)).kind !== "unknown") break;
            bench.forward(60);
          }
          expect(bench.world.now() - begun).toBeGreaterThanOrEqual(dialect.mayComeLate * 1000);
        }
        expect((await node.lookupPayment(payment.paymentHash)).kind).toBe("never_sent");
        expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
        expect(received()).toHaveLength(1);
      });
    }

    for (const name of dialect.after) {
      test(`whose answer is lost after the node acted (${name}) are unknown, then proven`, async () => {
        const { node } = bench;
        const payment = await bench.refund();
        bench.fault("pay", name);
        const paying = node.pay(payment);
        if (name === "hang_after") await bench.struck().then(() => bench.forward(PATIENCE));
        expect(await paying).toMatchObject({ kind: "unknown" });
        expect(await node.lookupPayment(payment.paymentHash)).toMatchObject({ kind: "succeeded" });
        expect(await node.pay(payment)).toMatchObject({ kind: "succeeded" });
        expect(received()).toHaveLength(1);
      });
    }

    test("with a preimage that proves nothing are unknown until the node shows the right one", async () => {
      const { node } = bench;
      const payment = await bench.refund();
      bench.fault("pay", "wrong_preimage");
      expect(await node.pay(payment)).toEqual({ kind: "unknown", reason: "wrong_preimage" });
      expect(await node.lookupPayment(payment.paymentHash)).toMatchObject({ kind: "succeeded" });
    });

    test("that the credentials do not allow fail for sure: nothing was sent", async () => {
      const { node } = bench;
      const payment = await bench.refund();
      bench.fault("pay", "forbidden");
      expect((await node.pay(payment)).kind).toBeOneOf(["failed", "unknown"]);
      expect((await node.lookupPayment(payment.paymentHash)).kind).toBe("never_sent");
      expect(received()).toEqual([]);
    });

    test("the node never saw are never sent", async () => {
      expect(await bench.node.lookupPayment("00".repeat(32))).toEqual({ kind: "never_sent" });
    });

    test("cannot be asked about while the node is away, and a proxy's 404 is no proof", async () => {
      const payment = await bench.refund();
      for (const name of [...dialect.before, ...dialect.after]) {
        bench.faults.clear();
        // More than once, because Bun repeats a GET whose reused connection breaks.
        bench.fault("track", name, {}, 3);
        const asking = bench.node.lookupPayment(payment.paymentHash).catch((error: unknown) => error);
        if (name.startsWith("hang")) {
          await bench.met();
          bench.forward(60);
        }
        expect([name, (await asking) instanceof NodeUnavailable]).toEqual([name, true]);
      }
    });

    test("keep no steered clock waiting while the recipient holds them", async () => {
      const payment = await bench.refund();
      bench.fault("pay", "in_flight", { resolveAfterSeconds: 30 });
      const paying = bench.node.pay(payment);
      await bench.struck();
      expect(await bench.world.drained(2_000)).toEqual([]);
      bench.forward(30);
      await paying;
    });
  });
}
