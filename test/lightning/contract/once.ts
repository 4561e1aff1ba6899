import { expect, test } from "bun:test";
import fc from "fast-check";
import { sats } from "../../../actors/order/money.ts";
import type { PaymentState } from "../../../src/lightning/port.ts";
import { Bench, type Dialect } from "./bench.ts";

type Act =
  | { readonly kind: "pay"; readonly fault: string | null }
  | { readonly kind: "ask"; readonly fault: string | null }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "restart" };

/** What is known, as the service keeps it: it pays only what is new or surely dead, and asks about everything else. */
type Known = "new" | "open" | "dead" | "paid";

const CASES = Number(process.env.ONCE_CASES ?? 20);
/** Longer than any adapter waits for an answer. */
const PATIENCE = 90;

/**
 * Whatever goes wrong, in any order, with any pauses and restarts: a refund arrives at most once, what was called dead never arrives by
 * itself, and in the end it is known what became of it.
 */
export function onceContract(dialect: Dialect): void {
  const faults = [...dialect.before, ...dialect.after, ...(dialect.payFaults ?? [])];
  const act: fc.Arbitrary<Act> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("pay" as const),
        fault: fc.constantFrom(null, ...faults, "no_route", "in_flight", "wrong_preimage"),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        fault: fc.constantFrom(null, null, ...dialect.before),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), seconds: fc.constantFrom(1, 20, 61, 200, 700) }),
    },
    { weight: 1, arbitrary: fc.constant<Act>({ kind: "restart" }) },
  );

  test("a refund arrives at most once, whatever happens, and what is called dead stays so", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 2, maxLength: 9 }), (acts) => live(dialect, acts)),
      { numRuns: CASES, seed: 402 },
    );
  }, 120_000);
}

async function live(dialect: Dialect, acts: readonly Act[]): Promise<void> {
  const bench = new Bench(dialect);
  try {
    const payment = await bench.refund(sats(4_000), 86_400);
    let node = bench.node;
    const at: { known: Known } = { known: "new" };
    const arrived = () => bench.refundsReceived().length;
    /** Moves time on while the answer does not come. */
    const answered = async (asking: Promise<PaymentState>): Promise<PaymentState> => {
      let over = false;
      const noted = asking.finally(() => {
        over = true;
      });
      noted.catch(() => {});
      await bench.quiet();
      for (let turn = 0; !over && turn < 5; turn++) {
        bench.forward(PATIENCE);
        await bench.quiet();
      }
      return noted;
    };
    const learn = ({ kind }: PaymentState): void => {
      if (kind === "succeeded") expect(arrived()).toBe(1);
      at.known = kind === "succeeded" ? "paid" : kind === "failed" || kind === "never_sent" ? "dead" : "open";
    };
    const ask = async () => {
      const state = await answered(node.lookupPayment(payment.paymentHash)).catch(() => null);
      if (state) learn(state);
    };
    const step = async (now: Act): Promise<void> => {
      switch (now.kind) {
        case "wait":
          bench.forward(now.seconds);
          return bench.quiet();
        case "restart":
          node = bench.client();
          return;
        case "ask":
          if (at.known === "new") return;
          if (now.fault) bench.fault("track", now.fault);
          await ask();
          return bench.faults.clear();
        case "pay":
          if (at.known !== "new" && at.known !== "dead") return ask();
          if (now.fault) bench.fault("pay", now.fault, now.fault === "late" ? { afterSeconds: 250 } : {});
          learn(await answered(node.pay(payment)));
          return bench.faults.clear();
      }
    };
    for (const now of acts) {
      const before = { known: at.known, arrived: arrived() };
      await step(now);
      expect(arrived()).toBeLessThanOrEqual(1);
      if (before.known === "dead" && now.kind !== "pay") expect(arrived()).toBe(before.arrived);
      if (before.known === "paid") expect(arrived()).toBe(1);
    }
    // In time, and with peers that are well, everything is known.
    for (let turn = 0; at.known === "open" && turn < 40; turn++) {
      bench.forward(60);
      await bench.quiet();
      await ask();
    }
    expect(["new", "dead", "paid"]).toContain(at.known);
    bench.forward(3_600);
    await bench.quiet();
    expect(arrived()).toBe(at.known === "paid" ? 1 : 0);
  } finally {
    await bench.stop();
  }
}
